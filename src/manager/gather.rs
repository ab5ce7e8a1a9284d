//! Reads the host's facts for [`detect`](super::detect): decides nothing, changes nothing.
#![expect(clippy::disallowed_methods, reason = "edge: looks at what manages the services of this host")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::backend::{Domain, Systemd};
use super::detect::{Family, HostFacts, LaunchdFacts, SystemdFacts, family};
use super::explain::Cause;
use super::invocation::{Invocation, Output, Runner};
use super::state::Told;
use super::systemd::parse::{self, About};
use super::systemd::verbs;
use crate::home::fs;
use crate::process::user;
use crate::unit::target::{OLDEST_SYSTEMD, Scope};

/// Gathers the facts. `env` is the whole environment.
pub async fn gather<R: Runner>(env: &BTreeMap<OsString, OsString>, runner: &R) -> HostFacts {
    let var = |name: &str| env.get(OsStr::new(name)).filter(|value| !value.is_empty());
    let text = |name: &str| var(name).map(|value| value.to_string_lossy().into_owned());
    let uid = user::effective_uid();
    let me = user::by_uid(uid).ok();
    let (os, asked) = (std::env::consts::OS.to_owned(), text("PARACHUTE_MANAGER"));
    let homes = [var("HOME").map(PathBuf::from), me.as_ref().map(|me| me.home.clone())];
    let family = family(&os, asked.as_deref()).ok();
    // SUDO_UID stays set in programs that root starts later; it means sudo only while we are root.
    let sudo_by = text("SUDO_UID").filter(|_| uid == 0).and_then(|by| by.parse().ok()).filter(|by| *by != 0);
    let mut facts = HostFacts {
        os,
        asked,
        uid,
        name: me.map(|me| me.name),
        homes: homes.into_iter().flatten().filter(|home| home.is_absolute()).collect(),
        sudo_by: sudo_by.map(|by| user::by_uid(by).map_or_else(|_| format!("user {by}"), |by| by.name)),
        ssh: var("SSH_CONNECTION").is_some() || var("SSH_TTY").is_some(),
        container: container(var("container").is_some()),
        wsl: var("WSL_DISTRO_NAME").is_some(),
        init: line_of("/proc/1/comm"),
        systemd: None,
        launchd: None,
    };
    match family {
        Some(Family::Systemd) => {
            let given = var("XDG_RUNTIME_DIR").map(PathBuf::from);
            facts.systemd = Some(of_systemd(uid, given, runner).await);
        }
        Some(Family::Launchd) => facts.launchd = Some(of_launchd(uid, runner).await),
        None => {}
    }
    facts
}

async fn of_systemd<R: Runner>(uid: u32, given: Option<PathBuf>, runner: &R) -> SystemdFacts {
    let at =
        |scope, runtime_dir| Systemd { scope, version: OLDEST_SYSTEMD, dir: PathBuf::new(), runtime_dir };
    // cron, su and sudo leave XDG_RUNTIME_DIR unset, or set to another user's; pam_systemd(8) defines ours.
    let own = PathBuf::from(format!("/run/user/{uid}"));
    let given = given.filter(|dir| is_dir_of(dir, uid));
    let own = Some(own).filter(|dir| is_dir_of(dir, uid) && has_manager(dir) && given.as_ref() != Some(dir));
    let mut dirs = given.into_iter().chain(own);
    let user_in = |dir: &PathBuf| verbs::manager(&at(Scope::User, Some(dir.clone())));
    let of_system = verbs::manager(&at(Scope::System, None));
    let first = dirs.next();
    // Both at once: each query takes a few milliseconds.
    let (system, user) = tokio::join!(runner.run(&of_system), async {
        match &first {
            Some(dir) => Some(runner.run(&user_in(dir)).await),
            None => None,
        }
    });
    let systemctl = !matches!(&system, Err(error) if error.kind() == io::ErrorKind::NotFound);
    let mut facts = SystemdFacts {
        systemctl,
        system: told(&of_system, system),
        runtime_dir: None,
        user: Told::Unknown("there is no runtime directory".to_owned()),
    };
    let (Some(dir), Some(answer), true) = (first, user, systemctl) else { return facts };
    facts.user = told(&user_in(&dir), answer);
    facts.runtime_dir = Some(dir);
    for dir in dirs {
        if facts.user.known().is_none() {
            let ask = user_in(&dir);
            facts.user = told(&ask, runner.run(&ask).await);
            facts.runtime_dir = Some(dir);
        }
    }
    facts
}

fn told(invocation: &Invocation, answer: io::Result<Output>) -> Told<About> {
    match answer {
        Ok(output) => parse::about(&output).map_or_else(Told::Unknown, Told::Known),
        Err(error) => Told::Unknown(Cause::of_tool(invocation, &error).what),
    }
}

fn is_dir_of(dir: &Path, uid: u32) -> bool {
    dir.is_absolute() && std::fs::metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == uid)
}

/// The user's bus, or the socket that systemctl prefers to it.
fn has_manager(dir: &Path) -> bool {
    fs::exists(&dir.join("bus")) || fs::exists(&dir.join("systemd/private"))
}

async fn of_launchd<R: Runner>(uid: u32, runner: &R) -> LaunchdFacts {
    let print = |domain: Domain| Invocation::ask("launchctl", &["print", &domain.words()]);
    let gui = runner.run(&print(Domain::Gui(uid))).await;
    let launchctl = !matches!(&gui, Err(error) if error.kind() == io::ErrorKind::NotFound);
    let user = runner.run(&print(Domain::User(uid))).await;
    LaunchdFacts {
        launchctl,
        gui: domain_is_there(&print(Domain::Gui(uid)), gui),
        user: domain_is_there(&print(Domain::User(uid)), user),
        console_uid: std::fs::metadata("/dev/console").ok().map(|meta| meta.uid()),
    }
}

/// `launchctl print DOMAIN`: 0 if it exists; 112, 113 and 125 if it does not, or not for this session (`launchctl error
/// N`). Any other code is no answer.
fn domain_is_there(invocation: &Invocation, answer: io::Result<Output>) -> Told<bool> {
    match answer {
        Ok(Output { code: Some(0), .. }) => Told::Known(true),
        Ok(Output { code: Some(112 | 113 | 125), .. }) => Told::Known(false),
        Ok(output) => Told::Unknown(format!("`{invocation}` failed: {}", output.stderr.trim())),
        Err(error) => Told::Unknown(Cause::of_tool(invocation, &error).what),
    }
}

/// The marks of container managers: <https://systemd.io/CONTAINER_INTERFACE/> and those of managers that do not follow
/// it.
fn container(named: bool) -> Option<String> {
    line_of("/run/systemd/container")
        .or_else(|| fs::exists(Path::new("/run/.containerenv")).then(|| "podman".to_owned()))
        .or_else(|| fs::exists(Path::new("/.dockerenv")).then(|| "docker".to_owned()))
        .or_else(|| named.then(|| "container".to_owned()))
}

fn line_of(path: &str) -> Option<String> {
    let bytes = fs::read(Path::new(path), 256).ok()?;
    let line = String::from_utf8_lossy(&bytes).lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
