//! Programs and scripts that a test creates and executes.

use std::path::Path;
use std::process::Command;

/// Puts a copy of a program there. Another process writes it: a child of a parallel test would inherit our
/// descriptor, and a file that is open for writing cannot be executed (execve(2), ETXTBSY).
pub fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("--").args([from, to]).status().unwrap().success(), "{}", to.display());
}

/// Puts a file with this text and mode there, as [`copy`] does.
pub fn write(path: &Path, text: &str, mode: u32) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "printf %s \"$2\" >\"$1\" && chmod \"$3\" \"$1\"", "sh"]).arg(path);
    assert!(shell.arg(text).arg(format!("{mode:o}")).status().unwrap().success(), "{}", path.display());
}
