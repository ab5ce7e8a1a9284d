//! Names in a directory, without following symbolic links. An edge.
//!
//! [`fs`](super::fs) writes through links, which is right for files of the home that a user may have moved. A file
//! that an installer replaces must be restored exactly, so here a link is read, replaced and restored as a link. Links
//! among the directories above are followed, as everywhere.
#![expect(
    clippy::disallowed_methods,
    reason = "edge: sees, replaces and removes the files of an installation, links as links"
)]

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};

use super::fs::{FsError, directory, sync_dir, temp_beside, temp_name, temp_prefix};

/// Bytes per read.
const CHUNK: usize = 64 * 1024;

/// The owner of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// The kind of file that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        owner: Owner,
        /// Length in bytes.
        len: u64,
    },
    /// A symbolic link, dangling or not.
    Link {
        /// Its text.
        to: PathBuf,
    },
    /// A directory.
    Dir {
        /// Permission bits.
        mode: u32,
        empty: bool,
    },
    /// A FIFO, socket or device.
    Special,
}

/// Reads the metadata of a name.
///
/// # Errors
/// [`FsError`] for everything but absence.
pub(crate) fn look(path: &Path) -> Result<Found, FsError> {
    let meta = match std::fs::symlink_metadata(path).map_err(FsError::io("look at", path)) {
        Ok(meta) => meta,
        Err(error) if error.is_absent() => return Ok(Found::Absent),
        Err(error) => return Err(error),
    };
    let mode = meta.permissions().mode() & 0o7777;
    let kind = meta.file_type();
    Ok(if kind.is_symlink() {
        Found::Link { to: std::fs::read_link(path).map_err(FsError::io("read the link", path))? }
    } else if kind.is_dir() {
        let first = std::fs::read_dir(path).map_err(FsError::io("list", path))?.next();
        Found::Dir { mode, empty: first.is_none() }
    } else if kind.is_file() {
        Found::File { mode, owner: Owner { uid: meta.uid(), gid: meta.gid() }, len: meta.len() }
    } else {
        Found::Special
    })
}

/// Passes the bytes of a regular file to `each`, in chunks.
///
/// # Errors
/// [`FsError`]; also if the name is a link.
pub(crate) fn read_pieces(path: &Path, each: &mut dyn FnMut(&[u8])) -> Result<(), FsError> {
    // O_NONBLOCK: a FIFO without a writer would block open(2).
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let mut options = OpenOptions::new();
    let mut file = options.read(true).custom_flags(flags).open(path).map_err(FsError::io("open", path))?;
    if !file.metadata().map_err(FsError::io("look at", path))?.is_file() {
        return Err(FsError::NotRegular(path.to_owned()));
    }
    pieces_of(&mut file, path, each)
}

/// Passes the rest of an open file to `each`, in chunks.
///
/// # Errors
/// [`FsError`].
pub(crate) fn pieces_of(file: &mut File, path: &Path, each: &mut dyn FnMut(&[u8])) -> Result<(), FsError> {
    let mut piece = vec![0; CHUNK];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(n) => each(&piece[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(FsError::io("read", path)(error)),
        }
    }
}

/// A file that is being written beside its target, and replaces it with [`Incoming::commit`]. Dropped without that,
/// it is removed.
#[derive(Debug)]
#[must_use = "commit it, or nothing is written"]
pub(crate) struct Incoming {
    target: PathBuf,
    temp: PathBuf,
    file: File,
}

impl Incoming {
    /// Begins one for `path`. It belongs to the current user, or to `owner`.
    ///
    /// # Errors
    /// [`FsError`]; nothing is left behind.
    pub(crate) fn beside(path: &Path, mode: u32, owner: Option<Owner>) -> Result<Self, FsError> {
        let (temp, file) = temp_beside(path)?;
        let incoming = Self { target: path.to_owned(), temp, file };
        if let Some(owner) = owner {
            incoming.give_to(owner)?;
        }
        // After the owner: chown(2) clears set-user-ID. The umask reduced the mode that was given to open(2).
        let mode = Permissions::from_mode(mode);
        incoming.file.set_permissions(mode).map_err(FsError::io("set the mode of", &incoming.temp))?;
        Ok(incoming)
    }

    fn give_to(&self, owner: Owner) -> Result<(), FsError> {
        let failed = FsError::io("set the owner of", &self.temp);
        let now = self.file.metadata().map_err(FsError::io("look at", &self.temp))?;
        if (now.uid(), now.gid()) == (owner.uid, owner.gid) {
            return Ok(());
        }
        std::os::unix::fs::fchown(&self.file, Some(owner.uid), Some(owner.gid)).map_err(failed)
    }

    /// Appends to it.
    ///
    /// # Errors
    /// [`FsError`].
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.file.write_all(bytes).map_err(FsError::io("write", &self.temp))
    }

    /// Renames it to its target, and syncs both.
    ///
    /// # Errors
    /// [`FsError`]; the old file stays.
    pub(crate) fn commit(self) -> Result<(), FsError> {
        self.file.sync_all().map_err(FsError::io("sync", &self.temp))?;
        std::fs::rename(&self.temp, &self.target).map_err(FsError::io("replace", &self.target))?;
        sync_dir(directory(&self.target))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // After a commit the temporary name is gone, and no name is used twice.
        let _ = std::fs::remove_file(&self.temp);
    }
}

/// Writes a file for a user, in place of any file or link with this name, and syncs both. A user's links could lead
/// root anywhere, so root writes only into a directory of that user, and keeps that one open.
///
/// # Errors
/// [`FsError`]; the old file stays.
pub(crate) fn put_for(owner: Owner, path: &Path, mode: u32, bytes: &[u8]) -> Result<(), FsError> {
    let name = path.file_name().ok_or_else(|| FsError::NotRegular(path.to_owned()))?;
    let flags = OFlags::DIRECTORY.bits().cast_signed();
    let dir = OpenOptions::new().read(true).custom_flags(flags).open(directory(path));
    let dir = dir.map_err(FsError::io("open", directory(path)))?;
    let theirs = dir.metadata().map_err(FsError::io("look at", directory(path)))?.uid() == owner.uid;
    if !theirs && rustix::process::geteuid().is_root() {
        return Err(FsError::NotTheirs { path: directory(path).to_owned(), uid: owner.uid });
    }
    let temp = temp_name(path);
    let temp = temp.file_name().unwrap_or(name);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::openat(&dir, temp, flags, Mode::RUSR | Mode::WUSR);
    let file = File::from(made.map_err(|errno| FsError::io("write", path)(errno.into()))?);
    let placed = fill(file, owner, mode, bytes)
        .and_then(|()| Ok(rustix::fs::renameat(&dir, temp, &dir, name)?))
        .and_then(|()| dir.sync_all());
    if placed.is_err() {
        let _ = rustix::fs::unlinkat(&dir, temp, AtFlags::empty());
    }
    placed.map_err(FsError::io("write", path))
}

fn fill(mut file: File, owner: Owner, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (owner.uid, owner.gid) {
        std::os::unix::fs::fchown(&file, Some(owner.uid), Some(owner.gid))?;
    }
    // As for [`Incoming`]: the mode comes after the owner.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Puts a symbolic link in place of any file or link with this name.
///
/// # Errors
/// [`FsError`]; the old file stays.
pub(crate) fn put_link(path: &Path, to: &Path) -> Result<(), FsError> {
    let (temp, file) = temp_beside(path)?;
    drop(file);
    let placed = std::fs::remove_file(&temp)
        .and_then(|()| std::os::unix::fs::symlink(to, &temp))
        .and_then(|()| std::fs::rename(&temp, path));
    if placed.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    placed.map_err(FsError::io("put the link", path))?;
    sync_dir(directory(path))
}

/// Removes a file or link and syncs the directory. `false`: it did not exist.
///
/// # Errors
/// [`FsError`] for everything but absence.
pub(crate) fn remove(path: &Path) -> Result<bool, FsError> {
    let there = super::fs::remove(path)?;
    if there {
        sync_dir(directory(path))?;
    }
    Ok(there)
}

/// Creates one directory with exactly this mode, or sets the mode of an existing one.
///
/// # Errors
/// [`FsError`].
pub(crate) fn make_dir(path: &Path, mode: u32) -> Result<(), FsError> {
    match std::fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.map_err(FsError::io("make the directory", path))?,
    }
    // mkdir(2) applies the umask.
    super::fs::set_mode(path, mode)?;
    sync_dir(directory(path))
}

/// Permission bits; `None` if it does not exist or is a link, which has none of its own.
///
/// # Errors
/// [`FsError`] for everything but absence.
pub(crate) fn mode(path: &Path) -> Result<Option<u32>, FsError> {
    match std::fs::symlink_metadata(path).map_err(FsError::io("look at", path)) {
        Ok(meta) => Ok(Some(meta.permissions().mode() & 0o7777).filter(|_| !meta.is_symlink())),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sets the permission bits of an existing file or directory, through a descriptor: in a directory that other users
/// may write to, a link could replace it at any time.
///
/// # Errors
/// [`FsError`], also if it is a link, a FIFO or a device.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), FsError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let open = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let open = open.map_err(FsError::io("open", path))?;
    let kind = open.metadata().map_err(FsError::io("look at", path))?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(FsError::NotRegular(path.to_owned()));
    }
    open.set_permissions(Permissions::from_mode(mode)).map_err(FsError::io("set the mode of", path))?;
    open.sync_all().map_err(FsError::io("sync", path))
}

/// Removes a directory if it is empty, and syncs. `false`: it does not exist or is not empty.
///
/// # Errors
/// [`FsError`] for everything else.
pub(crate) fn remove_dir(path: &Path) -> Result<bool, FsError> {
    let removed = super::fs::remove_empty_dir(path)?;
    if removed {
        sync_dir(directory(path))?;
    }
    Ok(removed)
}

/// Removes temporary files that a killed writer of `path` left beside it. Only for the holder of the lock of the
/// installation: it would also remove the file of a live writer.
///
/// # Errors
/// [`FsError`].
pub(crate) fn sweep(path: &Path) -> Result<(), FsError> {
    let Some(prefix) = temp_prefix(path) else { return Ok(()) };
    for name in super::fs::list(directory(path))? {
        if name.as_bytes().starts_with(prefix.as_bytes()) {
            remove(&directory(path).join(name))?;
        }
    }
    Ok(())
}

/// Whether both names lead to the same file, links followed.
#[must_use]
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let id = |path| std::fs::metadata(path).ok().map(|meta: std::fs::Metadata| (meta.dev(), meta.ino()));
    id(one).is_some_and(|one| id(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn put(path: &Path, mode: u32, bytes: &[u8]) {
        let mut incoming = Incoming::beside(path, mode, None).unwrap();
        incoming.write(bytes).unwrap();
        incoming.commit().unwrap();
    }

    fn bytes(path: &Path) -> Vec<u8> {
        let mut all = Vec::new();
        read_pieces(path, &mut |piece| all.extend_from_slice(piece)).unwrap();
        all
    }

    #[test]
    fn a_link_is_replaced_and_its_target_stays() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        put(&at("real"), 0o600, b"theirs");
        symlink("real", at("link")).unwrap();
        assert_eq!(look(&at("link")).unwrap(), Found::Link { to: "real".into() });
        assert!(read_pieces(&at("link"), &mut |_| {}).is_err());
        put(&at("link"), 0o755, b"ours");
        assert!(matches!(look(&at("link")).unwrap(), Found::File { mode: 0o755, len: 4, .. }));
        assert_eq!(bytes(&at("real")), b"theirs");
        put_link(&at("link"), Path::new("/nowhere")).unwrap();
        assert_eq!(look(&at("link")).unwrap(), Found::Link { to: "/nowhere".into() });
        assert!(remove(&at("link")).unwrap() && !remove(&at("link")).unwrap());
        assert_eq!(super::super::fs::list(dir.path()).unwrap(), ["real"]);
    }

    #[test]
    fn an_uncommitted_file_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        put(&path, 0o644, b"old");
        let mut incoming = Incoming::beside(&path, 0o644, None).unwrap();
        incoming.write(b"half").unwrap();
        drop(incoming);
        assert_eq!(bytes(&path), b"old");
        // A killed writer leaves its temporary file; the next sweep removes it.
        std::mem::forget(Incoming::beside(&path, 0o644, None).unwrap());
        sweep(&path).unwrap();
        // A directory is in the way: neither a file nor a link replaces it.
        let (name, inside) = (dir.path().join("d"), dir.path().join("d/x"));
        make_dir(&name, 0o750).unwrap();
        put(&inside, 0o644, b"");
        assert!(Incoming::beside(&name, 0o644, None).unwrap().commit().is_err());
        assert!(put_link(&name, &path).is_err());
        assert_eq!(look(&name).unwrap(), Found::Dir { mode: 0o750, empty: false });
        assert!(!remove_dir(&name).unwrap());
        assert_eq!(super::super::fs::list(dir.path()).unwrap(), ["d", "f"]);
    }

    #[test]
    fn for_a_user_only_that_users_directory_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let meta = std::fs::metadata(dir.path()).unwrap();
        let me = Owner { uid: meta.uid(), gid: meta.gid() };
        std::fs::create_dir(at("moved")).unwrap();
        symlink("moved", at("run")).unwrap();
        put(&at("moved/pid"), 0o600, b"old");
        put_for(me, &at("run/pid"), 0o644, b"12\n").unwrap();
        let owner = me;
        assert_eq!(look(&at("moved/pid")).unwrap(), Found::File { mode: 0o644, owner, len: 3 });
        // A link is replaced, not followed.
        std::fs::remove_file(at("moved/pid")).unwrap();
        symlink(at("other"), at("moved/pid")).unwrap();
        put_for(me, &at("run/pid"), 0o644, b"13\n").unwrap();
        assert_eq!(bytes(&at("moved/pid")), b"13\n");
        assert_eq!(look(&at("other")).unwrap(), Found::Absent);
        assert!(put_for(me, &at("none/pid"), 0o644, b"").is_err());

        // Root enters no directory that is not the user's.
        if me.uid != 0 {
            return;
        }
        let them = Owner { uid: me.uid + 1, gid: me.gid };
        let error = put_for(them, &at("run/pid"), 0o644, b"14\n").unwrap_err();
        assert!(matches!(error, FsError::NotTheirs { .. }), "{error:?}");
        assert_eq!(bytes(&at("moved/pid")), b"13\n");
        assert_eq!(super::super::fs::list(&at("moved")).unwrap(), ["pid"]);
    }

    #[test]
    fn set_mode_does_not_follow_links() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        put(&at("real"), 0o666, b"x");
        make_dir(&at("d"), 0o777).unwrap();
        symlink("real", at("link")).unwrap();
        assert_eq!(
            ["real", "d", "link", "none", "real/below"].map(|name| mode(&at(name)).unwrap()),
            [Some(0o666), Some(0o777), None, None, None]
        );
        set_mode(&at("real"), 0o600).unwrap();
        set_mode(&at("d"), 0o700).unwrap();
        assert_eq!(["real", "d"].map(|name| mode(&at(name)).unwrap()), [Some(0o600), Some(0o700)]);
        assert!(set_mode(&at("link"), 0o777).is_err() && set_mode(&at("none"), 0o777).is_err());
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(set_mode(&at("pipe"), 0o600), Err(FsError::NotRegular(_))));
        assert_eq!(mode(&at("pipe")).unwrap(), Some(0o700), "and it is as it was");
        assert_eq!(mode(&at("real")).unwrap(), Some(0o600));
    }

    #[test]
    fn only_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(look(&fifo).unwrap(), Found::Special);
        assert!(matches!(read_pieces(&fifo, &mut |_| {}), Err(FsError::NotRegular(_))));
        assert_eq!(look(&dir.path().join("none/below")).unwrap(), Found::Absent);
        assert_eq!(look(&fifo.join("below")).unwrap(), Found::Absent);
        assert!(is_same_file(dir.path(), &dir.path().join(".")) && !is_same_file(&fifo, dir.path()));
    }
}
