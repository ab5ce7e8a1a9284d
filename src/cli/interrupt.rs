//! Ctrl-C, a closed terminal or SIGTERM in the middle of a plan: the plan is undone, not left half done.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::ui::terminal::Terminal;

/// Becomes `true` with the first of these signals. From here on none of them ends this process: undoing
/// runs to its end.
#[must_use]
pub(super) fn interrupts() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        // Out of descriptors the signal keeps its default action, and the journal keeps the unfinished plan.
        let Ok(mut signals) = signal(kind) else { continue };
        let sender = sender.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if !sender.send_replace(true) {
                    Terminal.err("interrupted: undoing every step\n");
                }
            }
        });
    }
    receiver
}
