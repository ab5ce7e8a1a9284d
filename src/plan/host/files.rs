//! The steps about files and directories, on the real machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::home::fs::{self, PRIVATE, PRIVATE_DIR};
use crate::home::nofollow::{self, Found, Incoming, Owner};
use crate::home::rename::{self, MoveError};
use crate::plan::commands;
use crate::plan::content::{Content, Fingerprint, Fingerprinter};
use crate::plan::host::HostError;
use crate::plan::journal::missing;
use crate::plan::observed::{Dir, Entry, FileIdentity, INLINE_LIMIT, Kept};
use crate::plan::step::Step;

/// The file with this name. Content that is too long for the journal will be kept below `saved`.
pub(super) fn entry(path: &Path, saved: &Path) -> Result<Entry, HostError> {
    let other = |what: &str| Entry::Other { what: what.to_owned() };
    Ok(match nofollow::look(path)? {
        Found::Absent => Entry::Absent,
        Found::Link { to } => Entry::Link { to },
        Found::Dir { .. } => other("a directory"),
        Found::Special => other("a FIFO, socket or device"),
        Found::File { mode, owner, len } => {
            let (mut fingerprinter, mut bytes) = (Fingerprinter::default(), Vec::new());
            nofollow::read_pieces(path, &mut |piece| {
                fingerprinter.add(piece);
                if len <= INLINE_LIMIT && bytes.len() as u64 <= INLINE_LIMIT {
                    bytes.extend_from_slice(piece);
                }
            })?;
            let fingerprint = fingerprinter.finish();
            let kept = match String::from_utf8(bytes) {
                Ok(text) if text.len() as u64 == fingerprint.len => Kept::Text(text),
                _ => Kept::Saved(saved.join(&fingerprint.sha256)),
            };
            Entry::File { mode, uid: owner.uid, gid: owner.gid, fingerprint, kept }
        }
    })
}

/// The identities of the files with the two names of a move.
pub(super) fn identities(names: [&PathBuf; 2]) -> Result<BTreeMap<PathBuf, FileIdentity>, HostError> {
    let mut at = BTreeMap::new();
    for path in names {
        if let Some(seen) = rename::glimpse(path)? {
            at.insert(path.clone(), FileIdentity::from(&seen));
        }
    }
    Ok(at)
}

/// Moves a file or directory, or finishes an interrupted move.
pub(super) fn relocate(from: &Path, to: &Path) -> Result<(), HostError> {
    rename::relocate(from, to).map_err(|error| match error {
        MoveError::File(error) => error.into(),
        MoveError::Taken(_) | MoveError::Changed(_) | MoveError::Uncopiable { .. } => HostError::refused(
            error.to_string(),
            Some(&commands::inspect(&Step::Move { from: from.to_owned(), to: to.to_owned() }, None)),
        ),
    })
}

/// A directory, or the file in its place. A link to a directory counts as occupied: it is not removed.
pub(super) fn dir(path: &Path) -> Result<Dir, HostError> {
    match nofollow::look(path)? {
        Found::Dir { mode, empty: true } => return Ok(Dir::Empty { mode }),
        Found::Dir { mode, empty: false } => return Ok(Dir::Occupied { mode }),
        Found::Link { .. } if fs::is_dir(path) => {
            return Ok(Dir::Occupied { mode: fs::mode(path).unwrap_or(PRIVATE_DIR) });
        }
        Found::Absent => {}
        Found::Link { .. } | Found::File { .. } | Found::Special => {
            return Ok(Dir::Blocked { by: path.to_owned() });
        }
    }
    let missing = missing(path)?;
    let above = missing.first().and_then(|top| top.parent()).filter(|above| !above.as_os_str().is_empty());
    Ok(match above {
        Some(above) if !fs::is_dir(above) => Dir::Blocked { by: above.to_owned() },
        _ => Dir::Absent { missing },
    })
}

/// Creates a directory, and those above it that are missing.
pub(super) fn make_dir(path: &Path, mode: u32) -> Result<(), HostError> {
    for level in missing(path)? {
        nofollow::make_dir(&level, mode)?;
    }
    // This program may have been killed between mkdir(2) and chmod(2).
    if matches!(nofollow::look(path)?, Found::Dir { mode: now, .. } if now != mode) {
        nofollow::make_dir(path, mode)?;
    }
    Ok(())
}

/// Writes a file: the complete content, or nothing.
pub(super) fn put(path: &Path, mode: u32, content: &Content) -> Result<(), HostError> {
    let mut incoming = Incoming::beside(path, mode, None)?;
    match content {
        Content::Text(text) => incoming.write(text.as_bytes())?,
        Content::CopyOf { source, sha256, len } => {
            let wanted = Fingerprint { sha256: sha256.clone(), len: *len };
            let mut file = fs::open_read(source)?;
            copy(&mut file, source, &mut incoming, &wanted, "the plan was made")?;
        }
    }
    Ok(incoming.commit()?)
}

/// Copies a file that is about to be replaced.
pub(super) fn keep(path: &Path, to: &Path, fingerprint: &Fingerprint) -> Result<(), HostError> {
    if let Some(dir) = to.parent() {
        fs::make_dir(dir, PRIVATE_DIR)?;
    }
    let mut incoming = Incoming::beside(to, PRIVATE, None)?;
    let mut file = fs::open_read(path)?;
    copy(&mut file, path, &mut incoming, fingerprint, "it was examined")?;
    Ok(incoming.commit()?)
}

/// Copies a file in chunks, and checks that its content is the expected one.
fn copy(
    file: &mut std::fs::File,
    from: &Path,
    incoming: &mut Incoming,
    wanted: &Fingerprint,
    since: &str,
) -> Result<(), HostError> {
    let mut fingerprinter = Fingerprinter::default();
    let mut written = Ok(());
    nofollow::pieces_of(file, from, &mut |piece| {
        fingerprinter.add(piece);
        if written.is_ok() {
            written = incoming.write(piece);
        }
    })?;
    written?;
    if fingerprinter.finish() == *wanted {
        Ok(())
    } else {
        Err(HostError::refused(format!("{} has changed since {since}", from.display()), None))
    }
}

/// Restores the previous file of this name.
pub(super) fn restore(path: &Path, was: &Entry) -> Result<(), HostError> {
    match was {
        Entry::Absent => {
            nofollow::remove(path)?;
        }
        Entry::Link { to } => nofollow::put_link(path, to)?,
        Entry::File { mode, uid, gid, fingerprint, kept } => {
            let owner = Owner { uid: *uid, gid: *gid };
            let mut incoming = Incoming::beside(path, *mode, Some(owner))?;
            match kept {
                Kept::Text(text) => incoming.write(text.as_bytes())?,
                Kept::Saved(copy_of_it) => {
                    let mut file = fs::open_read(copy_of_it)?;
                    copy(&mut file, copy_of_it, &mut incoming, fingerprint, "it was saved")?;
                }
            }
            incoming.commit()?;
        }
        Entry::Other { what } => {
            return Err(HostError::refused(format!("{what} cannot be put back at {}", path.display()), None));
        }
    }
    Ok(())
}
