//! Decides what kind of process has the port. Pure: all observations are arguments.
//!
//! A process chooses its own name and command line, so these only make the result more careful: a process that
//! calls itself a service manager gets a hint that ends nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::keepers;
use super::manager::hub_service;
use super::{Kind, Occupant, Of, ServiceManager};
use crate::module::problem::Holder;
use crate::process::ports::printable;

/// One process, as far as it can be observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    /// Its pid: of the process, never of a thread.
    pub pid: u32,
    /// Its parent.
    pub ppid: u32,
    /// Its session.
    pub session: u32,
    /// Its effective user.
    pub uid: u32,
    /// Its short name (`comm`).
    pub name: String,
    /// Its command line as text; empty if it has none or it cannot be read.
    pub argv: Vec<String>,
    /// The file it executes.
    pub exe: Option<PathBuf>,
    /// Its working directory.
    pub cwd: Option<PathBuf>,
    /// Its control group in systemd's hierarchy.
    pub cgroup: Option<String>,
    /// The module and the home in its marks.
    pub marks: Option<(String, PathBuf)>,
    /// `PARACHUTE_HOME` in its environment.
    pub home: Option<PathBuf>,
    /// `HOME` in its environment.
    pub login: Option<PathBuf>,
}

/// The asking process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asker {
    /// This process.
    pub pid: u32,
    /// Its effective user.
    pub uid: u32,
    /// It and all its ancestors; `None`: unknown.
    pub line: Option<BTreeSet<u32>>,
    /// Its control group.
    pub cgroup: Option<String>,
    /// The home that the caller asks about, if any.
    pub home: Option<PathBuf>,
    /// The hub of that home, if one runs.
    pub hub: Option<u32>,
    /// The pid that the detached hub of that home recorded.
    pub detached: Option<u32>,
}

/// A unit of ours that has this port, according to its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnUnit {
    /// Its socket has the port.
    pub socket: bool,
    /// Its service has the port.
    pub service: bool,
    /// The home that it serves.
    pub home: Option<PathBuf>,
    /// The user it runs as, if it names one.
    pub uid: Option<u32>,
}

/// All observations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scene {
    /// As on the wire: the named process is the first of those below.
    pub holder: Holder,
    /// All processes that have the socket open, nearest socket and oldest process first.
    pub processes: Vec<Looks>,
    /// Ancestors of the first of them that is not a service manager, nearest first.
    pub above: Vec<Looks>,
    /// Who asks.
    pub asker: Asker,
    /// The unit of ours that has this port: in a service manager among them; if none can be seen, in the system's.
    pub unit: Option<OwnUnit>,
    /// Login names of the user of the named process, and of users whose service manager is among them.
    pub names: Vec<(u32, String)>,
    /// launchd manages services here.
    pub mac: bool,
}

impl Scene {
    /// The process shown to the user: if a service manager holds the port, the process it holds it for, if that runs.
    #[must_use]
    pub(crate) fn named(&self) -> Option<&Looks> {
        hub(self)
            .or_else(|| self.processes.iter().find(|process| manager(self, process).is_none()))
            .or_else(|| self.processes.first())
    }

    /// The service managers among them.
    #[must_use]
    pub(crate) fn managers(&self) -> Vec<ServiceManager> {
        self.processes.iter().filter_map(|process| manager(self, process)).collect()
    }

    /// Users whose names a hint may need: of the holders, and of the managers they run under.
    #[must_use]
    pub(crate) fn users(&self) -> BTreeSet<u32> {
        let of_group = |looks: &Looks| looks.cgroup.as_deref().and_then(user_of_cgroup);
        self.processes.iter().flat_map(|looks| std::iter::once(looks.uid).chain(of_group(looks))).collect()
    }
}

/// Decides.
#[must_use]
pub(crate) fn judge(scene: &Scene) -> Occupant {
    let main = scene.named();
    let mut holder = scene.holder.clone();
    if let Some(main) = main.filter(|main| Some(main.pid) != holder.pid) {
        holder.pid = Some(main.pid);
        holder.command = printable(&main.argv.iter().map(Into::into).collect::<Vec<_>>());
    }
    let uid = main.map_or(scene.holder.uid, |main| Some(main.uid));
    Occupant { holder, kind: kind(scene), own: uid == Some(scene.asker.uid), root: scene.asker.uid == 0 }
}

fn kind(scene: &Scene) -> Kind {
    let Some(main) = scene.named() else { return unseen(scene) };
    let asker = &scene.asker;
    if hub(scene).is_some() {
        return Kind::Hub(of_hub(scene, main));
    }
    // A service with a passed socket is started again by the next client.
    if let Some(manager) = scene.managers().into_iter().next() {
        return match scene.unit.as_ref().filter(|unit| unit.socket) {
            Some(unit) => Kind::Socket(of(scene, unit.home.clone(), Some(manager))),
            None => Kind::Manager(manager),
        };
    }
    if asker.line.as_ref().is_some_and(|line| line.contains(&main.pid)) {
        return Kind::Above;
    }
    if let Some(module) = module(scene, main) {
        return module;
    }
    if asker.detached == Some(main.pid) {
        return Kind::Detached;
    }
    if asker.line.is_none() {
        return Kind::Unknown;
    }
    // Before the service that it is in: stopping dockerd for one container would stop all containers.
    if let Some((by, tell)) = keeper(scene, main) {
        return Kind::Kept { by, tell };
    }
    let service = service(scene, main);
    if let Some((unit, manager)) = service.clone().filter(|_| is_main(scene, main)) {
        return Kind::Service { unit, manager };
    }
    if keepers::is_session(main) {
        return Kind::Session;
    }
    if let Some((unit, manager)) = service {
        return Kind::Within { unit, manager };
    }
    // Kernel threads are children of kthreadd, process 2, and have neither program nor arguments.
    if !scene.mac && (main.ppid == 2 || main.pid == 2) && main.argv.is_empty() && main.exe.is_none() {
        return Kind::Kernel;
    }
    Kind::Stranger
}

/// Only root may see the holder: decides by the user of the socket, and by the system unit that has this port.
fn unseen(scene: &Scene) -> Kind {
    let of = |unit: &OwnUnit| of(scene, unit.home.clone(), Some(ServiceManager::of_machine()));
    match (&scene.unit, scene.holder.uid) {
        (Some(unit), Some(0)) if unit.socket => Kind::Socket(of(unit)),
        (Some(unit), uid) if unit.service && uid.is_some() && unit.uid == uid => Kind::Hub(of(unit)),
        _ => Kind::Unseen,
    }
}

/// The manager that this process is.
fn manager(scene: &Scene, looks: &Looks) -> Option<ServiceManager> {
    let is_systemd = is_program(looks, "systemd") || in_init_scope(looks);
    let is_launchd = is_program(looks, "launchd");
    ServiceManager::of(looks.pid, is_systemd, is_launchd, scene.mac, || {
        user_manager(scene, looks.uid_of_manager())
    })
}

fn user_manager(scene: &Scene, uid: u32) -> ServiceManager {
    let name = scene.names.iter().find(|(of, _)| *of == uid).map(|(_, name)| name.clone());
    ServiceManager::of_user(uid, name, uid == scene.asker.uid)
}

impl Looks {
    fn uid_of_manager(&self) -> u32 {
        self.cgroup.as_deref().and_then(user_of_cgroup).unwrap_or(self.uid)
    }
}

/// Whether it runs a program of this name, by any of its observations.
fn is_program(looks: &Looks, name: &str) -> bool {
    let base = |path: &str| path.rsplit('/').next() == Some(name);
    looks.name == name
        || looks.argv.first().is_some_and(|word| base(word))
        || looks.exe.as_ref().is_some_and(|exe| base(exe.to_string_lossy().trim_end_matches(" (deleted)")))
}

/// A systemd manager runs in its own scope, `init.scope`, below the group that it manages: systemd.special(7).
fn in_init_scope(looks: &Looks) -> bool {
    looks.cgroup.as_deref().is_some_and(|cgroup| cgroup.ends_with("/init.scope"))
}

/// The hub among them.
fn hub(scene: &Scene) -> Option<&Looks> {
    let is_known = |looks: &&Looks| {
        scene.asker.hub == Some(looks.pid)
            || scene.asker.pid == looks.pid
            || (is_program(looks, "parachute") && looks.argv.iter().any(|word| word == "serve"))
    };
    scene.processes.iter().find(is_known)
}

fn of_hub(scene: &Scene, hub: &Looks) -> Of {
    let asker = &scene.asker;
    let manager = unit_of(scene, hub).filter(|(unit, _)| is_own_unit(unit)).map(|(_, manager)| manager);
    if asker.hub == Some(hub.pid) || asker.pid == hub.pid {
        return Of { home: asker.home.clone(), ours: true, manager };
    }
    of(scene, home_of_hub(hub), manager)
}

fn of(scene: &Scene, home: Option<PathBuf>, manager: Option<ServiceManager>) -> Of {
    let ours = home.is_some() && home == scene.asker.home;
    Of { home, ours, manager }
}

/// A hub finds its home by: `--home`, `PARACHUTE_HOME`, `~/.parachute`.
fn home_of_hub(hub: &Looks) -> Option<PathBuf> {
    let typed = hub.argv.iter().enumerate().find_map(|(at, word)| {
        let after = hub.argv.get(at + 1).map(String::as_str);
        word.strip_prefix("--home=").or(if word == "--home" { after } else { None })
    });
    let typed = match typed {
        Some(typed) if Path::new(typed).is_absolute() => Some(PathBuf::from(typed)),
        // A relative home counts from the directory where the hub was started, which may not be its current one.
        Some(_) => return None,
        None => None,
    };
    typed.or_else(|| hub.home.clone()).or_else(|| hub.login.as_ref().map(|login| login.join(".parachute")))
}

/// The module that it is, or that started it.
fn module(scene: &Scene, main: &Looks) -> Option<Kind> {
    let family = || std::iter::once(main).chain(&scene.above);
    let kept = unit_of(scene, main).filter(|(unit, _)| is_own_unit(unit)).map(|(_, manager)| manager);
    if let Some((short, home)) = family().find_map(|looks| looks.marks.as_ref()) {
        return Some(Kind::Module { short: Some(short.clone()), of: of(scene, Some(home.clone()), kept) });
    }
    // The hub itself asks about the ports of its modules.
    if family().any(|looks| scene.asker.hub == Some(looks.pid) || scene.asker.pid == looks.pid) {
        let of = Of { home: scene.asker.home.clone(), ours: true, manager: kept };
        return Some(Kind::Module { short: None, of });
    }
    let manager = kept?;
    let ours = unit_of_cgroup(scene.asker.cgroup.as_deref()) == unit_of_cgroup(main.cgroup.as_deref());
    Some(Kind::Module { short: None, of: Of { home: None, ours, manager: Some(manager) } })
}

/// The supervisor that it is, or that it runs under.
fn keeper(scene: &Scene, main: &Looks) -> Option<(String, String)> {
    let asker = &scene.asker;
    // A supervisor that is also an ancestor of this command runs more than the holder.
    let apart = |looks: &&Looks| !asker.line.as_ref().is_some_and(|line| line.contains(&looks.pid));
    std::iter::once(main).chain(&scene.above).filter(apart).find_map(|looks| {
        let sudo = if asker.uid == 0 || asker.uid == looks.uid { "" } else { "sudo " };
        keepers::tell(looks, scene.holder.port, sudo)
    })
}

/// The service that it belongs to: not ours, not one that this command is in, and not a desktop application, which
/// may be the terminal that it was started in (systemd.io, "Desktop Environments").
fn service(scene: &Scene, main: &Looks) -> Option<(String, ServiceManager)> {
    let own = unit_of_cgroup(scene.asker.cgroup.as_deref());
    unit_of(scene, main)
        .filter(|(unit, _)| !is_own_unit(unit) && !unit.starts_with("app-") && !unit.starts_with("app@"))
        .filter(|_| own.is_none() || own != unit_of_cgroup(main.cgroup.as_deref()))
        .filter(|_| !keepers::is_session(main))
}

fn unit_of(scene: &Scene, looks: &Looks) -> Option<(String, ServiceManager)> {
    let (user, unit) = unit_of_cgroup(looks.cgroup.as_deref())?;
    let manager = user.map_or_else(ServiceManager::of_machine, |uid| user_manager(scene, uid));
    Some((unit, manager))
}

/// A unit of ours, with any suffix.
fn is_own_unit(unit: &str) -> bool {
    let hub = hub_service();
    let plain = hub.strip_suffix(".service").unwrap_or(&hub);
    unit == hub || unit.strip_prefix(plain).is_some_and(|rest| rest.starts_with('@'))
}

/// Whether it ends with the service: the leader of its session is the process that the manager started. A shell in a
/// terminal has its own session, and so does a cron job.
fn is_main(scene: &Scene, main: &Looks) -> bool {
    let mut line = std::iter::once(main).chain(&scene.above);
    let Some(leader) = line.by_ref().find(|looks| looks.pid == main.session) else { return false };
    let by_manager = leader.ppid == 1 || line.next().is_some_and(|parent| manager(scene, parent).is_some());
    by_manager && leader.cgroup == main.cgroup
}

/// The user in whose manager it runs, and the service, from a control group such as
/// `/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/payload`: systemd.unit(5).
fn unit_of_cgroup(cgroup: Option<&str>) -> Option<(Option<u32>, String)> {
    let mut user = None;
    for part in cgroup?.split('/') {
        if let Some(uid) = user_of(part) {
            user = Some(uid);
        } else if part.ends_with(".scope") {
            return None;
        } else if part.ends_with(".service") {
            return Some((user, part.to_owned()));
        }
    }
    None
}

fn user_of_cgroup(cgroup: &str) -> Option<u32> {
    cgroup.split('/').find_map(user_of)
}

fn user_of(part: &str) -> Option<u32> {
    part.strip_prefix("user@")?.strip_suffix(".service")?.parse().ok()
}
