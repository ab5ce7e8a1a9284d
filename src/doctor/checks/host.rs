//! The manager, the port, the room on disk.

use crate::doctor::check::{Check, mib};
use crate::doctor::facts::DoctorFacts;
use crate::manager::state::Told;

/// Below this little room a log or services.json may not be written.
const LITTLE: u64 = 100 * 1024 * 1024;

pub(super) fn checks(facts: &DoctorFacts) -> Vec<Check> {
    let mut out = vec![manager(facts)];
    out.extend(older(facts));
    out.extend(linger(facts));
    out.extend(port(facts));
    out.extend(disk(facts));
    out
}

fn manager(facts: &DoctorFacts) -> Check {
    const ID: &str = "manager";
    match &facts.install {
        Ok(install) => Check::ok(ID, format!("{} answers", install.manager.words())),
        // A container has none and needs none: the hub in the foreground is all there is.
        Err(why) => Check::cannot_tell(
            ID,
            format!("no service manager can be used here: {}", why.join("; ")),
            "parachute serve     (in the foreground)",
        ),
    }
}

/// Daemons of the detached model hold the ports that a supervised hub would need.
fn older(facts: &DoctorFacts) -> Option<Check> {
    facts.older.as_ref().map(|words| Check::warn("older", words.clone(), "parachute migrate --to-supervised"))
}

fn linger(facts: &DoctorFacts) -> Option<Check> {
    const ID: &str = "linger";
    let install = facts.install.as_ref().ok()?;
    let name = &install.person.name;
    let command = format!("sudo loginctl enable-linger {name}");
    Some(match install.linger.as_ref()? {
        Told::Known(true) => Check::ok(ID, format!("{name}'s services run without a login")),
        Told::Known(false) => {
            Check::warn(ID, format!("{name}'s services stop at logout and do not start at boot"), command)
                .fixable()
        }
        Told::Unknown(because) => {
            Check::cannot_tell(ID, format!("whether {name}'s services outlive a login: {because}"), command)
        }
    })
}

fn port(facts: &DoctorFacts) -> Option<Check> {
    const ID: &str = "port";
    let install = facts.install.as_ref().ok()?;
    let port = install.settings.port;
    Some(match &install.holder {
        None if facts.hub.is_none() => Check::ok(ID, format!("port {port} is free")),
        None => Check::warn(
            ID,
            format!("the hub runs, but not on port {port}, which hub.toml or the default asks for"),
            "parachute restart",
        ),
        Some(holder) if holder.ours => Check::ok(ID, format!("port {port} is the hub's")),
        Some(holder) => {
            let who =
                holder.pid.map_or_else(|| "a process that cannot be seen".to_owned(), |p| format!("pid {p}"));
            let next = holder
                .pid
                .map_or_else(|| "parachute init --port N".to_owned(), |pid| format!("ps -fp {pid}"));
            Check::fail(
                ID,
                format!("port {port} is taken by {who} {}", holder.command).trim().to_owned(),
                next,
            )
        }
    })
}

fn disk(facts: &DoctorFacts) -> Option<Check> {
    const ID: &str = "disk";
    let disk = facts.disk?;
    let text = format!("{} of {} are free where the home is", mib(disk.free), mib(disk.total));
    Some(if disk.free < LITTLE { Check::fail(ID, text, "df -h") } else { Check::ok(ID, text) })
}
