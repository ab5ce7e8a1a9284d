//! The only place that prints; questions (`prompt`) and spinners (`progress`) draw themselves.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// Standard output and standard error of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal;

/// Result of writing a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Printed {
    /// It was written.
    Done,
    /// The reader has closed the pipe (`parachute status | head -1`): exit without an error.
    Closed,
}

impl Terminal {
    /// Writes all of it to standard output, unbuffered.
    ///
    /// # Errors
    /// The system's error, except for a closed pipe.
    pub(crate) fn out(self, text: &[u8]) -> io::Result<Printed> {
        let mut stdout = io::stdout().lock();
        settle(stdout.write_all(text).and_then(|()| stdout.flush()))
    }

    /// Writes to standard error. If that fails, the failure cannot be reported anywhere.
    pub(crate) fn err(self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Whether standard output is a terminal.
    #[must_use]
    pub(crate) fn out_is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether standard input is a terminal.
    #[must_use]
    pub(crate) fn in_is_terminal(self) -> bool {
        io::stdin().is_terminal()
    }

    /// Whether standard error is a terminal.
    #[must_use]
    pub(crate) fn err_is_terminal(self) -> bool {
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
