//! Injected faults, with which tests interrupt a plan at any step. Release builds have none.

use std::str::FromStr;

use super::host::HostError;

/// The fault, and its step, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The step fails.
    Fail(usize),
    /// This process is killed before the step.
    Kill(usize),
    /// This process is killed after the step, before the journal says that it was done.
    KillAfter(usize),
    /// This process is killed before it deletes this many entries of a home.
    KillDeleting(usize),
}

/// The text names no fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no fault: `fail N`, `kill N`, `kill-after N` or `kill-deleting N`")]
pub struct NoFault(pub String);

impl FromStr for Fault {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        let none = || NoFault(text.to_owned());
        let (what, step) = text.split_once(' ').ok_or_else(none)?;
        let step: usize = step.parse().map_err(|_| none())?;
        match what {
            "fail" => Ok(Self::Fail(step)),
            "kill" => Ok(Self::Kill(step)),
            "kill-after" => Ok(Self::KillAfter(step)),
            "kill-deleting" => Ok(Self::KillDeleting(step)),
            _ => Err(none()),
        }
    }
}

/// Injects the fault that is set before this step.
///
/// # Errors
/// [`HostError::Injected`].
pub(super) fn before(fault: Option<Fault>, step: usize) -> Result<(), HostError> {
    match fault.filter(|_| cfg!(debug_assertions)) {
        Some(Fault::Fail(at)) if at == step => Err(HostError::Injected),
        Some(Fault::Kill(at)) if at == step => die(),
        Some(Fault::Fail(_) | Fault::Kill(_) | Fault::KillAfter(_) | Fault::KillDeleting(_)) | None => Ok(()),
    }
}

/// Injects the fault that is set after this step, before the journal says that it was done.
///
/// # Errors
/// [`HostError`]: this process could not be killed.
pub(super) fn after(fault: Option<Fault>, step: usize) -> Result<(), HostError> {
    match fault.filter(|_| cfg!(debug_assertions)) {
        Some(Fault::KillAfter(at)) if at == step => die(),
        Some(Fault::Fail(_) | Fault::Kill(_) | Fault::KillAfter(_) | Fault::KillDeleting(_)) | None => Ok(()),
    }
}

/// Injects the fault that is set before the `count`th entry of a home is deleted.
pub fn deleting(fault: Option<Fault>, count: usize) {
    if fault.filter(|_| cfg!(debug_assertions)) == Some(Fault::KillDeleting(count)) {
        // This call does not return.
        let _ = die();
    }
}

/// As in a power cut, no destructor runs and nothing is flushed.
fn die() -> Result<(), HostError> {
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL)
        .map_err(|errno| HostError::refused(format!("cannot kill this process: {errno}"), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_parsed_and_occurs_at_its_step_only() {
        assert_eq!("fail 2".parse(), Ok(Fault::Fail(2)));
        assert_eq!("kill 1".parse(), Ok(Fault::Kill(1)));
        assert_eq!("kill-after 10".parse(), Ok(Fault::KillAfter(10)));
        for bad in ["", "fail", "fail x", "burn 1", "fail  1"] {
            assert_eq!(bad.parse::<Fault>(), Err(NoFault(bad.to_owned())));
        }
        assert!(before(Some(Fault::Fail(2)), 2).is_err() && before(Some(Fault::Fail(2)), 1).is_ok());
        assert!(after(Some(Fault::Fail(2)), 2).is_ok() && before(None, 2).is_ok());
    }
}
