//! launchd in words: what is typed to `launchctl`, what its answers mean, and how to wait for what it really did.
//!
//! All of it is pure, and compiled and tested everywhere. It rests on launchctl(1), launchd.plist(5) and a third
//! party's measurements on macOS 26; none of it has been run on a Mac by us.

pub mod explain;
pub mod operation;
pub mod parse;
pub mod verbs;
