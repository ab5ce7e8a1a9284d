//! systemd's file descriptor store: it holds the read ends of modules' outputs while no hub runs, and passes them to the
//! next one (sd_notify(3), FDSTORE=1; systemd.service(5), FileDescriptorStoreMax=).

use std::os::fd::BorrowedFd;

use super::notify::Notifier;
use crate::module::name::Short;
use crate::supervisor::output_keeper::OutputKeeper;

/// The start of the names of these descriptors, and their ends: stdout, stderr.
const PREFIX: &str = "log.";
const ENDS: [&str; 2] = [".out", ".err"];

/// The module and the place, 0 for stdout, of a stored descriptor. `None`: it has another name.
#[must_use]
pub(crate) fn output_of(name: &str) -> Option<(Short, usize)> {
    let rest = name.strip_prefix(PREFIX)?;
    let (place, short) = ENDS.iter().enumerate().find_map(|(n, end)| Some((n, rest.strip_suffix(end)?)))?;
    Some((Short::new(short).ok()?, place))
}

fn name_of(short: &Short, place: usize) -> String {
    format!("{PREFIX}{short}{}", ENDS[place])
}

/// The store of the hub's manager.
#[derive(Debug)]
pub(crate) struct FdStore {
    notifier: Notifier,
}

impl FdStore {
    /// `None`: no manager listens.
    pub(crate) fn of(notifier: &Notifier) -> Option<Self> {
        notifier.is_heard().then(|| Self { notifier: notifier.clone() })
    }
}

impl OutputKeeper for FdStore {
    fn keep(&self, short: &Short, readers: [BorrowedFd<'_>; 2]) {
        for (place, reader) in readers.iter().enumerate() {
            // Out of descriptors: then the last words of this run may be lost.
            if let Ok(reader) = reader.try_clone_to_owned() {
                self.notifier.store(name_of(short, place), reader);
            }
        }
    }

    fn forget(&self, short: &Short) {
        (0..ENDS.len()).for_each(|place| self.notifier.unstore(name_of(short, place)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_not_ours() {
        for short in ["web", "a-b", "out"] {
            let short = Short::new(short).unwrap();
            for place in [0, 1] {
                assert_eq!(output_of(&name_of(&short, place)), Some((short.clone(), place)));
            }
        }
        for name in
            ["", "hub", "log.", "log..out", "log.web", "log.we b.out", "web.out", "parachute-hub.socket"]
        {
            assert_eq!(output_of(name), None, "{name}");
        }
    }
}
