//! Files that are used only if no other user can have written them. An edge.
//!
//! The checks apply to the data that is read: the file is opened once, and owner, mode, kind and size are those of that
//! descriptor. Links are not followed: a user who can replace the link can replace the file.
#![expect(clippy::disallowed_methods, reason = "edge: judges and reads a file through one descriptor")]

use std::fs::{FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Write permission for group and others.
const OTHERS_WRITE: u32 = 0o022;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Distrust {
    #[error("it is a symbolic link")]
    Link,
    /// Not a regular file.
    #[error("it is {0}, not a regular file")]
    Kind(&'static str),
    /// It belongs to another user.
    #[error("it belongs to user {0}")]
    Owner(u32),
    /// Other users may write to it.
    #[error("other users can write it (mode {0:04o})")]
    Writable(u32),
    /// Larger than the limit.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// The system refuses.
    #[error("it cannot be read ({0})")]
    Unreadable(io::Error),
}

/// A trusted file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Trusted {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub owner: u32,
}

/// Reads a regular file of at most `limit` bytes that belongs to `me` or root and that no other user may write. Never
/// blocks on a FIFO. `None`: the file does not exist.
///
/// # Errors
/// [`Distrust`].
pub(crate) fn read(path: &Path, me: u32, limit: u64) -> Result<Option<Trusted>, Distrust> {
    // O_NONBLOCK: open(2) of a FIFO would wait for a writer; fcntl(2) describes the same for a lease on a regular file.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) => return unopened(path, error),
    };
    let meta = file.metadata().map_err(Distrust::Unreadable)?;
    let mode = judge(&meta, me, limit)?;
    let mut bytes = Vec::new();
    // The file may have grown since.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(Distrust::Unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(Distrust::TooLarge(limit));
    }
    Ok(Some(Trusted { bytes, mode, owner: meta.uid() }))
}

/// Checks the file as [`read`] would, as far as possible without opening it: for a caller that has more
/// rights than the user who owns the home. Returns its permission bits.
///
/// # Errors
/// [`Distrust`].
pub(crate) fn look(path: &Path, me: u32, limit: u64) -> Result<Option<u32>, Distrust> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) => judge(&meta, me, limit).map(Some),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Distrust::Unreadable(error)),
    }
}

/// A file that cannot be opened is classified by its kind, if that can be seen.
fn unopened<T>(path: &Path, error: io::Error) -> Result<Option<T>, Distrust> {
    if is_absent(&error) {
        return Ok(None);
    }
    // open(2): ELOOP for a link, or for a loop above it; ENXIO for a socket.
    let is = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    if (is(Errno::LOOP) || is(Errno::MLINK) || is(Errno::NXIO))
        && let Ok(meta) = std::fs::symlink_metadata(path)
        && let Some(distrust) = of_kind(meta.file_type())
    {
        return Err(distrust);
    }
    Err(Distrust::Unreadable(error))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn of_kind(kind: FileType) -> Option<Distrust> {
    Some(match kind {
        _ if kind.is_file() => return None,
        _ if kind.is_symlink() => Distrust::Link,
        _ if kind.is_dir() => Distrust::Kind("a directory"),
        _ if kind.is_fifo() => Distrust::Kind("a FIFO"),
        _ if kind.is_socket() => Distrust::Kind("a socket"),
        _ => Distrust::Kind("a device"),
    })
}

fn judge(meta: &Metadata, me: u32, limit: u64) -> Result<u32, Distrust> {
    if let Some(distrust) = of_kind(meta.file_type()) {
        return Err(distrust);
    }
    let mode = meta.permissions().mode() & 0o7777;
    if meta.uid() != me && meta.uid() != 0 {
        return Err(Distrust::Owner(meta.uid()));
    }
    if mode & OTHERS_WRITE != 0 {
        return Err(Distrust::Writable(mode));
    }
    if meta.len() > limit {
        return Err(Distrust::TooLarge(limit));
    }
    Ok(mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    #[test]
    fn only_a_file_that_no_other_user_may_write_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let me = std::fs::metadata(dir.path()).unwrap().uid();
        let path = dir.path().join("f");
        let judged = |me: u32| {
            let read =
                read(&path, me, 4).map(|found| found.map(|found| found.mode)).map_err(|e| e.to_string());
            let looked = look(&path, me, 4).map_err(|e| e.to_string());
            assert_eq!(read, looked, "the same result without opening it");
            read
        };
        let mode = |mode| std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let err = |text: &str| Err(text.to_owned());

        assert_eq!(judged(me), Ok(None));
        std::fs::write(&path, "A=1\n").unwrap();
        mode(0o644);
        assert_eq!(judged(me), Ok(Some(0o644)));
        for open in [0o620, 0o602, 0o666] {
            mode(open);
            assert_eq!(judged(me), err(&format!("other users can write it (mode {open:04o})")));
        }
        mode(0o600);
        assert_eq!(judged(me), Ok(Some(0o600)));
        if me != 0 {
            assert_eq!(judged(me + 1), err(&format!("it belongs to user {me}")));
        }
        std::fs::write(&path, "A=12\n").unwrap();
        assert_eq!(judged(me), err("it is larger than 4 bytes"));
        std::fs::remove_file(&path).unwrap();

        std::os::unix::fs::symlink("other", &path).unwrap();
        assert_eq!(judged(me), err("it is a symbolic link"));
        std::fs::write(dir.path().join("other"), "A=1\n").unwrap();
        assert_eq!(judged(me), err("it is a symbolic link"));
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(judged(me), err("it is a FIFO, not a regular file"));
        std::fs::remove_file(&path).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(judged(me), err("it is a socket, not a regular file"));
        drop(socket);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(judged(me), err("it is a directory, not a regular file"));
        assert!(matches!(read(Path::new("/dev/null"), me, 4), Err(Distrust::Kind("a device"))));
    }

    #[test]
    fn links_above_the_name_are_followed_and_a_loop_does_not_count_as_absent() {
        let dir = tempfile::tempdir().unwrap();
        let me = std::fs::metadata(dir.path()).unwrap().uid();
        std::fs::create_dir(dir.path().join("real")).unwrap();
        std::fs::write(dir.path().join("real/f"), "A=1\n").unwrap();
        std::fs::set_permissions(dir.path().join("real/f"), Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("moved")).unwrap();
        assert_eq!(read(&dir.path().join("moved/f"), me, 9).unwrap().unwrap().bytes, b"A=1\n");
        std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
        assert!(matches!(read(&dir.path().join("loop/f"), me, 9), Err(Distrust::Unreadable(_))));
        assert!(read(&dir.path().join("real/f/x"), me, 9).unwrap().is_none());
    }
}
