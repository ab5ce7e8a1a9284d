//! A directory that is held open: surveyed, and deleted. Works by descriptor only.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::facts::{Entry, Marked, Survey};
use super::walk::{DIRECTORY, Visit, names, walk};
use crate::home::mark::{self, Mark};
use crate::process::mounts::{self, MountId, SEARCH};

/// A larger ledger is not ours, in bytes.
const MAX_LEDGER: u64 = 64 * 1024 * 1024;

/// A directory, opened once.
#[derive(Debug)]
pub(crate) struct Tree {
    dir: OwnedFd,
    path: PathBuf,
    mount: MountId,
    /// Mount of the directory above; `None`: this is `/`.
    above: Option<MountId>,
}

#[derive(Debug)]
pub(crate) enum HubLock {
    /// There is none.
    Absent,
    /// Taken: no hub starts on this home while the file is open.
    Taken(File),
    /// A hub holds it; its pid, if it was written.
    Held(Option<u32>),
}

/// The result of a deletion.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Deleted {
    /// Number of deleted files and links.
    pub files: u64,
    /// Their size on disk in bytes.
    pub bytes: u64,
    /// Whether the directory itself was deleted.
    pub gone: bool,
    /// Mount points that were left.
    pub mounts: Vec<PathBuf>,
    /// Files that could not be deleted, and the reason.
    pub left: Vec<(PathBuf, String)>,
}

impl Tree {
    /// Opens a directory by its path, from the root downwards; no component may be a link. `None`: it does not exist.
    ///
    /// # Errors
    /// A component is a link or not a directory, or it cannot be opened.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut dir = rustix::fs::open("/", SEARCH | DIRECTORY, Mode::empty())?;
        let mut above = None;
        for part in path.components() {
            let name = match part {
                Component::RootDir | Component::CurDir => continue,
                Component::Normal(name) => name,
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is not a plain one"));
                }
            };
            above = Some(mounts::of(dir.as_fd())?);
            dir = match rustix::fs::openat(&dir, name, SEARCH | DIRECTORY, Mode::empty()) {
                Ok(next) => next,
                Err(Errno::NOENT) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            };
        }
        let mount = mounts::of(dir.as_fd())?;
        let dir = rustix::fs::openat(&dir, ".", OFlags::RDONLY | DIRECTORY, Mode::empty())?;
        Ok(Some(Self { dir, path: path.to_owned(), mount, above }))
    }

    /// Whether it is the root of a mount, or `/`.
    #[must_use]
    pub(crate) fn is_mount(&self) -> bool {
        self.above != Some(self.mount)
    }

    /// User id of its owner.
    ///
    /// # Errors
    /// Its metadata cannot be read.
    pub(crate) fn owner(&self) -> io::Result<u32> {
        Ok(rustix::fs::fstat(&self.dir)?.st_uid)
    }

    #[must_use]
    pub(crate) fn mark(&self) -> Marked {
        let read = self.owner().and_then(|owner| self.read(Path::new(mark::NAME), mark::MAX, owner));
        match read {
            Ok(None) => Marked::No,
            Ok(Some(bytes)) => {
                Mark::parse(&bytes).map_or_else(|| Marked::Untrusted("it is damaged".to_owned()), Marked::Yes)
            }
            Err(error) => Marked::Untrusted(error.to_string()),
        }
    }

    /// Whether hubs of versions without marks have used it: it has rows, their lock and their list of modules.
    #[must_use]
    pub(crate) fn used_before(&self) -> bool {
        let Ok(owner) = self.owner() else { return false };
        let there = |path: &str, max| self.read(Path::new(path), max, owner).ok().flatten();
        let rows = there("services.json", crate::home::services::LIMIT)
            .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
            .is_some_and(|value| value.get("services").is_some_and(serde_json::Value::is_array));
        rows && there("run/hub.lock", mark::MAX).is_some()
            && there("run/ledger.jsonl", MAX_LEDGER).is_some_and(|bytes| mark::is_ledger(&bytes))
    }

    /// A regular file below it, owned by this user or root, not writable by others.
    fn read(&self, path: &Path, max: u64, owner: u32) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open_below(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is not a regular file"));
        }
        if (stat.st_uid != owner && stat.st_uid != 0) || stat.st_mode & 0o022 != 0 {
            return Err(io::Error::other("another user can write it"));
        }
        let mut bytes = Vec::new();
        File::from(file).take(max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return Err(io::Error::other("it is too large"));
        }
        Ok(Some(bytes))
    }

    /// Opens a path below it, through directories of this mount only.
    fn open_below(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let name = path.file_name().ok_or(Errno::INVAL)?;
        let mut dir = self.dir.try_clone()?;
        for part in path.parent().into_iter().flat_map(Path::components) {
            dir = rustix::fs::openat(&dir, part.as_os_str(), SEARCH | DIRECTORY, Mode::empty())?;
        }
        if mounts::of(dir.as_fd())? != self.mount || mounts::of_name(dir.as_fd(), name)? != self.mount {
            return Err(io::Error::other("it lies on another mount"));
        }
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        Ok(rustix::fs::openat(&dir, name, flags, Mode::empty())?)
    }

    /// Takes the lock that a running hub of this home holds.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) fn hub_lock(&self) -> io::Result<HubLock> {
        let file = match self.open_below(Path::new("run/hub.lock"), OFlags::RDWR | OFlags::NONBLOCK) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HubLock::Absent),
            Err(error) => return Err(error),
        };
        let mut file = File::from(file);
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(HubLock::Taken(file)),
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // Its content is only shown.
                let _ = (&mut file).take(16).read_to_string(&mut text);
                Ok(HubLock::Held(text.trim().parse().ok()))
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Surveys all of it.
    ///
    /// # Errors
    /// It cannot be read at all, or is moved meanwhile.
    pub(crate) fn survey(&self) -> io::Result<Survey> {
        let mut surveyor = Surveyor { root: &self.path, survey: Survey::default(), linked: BTreeSet::new() };
        for name in names(self.dir.as_fd())? {
            let dir = rustix::fs::statat(&self.dir, &name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
            let name = name.to_string_lossy().into_owned();
            surveyor.survey.entries.push(Entry { name, dir, files: 0, bytes: 0 });
        }
        walk(self.dir.as_fd(), self.mount, &mut surveyor)?;
        Ok(surveyor.survey)
    }

    /// Deletes everything on its own mount; the mark, and then the directory itself, only when nothing else is
    /// left. `before_each` is called before each deletion.
    ///
    /// # Errors
    /// It was moved meanwhile, or the mark cannot be written: then the rest stays.
    pub(crate) fn delete(&self, before_each: &mut dyn FnMut()) -> io::Result<Deleted> {
        if self.mark() == Marked::No {
            // The files that prove a home of a version without marks are about to be deleted.
            self.put_mark()?;
        }
        let mut deleter = Deleter { root: &self.path, deleted: Deleted::default(), before_each };
        walk(self.dir.as_fd(), self.mount, &mut deleter)?;
        let mut deleted = deleter.deleted;
        if deleted.left.is_empty() && deleted.mounts.is_empty() {
            let gone = rustix::fs::unlinkat(&self.dir, mark::NAME, AtFlags::empty()).or_else(absent_is_fine);
            let gone = gone.and_then(|()| self.remove_itself());
            match gone {
                Ok(()) => deleted.gone = true,
                Err(errno) => {
                    deleted.left.push((self.path.clone(), io::Error::from(errno).to_string()));
                }
            }
        }
        Ok(deleted)
    }

    fn put_mark(&self) -> io::Result<()> {
        let new = format!("{}.new", mark::NAME);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, &new, flags, Mode::RUSR | Mode::WUSR)?;
        File::from(file).write_all(&Mark { made: true, path: self.path.clone() }.bytes())?;
        Ok(rustix::fs::renameat(&self.dir, &new, &self.dir, mark::NAME)?)
    }

    /// rmdir(2) needs a name. It must still be that of this directory.
    fn remove_itself(&self) -> Result<(), Errno> {
        let name = self.path.file_name().ok_or(Errno::BUSY)?;
        let above = rustix::fs::openat(&self.dir, "..", SEARCH | DIRECTORY, Mode::empty())?;
        let (there, own) =
            (rustix::fs::statat(&above, name, AtFlags::SYMLINK_NOFOLLOW)?, rustix::fs::fstat(&self.dir)?);
        if (there.st_ino, there.st_dev) != (own.st_ino, own.st_dev) {
            return Err(Errno::STALE);
        }
        rustix::fs::unlinkat(&above, name, AtFlags::REMOVEDIR)
    }
}

fn absent_is_fine(errno: Errno) -> Result<(), Errno> {
    if errno == Errno::NOENT { Ok(()) } else { Err(errno) }
}

fn blocks(stat: &Stat) -> u64 {
    // stat(2): st_blocks counts 512 bytes, whatever the block size of the file system.
    u64::try_from(stat.st_blocks).unwrap_or(0) * 512
}

struct Surveyor<'a> {
    root: &'a Path,
    survey: Survey,
    /// Files with several names that are already counted.
    linked: BTreeSet<u64>,
}

impl Visit for Surveyor<'_> {
    fn enter(&mut self, dir: BorrowedFd<'_>, at: &Path, names: &[OsString]) {
        if at == Path::new("") {
            return;
        }
        let has = |name: &str| names.iter().any(|each| each == OsStr::new(name));
        let lock = has("run") && rustix::fs::statat(dir, "run/hub.lock", AtFlags::SYMLINK_NOFOLLOW).is_ok();
        if has(mark::NAME) || (has("services.json") && lock) {
            self.survey.homes.push(self.root.join(at));
        }
    }

    fn file(&mut self, _: BorrowedFd<'_>, at: &Path, name: &OsStr, stat: &Stat) {
        let top = at.components().next().map_or(name, |first| first.as_os_str()).to_string_lossy();
        let Some(entry) = self.survey.entries.iter_mut().find(|entry| entry.name == *top) else { return };
        entry.files += 1;
        if stat.st_nlink < 2 || self.linked.insert(stat.st_ino) {
            entry.bytes += blocks(stat);
        }
    }

    fn leave(&mut self, _: BorrowedFd<'_>, _: &Path, _: &OsStr) {}

    fn mount(&mut self, at: PathBuf) {
        self.survey.mounts.push(self.root.join(at));
    }

    fn failed(&mut self, at: PathBuf, error: io::Error) {
        self.survey.unreadable.push((self.root.join(at), error.to_string()));
    }
}

struct Deleter<'a> {
    root: &'a Path,
    deleted: Deleted,
    before_each: &'a mut dyn FnMut(),
}

impl Visit for Deleter<'_> {
    fn enter(&mut self, dir: BorrowedFd<'_>, _: &Path, _: &[OsString]) {
        // Caches are often read-only (Go's module cache is 0555). A failure here fails again below, with the reason.
        if let Ok(stat) = rustix::fs::fstat(dir)
            && stat.st_mode & 0o700 != 0o700
        {
            let _ = rustix::fs::fchmod(dir, Mode::from_raw_mode(stat.st_mode | 0o700));
        }
    }

    fn file(&mut self, dir: BorrowedFd<'_>, at: &Path, name: &OsStr, stat: &Stat) {
        if at == Path::new("") && name == OsStr::new(mark::NAME) {
            return;
        }
        (self.before_each)();
        match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) => {
                self.deleted.files += 1;
                if stat.st_nlink < 2 {
                    self.deleted.bytes += blocks(stat);
                }
            }
            Err(Errno::NOENT) => {}
            Err(errno) => self.failed(at.join(name), errno.into()),
        }
    }

    fn leave(&mut self, above: BorrowedFd<'_>, at: &Path, name: &OsStr) {
        (self.before_each)();
        match rustix::fs::unlinkat(above, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            // The remaining entries have been reported.
            Err(Errno::NOTEMPTY | Errno::EXIST) if self.names_something_in(at) => {}
            Err(errno) => self.failed(at.to_owned(), errno.into()),
        }
    }

    fn mount(&mut self, at: PathBuf) {
        self.deleted.mounts.push(self.root.join(at));
    }

    fn failed(&mut self, at: PathBuf, error: io::Error) {
        self.deleted.left.push((self.root.join(at), error.to_string()));
    }
}

impl Deleter<'_> {
    fn names_something_in(&self, at: &Path) -> bool {
        let at = self.root.join(at);
        let left = self.deleted.left.iter().map(|(path, _)| path);
        left.chain(&self.deleted.mounts).any(|path| path.starts_with(&at))
    }
}
