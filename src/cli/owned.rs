//! The owner of the installation that a verb would change: another user's, or another home's, is named and left alone.

use crate::home::paths::Home;
use crate::install::gather;
use crate::install::layout::layout;
use crate::install::owner::{Kinship, Owners};
use crate::install::refusal::{self, Asker, InstallRefusal};
use crate::plan::journal::peek_unfinished;
use crate::process::user;
use crate::unit::name::UnitName;

use super::apply;
use super::context::Context;
use super::error::{CliError, ExitKind};
use super::installation::{self, Installation};

/// What a verb would do to an installation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Act {
    /// The command line that does it, after `parachute`.
    pub verb: &'static str,
    /// The text that it was not done.
    pub left: &'static str,
}

pub(super) const UNINSTALL: Act = Act { verb: "uninstall", left: "it is not removed" };
/// Undoing it, back to what ran before it.
pub(super) const TEARDOWN: Act =
    Act { verb: "migrate --teardown --back-to-detached", left: "it is not undone" };
/// Checking and repairing it.
pub(super) const LOOK: Act = Act { verb: "doctor", left: "it is not examined here, and not changed" };

/// The same installation with the home that this user's installation has, unless one was named.
pub(super) fn at_its_home<R>(
    cx: &Context,
    mut installation: Installation<R>,
    owners: &Owners,
) -> (Context, Installation<R>) {
    let mut cx = cx.clone();
    let system = installation.driver.manager.is_system();
    if let Some(home) = owners.home_of(&installation.person).filter(|_| system && !cx.home_named) {
        cx.home = Home::at(home.to_owned());
        cx.home_named = true;
        installation.home = cx.home.clone();
        installation.layout =
            layout(&installation.driver.manager, &installation.home, &installation.person.home);
    }
    (cx, installation)
}

/// The owners of the installation in this place.
///
/// # Errors
/// The receipt or the journal cannot be read.
pub(super) fn owners<R>(installation: &Installation<R>) -> Result<Owners, CliError> {
    gather::owners(&installation.driver.manager, &installation.person, &installation.home)
        .map_err(apply::unopened)
}

/// Refuses to change another owner's. With `force` an edited unit does not stop the user that its receipt
/// names.
///
/// # Errors
/// It is another owner's.
pub(super) fn respect<R>(
    installation: &Installation<R>,
    owners: &Owners,
    act: Act,
    force: bool,
) -> Result<(), CliError> {
    let (person, home) = (&installation.person, installation.home.root());
    let is_mine = || owners.receipt.as_ref().is_some_and(|own| own.kinship(person, home) == Kinship::Same);
    let Some(owner) = owners.other(person, home).filter(|_| !(force && is_mine())) else { return Ok(()) };
    let asking = Asker::new(person, home, &installation.driver.manager, owner);
    let instead = refusal::instead(owner, &asking, act.verb);
    let refusal = InstallRefusal::Others { owner: owner.clone(), asking: Box::new(asking) };
    Err(CliError::new(ExitKind::NeedsPerson, format!("{refusal}; {}", act.left)).hint(instead))
}

/// Refuses to finish, or to undo, another owner's unfinished plan.
///
/// # Errors
/// There is such a plan.
pub(super) fn respect_plan<R>(installation: &Installation<R>) -> Result<(), CliError> {
    let owners = owners(installation)?;
    let (person, home) = (&installation.person, installation.home.root());
    let log = peek_unfinished(&installation.layout.state).map_err(apply::unopened)?;
    let (Some(log), Some(owner)) = (log, &owners.open) else { return Ok(()) };
    if owner.kinship(person, home) == Kinship::Same {
        return Ok(());
    }
    let asking = Asker::new(person, home, &installation.driver.manager, owner);
    let (owner, verb) = (owner.clone(), log.plan.verb.to_string());
    Err(installation::refused(InstallRefusal::OthersPlan { owner, verb, asking: Box::new(asking) }))
}

/// Before a verb that root runs about a hub: if the given home has none, and the machine has one of another
/// user, that one is named, instead of an answer that suggests that there is none.
///
/// # Errors
/// There is such a hub.
pub(super) async fn respect_machines(cx: &Context, verb: &str) -> Result<(), CliError> {
    let answers = cx.client().get::<crate::api::wire::Health>("/health").await.is_ok();
    if user::effective_uid() != 0 || cx.home_named || answers || installation::installed(cx).await.is_some() {
        return Ok(());
    }
    let Some((manager, person)) = installation::machines(cx).await else { return Ok(()) };
    let found = gather::owners(&manager, &person, &cx.home).map_err(apply::unopened)?;
    let Some(owner) =
        found.unit.as_ref().filter(|unit| unit.kinship(&person, cx.home.root()) != Kinship::Same)
    else {
        return Ok(());
    };
    let asking = Asker::new(&person, cx.home.root(), &manager, owner);
    let refusal = InstallRefusal::Others { owner: owner.clone(), asking: Box::new(asking) };
    let text = format!("{} has no hub that runs; {refusal}, which is left alone", cx.home.root().display());
    let hint = match &owner.home {
        Some(home) => format!("sudo parachute {}{verb}", refusal::option_home(home)),
        None => manager.status_command(&UnitName::hub()),
    };
    Err(CliError::new(ExitKind::NeedsPerson, text).hint(hint))
}
