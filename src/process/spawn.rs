//! Starts one child in its own group, and follows it until it is reaped.
//!
//! ```text
//! spawn ──► Child (alive) ──ended()──► zombie: pid and group still reserved ──reap()──► Reaped { ended, at }
//! ```
//!
//! It touches no path: the child does. Why a start failed is told apart by answers of a [`super::path_helper`].

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Rlimit};

use super::cgroup::ModuleCgroup;
use super::fifo::{Output, Outputs};
use super::id::{ProcessId, Started};
use super::os::{self, ExitWatch};
use super::path_helper::protocol::{Answer, Dir, Head, Question};
use super::system::Order;
use super::table;
use super::this_process::open_files;
use crate::module::exit_status::ExitStatus;
use crate::module::launch::{Launch, MARK_INCARNATION};

/// Why a child could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: {}", self.subject().display())]
pub(crate) struct SpawnError {
    /// What was wrong.
    pub kind: SpawnErrorKind,
    /// The program that was to be executed.
    pub program: PathBuf,
    /// The working directory it was to have. `None`: ours.
    pub cwd: Option<PathBuf>,
    /// errno of the failed call, if one failed.
    pub errno: Option<i32>,
}

/// Nothing was started. The paths that may explain it were not looked at yet.
#[derive(Debug)]
pub(crate) struct NotSpawned {
    cause: io::Error,
    program: PathBuf,
    cwd: Option<PathBuf>,
    /// The kind, if it is known without a look.
    kind: Option<SpawnErrorKind>,
}

/// What was wrong. `execve` reports ENOENT for three reasons, which are told apart after the failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpawnErrorKind {
    /// The program does not exist.
    #[error("the program does not exist")]
    NoProgram,
    /// The working directory does not exist or is not a directory.
    #[error("the working directory does not exist")]
    NoCwd,
    /// This user may not enter the working directory.
    #[error("the working directory may not be entered")]
    CwdDenied,
    /// The program exists, but the interpreter in its `#!` line, or a binary's loader, does not.
    #[error("the interpreter {0:?} of the program does not exist")]
    NoInterpreter(String),
    /// No execute bit, a directory, or a file system mounted noexec.
    #[error("the program is not executable")]
    NotExecutable,
    /// Neither a binary of this machine nor a script with a `#!` line.
    #[error("the program is neither a binary for this machine nor a script with a `#!` line")]
    NotAProgram,
    /// Out of processes, memory or descriptors; a retry may succeed.
    #[error("the system cannot start another process")]
    NoRoom,
    /// Arguments and environment are too long for the kernel, or contain a NUL byte.
    #[error("the arguments or the environment cannot be passed to a program")]
    BadArguments,
    /// Anything else.
    #[error("the program could not be started")]
    Other,
}

/// A child of ours. If it is dropped unreaped it keeps running: the caller must then know its `id`.
#[derive(Debug)]
pub(crate) struct Child {
    id: ProcessId,
    pid: Pid,
    watch: ExitWatch,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reaped {
    /// How it ended.
    pub ended: ExitStatus,
    /// A moment at which the pid was still reserved; see [`super::membership`].
    pub at: Started,
}

/// Starts `program` with the arguments, environment and directory of `launch`, as leader of a new process group.
///
/// `argv[0]` comes from the start command, `program` is its resolved path. Input is `/dev/null`. `outputs` are FIFOs or
/// pipes, not sockets, so that a child can open `/dev/stdout`; of their ends for the child none stays open here, so that
/// they end with the last process that has them.
///
/// # Errors
/// [`NotSpawned`].
pub(crate) fn spawn(
    launch: &Launch,
    program: &Path,
    incarnation: &str,
    cgroup: Option<&ModuleCgroup>,
    outputs: Outputs,
) -> Result<Child, NotSpawned> {
    spawn_limited(launch, program, incarnation, cgroup, outputs, open_files::started_with())
}

fn spawn_limited(
    launch: &Launch,
    program: &Path,
    incarnation: &str,
    cgroup: Option<&ModuleCgroup>,
    outputs: Outputs,
    limit: Option<Rlimit>,
) -> Result<Child, NotSpawned> {
    let not_spawned = |kind, cause| NotSpawned::new(launch, program, kind, cause);
    let cgroup = cgroup.map(ModuleCgroup::open).transpose();
    let cgroup = cgroup.map_err(|error| not_spawned(Some(SpawnErrorKind::Other), error))?;
    let mark = (OsStr::new(MARK_INCARNATION), OsStr::new(incarnation));
    let others = launch.env.iter().filter(|(key, _)| *key != MARK_INCARNATION);
    let order = Order {
        program,
        argv: &launch.argv,
        env: others.map(|(key, value)| (key.as_os_str(), value.as_os_str())).chain([mark]).collect(),
        cwd: launch.cwd.as_deref(),
        limit,
        cgroup: cgroup.as_ref().map(AsFd::as_fd),
        stdout: outputs.stdout.writer.as_fd(),
        stderr: outputs.stderr.writer.as_fd(),
    };
    let born = os::spawn(&order).map_err(|error| not_spawned(kind_of(&error), error))?;
    let Outputs { stdout: Output { reader: stdout, .. }, stderr: Output { reader: stderr, .. }, .. } =
        outputs;
    // Only we reap it, so its process table entry exists even if it has already exited.
    let identity = table::identify(born.pid);
    let pid = i32::try_from(born.pid).ok().and_then(Pid::from_raw);
    let (Ok(Some(id)), Some(pid)) = (&identity, pid) else {
        // Without an identity it could not be signalled safely: better no child than one that cannot be stopped.
        if let Some(pid) = pid {
            os::discard(pid);
        }
        return Err(match identity {
            Err(unknown) => {
                not_spawned(Some(SpawnErrorKind::NoRoom), io::Error::from_raw_os_error(unknown.errno))
            }
            Ok(_) => not_spawned(Some(SpawnErrorKind::Other), io::ErrorKind::Other.into()),
        });
    };
    let watch = ExitWatch::new(pid, born.pidfd);
    Ok(Child { id: id.clone(), pid, watch, stdout: Some(stdout), stderr: Some(stderr) })
}

impl SpawnError {
    /// The path the error is about: the working directory or the program.
    #[must_use]
    pub(crate) fn subject(&self) -> &Path {
        match (&self.kind, &self.cwd) {
            (SpawnErrorKind::NoCwd | SpawnErrorKind::CwdDenied, Some(cwd)) => cwd,
            _ => &self.program,
        }
    }
}

impl Child {
    /// Its identity; its pid is also the number of its group.
    #[must_use]
    pub(crate) fn id(&self) -> &ProcessId {
        &self.id
    }

    /// The read end of its stdout, non-blocking. `None` the second time.
    pub(crate) fn take_stdout(&mut self) -> Option<OwnedFd> {
        self.stdout.take()
    }

    /// The read end of its stderr, non-blocking. `None` the second time.
    pub(crate) fn take_stderr(&mut self) -> Option<OwnedFd> {
        self.stderr.take()
    }

    /// Waits for its exit and leaves it a zombie, so that pid and group stay reserved. Cancel-safe. Needs a runtime.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        self.watch.ended().await
    }

    /// Reaps the zombie. From here on its pid may be reused.
    ///
    /// # Errors
    /// The child itself, if it has not ended: this never waits.
    pub(crate) fn reap(self) -> Result<Reaped, Self> {
        // Read before the reaping: processes that started up to this time met a pid that was still taken.
        let at = os::now();
        match os::end_if_any(self.pid) {
            Some(ended) => Ok(Reaped { ended, at }),
            None => Err(self),
        }
    }
}

impl NotSpawned {
    fn new(launch: &Launch, program: &Path, kind: Option<SpawnErrorKind>, cause: io::Error) -> Self {
        Self { cause, program: program.to_owned(), cwd: launch.cwd.clone(), kind }
    }

    /// There is nothing that it could write to.
    #[must_use]
    pub(crate) fn without_outputs(launch: &Launch, program: &Path, cause: io::Error) -> Self {
        let kind = kind_of(&cause).unwrap_or(SpawnErrorKind::Other);
        Self::new(launch, program, Some(kind), cause)
    }

    /// What must be looked at to tell why.
    #[must_use]
    pub(crate) fn questions(&self) -> Vec<Question> {
        let dir = self.cwd.clone().map(Question::Dir);
        match &self.kind {
            Some(_) => Vec::new(),
            // A relative program is searched below the child's directory.
            None => {
                let base = self.cwd.as_deref().unwrap_or(Path::new("/"));
                dir.into_iter().chain([Question::Head(base.join(&self.program))]).collect()
            }
        }
    }

    /// The failure in words, by the answers to [`Self::questions`]. Without them less is known.
    #[must_use]
    pub(crate) fn explained(self, answers: &[Answer]) -> SpawnError {
        let Self { cause, program, cwd, kind } = self;
        let (errno, is_denied) = (cause.raw_os_error(), cause.kind() == ErrorKind::PermissionDenied);
        let kind = kind.unwrap_or_else(|| explain(is_denied, answers));
        SpawnError { kind, program, cwd, errno }
    }
}

/// The kind of an error that needs no look.
fn kind_of(error: &io::Error) -> Option<SpawnErrorKind> {
    Some(match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied => return None,
        ErrorKind::InvalidInput | ErrorKind::ArgumentListTooLong => SpawnErrorKind::BadArguments,
        ErrorKind::OutOfMemory | ErrorKind::WouldBlock => SpawnErrorKind::NoRoom,
        _ => match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NOEXEC) => SpawnErrorKind::NotAProgram,
            Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => SpawnErrorKind::NoRoom,
            _ => SpawnErrorKind::Other,
        },
    })
}

/// Tells apart what the kernel reports with one errno.
fn explain(is_denied: bool, answers: &[Answer]) -> SpawnErrorKind {
    let has = |dir| answers.contains(&Answer::Dir(dir));
    if answers.is_empty() {
        return SpawnErrorKind::Other;
    }
    if is_denied {
        return if has(Dir::Closed) { SpawnErrorKind::CwdDenied } else { SpawnErrorKind::NotExecutable };
    }
    if has(Dir::None) {
        return SpawnErrorKind::NoCwd;
    }
    match answers.last() {
        // Only the error tells that there is an interpreter.
        Some(Answer::Head(Head::Unreadable)) => SpawnErrorKind::NoInterpreter(String::new()),
        Some(Answer::Head(Head::Bytes(bytes))) => SpawnErrorKind::NoInterpreter(interpreter(bytes)),
        _ => SpawnErrorKind::NoProgram,
    }
}

/// The interpreter in a `#!` line; empty for a binary, whose loader is missing.
fn interpreter(head: &[u8]) -> String {
    let Some(line) = head.strip_prefix(b"#!") else { return String::new() };
    let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line.trim_ascii()).split(' ').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "test: writes programs that cannot be started")]

    use super::*;
    use crate::process::fifo;
    use crate::process::group::{self, Signal};
    use crate::process::path_helper::server;
    use crate::process::testing::{drained, shell, start};

    #[tokio::test]
    async fn a_zombie_until_it_is_reaped() {
        let (mut child, guard) = start("read never || exit 3");
        assert_eq!(child.exited().await, ExitStatus::Code(3), "stdin is empty");
        assert_eq!(table::identify(child.id().pid), Ok(Some(child.id().clone())), "the zombie holds the pid");
        assert_eq!(table::alive(child.id()), Ok(false));
        assert_eq!(child.exited().await, ExitStatus::Code(3), "asking consumes nothing");
        let reaped = child.reap().unwrap();
        assert_eq!(reaped.ended, ExitStatus::Code(3));
        assert!(reaped.at >= guard.run.leader.started);
        assert_ne!(table::identify(guard.run.leader.pid), Ok(Some(guard.run.leader.clone())));
    }

    #[tokio::test]
    async fn a_live_child_is_not_reaped() {
        let (child, _guard) = start("exec sleep 100");
        let mut child = child.reap().unwrap_err();
        group::signal(child.id(), Signal::Kill).unwrap();
        assert_eq!(child.exited().await, ExitStatus::Signal { signal: 9, core: false });
        assert_eq!(
            group::signal(child.id(), Signal::Kill),
            Err(group::SignalError::Gone { pid: child.id().pid })
        );
    }

    #[tokio::test]
    async fn outputs_can_be_opened_by_name_and_the_environment_is_ours_alone() {
        let (mut child, guard) =
            start("echo x > /dev/stdout; echo y > /dev/stderr; pwd; env | cut -d= -f1 | sort");
        let (out, err) = (child.take_stdout().unwrap(), child.take_stderr().unwrap());
        assert!(child.take_stdout().is_none());
        child.exited().await;
        let home = guard.home.path().canonicalize().unwrap();
        let marks = "PARACHUTE_HOME\nPARACHUTE_INCARNATION\nPARACHUTE_MODULE\nPATH\nPWD\n";
        assert_eq!(drained(out), format!("x\n{}\n{marks}", home.display()));
        assert_eq!(drained(err), "y\n");
        assert!(child.reap().is_ok());
    }

    #[tokio::test]
    async fn every_failure_is_classified() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str, mode: u32| {
            let path = dir.path().join(name);
            // Written by another process: a child forked by a parallel test would keep our descriptor open (ETXTBSY).
            let mut shell = std::process::Command::new("/bin/sh");
            shell.args(["-c", "printf %s \"$2\" >\"$1\" && chmod \"$3\" \"$1\"", "sh"]).arg(&path).arg(text);
            assert!(shell.arg(format!("{mode:o}")).status().unwrap().success());
            path
        };
        let plain = file("plain", "#!/bin/sh\n", 0o644);
        let text = file("text", "no shebang\n", 0o755);
        let orphan = file("orphan", "#!/no/such/bun run\n", 0o755);
        let interpreter = SpawnErrorKind::NoInterpreter("/no/such/bun".into());
        for (program, kind, errno) in [
            (Path::new("/no/such/program"), SpawnErrorKind::NoProgram, Some(2)),
            (&plain.join("below"), SpawnErrorKind::NoProgram, Some(20)),
            (&orphan, interpreter, Some(2)),
            (&plain, SpawnErrorKind::NotExecutable, Some(13)),
            (dir.path(), SpawnErrorKind::NotExecutable, Some(13)),
            (&text, SpawnErrorKind::NotAProgram, Some(8)),
        ] {
            for limit in both() {
                let error = failure(&shell("", dir.path()), program, limit);
                assert_eq!((error.kind.clone(), error.errno), (kind.clone(), errno), "{error}");
                assert_eq!(error.subject(), program);
            }
        }
        let mut lost = shell("", dir.path());
        lost.cwd = Some(dir.path().join("gone"));
        let said = format!("the working directory does not exist: {}", dir.path().join("gone").display());
        let mut nul = shell("", dir.path());
        nul.argv.push("a\0b".into());
        for limit in both() {
            let error = failure(&lost, Path::new("/bin/sh"), limit);
            assert_eq!((error.kind.clone(), error.to_string()), (SpawnErrorKind::NoCwd, said.clone()));
            let error = failure(&nul, Path::new("/bin/sh"), limit);
            assert_eq!(error.kind, SpawnErrorKind::BadArguments);
        }
    }

    /// A failed start, explained.
    fn failure(launch: &Launch, program: &Path, limit: Option<Rlimit>) -> SpawnError {
        let outputs = Outputs::pipes().unwrap();
        let failed = spawn_limited(launch, program, "n:1", None, outputs, limit).unwrap_err();
        let answers = server::answers(failed.questions());
        failed.explained(&answers)
    }

    /// The two ways to start a child.
    fn both() -> [Option<Rlimit>; 2] {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        [None, Some(Rlimit { current: Some(123), ..limit })]
    }

    /// All that a child can see of its start is the same both ways, except for the limit.
    #[tokio::test]
    async fn a_child_with_another_limit_is_like_every_other() {
        if cfg!(not(target_os = "linux")) {
            return; // /proc is asked below
        }
        let script = "exec 2>&1; echo \"$0 $PARACHUTE_INCARNATION $(($$ - $(cut -d' ' -f5 /proc/$$/stat)))\"; pwd; \
            ls -l /proc/self/fd | sed 's/.*[0-9] -> //; s/[0-9]\\{3,\\}//'; env -u _ | sort; \
            echo limit $(ulimit -Sn); exec grep -E '^(Sig(Blk|Ign|Cgt)|Threads)' /proc/self/status";
        // A handler of ours, which no child may keep.
        let _handled = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1()).unwrap();
        let mut said = Vec::new();
        let home = tempfile::tempdir().unwrap();
        for limit in both() {
            let launch = shell(script, home.path());
            let outputs = fifo::make(&home.path().join("log"), &launch.short, 1).unwrap();
            let mut child =
                spawn_limited(&launch, Path::new("/bin/sh"), "n:1", None, outputs, limit).unwrap();
            let out = child.take_stdout().unwrap();
            assert_eq!(child.exited().await, ExitStatus::Code(0));
            said.push(drained(out).lines().map(without_libc).collect::<Vec<_>>());
            assert!(child.reap().is_ok());
        }
        let (limited, other) = (said.pop().unwrap(), said.pop().unwrap());
        let but_limit = |said: &[String]| said.iter().filter(|s| !s.starts_with("limit")).cloned().collect();
        let (all, same): (Vec<String>, Vec<String>) = (but_limit(&limited), but_limit(&other));
        assert_eq!(all, same);
        assert!(all[0] == "sh n:1 0" && limited.contains(&"limit 123".to_owned()), "{limited:#?}");
        assert!(all.contains(&"SigBlk:\t0000000000000000".to_owned()), "{all:#?}");
    }

    /// glibc makes its children ignore its two internal signals, 32 and 33, which mean nothing to a program.
    fn without_libc(line: &str) -> String {
        let Some(mask) = line.strip_prefix("SigIgn:\t") else { return line.to_owned() };
        format!("SigIgn:\t{:x}", u64::from_str_radix(mask, 16).unwrap() & !(0b11 << 31))
    }

    #[test]
    fn shebang_lines() {
        assert_eq!(interpreter(b"#! /usr/bin/env node\nrest"), "/usr/bin/env");
        assert_eq!(interpreter(b"\x7fELF"), "");
    }
}
