//! What a file shall hold, and what tells one content from another.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of a file to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// This text.
    Text(String),
    /// The bytes of another file, which the journal does not hold.
    CopyOf {
        /// That file.
        source: PathBuf,
        /// Its hash when the plan was made; another one is refused.
        sha256: String,
        /// Its length in bytes.
        len: u64,
    },
}

/// What tells one content from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub len: u64,
}

/// A print in the making, piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Printing {
    hash: Sha256,
    len: u64,
}

impl Content {
    /// Its print.
    #[must_use]
    pub fn print(&self) -> Print {
        match self {
            Self::Text(text) => Print::of(text.as_bytes()),
            Self::CopyOf { sha256, len, .. } => Print { sha256: sha256.clone(), len: *len },
        }
    }
}

impl Print {
    /// The print of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut printing = Printing::default();
        printing.add(bytes);
        printing.done()
    }
}

impl Printing {
    /// The next piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.len += piece.len() as u64;
    }

    /// That was all.
    #[must_use]
    pub fn done(self) -> Print {
        let sha256 = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Print { sha256, len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_print_is_the_hash_that_sha256sum_shows() {
        let print = Print::of(b"abc");
        assert_eq!(print.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(print.len, 3);
        let mut printing = Printing::default();
        printing.add(b"a");
        printing.add(b"bc");
        assert_eq!(printing.done(), print);
        assert_eq!(Content::Text("abc".to_owned()).print(), print);
    }
}
