//! Detached daemons, as they run: the data that is needed to start one again unchanged, and to find out whether
//! that was already done.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::id::ProcessId;
use super::os;
use super::os_bytes::OsBytes;
use super::system::{Detach, NotDetached, ProcInfo, Stream};
use super::table::{self, Census};
use super::unknown::Unknown;

/// The data needed to start a process again as it was started. Its environment may hold secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchRecord {
    /// The file it executes.
    pub exe: OsBytes,
    /// `argv[0]` first.
    pub argv: Vec<OsBytes>,
    /// `KEY=value`, in original order.
    pub env: Vec<OsBytes>,
    /// Working directory.
    pub cwd: OsBytes,
    /// The files of its output, stdout and stderr. `None`: none, or not a file that a second process can open.
    pub output: [Option<OsBytes>; 2],
    /// Its umask, if the system reports it.
    pub umask: Option<u32>,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its supplementary groups.
    pub groups: Vec<u32>,
}

/// The environment is secret.
impl std::fmt::Debug for LaunchRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaunchRecord")
            .field("exe", &self.exe)
            .field("argv", &self.argv)
            .field("env", &format_args!("{} variables", self.env.len()))
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// Why a process cannot be started again as it was.
#[derive(Debug, thiserror::Error)]
pub enum DetachedError {
    /// This user may not see all of it.
    #[error("{what} of pid {pid} cannot be read")]
    Hidden {
        /// The part that is hidden.
        what: &'static str,
        /// Its pid.
        pid: u32,
    },
    /// The system gave no answer.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// A file or directory that it needs cannot be used.
    #[error("cannot open {}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// It cannot be executed.
    #[error("cannot start {}", exe.display())]
    Start {
        /// The program.
        exe: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// The files behind the standard streams of a process, if the system reports them: input, output, error.
#[must_use]
pub fn streams(pid: u32) -> [Option<Stream>; 3] {
    os::streams(pid)
}

/// Records how a live process runs.
///
/// # Errors
/// [`DetachedError`]: if any part is missing, it could not be restored as it was.
pub fn capture(id: &ProcessId) -> Result<LaunchRecord, DetachedError> {
    let pid = id.pid;
    let hidden = |what| DetachedError::Hidden { what, pid };
    let environ = os::environ(pid)?.ok_or_else(|| hidden("the environment"))?;
    let person = os::identity(pid).ok_or_else(|| hidden("the user"))?;
    let streams = os::streams(pid);
    let [_, out, err] = streams.map(|stream| stream.filter(|s| is_file(&s.path)).map(|s| s.path.into()));
    let record = LaunchRecord {
        exe: without_deleted(os::exe(pid).ok_or_else(|| hidden("the program"))?).into(),
        argv: os::command_line(pid)
            .ok_or_else(|| hidden("the command line"))?
            .into_iter()
            .map(OsBytes)
            .collect(),
        env: environ
            .split(|byte| *byte == 0)
            .filter(|entry| !entry.is_empty())
            .map(|entry| OsBytes(OsString::from_vec(entry.to_vec())))
            .collect(),
        cwd: os::cwd(pid).ok_or_else(|| hidden("the working directory"))?.into(),
        output: [out, err],
        umask: person.umask,
        uid: person.uid,
        gid: person.gid,
        groups: person.groups,
    };
    // All of that was read by pid: it belongs to this process only if it still has the pid.
    if table::alive(id)? { Ok(record) } else { Err(hidden("the end")) }
}

/// A pipe or a terminal cannot take the output of a new process.
fn is_file(path: &Path) -> bool {
    path.is_absolute() && !path.starts_with("/dev")
}

/// Linux appends this to the path of a removed file (proc_pid_exe(5)).
fn without_deleted(path: PathBuf) -> PathBuf {
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(name) => PathBuf::from(OsStr::from_bytes(name)),
        None => path,
    }
}

impl LaunchRecord {
    /// Whether it could be started now: all files that it needs exist.
    ///
    /// # Errors
    /// [`DetachedError`]: what is missing.
    pub fn check(&self) -> Result<(), DetachedError> {
        let start = |source: io::Error| DetachedError::Start { exe: self.exe.path().to_owned(), source };
        rustix::fs::access(self.exe.path(), rustix::fs::Access::EXEC_OK).map_err(|e| start(e.into()))?;
        let file = |path: &Path, source: rustix::io::Errno| DetachedError::File {
            path: path.to_owned(),
            source: source.into(),
        };
        let cwd = self.cwd.path();
        rustix::fs::access(cwd, rustix::fs::Access::EXEC_OK).map_err(|e| file(cwd, e))?;
        for log in self.output.iter().flatten() {
            let parent = log.path().parent().unwrap_or(Path::new("/"));
            rustix::fs::access(parent, rustix::fs::Access::EXEC_OK).map_err(|e| file(parent, e))?;
        }
        Ok(())
    }

    /// Starts it, detached: leader of its own session, so that no terminal and no logout ends it. If root runs this,
    /// the daemon's user opens the output files: that user may have replaced them by links to other files.
    ///
    /// # Errors
    /// [`DetachedError`]; then nothing was started.
    pub fn start(&self) -> Result<ProcessId, DetachedError> {
        let order = Detach {
            exe: self.exe.path(),
            argv: self.argv.iter().map(|word| word.0.as_os_str()).collect(),
            env: self.variables().into_iter().collect(),
            cwd: self.cwd.path(),
            output: [0, 1].map(|place: usize| self.output[place].as_ref().map(OsBytes::path)),
            umask: self.umask,
            identity: (table::own_uid() == 0).then(|| (self.uid, self.gid, self.groups.clone())),
        };
        let failed = |source| DetachedError::Start { exe: self.exe.path().to_owned(), source };
        let pid = os::detach(&order).map_err(|error| match error {
            NotDetached::Output(place, source) => {
                let path = order.output.get(place).copied().flatten().unwrap_or(self.exe.path());
                DetachedError::File { path: path.to_owned(), source }
            }
            NotDetached::Start(source) => failed(source),
        })?;
        table::identify(pid)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
    }

    /// The oldest process that runs as recorded, if there is one. Program, arguments, directory,
    /// user and every variable of its environment must match.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn find(&self) -> Result<Option<ProcessId>, Unknown> {
        let census = Census::take()?;
        let mut found: Vec<&ProcInfo> = Vec::new();
        for p in census.iter().filter(|p| p.uid == self.uid && !p.zombie && p.id.pid > 1) {
            if self.is(p.id.pid)? {
                found.push(p);
            }
        }
        Ok(found.into_iter().min_by_key(|p| (p.id.started, p.id.pid)).map(|p| p.id.clone()))
    }

    fn is(&self, pid: u32) -> Result<bool, Unknown> {
        let words = |words: Vec<OsString>| words.into_iter().map(OsBytes).collect::<Vec<_>>();
        if os::command_line(pid).map(words).as_ref() != Some(&self.argv)
            || os::exe(pid).map(without_deleted).as_deref() != Some(self.exe.path())
            || os::cwd(pid).as_deref() != Some(self.cwd.path())
        {
            return Ok(false);
        }
        let Some(environ) = os::environ(pid)? else { return Ok(false) };
        Ok(variables(environ.split(|byte| *byte == 0)) == self.variables())
    }

    fn variables(&self) -> BTreeMap<&OsStr, &OsStr> {
        variables(self.env.iter().map(|raw| raw.0.as_bytes()))
    }

    /// One variable of its environment.
    #[must_use]
    pub fn variable(&self, key: &str) -> Option<&OsStr> {
        self.variables().get(OsStr::new(key)).copied()
    }
}

/// An entry that is no assignment cannot be passed on, and of duplicates the first one counts, as for getenv(3).
fn variables<'a>(entries: impl Iterator<Item = &'a [u8]>) -> BTreeMap<&'a OsStr, &'a OsStr> {
    let mut all = BTreeMap::new();
    for entry in entries {
        let Some(at) = entry.iter().position(|byte| *byte == b'=').filter(|at| *at > 0) else { continue };
        all.entry(OsStr::from_bytes(&entry[..at])).or_insert(OsStr::from_bytes(&entry[at + 1..]));
    }
    all
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test: looks at what a daemon has written")]
mod tests {
    use super::*;
    use crate::process::terminate;
    use crate::process::testing::eventually;
    use std::collections::BTreeSet;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::time::Duration;

    fn record(dir: &Path, script: &str) -> LaunchRecord {
        let id = os::identity(table::own_pid()).unwrap();
        LaunchRecord {
            exe: PathBuf::from("/bin/sh").canonicalize().unwrap().into(),
            argv: ["sh", "-c", script].map(|word| OsBytes(word.into())).to_vec(),
            env: ["B=2", "A=x=y", "PATH=/usr/bin:/bin"].map(|word| OsBytes(word.into())).to_vec(),
            cwd: dir.canonicalize().unwrap().into(),
            output: [Some(dir.join("log").into()), Some(dir.join("log").into())],
            umask: Some(0o027),
            uid: id.uid,
            gid: id.gid,
            groups: id.groups,
        }
    }

    #[tokio::test]
    async fn a_captured_process_starts_again_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let first = record(dir.path(), "echo begun; umask; exec 3>&-; sleep 100; :");
        assert!(first.check().is_ok());
        assert_eq!(first.find(), Ok(None));
        let id = first.start().unwrap();
        let read = || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        eventually("it writes to its log", || read() == "begun\n0027\n");
        let info = table::info(id.pid).unwrap().unwrap();
        assert_eq!((info.pgrp, info.session), (id.pid, id.pid), "its own session");
        assert_eq!(first.find(), Ok(Some(id.clone())));

        let captured = capture(&id).unwrap();
        if cfg!(target_os = "linux") {
            let stream = Stream {
                path: captured.output[0].as_ref().unwrap().path().into(),
                append: true,
                deleted: false,
            };
            assert_eq!(streams(id.pid)[1].as_ref(), Some(&stream));
            assert_eq!((&captured.output, captured.umask), (&first.output, first.umask));
        }
        assert_eq!(captured.variables(), first.variables());
        assert_eq!(captured.variable("A"), Some(OsStr::new("x=y")));
        let kept: LaunchRecord = serde_json::from_str(&serde_json::to_string(&captured).unwrap()).unwrap();
        assert_eq!(kept, captured);

        let started = || Census::take().is_ok_and(|census| census.children(id.pid).count() == 1);
        eventually("its sleep is started", started);
        assert_eq!(end(id.clone()).await.len(), 2, "the shell and its sleep");
        assert!(matches!(capture(&id), Err(DetachedError::Hidden { .. })));
        let again = kept.start().unwrap();
        eventually("it writes to the end of its log", || read() == "begun\n0027\nbegun\n0027\n");
        assert_eq!(kept.find(), Ok(Some(again.clone())));
        end(again).await;
    }

    #[test]
    fn missing_parts_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let good = record(dir.path(), ":");
        let bad = LaunchRecord { exe: OsBytes("/no/such/bun".into()), ..good.clone() };
        assert_eq!(bad.check().unwrap_err().to_string(), "cannot start /no/such/bun");
        let bad = LaunchRecord { cwd: OsBytes("/no/such/dir".into()), ..good.clone() };
        assert_eq!(bad.check().unwrap_err().to_string(), "cannot open /no/such/dir");
        let bad = LaunchRecord { output: [Some(OsBytes("/no/such/log".into())), None], ..good };
        assert_eq!(bad.check().unwrap_err().to_string(), "cannot open /no/such");
        assert!(bad.start().is_err());
        assert!(!format!("{bad:?}").contains("x=y"));
    }

    /// An unprivileged user, and a directory of that user that all users may read.
    fn someone(dir: &Path) -> LaunchRecord {
        let (uid, gid) = (65_534, 65_534);
        std::os::unix::fs::chown(dir, Some(uid), Some(gid)).unwrap();
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        LaunchRecord { uid, gid, groups: vec![gid], ..record(dir, "echo begun; sleep 100; :") }
    }

    #[tokio::test]
    async fn root_opens_no_log_that_the_daemons_user_could_not_open() {
        if table::own_uid() != 0 {
            return;
        }
        let (theirs, roots) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = someone(theirs.path());
        let log = theirs.path().join("log");
        let old = roots.path().join("old");
        std::fs::write(&old, "root's\n").unwrap();
        for target in [&old, &roots.path().join("new")] {
            std::os::unix::fs::symlink(target, &log).unwrap();
            let error = first.start().unwrap_err();
            assert!(
                matches!(&error, DetachedError::File { path, source }
                if *path == log && source.raw_os_error() == Some(13)),
                "{error:?}"
            );
            assert_eq!(first.find(), Ok(None));
            std::fs::remove_file(&log).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "root's\n");
        assert_eq!(std::fs::read_dir(roots.path()).unwrap().count(), 1, "no file was created");

        nix::unistd::mkfifo(&log, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(first.start(), Err(DetachedError::File { path, .. }) if path == log));
        std::fs::remove_file(&log).unwrap();

        let id = first.start().unwrap();
        eventually("it writes to its log", || {
            std::fs::read_to_string(&log).is_ok_and(|text| text == "begun\n")
        });
        let meta = std::fs::metadata(&log).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (65_534, 65_534, 0o644));
        end(id).await;
    }

    async fn end(id: ProcessId) -> BTreeSet<ProcessId> {
        let info = table::info(id.pid).unwrap().unwrap();
        let mut kin = crate::process::kin::Kin::of(info.uid).sparing([table::own_pid()].into());
        kin.add(id, None);
        let kin = std::cell::RefCell::new(kin);
        let find = || Ok(kin.borrow_mut().look(&Census::take()?));
        terminate::end(find, Duration::from_secs(1)).await.unwrap()
    }

    #[test]
    fn removed_files_are_recognised() {
        assert_eq!(without_deleted("/a/bun (deleted)".into()), PathBuf::from("/a/bun"));
        assert!(is_file(Path::new("/h/log")) && !is_file(Path::new("/dev/pts/0")));
        assert!(!is_file(Path::new("pipe:[1]")));
    }
}
