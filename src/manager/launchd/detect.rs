//! Which of launchd's domains a host has for us, and why not another. Pure: `gather` looks.

use serde::{Deserialize, Serialize};

use super::{Domain, Launchd};
use crate::manager::host::{Candidates, Host, SERVE};
use crate::manager::state::Told;
use crate::unit;
use crate::unit::format::Format as _;

/// What launchd says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaunchdFacts {
    /// There is a `launchctl`.
    pub launchctl: bool,
    /// `gui/<uid>` is there.
    pub gui: Told<bool>,
    /// `user/<uid>` is there.
    pub user: Told<bool>,
    /// Whose the screen is.
    pub console_uid: Option<u32>,
}

/// The command for a Mac without a user session.
const DAEMON: &str = "sudo parachute init --scope system     (a daemon needs no session)";

/// Which of launchd's domains are there.
pub(in crate::manager) fn detect(host: &Host, launchd: Option<&LaunchdFacts>) -> Candidates<Launchd> {
    let Some(launchd) = launchd else { return Candidates::only_not("launchd", "it was not asked", None) };
    let mut found = Candidates::none();
    if !launchd.launchctl {
        return Candidates::only_not("launchd", "there is no `launchctl` on PATH", Some(SERVE));
    }
    let (gui, user) = (Domain::Gui(host.uid), Domain::User(host.uid));
    let words = |domain: Domain| format!("launchd ({})", domain.words());
    let at = |domain: Domain| Launchd {
        domain,
        dir: unit::launchd::Launchd { kind: domain.kind() }.dir(&host.home()),
    };
    if let Some(by) = &host.sudo_by {
        let because = format!("this runs as root; an agent of {by} is loaded by {by}");
        found.not("launchd (gui)", because, Some(&format!("parachute init   # as {by}, without sudo")));
    } else if host.uid != 0 {
        // Homebrew's rule (Library/Homebrew/services/system.rb): over SSH the screen's domain is ours only if the
        // screen is.
        let screen_is_ours = !host.ssh || launchd.console_uid == Some(host.uid);
        match (&launchd.gui, screen_is_ours) {
            (Told::Known(true), true) => found.candidates.push(at(gui)),
            (Told::Known(true), false) => {
                found.not(&words(gui), "this is an SSH session, and another user is at the screen", None);
            }
            (Told::Known(false), _) => {
                let because = format!("{} is not logged in at the screen", host.who());
                found.not(&words(gui), because, None);
            }
            (Told::Unknown(because), _) => found.not(&words(gui), because, None),
        }
        match &launchd.user {
            Told::Known(true) => found.candidates.push(at(user)),
            Told::Known(false) => found.not(&words(user), "launchd has no such domain", Some(DAEMON)),
            Told::Unknown(because) => found.not(&words(user), because, Some(SERVE)),
        }
    }
    found.candidates.push(at(Domain::System));
    found
}
