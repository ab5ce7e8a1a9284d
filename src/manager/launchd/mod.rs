//! launchd: the `launchctl` commands, the meaning of their output, and how to wait for their real effect.
//!
//! All of it is pure, and compiled and tested everywhere. It rests on launchctl(1), launchd.plist(5) and a third
//! party's measurements on macOS 26; none of it has been run on a Mac by us.

pub mod explain;
pub mod operation;
pub mod parse;
pub mod verbs;
