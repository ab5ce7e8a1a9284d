//! The system does not say. Every question about processes has three answers: there, not there, and this.

/// The system gave no answer: out of descriptors or memory, or it will not tell this user. Neither "gone" nor
/// "somebody else's" follows from it, and nobody is signalled because of it: whoever asked asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system does not report what runs and listens here (errno {errno})")]
pub struct Unknown {
    /// errno of the call that failed.
    pub errno: i32,
}
