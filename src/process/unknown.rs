//! The system gave no answer. Every question about processes has three answers: exists, does not exist, and unknown.
//! Pure.

/// The system gave no answer: out of descriptors or memory, or this user may not know. Neither "gone" nor
/// "foreign" follows from it, and no process is signalled because of it: the caller asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system does not report what runs and listens here (errno {errno})")]
pub struct Unknown {
    /// errno of the call that failed.
    pub errno: i32,
}
