//! Looks at the host for [`detect`](super::detect): decides nothing, changes nothing. What a manager itself is asked,
//! its own folder asks.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::detect::{HostFacts, families};
use super::host::Host;
use super::invocation::Runner;
use super::{launchd, systemd};
use crate::home::fs;
use crate::process::user;

/// Gathers the facts. `env` is the whole environment.
pub(crate) async fn gather<R: Runner>(env: &BTreeMap<OsString, OsString>, runner: &R) -> HostFacts {
    let var = |name: &str| env.get(OsStr::new(name)).filter(|value| !value.is_empty());
    let text = |name: &str| var(name).map(|value| value.to_string_lossy().into_owned());
    let uid = user::effective_uid();
    let me = user::by_uid(uid).ok();
    let (os, asked) = (std::env::consts::OS.to_owned(), text("PARACHUTE_MANAGER"));
    let homes = [var("HOME").map(PathBuf::from), me.as_ref().map(|me| me.home.clone())];
    let families = families(&os, asked.as_deref()).unwrap_or_default();
    let meant = |name: &str| families.iter().any(|family| family.name == name);
    // SUDO_UID stays set in programs that root starts later; it means sudo only while we are root.
    let sudo_by = text("SUDO_UID").filter(|_| uid == 0).and_then(|by| by.parse().ok()).filter(|by| *by != 0);
    let host = Host {
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
    };
    let given = var("XDG_RUNTIME_DIR").map(PathBuf::from);
    let systemd = if meant("systemd") { Some(systemd::gather::look(uid, given, runner).await) } else { None };
    let launchd = if meant("launchd") { Some(launchd::gather::look(uid, runner).await) } else { None };
    HostFacts { host, systemd, launchd }
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
