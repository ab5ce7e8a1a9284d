//! A runner with a script: the expected commands, in order, and their outputs.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;

use super::invocation::{Invocation, Runner, ToolOutput};

/// The rest of the script.
pub(crate) struct Script {
    left: RefCell<VecDeque<(String, io::Result<ToolOutput>)>>,
}

impl Script {
    /// Lines `(command, output)`.
    pub(crate) fn new<T: Into<String>>(lines: impl IntoIterator<Item = (T, io::Result<ToolOutput>)>) -> Self {
        let lines = lines.into_iter().map(|(typed, answer)| (typed.into(), answer));
        Self { left: RefCell::new(lines.collect()) }
    }

    /// Asserts that the whole script was used.
    #[track_caller]
    pub(crate) fn is_played(&self) {
        let left: Vec<String> = self.left.borrow().iter().map(|(typed, _)| typed.clone()).collect();
        assert!(left.is_empty(), "not run: {left:#?}");
    }
}

impl Runner for Script {
    async fn run(&self, invocation: &Invocation) -> io::Result<ToolOutput> {
        let (typed, answer) = self
            .left
            .borrow_mut()
            .pop_front()
            .unwrap_or_else(|| panic!("the script has ended, and this was run: {invocation}"));
        assert_eq!(invocation.to_string(), typed);
        answer
    }
}

/// Succeeded with this output.
pub(crate) fn says(stdout: &str) -> io::Result<ToolOutput> {
    Ok(ToolOutput { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() })
}

/// Failed with this output.
pub(crate) fn fails(code: i32, stderr: &str) -> io::Result<ToolOutput> {
    Ok(ToolOutput { code: Some(code), stdout: String::new(), stderr: stderr.to_owned() })
}
