//! Operations on log files. Edge: opens, renames, removes, reads metadata. Decides nothing.

#![expect(clippy::disallowed_methods, reason = "edge: opens, rotates and reads log files")]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Identifies a file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    dev: u64,
    ino: u64,
}

/// Identity and length of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: FileId,
    pub(crate) len: u64,
}

impl Seen {
    fn of(meta: &fs::Metadata) -> Self {
        Self { id: FileId { dev: meta.dev(), ino: meta.ino() }, len: meta.len() }
    }
}

/// Opens for appending, readable too; creates it 0600 and its directory 0700: logs may hold secrets.
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(dir) = path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            }
            open()
        }
        opened => opened,
    }
}

pub(crate) fn open_read(path: &Path) -> io::Result<Option<File>> {
    absent_is_none(File::open(path))
}

pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    absent_is_none(fs::rename(from, to)).map(|_| ())
}

/// `false`: it did not exist.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    absent_is_none(fs::remove_file(path)).map(|gone| gone.is_some())
}

/// The file at `path`, if it exists.
pub(crate) fn look(path: &Path) -> io::Result<Option<Seen>> {
    Ok(absent_is_none(fs::metadata(path))?.map(|meta| Seen::of(&meta)))
}

/// The open `file`, whatever its path is now.
pub(crate) fn look_at(file: &File) -> io::Result<Seen> {
    file.metadata().map(|meta| Seen::of(&meta))
}

/// Reads from position `at`. Fills `buf`, unless the file ends earlier.
pub(crate) fn read_at(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match file.read_at(&mut buf[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn absent_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
