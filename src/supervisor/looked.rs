//! The files of a definition as another process saw them. Pure.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::home::files::{Files, Places};
use crate::home::fs::FsError;
use crate::process::path_helper::protocol::{Answer, Dir, Question, Unread};

/// What a helper answered about [`Places`].
#[derive(Debug, Clone, Default)]
pub(super) struct Looked(BTreeMap<PathBuf, Answer>);

/// The questions about these places.
pub(super) fn questions(places: &Places) -> Vec<Question> {
    let dirs = places.dirs.iter().cloned().map(Question::Dir);
    let limit = |limit: u64| u32::try_from(limit).unwrap_or(u32::MAX);
    dirs.chain(places.files.iter().map(|(path, most)| Question::Read(path.clone(), limit(*most)))).collect()
}

impl Looked {
    /// From the answers to [`questions`] about the same places.
    pub(super) fn new(places: &Places, answers: Vec<Answer>) -> Self {
        let paths = places.dirs.iter().chain(places.files.iter().map(|(path, _)| path));
        Self(paths.cloned().zip(answers).collect())
    }
}

impl Files for Looked {
    fn is_dir(&self, path: &Path) -> bool {
        // Of one that cannot be looked at, a file below it or the start in it tells the reason.
        matches!(self.0.get(path), Some(Answer::Dir(Dir::Open | Dir::Closed | Dir::Failed(_))))
    }

    fn read_if_there(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FsError> {
        let failed = |doing, source| FsError::Io { doing, path: path.to_owned(), source };
        match self.0.get(path) {
            Some(Answer::Read(Ok(bytes))) => Ok(bytes.clone()),
            Some(Answer::Read(Err(Unread::NotRegular))) => Err(FsError::NotRegular(path.to_owned())),
            Some(Answer::Read(Err(Unread::TooLarge))) => {
                Err(FsError::TooLarge { path: path.to_owned(), limit })
            }
            Some(Answer::Read(Err(Unread::Open(errno)))) => {
                Err(failed("open", io::Error::from_raw_os_error(*errno)))
            }
            Some(Answer::Read(Err(Unread::Read(errno)))) => {
                Err(failed("read", io::Error::from_raw_os_error(*errno)))
            }
            // A place that was not asked about is no file that does not exist.
            Some(_) | None => Err(failed("look at", io::ErrorKind::Unsupported.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_what_a_direct_look_would_say() {
        let files = ["/a", "/b", "/c", "/d", "/e"].map(|path| (PathBuf::from(path), 10));
        let places = Places { dirs: vec!["/dir".into(), "/none".into()], files: files.to_vec() };
        assert_eq!(questions(&places)[0], Question::Dir("/dir".into()));
        assert_eq!(questions(&places)[2], Question::Read("/a".into(), 10));
        let answers = vec![
            Answer::Dir(Dir::Open),
            Answer::Dir(Dir::None),
            Answer::Read(Ok(Some(b"x".to_vec()))),
            Answer::Read(Ok(None)),
            Answer::Read(Err(Unread::NotRegular)),
            Answer::Read(Err(Unread::TooLarge)),
            Answer::Read(Err(Unread::Open(13))),
        ];
        let looked = Looked::new(&places, answers);
        assert!(looked.is_dir("/dir".as_ref()) && !looked.is_dir("/none".as_ref()));
        let said = |path: &str| looked.read_if_there(path.as_ref(), 10).map_err(|error| error.to_string());
        assert_eq!(said("/a"), Ok(Some(b"x".to_vec())));
        assert_eq!(said("/b"), Ok(None));
        assert_eq!(said("/c"), Err("/c is not a regular file".to_owned()));
        assert_eq!(said("/d"), Err("/d is larger than 10 bytes".to_owned()));
        assert_eq!(said("/e"), Err("cannot open /e".to_owned()));
        assert_eq!(said("/unasked"), Err("cannot look at /unasked".to_owned()));
    }
}
