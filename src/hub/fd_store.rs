//! systemd's file descriptor store: it holds the read ends of modules' outputs while no hub runs, and passes them to the
//! next one (sd_notify(3), FDSTORE=1; systemd.service(5), FileDescriptorStoreMax=).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tokio::sync::mpsc;

use super::notify::Notifier;
use crate::module::name::Short;
use crate::supervisor::output_keeper::OutputKeeper;

/// The start of the names of these descriptors, and their ends: stdout, stderr.
const PREFIX: &str = "log.";
const ENDS: [&str; 2] = [".out", ".err"];

/// Messages that may wait for the manager.
const QUEUE: usize = 1024;

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

#[derive(Debug)]
enum Message {
    Keep(Short, [OwnedFd; 2]),
    Forget(Short),
}

/// Talks to the store in a task of its own, in order: a start does not wait for the manager.
#[derive(Debug)]
pub(crate) struct FdStore {
    messages: mpsc::Sender<Message>,
}

impl FdStore {
    /// Begins it on the current runtime. `None`: no manager listens.
    pub(crate) fn begin(notifier: &Notifier) -> Option<Self> {
        let notifier = notifier.clone();
        if !notifier.is_heard() {
            return None;
        }
        let (messages, mut inbox) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while let Some(message) = inbox.recv().await {
                match message {
                    Message::Keep(short, readers) => {
                        for (place, reader) in readers.iter().enumerate() {
                            // A name holds any number of descriptors: those of earlier runs go first.
                            notifier.unstore(&name_of(&short, place));
                            notifier.store(&name_of(&short, place), reader.as_fd());
                        }
                    }
                    Message::Forget(short) => {
                        (0..ENDS.len()).for_each(|place| notifier.unstore(&name_of(&short, place)));
                    }
                }
            }
        });
        Some(Self { messages })
    }
}

impl OutputKeeper for FdStore {
    fn keep(&self, short: &Short, readers: [BorrowedFd<'_>; 2]) {
        let [out, err] = readers.map(|reader| reader.try_clone_to_owned());
        if let (Ok(out), Ok(err)) = (out, err) {
            // If a thousand modules are started at once and the manager is slow, some outputs are not kept.
            let _ = self.messages.try_send(Message::Keep(short.clone(), [out, err]));
        }
    }

    fn forget(&self, short: &Short) {
        let _ = self.messages.try_send(Message::Forget(short.clone()));
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
