//! `migrate` under a real systemd: the cutover, the way back, and that one of both models always runs.

use serde_json::Value;

use crate::lab::{FIXTURE, Lab, PERSON, Who};
use crate::old::{ALL, HOME, Old};
use crate::program::Outcome;

/// Root under sudo, acting for [`PERSON`].
const SUDO: &str = "export SUDO_UID=$(id -u lab) SUDO_GID=$(id -g lab) SUDO_USER=lab HOME=/root;";
/// No standby: a kill of the verb kills everything of it.
const ALONE: &str = "PARACHUTE_STANDBY=none";
pub const CUT_OVER: &str = "parachute migrate --to-supervised --yes";
pub const BACK: &str = "parachute migrate --teardown --back-to-detached --yes";
/// What changes with every restart of a daemon: the pid in its pidfile, and files that it and the hub write.
pub const OWN: [&str; 5] = ["/run/", "/logs/", "/.parachute/run", "/install/lock", "operator.token"];

pub fn json(outcome: Outcome) -> Value {
    serde_json::from_str(&outcome.code(0).out).unwrap()
}

pub fn steps(lab: &Lab) -> usize {
    json(lab.user("parachute migrate --to-supervised --dry-run --json"))["steps"].as_array().unwrap().len()
}

#[test]
fn a_detached_home_is_cut_over_and_restored() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let (first, before) = (old.recorded(), lab.snapshot());
    assert!(old.all_detached());

    // Listing changes nothing, and reveals no secret.
    let list = lab.user("parachute migrate --list").code(0).out;
    for (name, pid) in &first {
        assert!(list.contains(&format!("{name}: pid {pid}, port ")), "{list}");
    }
    let dry = lab.user("parachute migrate --to-supervised --dry-run").code(0).out;
    assert!(dry.contains("stop 4 detached daemons") && dry.contains("+ExecStart="), "{dry}");
    assert!(!dry.contains("of vault"), "the environment of a daemon is not shown: {dry}");
    // Verbs of the hub name the command, and change nothing.
    for verb in ["start", "stop", "restart"] {
        let said = lab.user(&format!("parachute {verb}")).code(69).err;
        assert!(
            said.contains("run detached") && said.contains("parachute migrate --to-supervised"),
            "{said}"
        );
    }
    let status = lab.user("parachute status").code(3).out;
    assert!(status.contains("run detached") && !status.contains("parachute init"), "{status}");
    before.same_as(&lab.snapshot());
    assert_eq!(old.recorded(), first);

    let said = lab.user(CUT_OVER).code(0).out;
    for (name, _) in ALL.iter().filter(|(name, _)| *name != "hub") {
        assert!(said.contains(&format!("{name} was away for ")), "{said}");
    }
    assert!(old.all_supervised(), "{:?}", old.listening());
    assert!(old.recorded().is_empty(), "pidfiles are gone: {:?}", old.recorded());
    assert!(first.values().all(|pid| !old.lives(*pid)), "the daemons are gone");
    let logs = lab.user("parachute logs vault").code(0).out;
    let at = |text: &str| logs.find(text).unwrap_or_else(|| panic!("{text} is not in {logs}"));
    assert!(at("listening on 1940") < at("[supervisor]"), "the old log comes before the new one: {logs}");
    // Of the hub as well, and not only the lines of its detached version.
    let logs = lab.user("parachute logs hub").code(0).out;
    assert!(logs.contains("listening on 1939") && logs.lines().count() > 2, "{logs}");
    // What listened on loopback listens there only.
    let open = lab.root("awk '$4 == \"0A\" && $2 ~ /:0793$/ { print $2 }' /proc/net/tcp /proc/net/tcp6").out;
    assert_eq!(open.trim(), "0100007F:0793", "port 1939, of 127.0.0.1 alone");
    let receipt = format!("{HOME}/install/receipt.json");
    assert_eq!(lab.root(&format!("stat -c %a {receipt}")).out.trim(), "600");

    // A second run has nothing to do.
    let pids = old.listening();
    let again = json(lab.user(&format!("{CUT_OVER} --json")));
    assert_eq!((again["changed"].as_bool(), old.listening()), (Some(false), pids));

    lab.reboot();
    lab.eventually("the hub and its modules are back", || old.all_supervised());

    let said = lab.user(BACK).code(0).out;
    assert!(old.all_detached(), "{said}\n{:?} {:?}", old.listening(), old.recorded());
    before.same_but(&lab.snapshot(), &OWN);
    for (name, pid) in old.recorded().iter().filter(|(name, _)| *name != "hub") {
        let environ = lab.root(&format!("tr '\\0' '\\n' < /proc/{pid}/environ")).out;
        assert!(environ.contains(&format!("SECRET=of {name}")), "{environ}");
        let leads = lab.root(&format!("cut -d' ' -f5,6 /proc/{pid}/stat")).out;
        assert_eq!(leads.trim(), format!("{pid} {pid}"), "{name} leads a session of its own");
        let log = lab.root(&format!("readlink /proc/{pid}/fd/1; grep flags /proc/{pid}/fdinfo/1")).out;
        assert!(log.contains(&format!("{HOME}/{name}/logs/{name}.log")) && log.contains("02001"), "{log}");
    }
    assert_eq!(lab.read(&format!("{HOME}/hub/run/hub.port")).trim(), "1939");
    // Nothing is left to undo, which has its own exit code.
    let none = lab.user("parachute migrate --teardown --yes");
    assert_eq!((none.code, none.out.contains("nothing is installed")), (3, true), "{none:?}");
    let _ = lab.user(CUT_OVER).code(0);
    // Without that flag the daemons are not restored.
    let _ = lab.user("parachute migrate --teardown --yes").code(0);
    assert!(old.listening().is_empty(), "{:?}", old.listening());
    assert!(!lab.read(&receipt).contains("SECRET"), "the record of the daemons is removed with the hub");
}

#[test]
fn in_the_system_scope_daemons_of_a_user_are_restored_as_that_user() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let first = old.recorded();
    let _ = lab.root(&format!("{SUDO} {CUT_OVER} --scope system")).code(0);
    assert!(old.all_supervised(), "{:?}", old.listening());
    assert!(first.values().all(|pid| !old.lives(*pid)));
    assert_eq!(lab.root("systemctl show parachute-hub.service -p User").out.trim(), "User=lab");
    let _ = lab.root(&format!("{SUDO} {BACK} --scope system")).code(0);
    assert!(old.all_detached());
    for pid in old.recorded().values() {
        let ids =
            lab.root(&format!("grep -E '^(Uid|Gid|Groups)' /proc/{pid}/status; id -u lab; id -g lab")).out;
        let words: Vec<&str> = ids.split_whitespace().collect();
        let (uid, gid) = (words[words.len() - 2], words[words.len() - 1]);
        assert_eq!((words[1], words[6]), (uid, gid), "{ids}");
    }
}

/// Every step made to fail: the daemons listen, and everything else is as before.
#[test]
fn a_step_that_fails_leaves_every_daemon_listening() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let before = lab.snapshot();
    let mut failed = 0;
    for step in 1..=steps(&lab) {
        let outcome = lab.user(&format!("PARACHUTE_FAULT='fail {step}' {CUT_OVER}"));
        if outcome.code == 0 {
            // It was already done, or is optional.
            let _ = lab.user(BACK).code(0);
        } else {
            failed += 1;
            assert_eq!(outcome.code, 1, "{outcome:?}");
            assert!(outcome.err.contains("everything is as it was before"), "{outcome:?}");
        }
        assert!(old.all_detached(), "step {step}: {outcome:?}\n{:?} {:?}", old.listening(), old.recorded());
        before.same_but(&lab.snapshot(), &OWN);
    }
    assert!(failed >= 12, "only {failed} steps could be made to fail");
}

/// Everything killed before and after every step, the standby included; then finished, undone, or simply run
/// again.
#[test]
fn a_cutover_killed_at_any_step_is_finished_or_undone() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let before = lab.snapshot();
    let mut killed = 0;
    for step in 1..=steps(&lab) {
        let fault = ["kill", "kill-after"][step % 2];
        let outcome = lab.user(&format!("{ALONE} PARACHUTE_FAULT='{fault} {step}' {CUT_OVER}"));
        let mut forward = true;
        if outcome.code == 137 {
            killed += 1;
            forward = killed % 3 != 0;
            let next = ["parachute migrate --rollback", "parachute migrate --resume", CUT_OVER][killed % 3];
            let _ = lab.user(next).code(0);
        }
        if forward {
            assert!(old.all_supervised(), "step {step}: {outcome:?}");
            let _ = lab.user(BACK).code(0);
        }
        assert!(old.all_detached(), "step {step}: {outcome:?}\n{:?} {:?}", old.listening(), old.recorded());
        before.same_but(&lab.snapshot(), &OWN);
    }
    assert!(killed >= 12, "only {killed} kills");
}

/// The power fails while nothing serves: the hub starts by itself, and the plan is finished or undone.
#[test]
fn a_power_cut_in_the_middle_leads_to_the_hub() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let plan = json(lab.user("parachute migrate --to-supervised --dry-run --json"));
    let all = plan["steps"].as_array().unwrap();
    let stops = |step: &Value| step["what"].as_str().unwrap().starts_with("stop 4 detached");
    let stop = 1 + all.iter().position(stops).unwrap();
    for next in ["--resume", "--rollback"] {
        assert_eq!(lab.user(&format!("{ALONE} PARACHUTE_FAULT='kill-after {stop}' {CUT_OVER}")).code, 137);
        assert!(old.listening().is_empty());
        lab.power_cut();
        lab.eventually("the hub has all modules", || old.all_supervised());
        let said = lab.user(&format!("parachute migrate {next}")).code(0);
        if next == "--resume" {
            assert!(old.all_supervised() && old.recorded().is_empty(), "{said:?}");
            let _ = lab.user(BACK).code(0);
        }
        assert!(old.all_detached(), "{said:?}");
    }
}

/// Each of these is refused before anything is stopped.
#[test]
fn possible_failures_are_refused_before_anything_is_stopped() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let owner = Who::NoSession(PERSON.to_owned());
    let refused = |said: &str| {
        let (before, pids) = (lab.snapshot(), old.listening());
        let outcome = lab.user(CUT_OVER).code(78);
        assert!(outcome.err.contains(said) && outcome.err.contains("hint:"), "{outcome:?}");
        assert!(outcome.err.contains("nothing was stopped"), "{outcome:?}");
        assert_eq!(old.listening(), pids);
        before.same_as(&lab.snapshot());
    };
    // A foreign process on a module's port, and then on the hub's.
    for (name, port) in [("scribe", 1943), ("hub", 1939)] {
        let pid = old.recorded()[name];
        let _ = lab.root(&format!("kill {pid}; while test -d /proc/{pid}; do sleep 0.02; done")).code(0);
        let stranger = format!(
            "cd / && systemd-run --uid lab --unit stranger-{name} -E PORT={port} {FIXTURE} server && \
             until {FIXTURE} get {port} /health > /dev/null; do sleep 0.02; done"
        );
        let _ = lab.root(&stranger).code(0);
        refused(&format!("port {port} of {name} is held by pid"));
        assert_eq!(lab.root(&format!("systemctl is-active stranger-{name}")).out.trim(), "active");
        let _ = lab.root(&format!("systemctl stop stranger-{name}")).code(0);
        let again = if name == "hub" {
            format!("legacy_hub {HOME} {FIXTURE}")
        } else {
            format!("legacy_daemon {HOME} {name} {port} ./server server")
        };
        let _ = old
            .shell(&format!("{again}; until {FIXTURE} get {port} /health > /dev/null; do sleep 0.02; done"))
            .code(0);
    }
    // A truncated list of modules.
    let services = lab.read(&format!("{HOME}/services.json"));
    lab.write(&owner, &format!("{HOME}/services.json"), &services[..services.len() / 2]);
    refused("the list of modules is unknown");
    lab.write(&owner, &format!("{HOME}/services.json"), &services);
    // A module whose program the hub would not find.
    let manifest = format!("{HOME}-modules/vault/.parachute/module.json");
    let text = lab.read(&manifest);
    lab.write(&owner, &manifest, &text.replace("./server", "no-such-server"));
    refused("vault would not start under the hub");
    lab.write(&owner, &manifest, &text);
    // A missing program: vault could not be restored.
    let _ = lab.root(&format!("mv {HOME}-modules/scribe {HOME}-modules/moved")).code(0);
    refused("scribe");
    let _ = lab.root(&format!("mv {HOME}-modules/moved {HOME}-modules/scribe")).code(0);
    // An environment that the hub would refuse: it would start nothing.
    let _ = lab.user(&format!("mkfifo {HOME}/hub.env")).code(0);
    refused("no module would start under the hub");
    let _ = lab.user(&format!("rm {HOME}/hub.env")).code(0);
    // Settings that no hub accepts.
    lab.write(&owner, &format!("{HOME}/hub.toml"), "[hub]\nport = 0\n");
    refused("hub.toml");
}

/// A module that does not start under the hub is a failure, and everything is restored. The same for one that
/// serves for a moment and crashes.
#[test]
fn a_module_that_does_not_start_restores_everything() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let owner = Who::NoSession(PERSON.to_owned());
    let manifest = format!("{HOME}-modules/vault/.parachute/module.json");
    let text = lab.read(&manifest);
    for lives_ms in ["1", "600"] {
        let ends = format!(r#""server", "--exit-after", "{lives_ms}", "3""#);
        lab.write(&owner, &manifest, &text.replace(r#""server""#, &ends));
        let before = lab.snapshot();
        let outcome = lab.user(CUT_OVER).code(1);
        assert!(outcome.err.contains("vault is not ready"), "{lives_ms} ms: {outcome:?}");
        assert!(old.all_detached(), "{outcome:?}\n{:?} {:?}", old.listening(), old.recorded());
        before.same_but(&lab.snapshot(), &OWN);
    }
}

/// A daemon that ignores SIGTERM takes its own grace period once; all others are stopped meanwhile.
#[test]
fn a_daemon_that_ignores_sigterm_is_ended_all_the_same() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start_with(&lab, "--ignore-term");
    let _ = lab.user(CUT_OVER).code(0);
    assert!(old.all_supervised());
}

/// A unit from before the supervisor, which would restart the module, is disabled first; and it is
/// enabled again after the way back.
#[test]
fn a_stale_unit_is_disabled_before_anything_is_stopped() {
    let Some(lab) = Lab::up() else { return };
    lab.linger();
    let old = Old::start(&lab);
    let pid = old.recorded()["vault"];
    let unit = format!(
        "[Unit]\nDescription=old vault\n[Service]\nEnvironment=PORT=1940\nWorkingDirectory={HOME}-modules/vault\n\
         ExecStart={HOME}-modules/vault/server server\nRestart=always\nRestartSec=100ms\n[Install]\nWantedBy=default.target\n"
    );
    let owner = Who::NoSession(PERSON.to_owned());
    lab.write(&owner, "/home/lab/.config/systemd/user/parachute-vault.service", &unit);
    let _ = lab
        .user(&format!(
            "kill {pid}; rm {HOME}/vault/run/vault.pid; while test -d /proc/{pid}; do sleep 0.02; done
             systemctl --user daemon-reload; systemctl --user enable --now parachute-vault.service
             until {FIXTURE} get 1940 /health > /dev/null; do sleep 0.02; done"
        ))
        .code(0);
    let list = lab.user("parachute migrate --list").code(0).out;
    assert!(list.contains("parachute-vault.service") && list.contains("enabled"), "{list}");
    let said = lab.user(CUT_OVER).code(0);
    assert!(said.err.contains("disable vault"), "{said:?}");
    assert!(old.all_supervised(), "{said:?}");
    let state = lab.user("systemctl --user is-enabled parachute-vault.service || true; systemctl --user is-active parachute-vault.service || true").out;
    assert_eq!(state.split_whitespace().collect::<Vec<_>>(), ["disabled", "inactive"]);
    let _ = lab.user(BACK).code(0);
    let state = lab.user("systemctl --user is-enabled parachute-vault.service || true; systemctl --user is-active parachute-vault.service || true").out;
    assert_eq!(state.split_whitespace().collect::<Vec<_>>(), ["enabled", "active"]);
    assert_eq!(old.listening().len(), 4);
}

/// How often the foreign processes are tried: `PARACHUTE_ROUNDS=100` for a full run.
fn rounds() -> usize {
    std::env::var("PARACHUTE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// Identities, one per line: pid and start time.
fn identities(lab: &Lab, file: &str) -> Vec<String> {
    let script = format!("for pid in $(cat {file}); do echo $pid $(cut -d' ' -f22 /proc/$pid/stat); done");
    lab.root(&script).code(0).out.lines().map(ToOwned::to_owned).collect()
}

/// All processes that the original killed, or could have killed, around a home that is cut
/// over and restored: none of them is affected.
#[test]
fn foreign_processes_survive_cutovers() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let _ = old
        .shell(&format!(
            "H={HOME}; others=/home/lab/others
             innocent() {{ echo $! >> $others; }}
             # Reused pids: of a leader, and of a process that is not one.
             setsid sh -c 'sleep 5000; :' > /dev/null 2>&1 < /dev/null & innocent
             echo $! > $H/vault/run/vault.pid; touch -d '1 hour ago' $H/vault/run/vault.pid
             sleep 5000 > /dev/null 2>&1 < /dev/null & innocent
             echo $! > $H/wrapper/run/wrapper.pid; touch -d '1 hour ago' $H/wrapper/run/wrapper.pid
             echo 1 > $H/scribe/run/scribe.pid
             # The same program and arguments, started by hand elsewhere; a runtime in a directory of that name.
             (cd /tmp && PORT=2001 exec setsid $H-modules/vault/server server) > /dev/null 2>&1 < /dev/null & innocent
             mkdir -p /home/lab/parachute-site
             (cd /home/lab/parachute-site && exec setsid sleep 5000) > /dev/null 2>&1 < /dev/null & innocent
             # An editor and a reader with a log open, a shell in a module's directory, a process that appends to a log.
             (cd $H/vault/logs && exec setsid sh -c 'exec 5>> vault.log; sleep 5000; :') > /dev/null 2>&1 < /dev/null & innocent
             setsid tail -f $H/vault/logs/vault.log > /dev/null 2>&1 < /dev/null & innocent
             (cd $H-modules/vault && PARACHUTE_HOME=$H exec setsid sleep 5000) > /dev/null 2>&1 < /dev/null & innocent
             setsid sh -c 'sleep 5000; :' >> $H/scribe/logs/scribe.log 2>&1 < /dev/null & innocent
             # Another home's hub.
             (cd /tmp && PARACHUTE_HOME=/home/lab/second PORT=2002 exec setsid $H-modules/vault/server server) \\
                 >> $H/vault/logs/vault.log 2>&1 < /dev/null & innocent"
        ))
        .code(0);
    let before = identities(&lab, "/home/lab/others");
    assert_eq!(before.len(), 9);
    for round in 0..rounds() {
        let said = lab.user(CUT_OVER).code(0);
        assert!(old.all_supervised(), "round {round}: {said:?}");
        assert_eq!(identities(&lab, "/home/lab/others"), before, "round {round}: {said:?}");
        let said = lab.user(BACK).code(0);
        assert_eq!(old.listening().len(), 4, "round {round}: {said:?}");
        assert_eq!(identities(&lab, "/home/lab/others"), before, "round {round}: {said:?}");
    }
}

/// Foreign processes on declared ports: nothing is stopped, and they keep running.
#[test]
fn foreign_processes_on_declared_ports_keep_running_and_nothing_is_stopped() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let owner = Who::NoSession(PERSON.to_owned());
    let hub = old.recorded()["hub"];
    let squat = |port: u16, home: &str| {
        format!(
            "kill $1; while test -d /proc/$1; do sleep 0.02; done
             cd /tmp; PARACHUTE_HOME={home} PORT={port} setsid {FIXTURE} server > /dev/null 2>&1 < /dev/null &
             echo $! > /home/lab/others; until {FIXTURE} get {port} /health > /dev/null; do sleep 0.02; done"
        )
    };
    let vault = old.recorded()["vault"];
    for (name, port, pid, home) in [("hub", 1939, hub, HOME), ("vault", 1940, vault, "/home/lab/second")] {
        let _ = lab.exec(&owner, &squat(port, home), &[&pid.to_string()], b"").code(0);
        let (before, listening) = (identities(&lab, "/home/lab/others"), old.listening());
        for _ in 0..rounds() {
            let said = lab.user(CUT_OVER).code(78).err;
            assert!(said.contains(&format!("port {port} of {name} is held by")), "{said}");
            assert_eq!(
                (identities(&lab, "/home/lab/others"), old.listening()),
                (before.clone(), listening.clone())
            );
        }
        let ended = "pid=$(cat /home/lab/others); kill $pid; while test -d /proc/$pid; do sleep 0.02; done";
        let _ = lab.root(ended).code(0);
        if name == "hub" {
            let listens = format!("until {FIXTURE} get 1939 /health > /dev/null; do sleep 0.02; done");
            let _ = old.shell(&format!("legacy_hub {HOME} {FIXTURE}; {listens}")).code(0);
        }
    }
}
