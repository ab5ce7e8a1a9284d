//! The programs under test, and the output of a run.

use std::path::PathBuf;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_parachute");

/// The program that plays modules. Plain `cargo test` builds it.
pub fn fixture() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let path = exe.ancestors().nth(2).unwrap().join("examples").join("fixture");
    assert!(
        path.exists(),
        "{} is not built: run plain `cargo test`, or `cargo build --example fixture` first",
        path.display()
    );
    path
}

/// The result of a command.
#[derive(Debug, Clone)]
#[must_use = "look at the exit code at least"]
pub struct Outcome {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Exit code.
    pub code: i32,
}

impl Outcome {
    /// From a process that has ended. A signal is reported as 128 + its number, as in a shell.
    pub fn of(output: std::process::Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status).unwrap_or(0);
        let code = output.status.code().unwrap_or(128 + signal);
        Self { out: text(output.stdout), err: text(output.stderr), code }
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}
