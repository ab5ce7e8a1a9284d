//! Which of systemd's managers a host has for us, and why not another. Pure: `gather` looks.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Systemd;
use super::parse::{self, About};
use crate::manager::host::{Candidates, Host, SERVE};
use crate::manager::state::Told;
use crate::unit;
use crate::unit::format::Format as _;
use crate::unit::target::Scope;

/// What systemd says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SystemdFacts {
    /// There is a `systemctl`.
    pub systemctl: bool,
    /// The system's manager.
    pub system: Told<About>,
    /// Where the person's manager is looked for.
    pub runtime_dir: Option<PathBuf>,
    /// The person's manager.
    pub user: Told<About>,
}

/// Which of systemd's managers are there.
pub(in crate::manager) fn detect(host: &Host, systemd: Option<&SystemdFacts>) -> Candidates<Systemd> {
    let Some(systemd) = systemd else { return Candidates::only_not("systemd", "it was not asked", None) };
    let mut found = Candidates::none();
    let (user, system) = ("systemd (user)", "systemd (system)");
    if !systemd.systemctl {
        let because = container(host).unwrap_or("there is no `systemctl` on PATH".to_owned());
        return Candidates::only_not("systemd", because, Some(SERVE));
    }
    if let Some(by) = &host.sudo_by {
        let because = format!("this runs as root; the manager of {by} answers only to {by}");
        found.not(user, because, Some(&format!("parachute init   # as {by}, without sudo")));
    } else {
        match (&systemd.user, &systemd.runtime_dir) {
            (Told::Known(about), Some(dir)) => {
                found.candidates.push(of_person(host, about, dir.clone()));
            }
            // Without a system's manager there is none for a person either; one reason is enough.
            (Told::Unknown(_), _) if systemd.system.known().is_none() => {}
            // root has the system's manager.
            (Told::Unknown(_), _) if host.uid == 0 => {}
            (_, None) => found.not(
                user,
                format!(
                    "no systemd user manager runs for {}: /run/user/{} does not exist",
                    host.who(),
                    host.uid
                ),
                Some(&format!("sudo loginctl enable-linger {}", host.who())),
            ),
            (Told::Unknown(because), Some(dir)) => found.not(
                user,
                format!("the manager of {} does not answer at {}: {because}", host.who(), dir.display()),
                Some(&format!("sudo systemctl restart user@{}.service", host.uid)),
            ),
        }
    }
    match &systemd.system {
        Told::Known(about) => found.candidates.push(Systemd {
            scope: Scope::System,
            version: about.version,
            dir: unit_dir(Scope::System, host),
            runtime_dir: None,
        }),
        Told::Unknown(because) => {
            let because = container(host).unwrap_or_else(|| not_booted(host, because));
            found.not(system, because, Some(SERVE));
        }
    }
    found
}

fn of_person(host: &Host, about: &About, runtime_dir: PathBuf) -> Systemd {
    let homes: Vec<_> = host.homes.iter().map(PathBuf::as_path).collect();
    let dir = parse::unit_dir(about, &homes).unwrap_or_else(|| unit_dir(Scope::User, host));
    Systemd { scope: Scope::User, version: about.version, dir, runtime_dir: Some(runtime_dir) }
}

/// Where the manager's units lie, if it did not say.
fn unit_dir(scope: Scope, host: &Host) -> PathBuf {
    unit::systemd::Systemd::oldest(scope).dir(&host.home())
}

fn container(host: &Host) -> Option<String> {
    let init = host.init.as_deref().filter(|init| *init != "systemd")?;
    if host.wsl {
        return Some(
            "WSL runs without systemd here: set `systemd=true` under `[boot]` in /etc/wsl.conf".to_owned(),
        );
    }
    let kind = host.container.as_deref()?;
    Some(format!("this is a container ({kind}) whose first process is `{init}`: it has no service manager"))
}

fn not_booted(host: &Host, because: &str) -> String {
    match host.init.as_deref() {
        Some(init) if init != "systemd" => format!("process 1 is `{init}`, not systemd"),
        _ => format!("systemd does not answer: {because}"),
    }
}
