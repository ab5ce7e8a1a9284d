//! Errors as text: an error with its causes as one sentence, and the commands that help. Pure.

use std::error::Error;

/// What helps about an error.
pub trait Hints {
    /// The next commands to type, the best first.
    fn hints(&self) -> Vec<String>;

    /// The best of them.
    fn hint(&self) -> Option<String> {
        self.hints().into_iter().next()
    }
}

/// The error and its causes, outermost first.
#[must_use]
pub fn of(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |sentence, cause| format!("{sentence}: {cause}"))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file cannot be read")]
    struct Unreadable(#[source] io::Error);

    #[test]
    fn causes_follow_their_error() {
        let error = Unreadable(io::Error::other("the disk is gone"));
        assert_eq!(of(&error), "the file cannot be read: the disk is gone");
        assert_eq!(of(&io::Error::other("alone")), "alone");
    }
}
