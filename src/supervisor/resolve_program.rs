//! Finds a module's program before a spawn, with the child's own PATH and working directory, not the hub's; and
//! explains why a spawn failed.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::module::dependency;
use crate::module::launch::Launch;
use crate::module::name::Short;
use crate::module::problem::{Problem, ProblemKind};
use crate::module::timestamp::Timestamp;
use crate::process::find_program;
use crate::process::path_helper::client::PathHelper;
use crate::process::path_helper::protocol::{Answer, Dir, Program, Question};
use crate::process::spawn::{SpawnError, SpawnErrorKind};

use super::path_problem;

/// Finds the program of a launch.
///
/// # Errors
/// [`ProblemKind::MissingCwd`], [`ProblemKind::NonExecutable`] or [`ProblemKind::MissingDependency`], each only for
/// its own cause; [`ProblemKind::PathSilent`].
pub(super) async fn resolve_program(
    paths: &PathHelper,
    launch: &Launch,
    at: Timestamp,
) -> Result<PathBuf, Problem> {
    let candidates = candidates(launch);
    let answers = paths.ask(questions(launch, &candidates)).await;
    let answers = answers.map_err(|no_answer| path_problem::of(&no_answer, &launch.short, at))?;
    judge(launch, candidates, &answers, at)
}

fn name(launch: &Launch) -> &OsStr {
    launch.argv.first().map_or(OsStr::new(""), |arg| arg.as_os_str())
}

fn candidates(launch: &Launch) -> Vec<PathBuf> {
    let path = launch.env.get(OsStr::new("PATH")).map(OsString::as_os_str);
    find_program::candidates(name(launch), path, launch.cwd.as_deref().unwrap_or(Path::new("/")))
}

/// The working directory first, if it has one of its own.
fn questions(launch: &Launch, candidates: &[PathBuf]) -> Vec<Question> {
    let dir = launch.cwd.clone().map(Question::Dir);
    dir.into_iter().chain(candidates.iter().cloned().map(Question::Program)).collect()
}

/// Decides by the answers to [`questions`].
fn judge(
    launch: &Launch,
    candidates: Vec<PathBuf>,
    answers: &[Answer],
    at: Timestamp,
) -> Result<PathBuf, Problem> {
    let short = &launch.short;
    if let Some(cwd) = launch.cwd.as_deref() {
        let shown = cwd.display();
        let missing = |text| Problem::new(ProblemKind::MissingCwd, text, at);
        match answers.first() {
            Some(Answer::Dir(Dir::Open)) => {}
            Some(Answer::Dir(Dir::Closed)) => {
                let text =
                    format!("the working directory {shown} of {short} may not be entered by this user");
                return Err(missing(text).next(format!("ls -ld {shown}")));
            }
            Some(Answer::Dir(Dir::Failed(errno))) => {
                let cause = std::io::Error::from_raw_os_error(*errno);
                let text = format!("the working directory {shown} of {short} cannot be used: {cause}");
                return Err(missing(text).next(format!("ls -ld {shown}")));
            }
            _ => {
                let text = format!("the working directory {shown} of {short} does not exist");
                return Err(missing(text).next(format!("mkdir -p {shown}")));
            }
        }
    }
    let programs = answers.iter().skip(usize::from(launch.cwd.is_some()));
    let mut unusable = None;
    for (candidate, answer) in candidates.into_iter().zip(programs) {
        match answer {
            Answer::Program(Program::Usable) => return Ok(candidate),
            Answer::Program(found @ (Program::Directory | Program::NotExecutable)) if unusable.is_none() => {
                unusable = Some((candidate, *found));
            }
            _ => {}
        }
    }
    match unusable {
        Some((path, Program::Directory)) => Err(is_directory(short.as_str(), &path, at)),
        Some((path, _)) => Err(not_executable(short.as_str(), &path, at)),
        None => {
            let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
            let mut problem = dependency::missing(&name(launch).to_string_lossy(), os, arch, at);
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

fn is_directory(short: &str, path: &Path, at: Timestamp) -> Problem {
    let text = format!("{}, the program of {short}, is a directory", path.display());
    Problem::new(ProblemKind::NonExecutable, text, at).next(format!("parachute why {short}"))
}

fn not_executable(short: &str, path: &Path, at: Timestamp) -> Problem {
    let shown = path.display();
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
    use crate::process::path_helper::server;

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
            definition: String::new(),
        }
    }

    #[test]
    fn each_cause_has_its_own_kind() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("tool");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        let kind = |launch: &Launch| {
            let candidates = candidates(launch);
            let answers = server::answers(questions(launch, &candidates));
            judge(launch, candidates, &answers, Timestamp(0)).map_err(|p| p.error_type)
        };
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
