//! Arguments, variables and paths of the system: mostly UTF-8, but any bytes survive serialisation. Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An argument, a variable or a path. In JSON a string, or an array of bytes if it is not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OsBytes(pub OsString);

impl OsBytes {
    /// The same as a path.
    #[must_use]
    pub fn path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl From<&OsStr> for OsBytes {
    fn from(word: &OsStr) -> Self {
        Self(word.to_owned())
    }
}

impl From<PathBuf> for OsBytes {
    fn from(path: PathBuf) -> Self {
        Self(path.into_os_string())
    }
}

impl Serialize for OsBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => self.0.as_bytes().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for OsBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Bytes(Vec<u8>),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Text(text) => text.into(),
            Either::Bytes(bytes) => OsString::from_vec(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_survive_serialisation(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let raw = OsBytes(OsString::from_vec(bytes));
            let text = serde_json::to_string(&raw).unwrap();
            prop_assert_eq!(serde_json::from_str::<OsBytes>(&text).unwrap(), raw);
        }
    }

    #[test]
    fn text_reads_as_text() {
        assert_eq!(serde_json::to_string(&OsBytes("ä b".into())).unwrap(), "\"ä b\"");
    }
}
