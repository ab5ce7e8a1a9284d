//! Notifies the service manager, if there is one: sd_notify(3). Without one it does nothing.
//!
//! A thread of its own sends: a manager that is busy does not read, and a full socket would stop the hub.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use sd_notify::NotifyState;

/// Messages that may wait for the manager. Those of a thousand starts at once; a further one is not sent.
const QUEUE: usize = 4096;

/// The connection to a manager that set `NOTIFY_SOCKET`, read once from the hub's initial environment.
#[derive(Debug, Clone)]
pub struct Notifier {
    /// `None`: no manager listens.
    messages: Option<SyncSender<Message>>,
    /// Time between two keep-alives: half of `WATCHDOG_USEC`, as sd_watchdog_enabled(3) advises.
    watchdog: Option<Duration>,
}

#[derive(Debug)]
enum Message {
    Ready(String),
    Status(String),
    Stopping,
    Reloading,
    Alive,
    /// Name and descriptor.
    Store(String, OwnedFd),
    /// Name.
    Unstore(String),
}

impl Notifier {
    /// Finds out whether a manager listens.
    #[must_use]
    pub fn from_env(env: &BTreeMap<OsString, OsString>) -> Self {
        let text = |name: &str| env.get(std::ffi::OsStr::new(name)).and_then(|value| value.to_str());
        let enabled = text("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        // WATCHDOG_PID names the process that the manager watches; another process of the unit must not notify.
        let for_us = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let usec = text("WATCHDOG_USEC").and_then(|usec| usec.parse::<u64>().ok()).filter(|usec| *usec > 0);
        let watchdog = usec.filter(|_| enabled && for_us).map(|usec| Duration::from_micros(usec / 2));
        let (messages, inbox) = sync_channel(QUEUE);
        let sends =
            enabled && std::thread::Builder::new().name("notify".to_owned()).spawn(|| send(inbox)).is_ok();
        Self { messages: sends.then_some(messages), watchdog }
    }

    /// How often [`Self::alive`] is due; `None` without a watchdog.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Sockets are bound: `READY=1`.
    pub fn ready(&self, status: &str) {
        self.tell(Message::Ready(status.to_owned()));
    }

    /// It is not ready yet, and why.
    pub fn waiting(&self, status: &str) {
        self.tell(Message::Status(status.to_owned()));
    }

    /// The hub begins to stop.
    pub fn stopping(&self) {
        self.tell(Message::Stopping);
    }

    /// services.json is read again; [`Self::ready`] ends it.
    pub fn reloading(&self) {
        self.tell(Message::Reloading);
    }

    /// Whether a manager listens.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.messages.is_some()
    }

    /// Keeps a descriptor open under this name while no hub runs, also when no process has its other end, instead of those
    /// that were kept under it. Where the unit allows none, the manager ignores it.
    pub fn store(&self, name: String, fd: OwnedFd) {
        // A name holds any number of descriptors: those of earlier runs go first.
        self.tell(Message::Unstore(name.clone()));
        self.tell(Message::Store(name, fd));
    }

    /// Ends that for all descriptors of this name.
    pub fn unstore(&self, name: String) {
        self.tell(Message::Unstore(name));
    }

    /// The supervision loop is alive.
    pub fn alive(&self) {
        self.tell(Message::Alive);
    }

    fn tell(&self, message: Message) {
        if let Some(messages) = &self.messages {
            // A manager that reads nothing reacts to the silence with its watchdog.
            let _ = messages.try_send(message);
        }
    }
}

fn send(inbox: Receiver<Message>) {
    for message in inbox {
        // A manager that has gone cannot be notified.
        let _ = match &message {
            Message::Ready(status) => said(&[NotifyState::Ready, NotifyState::Status(status)]),
            Message::Status(status) => said(&[NotifyState::Status(status)]),
            Message::Stopping => said(&[NotifyState::Stopping, NotifyState::Status("stopping modules")]),
            // systemd 253 and newer accept a reload only with the time of its start: systemd.service(5), notify-reload.
            Message::Reloading => match NotifyState::monotonic_usec_now() {
                Ok(now) => said(&[NotifyState::Reloading, now]),
                Err(_) => said(&[NotifyState::Reloading]),
            },
            // Every few seconds.
            Message::Alive => sd_notify::notify(false, &[NotifyState::Watchdog]),
            Message::Store(name, fd) => {
                let states =
                    [NotifyState::FdStore, NotifyState::Custom("FDPOLL=0"), NotifyState::FdName(name)];
                sd_notify::notify_with_fds(false, &states, &[fd.as_fd()])
            }
            Message::Unstore(name) => {
                sd_notify::notify(false, &[NotifyState::FdStoreRemove, NotifyState::FdName(name)])
            }
        };
    }
}

fn said(states: &[NotifyState<'_>]) -> std::io::Result<()> {
    if let [first, ..] = states {
        tracing::debug!(state = %first, "the service manager gets a message");
    }
    sd_notify::notify(false, states)
}
