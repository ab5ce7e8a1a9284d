//! Between the first stop and the end of `migrate`: a kill, a Ctrl-C, another port, no space. And the offer
//! that leads to it.

use crate::lab::{FIXTURE, Lab, PERSON, Who};
use crate::migrate::{BACK, CUT_OVER, OWN, json, steps};
use crate::old::{HOME, Old};

/// `kill -9` before or after every step, there and back: without another command, it is finished all the same.
#[test]
fn a_cutover_killed_at_any_step_is_finished_by_the_standby() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let before = lab.snapshot();
    let mut killed = [0, 0];
    for step in 1..=steps(&lab) {
        let fault = ["kill", "kill-after"][step % 2];
        // The shell inside ends when the last process with its standard error does: the standby.
        let there = lab.user(&format!("PARACHUTE_FAULT='{fault} {step}' {CUT_OVER}"));
        killed[0] += usize::from(there.code == 137);
        assert!(
            there.code == 0 || there.err.contains("was killed; another process finished it"),
            "{there:?}"
        );
        assert!(old.all_supervised(), "{fault} {step}: {there:?}\n{:?}", old.listening());
        let back = lab.user(&format!("PARACHUTE_FAULT='{fault} {step}' {BACK}"));
        killed[1] += usize::from(back.code == 137);
        assert!(old.all_detached(), "{fault} {step} back: {back:?}\n{:?}", old.listening());
        before.same_but(&lab.snapshot(), &OWN);
    }
    assert!(killed.iter().all(|count| *count >= 8), "only {killed:?} kills");
    let nobody = lab.root("pgrep -fa '[p]arachute.* stand-b[y]' || true").out;
    assert!(nobody.is_empty(), "{nobody}");
}

/// Ctrl-C while the hub is awaited: everything is undone, with its own exit code.
#[test]
fn a_cutover_interrupted_in_the_middle_is_undone() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let owner = Who::NoSession(PERSON.to_owned());
    let manifest = format!("{HOME}-modules/vault/.parachute/module.json");
    let slow = lab.read(&manifest).replace(r#""server""#, r#""server", "--bind-after", "50000""#);
    lab.write(&owner, &manifest, &slow);
    let before = lab.snapshot();
    let outcome = lab.user(&format!(
        "{CUT_OVER} 2> /tmp/said & pid=$!
         until grep -q 'the hub is healthy' /tmp/said; do kill -0 $pid; sleep 0.02; done
         kill -INT $pid; code=0; wait $pid || code=$?; cat /tmp/said >&2; exit $code"
    ));
    assert_eq!(outcome.code, 130, "{outcome:?}");
    assert!(outcome.err.contains("everything is as it was before"), "{outcome:?}");
    assert!(old.all_detached(), "{outcome:?}\n{:?}", old.listening());
    before.same_but(&lab.snapshot(), &OWN);
}

/// A detached hub on another port keeps it under the manager too.
#[test]
fn a_hub_on_another_port_keeps_it() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let hub = old.recorded()["hub"];
    let _ = old
        .shell(&format!(
            "kill {hub}; while test -d /proc/{hub}; do sleep 0.02; done
             PORT=2939 {FIXTURE} server >> {HOME}/hub/logs/hub.log 2>&1 < /dev/null &
             echo $! > {HOME}/hub/run/hub.pid; echo 2939 > {HOME}/hub/run/hub.port
             until {FIXTURE} get 2939 /health > /dev/null; do sleep 0.02; done"
        ))
        .code(0);
    let list = lab.user("parachute migrate --list").code(0).out;
    assert!(list.contains("port 2939"), "{list}");
    let answers = |port: u16| lab.user(&format!("{FIXTURE} get {port} /health > /dev/null")).code == 0;
    let _ = lab.user(CUT_OVER).code(0);
    assert!(old.all_supervised() && answers(2939) && !answers(1939));
    let _ = lab.user(BACK).code(0);
    assert!(answers(2939) && old.listening().len() == 3, "{:?}", old.listening());
    assert_eq!(lab.read(&format!("{HOME}/hub/run/hub.port")).trim(), "2939");
}

/// A listener on another loopback address is found, be it a daemon of ours or a foreign process.
#[test]
fn a_listener_on_ipv6_alone_is_found() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let vault = old.recorded()["vault"];
    let six = "until grep -q :0794 /proc/net/tcp6; do sleep 0.02; done";
    let ended = |pid: u32| format!("kill {pid}; while test -d /proc/{pid}; do sleep 0.02; done");
    let ours = format!("{}; legacy_daemon {HOME} vault 1940 ./server server --six; {six}", ended(vault));
    let _ = old.shell(&ours).code(0);
    let vault = old.recorded()["vault"];
    let list = lab.user("parachute migrate --list").code(0).out;
    assert!(list.contains(&format!("vault: pid {vault}, port 1940")), "{list}");
    let _ = lab.user(CUT_OVER).code(0);
    assert!(old.all_supervised() && !old.lives(vault), "{:?}", old.listening());
    let _ = lab.user(BACK).code(0);

    let vault = old.recorded()["vault"];
    let stranger = format!("cd /; PORT=1940 setsid {FIXTURE} server --six > /dev/null 2>&1 < /dev/null &");
    let _ = old.shell(&format!("{}; {stranger} {six}", ended(vault))).code(0);
    let said = lab.user(CUT_OVER).code(78).err;
    assert!(
        said.contains("port 1940 of vault is held by pid") && said.contains("nothing was stopped"),
        "{said}"
    );
    assert_eq!(old.listening().len(), 3);
}

/// A daemon that listens where no client of the loopback connects would never be ready under the hub, which checks
/// there: refused before anything is stopped.
#[test]
fn a_daemon_that_listens_away_from_the_loopback_is_refused_first() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let _ = lab.root("ip addr add 192.0.2.7/32 dev lo").code(0);
    let manifest = format!("{HOME}-modules/vault/.parachute/module.json");
    let away = lab.read(&manifest).replace(r#""server""#, r#""server", "--address", "192.0.2.7""#);
    lab.write(&Who::NoSession(PERSON.to_owned()), &manifest, &away);
    let vault = old.recorded()["vault"];
    let _ = old
        .shell(&format!(
            "kill {vault}; while test -d /proc/{vault}; do sleep 0.02; done
             legacy_daemon {HOME} vault 1940 ./server server --address 192.0.2.7
             until grep -q 070200C0:0794 /proc/net/tcp; do sleep 0.02; done"
        ))
        .code(0);
    let (before, vault) = (old.listening(), old.recorded()["vault"]);
    let said = lab.user(CUT_OVER).code(78).err;
    assert!(
        said.contains("vault listens only on 192.0.2.7:1940") && said.contains("127.0.0.1 or 0.0.0.0"),
        "{said}"
    );
    assert!(old.listening() == before && old.lives(vault));
    // It is a guess, and trying it all the same takes a moment.
    let failed = lab.user(&format!("{CUT_OVER} --force")).code(1).err;
    assert!(failed.contains("everything is as it was before"), "{failed}");
    assert!(lab.root("grep -q 070200C0:0794 /proc/net/tcp").code == 0 && !old.lives(vault));
}

/// No space, no write permission, no directory for a program: refused before anything is stopped.
#[test]
fn an_unsuitable_disk_is_refused_first() {
    let Some(lab) = Lab::up() else { return };
    let mount = |options: &str| {
        let _ = lab
            .root(&format!(
                "mkdir -p {HOME}; mount -t tmpfs -o {options},mode=755,uid=$(id -u lab),gid=$(id -g lab) tmpfs {HOME}"
            ))
            .code(0);
    };
    mount("size=4m");
    let old = Old::start(&lab);
    let refused = |said: &str| {
        let pids = old.listening();
        let outcome = lab.user(CUT_OVER).code(78);
        assert!(outcome.err.contains(said) && outcome.err.contains("nothing was stopped"), "{outcome:?}");
        assert_eq!((pids.len(), old.listening()), (4, pids));
    };
    refused("kB are free");
    let _ = lab.root(&format!("mount -o remount,size=900m,noexec {HOME}")).code(0);
    refused("noexec");
    // Files that the daemons have open stay writable; a second path to the same files does not.
    let second =
        format!("mount -o remount,exec {HOME}; mount --bind {HOME} {HOME}; mount -o remount,bind,ro {HOME}");
    let _ = lab.root(&second).code(0);
    refused("Read-only file system");
    let _ = lab.root(&format!("umount {HOME}")).code(0);
    let _ = lab.user(CUT_OVER).code(0);
    assert!(old.all_supervised());
    // A mount of a test does not survive a boot, so the way back comes before.
    let _ = lab.user(BACK).code(0);
    assert!(old.all_detached());
}

/// Offered in a terminal, not again on the same day, and never done without a yes.
#[test]
fn the_offer_is_made_once_a_day() {
    let Some(lab) = Lab::up() else { return };
    lab.linger();
    let old = Old::start(&lab);
    let before = old.listening();
    // A terminal, and input that is typed when its question is shown.
    let typed = |dialogue: &[(&str, &str)]| {
        let mut script = "cd /tmp; rm -f keys screen; mkfifo keys; : > screen
            script -qefc 'parachute start' screen < keys > /dev/null 2>&1 & pid=$!
            exec 3> keys\n"
            .to_owned();
        for (question, key) in dialogue {
            script.push_str(&format!(
                "until grep -q '{question}' screen; do kill -0 $pid; sleep 0.05; done; printf '{key}' >&3\n"
            ));
        }
        script.push_str("code=0; wait $pid || code=$?; cat screen; exit $code\n");
        lab.user(&script)
    };
    let offer = "show what a cutover";
    let said = typed(&[(offer, "n\\n")]);
    assert!(said.code == 69 && said.out.contains("parachute migrate --to-supervised"), "{said:?}");
    let again = typed(&[]);
    assert!(again.code == 69 && !again.out.contains(offer), "{again:?}");
    assert_eq!(old.listening(), before);
    // A day later.
    let file = lab.root(&format!("find {HOME} -name cutover-declined")).code(0).out.trim().to_owned();
    let owner = Who::NoSession(PERSON.to_owned());
    lab.write(&owner, &file, "2026-01-01T00:00:00.000Z\n");
    let said = typed(&[(offer, "n\\n")]);
    assert_eq!((said.code, old.listening()), (69, before.clone()), "{said:?}");
    lab.write(&owner, &file, "2026-01-01T00:00:00.000Z\n");
    let said = typed(&[(offer, "y\\n"), ("continue?", "y\\n")]);
    assert!(said.code == 0 && old.all_supervised(), "{said:?}");
    // Nothing is left to be offered.
    let said = typed(&[]);
    assert_eq!(said.code, 0, "{said:?}");
}

/// A step that could not be undone is a failure, and reported as one.
#[test]
fn a_failed_teardown_is_not_reported_as_successful() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let _ = lab.user(CUT_OVER).code(0);
    let plan = json(lab.user(&format!("{} --dry-run --json", BACK.replace(" --yes", ""))));
    let steps = plan["steps"].as_array().unwrap().len();
    let failed = (1..=steps)
        .map(|step| lab.user(&format!("PARACHUTE_FAULT='fail {step}' {BACK}")))
        .find(|outcome| outcome.code != 0)
        .expect("a step that can fail");
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.contains("everything is as it was before"), "{failed:?}");
    assert!(old.all_supervised(), "{:?}", old.listening());
}

/// Weeks later: a program from before is missing, or a daemon does not start. The hub keeps serving, and nothing
/// beside it.
#[test]
fn a_teardown_that_cannot_start_every_daemon_leaves_the_hub() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let _ = lab.user(CUT_OVER).code(0);
    let pids = old.listening();
    let _ = lab.root(&format!("mv {HOME}-modules/scribe {HOME}-modules/moved")).code(0);
    let before = lab.snapshot();
    let said = lab.user(BACK).code(78).err;
    assert!(
        said.contains("scribe could not be started again") && said.contains("nothing was changed"),
        "{said}"
    );
    assert_eq!(old.listening(), pids);
    before.same_as(&lab.snapshot());
    let _ = lab.root(&format!("mv {HOME}-modules/moved {HOME}-modules/scribe")).code(0);
    // A fault that cannot be known beforehand.
    let log = format!("{HOME}/scribe/logs/scribe.log");
    let _ = lab.root(&format!("mv {log} {log}.moved; mkdir {log}")).code(0);
    let failed = lab.user(BACK).code(1);
    assert!(failed.err.contains("everything is as it was before"), "{failed:?}");
    assert!(old.all_supervised(), "{failed:?}\n{:?}", old.listening());
    assert!(old.recorded().is_empty(), "{:?}", old.recorded());
    let _ = lab.root(&format!("rmdir {log}; mv {log}.moved {log}")).code(0);
    let _ = lab.user(BACK).code(0);
    assert!(old.all_detached());
}

/// A daemon whose program disappeared in the middle can never be restored: the user is told, continues without it, and
/// no other verb is blocked for ever.
#[test]
fn a_step_that_can_never_be_undone_is_dropped() {
    let Some(lab) = Lab::up() else { return };
    let old = Old::start(&lab);
    let plan = json(lab.user("parachute migrate --to-supervised --dry-run --json"));
    let all = plan["steps"].as_array().unwrap();
    let stops = |step: &serde_json::Value| step["what"].as_str().unwrap().starts_with("stop 4 detached");
    let stop = 1 + all.iter().position(stops).unwrap();
    let killed = lab.user(&format!("PARACHUTE_STANDBY=none PARACHUTE_FAULT='kill-after {stop}' {CUT_OVER}"));
    assert_eq!(killed.code, 137, "{killed:?}");
    let _ = lab.root(&format!("mv {HOME}-modules/scribe {HOME}-modules/moved")).code(0);
    for verb in ["parachute migrate --rollback", "parachute init --yes", "parachute uninstall --yes"] {
        let said = lab.user(verb).code(1).err;
        let remains = said.lines().find(|line| line.contains("remains:")).unwrap();
        assert!(remains.contains("scribe") && !remains.contains("vault"), "{said}");
        assert!(said.contains("parachute migrate --rollback --force") && !said.contains("setsid"), "{said}");
        assert_eq!(old.listening().len(), 3, "{verb}: the others run, and once");
    }
    let said = lab.user("parachute migrate --rollback --force").code(1).err;
    assert!(said.contains("scribe") && said.contains("the plan is closed"), "{said}");
    assert!(!said.contains("parachute migrate --rollback"), "{said}");
    let none = lab.user("parachute migrate --rollback").code(0).out;
    assert!(none.contains("no plan was interrupted"), "{none}");
    assert_eq!(old.listening().len(), 3);
    let _ = lab.root(&format!("mv {HOME}-modules/moved {HOME}-modules/scribe")).code(0);
    let _ = lab.user(CUT_OVER).code(0);
    assert_eq!(old.listening().len(), 4);
}
