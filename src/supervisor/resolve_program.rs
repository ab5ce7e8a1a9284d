//! Finds a module's program before a spawn, with the child's own PATH and working directory, not the hub's; and
//! explains why a spawn failed.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::home::fs;
use crate::module::dependency;
use crate::module::launch::Launch;
use crate::module::name::Short;
use crate::module::problem::{Problem, ProblemKind};
use crate::module::timestamp::Timestamp;
use crate::process::find_program;
use crate::process::spawn::{SpawnError, SpawnErrorKind};

/// Finds the program of a launch.
///
/// # Errors
/// [`ProblemKind::MissingCwd`], [`ProblemKind::NonExecutable`] or [`ProblemKind::MissingDependency`], each only for
/// its own cause.
pub(super) fn resolve_program(launch: &Launch, at: Timestamp) -> Result<PathBuf, Problem> {
    let short = &launch.short;
    if let Some(cwd) = launch.cwd.as_deref().filter(|cwd| !fs::is_dir(cwd)) {
        let cwd = cwd.display();
        return Err(Problem::new(
            ProblemKind::MissingCwd,
            format!("the working directory {cwd} of {short} does not exist"),
            at,
        )
        .next(format!("mkdir -p {cwd}")));
    }
    let name = launch.argv.first().map_or(OsStr::new(""), |arg| arg.as_os_str());
    let mut unusable = None;
    let path = launch.env.get(OsStr::new("PATH")).map(OsString::as_os_str);
    let cwd = launch.cwd.as_deref().unwrap_or(Path::new("/"));
    for candidate in find_program::candidates(name, path, cwd) {
        if find_program::is_program(&candidate) {
            return Ok(candidate);
        }
        if unusable.is_none() && fs::exists(&candidate) {
            unusable = Some(candidate);
        }
    }
    match unusable {
        Some(path) => Err(not_executable(short.as_str(), &path, at)),
        None => {
            let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
            let mut problem = dependency::missing(&name.to_string_lossy(), os, arch, at);
            // If no install command is known, `why` shows the requested command.
            problem.next.get_or_insert_with(|| format!("parachute why {short}"));
            Err(problem)
        }
    }
}

/// The problem of a spawn that failed although its program was found: it changed since, or only the system could tell.
#[must_use]
pub(super) fn spawn_failed(error: &SpawnError, short: &Short, at: Timestamp) -> Problem {
    let kind = match error.kind {
        SpawnErrorKind::NoProgram => ProblemKind::MissingDependency,
        SpawnErrorKind::NoCwd | SpawnErrorKind::CwdDenied => ProblemKind::MissingCwd,
        SpawnErrorKind::NotExecutable => ProblemKind::NonExecutable,
        SpawnErrorKind::NoInterpreter(_)
        | SpawnErrorKind::NotAProgram
        | SpawnErrorKind::NoRoom
        | SpawnErrorKind::BadArguments
        | SpawnErrorKind::Other => ProblemKind::SpawnFailed,
    };
    let errno = error
        .errno
        .map_or_else(String::new, |errno| format!(" ({})", std::io::Error::from_raw_os_error(errno)));
    Problem::new(kind, format!("{short} could not be started: {error}{errno}"), at)
        .next(format!("parachute why {short}"))
}

fn not_executable(short: &str, path: &Path, at: Timestamp) -> Problem {
    let shown = path.display();
    if fs::is_dir(path) {
        let text = format!("{shown}, the program of {short}, is a directory");
        return Problem::new(ProblemKind::NonExecutable, text, at).next(format!("parachute why {short}"));
    }
    let text = format!("{shown}, the program of {short}, exists and may not be executed by this user");
    Problem::new(ProblemKind::NonExecutable, text, at).next(format!("chmod +x {shown}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "test: real files in a temporary directory")]

    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::module::launch::Policy;

    fn launch(argv0: &str, cwd: &Path, path: &str) -> Launch {
        Launch {
            short: Short::new("vault").unwrap(),
            row: "parachute-vault".to_owned(),
            argv: vec![argv0.into()],
            cwd: Some(cwd.to_owned()),
            env: BTreeMap::from([("PATH".into(), path.into())]),
            port: 1940,
            listens: true,
            health: "/health".to_owned(),
            policy: Policy::default(),
        }
    }

    #[test]
    fn each_cause_has_its_own_kind() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("tool");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        let kind = |launch: &Launch| resolve_program(launch, Timestamp(0)).map_err(|p| p.error_type);
        let path = dir.path().to_str().unwrap();

        assert_eq!(kind(&launch("nowhere", dir.path(), path)), Err(ProblemKind::MissingDependency));
        assert_eq!(kind(&launch("tool", dir.path(), path)), Err(ProblemKind::NonExecutable));
        assert_eq!(kind(&launch("./folder", dir.path(), path)), Err(ProblemKind::NonExecutable));
        assert_eq!(kind(&launch("tool", &dir.path().join("gone"), path)), Err(ProblemKind::MissingCwd));

        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(kind(&launch("tool", dir.path(), path)), Ok(program.clone()));
        let relative = launch("./tool", dir.path(), "/nonexistent");
        assert_eq!(kind(&relative), Ok(dir.path().join("./tool")), "relative to the child's own directory");
    }
}
