use std::collections::BTreeSet;
use std::path::PathBuf;

use super::judge::{Asker, Looks, OwnUnit, Scene, judge};
use super::{Kind, Occupant, Of, ServiceManager};
use crate::error_chain::Hints;
use crate::module::problem::Holder;

/// A foreign process with this pid and user and no other facts, for tests of planners.
pub(crate) fn stranger(port: u16, pid: Option<u32>, command: &str) -> Occupant {
    let holder = Holder { port, pid, uid: Some(1000), command: command.to_owned() };
    let kind = if pid.is_some() { Kind::Stranger } else { Kind::Unseen };
    Occupant { holder, kind, own: true, root: false }
}

const APP: &str = "/user.slice/user-1000.slice/user@1000.service/app.slice";

fn looks(pid: u32, ppid: u32, command: &str, cgroup: &str) -> Looks {
    let argv: Vec<String> = command.split(' ').map(str::to_owned).collect();
    let name = argv[0].rsplit('/').next().unwrap().to_owned();
    Looks {
        pid,
        ppid,
        session: pid,
        uid: 1000,
        name,
        argv,
        cgroup: Some(cgroup.to_owned()),
        ..Looks::default()
    }
}

/// A user (uid 1000) asks in a terminal: 1 → 50 (the user's systemd), 1 → 60 sshd → 61 bash → 62 this command.
fn asking(processes: Vec<Looks>) -> Scene {
    let first = processes.first().map(|looks| looks.pid);
    Scene {
        holder: Holder { port: 1939, pid: first, uid: Some(1000), command: "x".to_owned() },
        processes,
        above: Vec::new(),
        asker: Asker {
            pid: 62,
            uid: 1000,
            line: Some(BTreeSet::from([62, 61, 60, 1])),
            cgroup: Some("/user.slice/user-1000.slice/session-1.scope".to_owned()),
            home: Some("/home/op/.parachute".into()),
            ..Asker::default()
        },
        unit: None,
        names: vec![(1000, "op".to_owned()), (1001, "carol".to_owned())],
        mac: false,
    }
}

/// Our unit, with a socket, for this home.
fn socket_of(home: Option<PathBuf>) -> OwnUnit {
    OwnUnit { socket: true, service: true, home, uid: Some(1001) }
}

fn hints(scene: &Scene) -> Vec<String> {
    let hints = judge(scene).hints();
    // Remarks follow five blanks, as in every hint.
    hints.into_iter().map(|hint| hint.split("     (").next().unwrap().to_owned()).collect()
}

fn systemd(pid: u32, uid: u32) -> Looks {
    let scope = format!("/user.slice/user-{uid}.slice/user@{uid}.service/init.scope");
    let (command, scope) = match pid {
        1 => ("/sbin/init", "/init.scope"),
        _ => ("/lib/systemd/systemd --user", scope.as_str()),
    };
    Looks { uid: if pid == 1 { 0 } else { uid }, name: "systemd".to_owned(), ..looks(pid, 1, command, scope) }
}

fn hub(pid: u32, command: &str, home: Option<&str>) -> Looks {
    let unit = format!("{APP}/parachute-hub.service");
    Looks { home: home.map(PathBuf::from), ..looks(pid, 50, command, &unit) }
}

/// Every case in which a process that must not be killed holds a port.
fn dangerous() -> Vec<Scene> {
    let mut scenes = vec![
        asking(vec![systemd(1, 0)]),
        asking(vec![systemd(50, 1000)]),
        asking(vec![systemd(51, 1001)]),
        asking(vec![systemd(1, 0), looks(70, 1, "sshd", "/system.slice/ssh.service")]),
        // Recognised by one of its marks alone.
        asking(vec![Looks { argv: Vec::new(), ..systemd(50, 1000) }]),
        asking(vec![Looks { name: "init".to_owned(), cgroup: None, ..systemd(1, 0) }]),
        asking(vec![looks(50, 1, "x", "/user.slice/user-1000.slice/user@1000.service/init.scope")]),
        asking(vec![looks(1, 0, "tini", "/")]),
        asking(vec![hub(80, "/h/bin/parachute serve --port 1939", Some("/home/op/.parachute"))]),
        asking(vec![systemd(50, 1000), hub(80, "/h/bin/parachute serve", Some("/srv/other"))]),
        // Ancestors of this command, near and far.
        asking(vec![looks(60, 1, "code-server", "/system.slice/code.service")]),
        asking(vec![looks(61, 60, "bash", "/user.slice/user-1000.slice/session-1.scope")]),
        asking(vec![looks(62, 61, "parachute serve", "/")]),
    ];
    let marked = Looks {
        marks: Some(("vault".to_owned(), "/home/op/.parachute".into())),
        ..looks(90, 80, "node s.js", "/")
    };
    scenes.push(asking(vec![marked.clone()]));
    let mut below = asking(vec![looks(91, 90, "node w.js", "/")]);
    below.above = vec![marked];
    scenes.push(below);
    let mut unmarked = asking(vec![looks(91, 80, "env -i node", "/")]);
    unmarked.asker.hub = Some(80);
    unmarked.above = vec![hub(80, "hub", None)];
    scenes.push(unmarked);
    scenes.push(asking(vec![looks(92, 50, "node", &format!("{APP}/parachute-hub.service/modules/web"))]));
    for keeper in ["runsv web", "s6-supervise web", "supervisord", "supervise-daemon web", "dinit", "dockerd"]
    {
        let keeper = Looks { uid: 0, ..looks(30, 1, keeper, "/") };
        scenes.push(asking(vec![keeper.clone()]));
        let mut kept = asking(vec![looks(31, 30, "node", "/")]);
        kept.above = vec![keeper];
        scenes.push(kept);
    }
    scenes.push(asking(vec![looks(95, 1, "sshd", "/system.slice/ssh.service")]));
    scenes.push(asking(vec![Looks { argv: Vec::new(), ..looks(40, 2, "kworker", "/") }]));
    let mut hidden = asking(vec![looks(812, 61, "node", "/")]);
    hidden.asker.line = None;
    scenes.push(hidden);
    let mut detached = asking(vec![looks(13, 1, "bun hub-server.ts", "/")]);
    detached.asker.detached = Some(13);
    scenes.push(detached);
    scenes
}

#[test]
fn no_hint_ends_a_process_that_does_more_than_listen() {
    for scene in dangerous() {
        for uid in [1000, 0] {
            let asker = Asker { uid, ..scene.asker.clone() };
            let occupant = judge(&Scene { asker, ..scene.clone() });
            for hint in occupant.hints() {
                assert!(!hint.contains("kill"), "{hint}: {scene:#?}");
            }
            assert!(!occupant.hint_for("web").contains("kill"));
        }
    }
}

#[test]
fn a_foreign_process_may_be_killed_by_a_user_with_the_rights() {
    let scene = asking(vec![looks(812, 61, "nc -l", "/user.slice/user-1000.slice/session-1.scope")]);
    assert_eq!(hints(&scene), ["kill 812"]);
    let mut other = scene.clone();
    other.processes[0].uid = 33;
    assert_eq!(hints(&other), ["sudo kill 812"]);
    other.asker.uid = 0;
    assert_eq!(hints(&other), ["kill 812"]);
    let mut unseen = asking(Vec::new());
    assert_eq!(hints(&unseen), ["sudo ss -ltnp 'sport = :1939'"]);
    unseen.asker.uid = 0;
    assert_eq!(hints(&unseen), ["ss -ltnp 'sport = :1939'"]);

    // A holder that only root may see is known by the system unit, and by the user of the socket.
    let mut machines = asking(Vec::new());
    machines.holder.uid = Some(0);
    machines.unit = Some(socket_of(Some("/home/op/.parachute".into())));
    assert_eq!(hints(&machines), ["sudo parachute start", "sudo parachute stop"]);
    machines.holder.uid = Some(1001);
    assert_eq!(hints(&machines), ["sudo parachute stop"], "the hub itself");
    machines.holder.uid = Some(1002);
    assert_eq!(hints(&machines), ["sudo ss -ltnp 'sport = :1939'"], "a foreign process in its place");
}

/// Reported by a user: the hint was `kill 82`, and 82 was the manager of all of that user's services.
#[test]
fn a_socket_held_by_a_manager_for_us_is_named_by_its_unit() {
    let mut scene = asking(vec![systemd(50, 1000)]);
    scene.unit = Some(socket_of(Some("/home/op/.parachute".into())));
    let occupant = judge(&scene);
    let words = "parachute-hub.socket, the socket of the hub, in systemd (user) (pid 50 (x))";
    assert_eq!(occupant.words(), words);
    assert_eq!(hints(&scene), ["parachute start", "parachute stop"]);
    scene.unit = Some(socket_of(Some("/srv/o p".into())));
    assert_eq!(hints(&scene), ["parachute --home '/srv/o p' stop"]);
    scene.unit = Some(socket_of(None));
    assert_eq!(hints(&scene), ["systemctl --user stop parachute-hub.socket"]);

    let mut machines = asking(vec![systemd(1, 0)]);
    machines.unit = Some(socket_of(Some("/home/op/.parachute".into())));
    assert_eq!(hints(&machines), ["sudo parachute start", "sudo parachute stop"]);
    machines.unit = Some(socket_of(Some("/home/carol/.parachute".into())));
    assert_eq!(hints(&machines), [] as [&str; 0], "it is another user's");
    assert!(judge(&machines).words().contains("the hub of /home/carol/.parachute, in systemd (system)"));
    machines.asker.uid = 0;
    assert_eq!(hints(&machines), ["parachute --home /home/carol/.parachute stop"]);
}

#[test]
fn a_manager_that_holds_it_for_another_unit_shows_which() {
    assert_eq!(hints(&asking(vec![systemd(1, 0)])), ["systemctl list-sockets"]);
    assert_eq!(hints(&asking(vec![systemd(50, 1000)])), ["systemctl --user list-sockets"]);
    let mut carols = asking(vec![systemd(51, 1001)]);
    assert_eq!(hints(&carols), ["sudo systemctl --user --machine=carol@ list-sockets"]);
    carols.names.clear();
    assert_eq!(hints(&carols), [] as [&str; 0]);
    assert_eq!(hints(&asking(vec![looks(1, 0, "tini", "/")])), [] as [&str; 0], "process 1 of a container");
    let mut mac = asking(vec![looks(1, 0, "/sbin/launchd", "")]);
    mac.mac = true;
    assert_eq!(judge(&mac).kind, Kind::Manager(ServiceManager::Launchd));
}

#[test]
fn a_hub_and_its_modules_are_stopped_by_this_program() {
    let ours = Some("/home/op/.parachute");
    assert_eq!(hints(&asking(vec![hub(80, "parachute serve", ours)])), ["parachute stop"]);
    let typed = hub(80, "/b/parachute --home /srv/b serve", ours);
    assert_eq!(hints(&asking(vec![typed])), ["parachute --home /srv/b stop"]);
    assert_eq!(hints(&asking(vec![hub(80, "parachute --home b serve", ours)])), [] as [&str; 0]);
    let default = Looks { login: Some("/home/op".into()), ..hub(80, "parachute serve", None) };
    assert_eq!(hints(&asking(vec![default])), ["parachute stop"]);
    let held = asking(vec![systemd(50, 1000), hub(80, "parachute serve", ours)]);
    assert_eq!((hints(&held), judge(&held).holder.pid), (vec!["parachute stop".to_owned()], Some(80)));
    let mut machines = hub(80, "parachute serve", ours);
    machines.cgroup = Some("/system.slice/parachute-hub.service".to_owned());
    assert_eq!(hints(&asking(vec![machines])), ["sudo parachute stop"]);

    let mut carols = hub(80, "parachute serve", Some("/home/carol/.parachute"));
    (carols.uid, carols.cgroup) =
        (1001, Some("/user.slice/user@1001.service/app.slice/parachute-hub.service".to_owned()));
    let mut carols = asking(vec![carols]);
    assert_eq!(hints(&carols), [] as [&str; 0], "it is another user's");
    carols.asker.uid = 0;
    assert_eq!(hints(&carols), ["su - carol -c 'parachute --home /home/carol/.parachute stop'"]);

    let module = |home: &str| {
        let marks = Some(("vault".to_owned(), PathBuf::from(home)));
        asking(vec![Looks { marks, ..looks(90, 1, "node", "/") }])
    };
    assert_eq!(hints(&module("/home/op/.parachute")), ["parachute stop vault"]);
    assert_eq!(hints(&module("/srv/b")), ["parachute --home /srv/b stop vault"]);
    let occupant = judge(&module("/home/op/.parachute"));
    assert_eq!(occupant.words(), "pid 90 (x), module vault");
    assert_eq!(occupant.hint_for("web"), "parachute stop vault");
}

/// The hub that asks, or its own socket, is not stopped for a module that wants its port.
#[test]
fn a_module_that_wants_the_hubs_port_gets_another() {
    let mut asked = asking(vec![systemd(50, 1000), looks(62, 50, "parachute serve", "/")]);
    assert_eq!(judge(&asked).hint_for("web"), "give web another port in services.json");
    asked.processes.truncate(1);
    asked.unit = Some(socket_of(Some("/home/op/.parachute".into())));
    assert_eq!(judge(&asked).hint_for("web"), "give web another port in services.json");
}

#[test]
fn what_a_service_runs_is_stopped_with_its_service() {
    let nginx = |cgroup: &str| {
        let mut scene = asking(vec![Looks { uid: 33, ..looks(70, 1, "nginx", cgroup) }]);
        scene.above = vec![systemd(1, 0)];
        scene
    };
    assert_eq!(hints(&nginx("/system.slice/nginx.service")), ["sudo systemctl stop nginx.service"]);
    assert_eq!(
        hints(&nginx("/system.slice/system-web.slice/web@a\\x2db.service")),
        ["sudo systemctl stop 'web@a\\x2db.service'"]
    );
    let mut own = asking(vec![looks(70, 50, "node", &format!("{APP}/web.service/payload"))]);
    own.above = vec![systemd(50, 1000), systemd(1, 0)];
    assert_eq!(hints(&own), ["systemctl --user stop web.service"]);
    // A wrapper in between has the service's session; a shell in a terminal does not.
    let mut wrapped = own.clone();
    let wrapper = looks(69, 50, "sh", &format!("{APP}/web.service/payload"));
    (wrapped.processes[0].session, wrapped.processes[0].ppid) = (69, 69);
    wrapped.above.insert(0, wrapper.clone());
    assert_eq!(hints(&wrapped), ["systemctl --user stop web.service"]);
    let mut shells = wrapped;
    shells.processes[0].session = 70;
    assert_eq!(hints(&shells), ["systemctl --user status 70"], "to stop the service would end the terminal");
    // Started in a desktop terminal, which is in the control group of the application.
    let desktop = format!("{APP}/app-org.kde.konsole-1.service");
    assert_eq!(hints(&asking(vec![looks(70, 61, "nc", &desktop)])), ["kill 70"]);
    assert_eq!(hints(&asking(vec![looks(70, 61, "nc", &format!("{APP}/vte-1.scope"))])), ["kill 70"]);
    // A service that this command is in too.
    let mut same = own;
    same.asker.cgroup = same.processes[0].cgroup.clone();
    assert_eq!(hints(&same), ["kill 70"]);
}

/// The proxy of one container is in the service and the session of dockerd, which runs all containers.
#[test]
fn a_supervisor_is_not_stopped_for_one_of_its_processes() {
    let dockerd = Looks { uid: 0, ..looks(70, 1, "dockerd", "/system.slice/docker.service") };
    let proxy = Looks {
        session: 70,
        ..looks(71, 70, "docker-proxy -host-port 1939", "/system.slice/docker.service")
    };
    let mut scene = asking(vec![proxy]);
    scene.above = vec![dockerd, systemd(1, 0)];
    assert_eq!(hints(&scene), ["docker ps --filter publish=1939"]);
    let runsv = Looks { uid: 0, ..looks(30, 29, "runsv web", "/system.slice/runit.service") };
    let mut kept = asking(vec![looks(31, 30, "node", "/system.slice/runit.service")]);
    kept.above = vec![runsv, looks(29, 1, "runsvdir", "/system.slice/runit.service"), systemd(1, 0)];
    assert_eq!(hints(&kept), ["sudo sv stop web"]);
}

/// An earlier instance that the hub has ended and that runs again is not stopped by its module's name.
#[test]
fn the_parent_that_restarts_a_module_behind_the_hub_is_shown() {
    let marks = Some(("web".to_owned(), PathBuf::from("/home/op/.parachute")));
    let back = asking(vec![Looks { marks, ..looks(90, 30, "node", "/") }]);
    assert!(judge(&back).hint_for("web").starts_with("ps -fp 90 "));
    assert_eq!(judge(&back).hint_for("vault"), "parachute stop web");
}

#[test]
fn each_kind_survives_serialisation() {
    let of = Of { home: Some("/h".into()), ours: true, manager: Some(ServiceManager::System) };
    let manager = ServiceManager::User { uid: 7, name: None, own: false };
    for kind in [Kind::Hub(of), Kind::Manager(manager), Kind::Stranger] {
        let occupant = Occupant { kind, ..stranger(1, Some(7), "x") };
        let text = serde_json::to_string(&occupant).unwrap();
        assert_eq!(serde_json::from_str::<Occupant>(&text).unwrap(), occupant);
    }
}
