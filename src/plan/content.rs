//! The content of a file, and the fingerprint that tells one content from another. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The content of a file to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// This text.
    Text(String),
    /// The bytes of another file. The journal does not hold them.
    CopyOf {
        /// The file to copy.
        source: PathBuf,
        /// Its SHA-256 when the plan was made, hexadecimal. If it has changed since, the file is not copied.
        sha256: String,
        /// Its length in bytes.
        len: u64,
    },
}

/// Hash and length of a content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub len: u64,
}

/// Computes a [`Fingerprint`] in chunks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fingerprinter {
    hash: Sha256,
    len: u64,
}

impl Content {
    /// The fingerprint that the written file will have.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Text(text) => Fingerprint::of(text.as_bytes()),
            Self::CopyOf { sha256, len, .. } => Fingerprint { sha256: sha256.clone(), len: *len },
        }
    }
}

impl Fingerprint {
    /// The fingerprint of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut fingerprinter = Fingerprinter::default();
        fingerprinter.add(bytes);
        fingerprinter.finish()
    }
}

impl Fingerprinter {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.len += piece.len() as u64;
    }

    #[must_use]
    pub(crate) fn finish(self) -> Fingerprint {
        let sha256 = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Fingerprint { sha256, len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_hash_of_sha256sum() {
        let fingerprint = Fingerprint::of(b"abc");
        assert_eq!(fingerprint.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(fingerprint.len, 3);
        let mut fingerprinter = Fingerprinter::default();
        fingerprinter.add(b"a");
        fingerprinter.add(b"bc");
        assert_eq!(fingerprinter.finish(), fingerprint);
        assert_eq!(Content::Text("abc".to_owned()).fingerprint(), fingerprint);
    }
}
