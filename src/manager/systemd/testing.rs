//! Shared by the tests of this folder.
#![expect(clippy::disallowed_methods, reason = "test: reads captured answers")]

use crate::manager::invocation::ToolOutput;
use crate::manager::systemd::Systemd;
use crate::unit::target::Scope;

/// A user's manager.
pub(crate) fn user() -> Systemd {
    Systemd {
        scope: Scope::User,
        version: 252,
        dir: "/h/.config/systemd/user".into(),
        runtime_dir: Some("/run/user/1000".into()),
    }
}

/// PID 1.
pub(crate) fn system() -> Systemd {
    Systemd { scope: Scope::System, runtime_dir: None, dir: "/etc/systemd/system".into(), version: 252 }
}

pub(crate) fn answer(code: i32, stdout: &str, stderr: &str) -> ToolOutput {
    ToolOutput { code: Some(code), stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

/// A captured `systemctl show`: tests/data/systemd/README.md.
pub(crate) fn captured(name: &str) -> ToolOutput {
    let path = format!("{}/tests/data/systemd/{name}.show", env!("CARGO_MANIFEST_DIR"));
    answer(0, &std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")), "")
}
