//! What a module writes to: two FIFOs that outlive the hub which reads them.
//!
//! ```text
//! <dir>/<short>.out, <short>.err     hub: O_RDONLY | O_NONBLOCK      child: O_RDWR, blocking
//! ```
//!
//! The child's end is open for reading too, so it has a reader when the hub is dead: a write then is neither SIGPIPE nor
//! EPIPE, and blocks only when the FIFO is full (fifo(7), pipe(7)). POSIX leaves O_RDWR on a FIFO undefined; Linux and
//! macOS define it. The next hub finds a FIFO by its name and knows it by its inode number: [`reopen`].
//!
//! Without FIFOs [`Outputs::pipes`] serves as long as the hub lives.
#![expect(
    clippy::disallowed_methods,
    reason = "edge: makes, opens and removes the FIFOs that modules write to"
)]

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::{os, user};
use crate::module::name::Short;
use capacity::capacity;

mod capacity;

/// How the names of a module's FIFOs end: stdout, stderr.
const ENDS: [&str; 2] = ["out", "err"];
/// The start of the note of a hub that uses pipes, by which other rooms know it.
const NOTE: &str = "the output of modules goes to pipes";

/// Why there is no FIFO.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FifoError {
    /// The system refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// File or directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// There is something else, which is left as it is.
    #[error("{} is in the way: it is not a {wanted} of this user", path.display())]
    InTheWay {
        /// File or directory.
        path: PathBuf,
        /// What it should be.
        wanted: &'static str,
    },
    /// It is a FIFO, and not the one that was looked for.
    #[error("{} is another FIFO than before", .0.display())]
    Other(PathBuf),
}

/// Both ends of one stream of a module.
#[derive(Debug)]
pub(crate) struct Output {
    /// The hub's end: non-blocking.
    pub reader: OwnedFd,
    /// The child's end: blocking, a file description of its own.
    pub writer: OwnedFd,
}

/// What a new child writes to.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub stdout: Output,
    pub stderr: Output,
    inodes: Option<[u64; 2]>,
}

impl Outputs {
    /// Anonymous pipes: they end with the hub, and a child that then writes gets SIGPIPE.
    ///
    /// # Errors
    /// Out of descriptors.
    pub(crate) fn pipes() -> io::Result<Self> {
        let pipe = || {
            let (reader, writer) = io::pipe()?;
            // The read end only: the child's own end is another file description and stays blocking.
            fcntl_setfl(&reader, fcntl_getfl(&reader)? | OFlags::NONBLOCK)?;
            Ok::<_, io::Error>(Output { reader: reader.into(), writer: writer.into() })
        };
        Ok(Self { stdout: pipe()?, stderr: pipe()?, inodes: None })
    }

    /// The inode numbers of the FIFOs, stdout first, by which the next hub knows them. `None`: these are pipes.
    #[must_use]
    pub(crate) fn inodes(&self) -> Option<[u64; 2]> {
        self.inodes
    }
}

/// Makes both FIFOs of a module anew in `dir`, which is made too if its parent is there. `modules` is how many modules
/// there are: the more, the less a FIFO holds.
///
/// # Errors
/// [`FifoError`].
pub(crate) fn make(dir: &Path, short: &Short, modules: usize) -> Result<Outputs, FifoError> {
    match rustix::fs::mkdir(dir, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed("make", dir)(errno)),
    }
    let place = Place::open(dir)?;
    let made = ENDS.map(|end| place.make(&name(short, end), modules));
    let [Ok((stdout, out)), Ok((stderr, err))] = made else {
        // One of them does not help: neither stays.
        let _ = ENDS.map(|end| place.remove(&name(short, end)));
        let [one, other] = made.map(Result::err);
        return Err(one.or(other).unwrap_or_else(|| FifoError::Other(dir.to_owned())));
    };
    Ok(Outputs { stdout, stderr, inodes: Some([out, err]) })
}

/// Opens the existing FIFOs of a module for reading, stdout first. A reader of a FIFO that no process has open for
/// writing reads its end at once. A number is not given to another FIFO while a process of that run has the first one
/// open.
///
/// # Errors
/// [`FifoError`]: one of them is missing, or not the one with this inode number.
pub(crate) fn reopen(dir: &Path, short: &Short, inodes: [u64; 2]) -> Result<[OwnedFd; 2], FifoError> {
    let place = Place::open(dir)?;
    let open = |end: &str, inode| {
        let name = name(short, end);
        let (reader, stat) = place.reader(&name)?;
        if stat.st_ino == inode { Ok(reader) } else { Err(FifoError::Other(place.path.join(name))) }
    };
    Ok([open(ENDS[0], inodes[0])?, open(ENDS[1], inodes[1])?])
}

/// Whether these are the read ends of the FIFOs with these inode numbers.
#[must_use]
pub(crate) fn are(readers: &[Option<OwnedFd>; 2], inodes: [u64; 2]) -> bool {
    let is = |reader: &Option<OwnedFd>, inode: u64| {
        let stat = reader.as_ref().and_then(|reader| rustix::fs::fstat(reader).ok());
        stat.is_some_and(|stat| {
            stat.st_ino == inode && FileType::from_raw_mode(stat.st_mode) == FileType::Fifo
        })
    };
    is(&readers[0], inodes[0]) && is(&readers[1], inodes[1])
}

/// Removes the FIFOs of a module that has no run any more.
///
/// # Errors
/// [`FifoError`]; not for absence.
pub(crate) fn remove(dir: &Path, short: &Short) -> Result<(), FifoError> {
    let Some(place) = Place::if_there(dir)? else { return Ok(()) };
    let [out, err] = ENDS.map(|end| place.remove(&name(short, end)));
    out.and(err)
}

/// Removes all FIFOs but those of these modules. What is no FIFO of ours stays.
///
/// # Errors
/// [`FifoError`]: the directory cannot be read.
pub(crate) fn clear(dir: &Path, kept: &BTreeSet<Short>) -> Result<(), FifoError> {
    let Some(place) = Place::if_there(dir)? else { return Ok(()) };
    let unread = |source| FifoError::Io { doing: "list", path: dir.to_owned(), source };
    for entry in std::fs::read_dir(dir).map_err(unread)? {
        let name = entry.map_err(unread)?.file_name();
        let Some((short, end)) = name.to_str().and_then(|name| name.rsplit_once('.')) else { continue };
        if ENDS.contains(&end) && Short::new(short).is_ok_and(|short| !kept.contains(&short)) {
            // What stays here is in the way of a later start, which names it.
            let _ = place.remove(&format!("{short}.{end}"));
        }
    }
    Ok(())
}

/// What a hub says when it uses pipes for the first time, and what that costs.
#[must_use]
pub(crate) fn note(error: &FifoError) -> String {
    let why = crate::error_chain::of(error);
    format!(
        "{NOTE}, since there can be no FIFO: {why}; if this hub is killed, a module that writes ends with SIGPIPE"
    )
}

/// Whether a hub said this with [`note`].
#[must_use]
pub(crate) fn is_note(text: &str) -> bool {
    text.starts_with(NOTE)
}

fn name(short: &Short, end: &str) -> String {
    format!("{short}.{end}")
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(Errno) -> FifoError {
    move |errno| FifoError::Io { doing, path: path.to_owned(), source: errno.into() }
}

fn is_ours(stat: &Stat) -> bool {
    stat.st_uid == user::effective_uid()
}

fn is_fifo(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Fifo
}

/// The directory, open. No name in it is followed if it is a link.
struct Place {
    dir: OwnedFd,
    path: PathBuf,
}

impl Place {
    /// Opens it and closes it to other users.
    fn open(path: &Path) -> Result<Self, FifoError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let in_the_way = || FifoError::InTheWay { path: path.to_owned(), wanted: "directory" };
        let dir = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::LOOP | Errno::NOTDIR => in_the_way(),
            errno => failed("open", path)(errno),
        })?;
        let stat = rustix::fs::fstat(&dir).map_err(failed("look at", path))?;
        if !is_ours(&stat) {
            return Err(in_the_way());
        }
        if Mode::from_raw_mode(stat.st_mode) != Mode::RWXU {
            rustix::fs::fchmod(&dir, Mode::RWXU).map_err(failed("set the mode of", path))?;
        }
        Ok(Self { dir, path: path.to_owned() })
    }

    /// A directory that is not ours has no FIFO of ours.
    fn if_there(path: &Path) -> Result<Option<Self>, FifoError> {
        match Self::open(path) {
            Err(FifoError::InTheWay { .. }) => Ok(None),
            Err(FifoError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// Makes one FIFO and opens both ends: the reader first, since opening it waits for nothing, and the writer before
    /// anything is read.
    fn make(&self, name: &str, modules: usize) -> Result<(Output, u64), FifoError> {
        let path = self.path.join(name);
        self.remove(name)?;
        os::make_fifo(self.dir.as_fd(), &path).map_err(|source| FifoError::Io {
            doing: "make",
            path: path.clone(),
            source,
        })?;
        let (reader, stat) = self.reader(name)?;
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        let writer =
            rustix::fs::openat(&self.dir, name, flags, Mode::empty()).map_err(failed("open", &path))?;
        let same = rustix::fs::fstat(&writer).map_err(failed("look at", &path))?;
        if (same.st_dev, same.st_ino) != (stat.st_dev, stat.st_ino) {
            return Err(FifoError::Other(path));
        }
        if let Some((soft, page)) = os::pipe_pages() {
            // Refused beyond the limit, where the kernel has chosen a size already: pipe(7).
            let _ = os::set_capacity(reader.as_fd(), capacity(soft, page, modules));
        }
        Ok((Output { reader, writer }, stat.st_ino))
    }

    /// An existing FIFO of ours, for reading.
    fn reader(&self, name: &str) -> Result<(OwnedFd, Stat), FifoError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        let reader =
            rustix::fs::openat(&self.dir, name, flags, Mode::empty()).map_err(failed("open", &path))?;
        let stat = rustix::fs::fstat(&reader).map_err(failed("look at", &path))?;
        if is_fifo(&stat) && is_ours(&stat) {
            Ok((reader, stat))
        } else {
            Err(FifoError::InTheWay { path, wanted: "FIFO" })
        }
    }

    /// Removes a FIFO or a link of ours, and nothing else.
    fn remove(&self, name: &str) -> Result<(), FifoError> {
        let path = self.path.join(name);
        let stat = match rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(failed("look at", &path)(errno)),
        };
        let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        if !(is_ours(&stat) && (is_link || is_fifo(&stat))) {
            return Err(FifoError::InTheWay { path, wanted: "FIFO" });
        }
        match rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed("remove", &path)(errno)),
        }
    }
}

#[cfg(test)]
mod tests;
