use std::path::PathBuf;

use super::*;
use crate::error_chain::Hints;
use crate::install::facts::PortHolder;
use crate::install::testing::{fresh, running, unheard};
use crate::migrate::facts::Start;
use crate::process::holder::tests::stranger;
use crate::process::id::{BootId, Started};
use crate::process::os_bytes::OsBytes;
use crate::process::system::Stream;
use crate::unit::name::UnitName;

const HOME: &str = "/home/op/.parachute";

/// The pids of a real home of the original: hub 13 in the group of a shell, vault 26, scribe 44, and a wrapper 52 whose
/// child 53 listens.
struct Scene(Legacy);

fn id(pid: u32) -> ProcessId {
    ProcessId { pid, started: Started(u64::from(pid)), boot: BootId("b".into()) }
}

fn log_of(name: &str) -> PathBuf {
    format!("{HOME}/{name}/logs/{name}.log").into()
}

fn role(name: &str, port: u16, start: Option<(&str, &str)>) -> Role {
    let start = start.map(|(argv, cwd)| Start {
        argv: argv.split(' ').map(|word| OsBytes(word.into())).collect(),
        program: Some(PathBuf::from(argv.split(' ').next().unwrap())),
        cwd: Some(cwd.into()),
    });
    Role { name: name.to_owned(), ports: vec![port], log: log_of(name), start, grace_ms: 5000 }
}

/// A process as the original started it: leader of its session, output to its log.
fn seen(pid: u32, log: Option<&str>, command: &str, cwd: &str) -> Seen {
    let stream = log.map(|name| Stream { path: log_of(name), append: true, deleted: false });
    Seen {
        id: id(pid),
        uid: 1000,
        group: pid,
        session: pid,
        above: vec![1],
        ourselves: false,
        argv: Some(command.split(' ').map(|word| OsBytes(word.into())).collect()),
        exe: None,
        cwd: Some(cwd.into()),
        home: None,
        path: None,
        mark: None,
        streams: [None, stream.clone(), stream],
        listens: Vec::new(),
        command: command.to_owned(),
    }
}

fn pidfile(of: &str, pid: u32, worth: Worth) -> Pidfile {
    Pidfile { of: of.to_owned(), path: format!("{HOME}/{of}/run/{of}.pid").into(), pid: Some(pid), worth }
}

impl Scene {
    fn new() -> Self {
        let roles = vec![
            role("hub", 1939, None),
            role("vault", 1940, Some(("/srv/op/vault/server --x", "/srv/op/vault"))),
            role("scribe", 1943, None),
            role("wrapper", 1951, Some(("/usr/bin/bash start.sh", "/srv/op/mods/wrapper"))),
        ];
        let mut scene = Self(Legacy {
            home: HOME.into(),
            uid: 1000,
            roles,
            broken: None,
            pidfiles: Vec::new(),
            port_file: None,
            seen: Vec::new(),
            ports: Vec::new(),
            kept: None,
            units: Vec::new(),
        });
        scene.add(Seen { group: 9, session: 9, ..seen(13, Some("hub"), "bun hub-server.ts", "/srv/op") });
        scene.add(seen(26, Some("vault"), "bun /opt/vault/src/server.ts", "/home/op"));
        scene.add(seen(44, Some("scribe"), "bun scribe.ts", "/home/op"));
        scene.add(seen(52, Some("wrapper"), "/usr/bin/bash start.sh", "/srv/op/mods/wrapper"));
        let below = seen(53, Some("wrapper"), "python3 server.py", "/srv/op/mods/wrapper");
        scene.add(Seen { group: 52, session: 52, above: vec![52, 1], ..below });
        for (name, pid) in [("hub", 13), ("vault", 26), ("scribe", 44), ("wrapper", 52)] {
            scene.0.pidfiles.push(pidfile(name, pid, Worth::Names { id: id(pid) }));
        }
        for (name, port, pid) in
            [("hub", 1939, 13), ("vault", 1940, 26), ("scribe", 1943, 44), ("wrapper", 1951, 53)]
        {
            scene.listen(name, port, pid);
        }
        scene
    }

    fn add(&mut self, seen: Seen) {
        self.0.seen.push(seen);
    }

    fn at(&mut self, pid: u32) -> &mut Seen {
        self.0.seen.iter_mut().find(|seen| seen.id.pid == pid).unwrap()
    }

    fn listen(&mut self, of: &str, port: u16, pid: u32) {
        self.0.ports.retain(|fact| fact.port != port);
        for seen in &mut self.0.seen {
            seen.listens.retain(|listens| *listens != port);
        }
        let occupant = stranger(port, Some(pid), &format!("p{pid}"));
        self.0.ports.push(PortFact { port, of: of.to_owned(), occupant, holders: vec![id(pid)] });
        if let Some(seen) = self.0.seen.iter_mut().find(|seen| seen.id.pid == pid) {
            seen.listens.push(port);
        }
    }

    fn worth(&mut self, of: &str, worth: Worth) {
        self.0.pidfiles.iter_mut().find(|pidfile| pidfile.of == of).unwrap().worth = worth;
    }

    fn forget(&mut self, pid: u32) {
        self.0.seen.retain(|seen| seen.id.pid != pid);
    }

    fn stopped(&self) -> Vec<(String, u32)> {
        findings(&self.0).daemons.into_iter().map(|daemon| (daemon.name, daemon.leader.pid)).collect()
    }

    fn plan(&self) -> Result<Plan, CutoverRefusal> {
        let mut facts = fresh();
        let held = self.0.ports.iter().find(|port| port.port == 1939);
        facts.holder = held.map(|port| PortHolder { occupant: port.occupant.clone(), ours: false });
        plan(&self.0, &facts, &CutoverRequest::default())
    }

    fn refused(&self) -> String {
        let refusal = self.plan().unwrap_err();
        assert!(!refusal.hints().is_empty());
        refusal.to_string()
    }
}

fn names(stopped: &[(String, u32)]) -> Vec<&str> {
    stopped.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_complete_detached_home() {
    let scene = Scene::new();
    let all = [("hub", 13), ("vault", 26), ("scribe", 44), ("wrapper", 52)];
    assert_eq!(scene.stopped(), all.map(|(name, pid)| (name.to_owned(), pid)));
    let plan = scene.plan().unwrap();
    let words: Vec<String> = plan.steps.iter().map(Step::describe).collect();
    insta::assert_snapshot!(words.join("\n"), @r"
    make the directory /home/op/.parachute
    make the directory /home/op/.parachute/bin
    make the directory /home/op/.config
    make the directory /home/op/.config/systemd
    make the directory /home/op/.config/systemd/user
    stop hub
    copy /usr/bin/parachute to /home/op/.parachute/bin/parachute
    write the unit /home/op/.config/systemd/user/parachute-hub.service
    enable hub at boot
    enable linger for op (services run without a login)
    stop hub (pid 13), vault (pid 26), scribe (pid 44), wrapper (pid 52)
    wait until port 1939, 1940, 1943, 1951 is free, at most 15 s
    start hub
    wait until the hub is healthy, at most 60 s
    wait until scribe, vault, wrapper is ready again and stays so, at most 60 s
    wait until the modules are ready, at most 60 s
    remove /home/op/.parachute/hub/run/hub.pid
    remove /home/op/.parachute/vault/run/vault.pid
    remove /home/op/.parachute/scribe/run/scribe.pid
    remove /home/op/.parachute/wrapper/run/wrapper.pid
    ");
    let wrapper = findings(&scene.0).daemons.pop().unwrap();
    assert_eq!((wrapper.ports.as_slice(), wrapper.number), ([1951].as_slice(), None));
    insta::assert_snapshot!(wrapper.line(), @"wrapper: pid 52, port 1951, /usr/bin/bash start.sh (its pidfile names it, its output goes to its log, it runs its start command, it works in its directory)");
}

/// Each of these belongs to another user or program: none is ever stopped.
#[test]
fn foreign_processes_are_not_stopped() {
    let garbage =
        [Garbage::Recycled, Garbage::OtherBoot, Garbage::Reserved("1".into()), Garbage::Junk("x".into())];
    for why in garbage {
        // vault's process has ended; its pidfile names a process that reused the pid, or none.
        let mut scene = Scene::new();
        scene.forget(26);
        scene.0.ports.retain(|port| port.of != "vault");
        scene.worth("vault", Worth::Garbage { why });
        scene.add(seen(27, None, "vim notes.txt", "/home/op"));
        assert_eq!(names(&scene.stopped()), ["hub", "scribe", "wrapper"]);
    }
    // A reused pid in a touched file: it is named, and there is no other clue.
    let mut scene = Scene::new();
    scene.forget(26);
    scene.0.ports.retain(|port| port.of != "vault");
    scene.worth("vault", Worth::Names { id: id(27) });
    scene.add(Seen { home: Some(HOME.into()), ..seen(27, None, "-bash", "/srv/op/vault") });
    assert_eq!(names(&scene.stopped()), ["hub", "scribe", "wrapper"]);
    let notes: Vec<String> = scene.plan().unwrap().notes.into_iter().map(|note| note.text).collect();
    assert!(notes.iter().any(|note| note.contains("pid 27 (-bash) is left alone")), "{notes:?}");

    // An editor with the log open, a similar process elsewhere, a user's process that appends to the log.
    let mut scene = Scene::new();
    let mut editor = seen(70, None, "vim vault.log", "/home/op/.parachute/vault/logs");
    editor.streams = [None, Some(Stream { path: "/dev/pts/1".into(), append: false, deleted: false }), None];
    scene.add(editor);
    scene.add(seen(71, None, "/srv/op/vault/server --x", "/srv/op/vault"));
    scene.add(seen(72, Some("vault"), "backup.sh", "/home/op"));
    assert_eq!(names(&scene.stopped()), ["hub", "vault", "scribe", "wrapper"]);
    assert_eq!(scene.stopped()[1].1, 26);

    // Another user's, another home's, a supervised one, and this process: never stopped, with any clues.
    let changes: [fn(&mut Seen); 4] = [
        |seen| seen.uid = 1001,
        |seen| seen.home = Some("/home/op/other".into()),
        |seen| seen.mark = Some("vault".into()),
        |seen| seen.ourselves = true,
    ];
    for change in changes {
        let mut scene = Scene::new();
        change(scene.at(26));
        assert!(!names(&scene.stopped()).contains(&"vault"));
    }
}

/// A foreign process on any declared port, the hub's own included, refuses the plan before anything is stopped.
#[test]
fn foreign_processes_on_declared_ports_refuse_the_plan() {
    for (of, port) in [("hub", 1939), ("vault", 1940)] {
        let mut scene = Scene::new();
        scene.add(seen(80, None, "python3 -m http.server --directory /srv/parachute-site", "/srv"));
        scene.listen(of, port, 80);
        let said = scene.refused();
        assert!(said.contains(&format!("port {port} of {of} is held by")), "{said}");
        assert!(!scene.stopped().iter().any(|(_, pid)| *pid == 80));
    }
    // On a port of the detached hub that the new hub will not use, any process may listen.
    let mut scene = Scene::new();
    scene.add(seen(80, None, "python3 -m http.server", "/srv"));
    scene.listen("hub", 2939, 80);
    assert!(scene.plan().is_ok() && !scene.stopped().iter().any(|(_, pid)| *pid == 80));
    // The hub's configured port is not used by the detached model: a process that listens there is in the way.
    let mut facts = fresh();
    facts.settings.port = 2000;
    facts.holder = Some(PortHolder { occupant: stranger(1939, Some(80), "nginx"), ours: false });
    let refused = plan(&Scene::new().0, &facts, &CutoverRequest::default()).unwrap_err().to_string();
    assert!(refused.contains("port 2000"), "{refused}");
    // A holder that cannot be seen.
    let mut scene = Scene::new();
    scene.0.ports[1].holders.clear();
    assert!(scene.refused().starts_with("port 1940 of vault"));
    // A sibling's daemon on the wrong port is stopped as the sibling.
    let mut scene = Scene::new();
    scene.listen("scribe", 1943, 26);
    assert_eq!(names(&scene.stopped()), ["hub", "vault", "scribe", "wrapper"]);
    assert!(scene.plan().is_ok());
}

/// A grandchild whose wrapper and pidfile are lost is ours all the same.
#[test]
fn orphans_are_found() {
    let mut scene = Scene::new();
    scene.forget(52);
    scene.0.pidfiles.retain(|pidfile| pidfile.of != "wrapper");
    scene.at(53).above = vec![1];
    assert_eq!(scene.stopped().last().unwrap(), &("wrapper".to_owned(), 53));
    assert_eq!(findings(&scene.0).daemons.last().unwrap().number, None);
    // The pidfile still names the leader that has ended: its group is the daemon's.
    scene.0.pidfiles.push(pidfile("wrapper", 52, Worth::Garbage { why: Garbage::Dead }));
    assert_eq!(findings(&scene.0).daemons.last().unwrap().number, Some(52));
    // A wrapper without a pidfile, recognised by its child.
    let mut scene = Scene::new();
    scene.0.pidfiles.retain(|pidfile| pidfile.of != "wrapper");
    scene.at(52).argv = None;
    assert_eq!(scene.stopped().last().unwrap(), &("wrapper".to_owned(), 52));
}

#[test]
fn without_a_valid_module_list_there_is_no_cutover() {
    let mut scene = Scene::new();
    scene.0.broken = Some("services.json is cut off".to_owned());
    assert_eq!(scene.refused(), "the list of modules is unknown: services.json is cut off");
}

#[test]
fn a_command_started_by_a_daemon_stops_nothing() {
    let mut scene = Scene::new();
    scene.at(26).ourselves = true;
    scene.add(Seen { above: vec![26, 1], session: 26, ourselves: true, ..seen(99, None, "parachute", "/") });
    assert_eq!(scene.refused(), "this command was started by vault, which it would stop");
}

/// Units that would restart a daemon are disabled first; those we may not change are named.
#[test]
fn stale_units_are_disabled_or_named() {
    let unit = |state, by_hand: Option<&str>| StaleUnit {
        unit: UnitName::new("vault").unwrap(),
        path: "/u/parachute-vault.service".into(),
        state,
        by_hand: by_hand.map(ToOwned::to_owned),
    };
    let mut scene = Scene::new();
    scene.0.units = vec![unit(Some(running(26)), None)];
    assert_eq!(names(&scene.stopped()), ["hub", "scribe", "wrapper"], "its manager stops it");
    let plan = scene.plan().unwrap();
    let words: Vec<String> = plan.steps.iter().map(Step::describe).collect();
    let at = |text: &str| words.iter().position(|word| word.starts_with(text)).unwrap();
    assert!(at("disable vault") < at("stop vault") && at("stop vault") < at("stop hub (pid 13)"));
    assert!(words.contains(&"wait until port 1939, 1940, 1943, 1951 is free, at most 15 s".to_owned()));
    assert!(
        words
            .iter()
            .any(|word| word.starts_with("wait until scribe, vault, wrapper is ready again and stays so"))
    );
    // It exists and is inactive.
    scene.0.units = vec![unit(Some(unheard()), None)];
    let plan = scene.plan().unwrap();
    assert!(!plan.steps.iter().any(|step| step.describe().starts_with("have vault")));
    // A unit of another manager.
    scene.0.units =
        vec![unit(Some(running(26)), Some("sudo systemctl disable --now parachute-vault.service"))];
    assert!(scene.refused().contains("keeps vault running and belongs to another service manager"));
    scene.0.units = vec![unit(
        Some(UnitStateEnabled::down()),
        Some("sudo systemctl disable --now parachute-vault.service"),
    )];
    let plan = scene.plan().unwrap();
    let hints: Vec<String> = plan.notes.into_iter().filter_map(|note| note.hint).collect();
    assert_eq!(hints, ["sudo systemctl disable --now parachute-vault.service"]);
}

struct UnitStateEnabled;

impl UnitStateEnabled {
    fn down() -> crate::manager::state::UnitState {
        crate::manager::state::UnitState { enabled: crate::manager::state::Told::Known(true), ..unheard() }
    }
}

#[test]
fn nothing_of_the_detached_model() {
    let mut scene = Scene::new();
    scene.0.seen.clear();
    scene.0.ports.clear();
    scene.0.pidfiles.clear();
    assert!(!findings(&scene.0).is_legacy(&scene.0));
    let plan = scene.plan().unwrap();
    assert!(!plan.steps.iter().any(|step| matches!(step, Step::StopDaemons { .. })));
}

/// All sixty-four combinations of clues for a process, with and without a proof against it. One
/// clue is never enough; a command, a directory and a home without pidfile and log never are; and an excluded process
/// is never stopped.
#[test]
fn every_combination_of_clues() {
    let mut proven = 0;
    for clues in 0_u8..64 {
        let has = |bit: u8| clues & (1 << bit) != 0;
        let (recorded, listens, log, command, directory, home) =
            (has(0), has(1), has(2), has(3), has(4), has(5));
        let mut scene = Scene::new();
        scene.0.seen.clear();
        scene.0.ports.clear();
        scene.0.pidfiles.clear();
        let argv = if command { "/srv/op/vault/server --x" } else { "something else" };
        let cwd = if directory { "/srv/op/vault/data" } else { "/" };
        let mut suspect = seen(26, log.then_some("vault"), argv, cwd);
        suspect.home = home.then(|| HOME.into());
        scene.add(suspect);
        if recorded {
            scene.0.pidfiles.push(pidfile("vault", 26, Worth::Names { id: id(26) }));
        }
        if listens {
            scene.listen("vault", 1940, 26);
        }
        let ours = !scene.stopped().is_empty();
        proven += usize::from(ours);
        assert!(!ours || clues.count_ones() >= 2, "one clue is not enough: {clues:06b}");
        assert!(!ours || recorded || log, "command and directory alone are not enough: {clues:06b}");
        assert_eq!(
            ours,
            recorded && (listens || log || command) || log && (listens || command && (directory || home))
        );
        // Only a proven process may be stopped, and a port held by any other process refuses the plan.
        assert_eq!(scene.plan().is_ok(), ours || !listens, "{clues:06b}");
        let changes: [fn(&mut Seen); 3] =
            [|seen| seen.uid = 0, |seen| seen.ourselves = true, |seen| seen.mark = Some("x".into())];
        for against in changes {
            let mut scene = Scene(scene.0.clone());
            against(scene.at(26));
            assert_eq!(scene.stopped(), [], "{clues:06b}");
        }
    }
    assert_eq!(proven, 39);
}
