//! The only place that prints; questions (`prompt`) and spinners (`progress`) draw themselves.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// Standard output and standard error of this process.
#[derive(Debug, Clone, Copy)]
pub struct Terminal;

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printed {
    /// It was written.
    Done,
    /// Nobody reads any more (`parachute status | head -1`): time to end, quietly.
    Closed,
}

impl Terminal {
    /// Writes to standard output, at once and whole.
    ///
    /// # Errors
    /// What the system said, a closed pipe apart.
    pub fn out(self, text: &[u8]) -> io::Result<Printed> {
        let mut stdout = io::stdout().lock();
        settle(stdout.write_all(text).and_then(|()| stdout.flush()))
    }

    /// Writes to standard error. Where even that fails there is nobody left to tell.
    pub fn err(self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Whether standard output is a terminal.
    #[must_use]
    pub fn out_is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether standard input is a terminal.
    #[must_use]
    pub fn in_is_terminal(self) -> bool {
        io::stdin().is_terminal()
    }

    /// Whether standard error is a terminal.
    #[must_use]
    pub fn err_is_terminal(self) -> bool {
        io::stderr().is_terminal()
    }
}

fn settle(result: io::Result<()>) -> io::Result<Printed> {
    match result {
        Ok(()) => Ok(Printed::Done),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Printed::Closed),
        Err(error) => Err(error),
    }
}
