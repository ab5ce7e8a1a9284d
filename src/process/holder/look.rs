//! Reads what holds a port, and the processes around it. Reads only; decides nothing.

use std::ffi::OsStr;
use std::path::Path;

use super::judge::{Asker, Looks, Scene, judge};
use super::{Occupant, ServiceManager, unit_file};
use crate::module::problem::Holder;
use crate::process::id::ProcessId;
use crate::process::table::Census;
use crate::process::unknown::Unknown;
use crate::process::{kin, ports, table, user};

/// What the caller asks about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asking<'a> {
    /// The home.
    pub home: Option<&'a Path>,
    /// The hub of that home, if one is known to run.
    pub hub: Option<u32>,
    /// The pid that the detached hub of that home recorded.
    pub detached: Option<u32>,
}

impl<'a> Asking<'a> {
    /// About this home; whether a hub of it runs is unknown.
    #[must_use]
    pub(crate) fn about(home: &'a Path) -> Self {
        Self { home: Some(home), ..Self::default() }
    }
}

/// The holder of the port; `None`: the port is free.
///
/// # Errors
/// [`Unknown`]: the port may be free or not.
pub(crate) fn occupant(port: u16, asking: &Asking<'_>) -> Result<Option<Occupant>, Unknown> {
    Ok(ports::holding(port)?.map(|(holder, ids)| Looker::new(asking).of(holder, &ids)))
}

/// Looks at several ports; what all have in common is read once.
#[derive(Debug)]
pub(crate) struct Looker {
    census: Census,
    asker: Asker,
}

impl Looker {
    /// Reads about the asking process: itself and all its ancestors.
    #[must_use]
    pub(crate) fn new(asking: &Asking<'_>) -> Self {
        // Without a census the ancestors are unknown, and no hint ends anything.
        let census = Census::take().unwrap_or_default();
        let own = table::own_pid();
        let asker = Asker {
            pid: own,
            uid: table::own_uid(),
            line: kin::whole_ancestry(&census, own),
            cgroup: table::cgroup(own),
            home: asking.home.map(Path::to_path_buf),
            hub: asking.hub,
            detached: asking.detached,
        };
        Self { census, asker }
    }

    /// The occupant of a port, as [`ports::holding`] found it.
    #[must_use]
    pub(crate) fn of(&self, holder: Holder, ids: &[ProcessId]) -> Occupant {
        let mut scene = Scene {
            holder,
            processes: ids.iter().filter_map(|id| looks(id.pid)).collect(),
            above: Vec::new(),
            asker: self.asker.clone(),
            unit: None,
            names: Vec::new(),
            mac: std::env::consts::OS == "macos",
        };
        let named = |uid| Some((uid, user::by_uid(uid).ok()?.name));
        scene.names = scene.users().into_iter().filter_map(named).collect();
        if let Some(main) = scene.named().map(|main| main.pid) {
            scene.above = kin::above(&self.census, main).into_iter().filter_map(looks).collect();
        }
        let port = scene.holder.port;
        let mut managers = scene.managers();
        if scene.processes.is_empty() {
            managers.push(ServiceManager::of_machine());
        }
        scene.unit = managers.iter().find_map(|manager| unit_file::find(manager, port));
        judge(&scene)
    }
}

fn looks(pid: u32) -> Option<Looks> {
    let info = table::info(pid).ok()??;
    let text = |word: &OsStr| word.to_string_lossy().into_owned();
    let argv = table::command_line(pid).unwrap_or_default();
    let marks = table::marks(pid).ok().flatten();
    Some(Looks {
        pid,
        ppid: info.ppid,
        session: info.session,
        uid: info.uid,
        name: info.name,
        argv: argv.iter().map(|word| text(word)).collect(),
        exe: table::exe(pid),
        cwd: table::cwd(pid),
        cgroup: table::cgroup(pid),
        marks: marks.map(|marks| (marks.module.to_string(), marks.home)),
        home: table::home(pid).ok().flatten(),
        login: table::login(pid).ok().flatten(),
    })
}
