//! A runner with a script: what must be asked, in order, and what is answered.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;

use super::invocation::{Invocation, Output, Runner};

/// The script, and what is left of it.
pub(crate) struct Script {
    left: RefCell<VecDeque<(String, io::Result<Output>)>>,
}

impl Script {
    /// Lines `(as typed, answer)`.
    pub(crate) fn new<const N: usize>(lines: [(&str, io::Result<Output>); N]) -> Self {
        let lines = lines.into_iter().map(|(typed, answer)| (typed.to_owned(), answer));
        Self { left: RefCell::new(lines.collect()) }
    }

    /// Everything in it was asked.
    #[track_caller]
    pub(crate) fn is_played(&self) {
        let left: Vec<String> = self.left.borrow().iter().map(|(typed, _)| typed.clone()).collect();
        assert!(left.is_empty(), "nobody asked: {left:#?}");
    }
}

impl Runner for Script {
    async fn run(&self, invocation: &Invocation) -> io::Result<Output> {
        let (typed, answer) = self
            .left
            .borrow_mut()
            .pop_front()
            .unwrap_or_else(|| panic!("the script is over, and this was asked: {invocation}"));
        assert_eq!(invocation.to_string(), typed);
        answer
    }
}

/// It worked and said this.
pub(crate) fn says(stdout: &str) -> io::Result<Output> {
    Ok(Output { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() })
}

/// It failed and said this.
pub(crate) fn fails(code: i32, stderr: &str) -> io::Result<Output> {
    Ok(Output { code: Some(code), stdout: String::new(), stderr: stderr.to_owned() })
}
