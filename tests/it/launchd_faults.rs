//! Refusals of launchd, delays, and a power cut in the middle: the real binary against the model of
//! `tests/fixture/launchctl.rs`.

use std::process::{Child, Stdio};

use crate::support::executable;
use crate::support::mac::{LABEL, Mac};
use crate::support::program::Outcome;
use crate::support::until;

/// The error without the progress lines.
fn refusal(mac: &Mac, outcome: &Outcome) -> String {
    let from = outcome.err.find("error: ").unwrap_or_else(|| panic!("no error: {outcome:?}"));
    mac.plain(&outcome.err[from..])
}

/// Whether the calls so far contain this many of a verb.
fn called(mac: &Mac, verb: &str, times: usize) -> bool {
    mac.changes().split(' ').filter(|call| *call == verb).count() >= times
}

/// A verb that is not waited for.
fn begun(mac: &Mac, args: &[&str]) -> Child {
    mac.parachute(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ends(mut child: Child) -> Outcome {
    until("the verb ends", || child.try_wait().unwrap());
    Outcome::of(child.wait_with_output().unwrap())
}

#[test]
fn a_job_that_is_still_being_removed_is_waited_for() {
    let mac = Mac::new();
    // The code for a label that is being removed, twice; and the one of a busy launchd.
    mac.faults("bootstrap 5 2\nbootstrap 37 1\n");
    mac.installed();
    assert_eq!(mac.changes(), "enable bootstrap bootstrap bootstrap bootstrap");
    assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
}

#[test]
fn a_start_waits_for_a_label_that_is_being_removed() {
    let mac = Mac::new();
    mac.installed();
    std::fs::write(mac.world.file("launchd/hold"), "").unwrap();
    mac.forget_calls();
    mac.manager_does(&["bootout", &mac.target()]);
    until("the hub is gone", || mac.world.get("/health").is_none().then_some(()));
    let start = begun(&mac, &["start"]);
    until("it was refused", || called(&mac, "kickstart", 2).then_some(()));
    std::fs::remove_file(mac.world.file("launchd/hold")).unwrap();
    let _ = ends(start).code(0);
    assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
}

#[test]
fn a_bootout_in_progress_is_waited_for() {
    let mac = Mac::new();
    mac.installed();
    std::fs::write(mac.world.file("launchd/hold"), "").unwrap();
    mac.manager_does(&["bootout", &mac.target()]);
    mac.forget_calls();
    // It may meet a hub that still answers, one that closes the connection, or none.
    let stop = begun(&mac, &["stop"]);
    until("it was told so", || called(&mac, "bootout", 1).then_some(()));
    std::fs::remove_file(mac.world.file("launchd/hold")).unwrap();
    let _ = ends(stop).code(0);
    assert!(mac.job().is_none());
}

/// It reported "loaded already", which is true: perhaps with the previous plist.
#[test]
fn an_old_definition_in_the_way_is_removed() {
    for code in [5, 17, 37] {
        let mac = Mac::new();
        mac.faults(&format!("bootstrap {code}! 1\n"));
        mac.installed();
        assert_eq!(mac.changes(), "enable bootstrap bootout enable bootstrap", "{code}");
        assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
    }
}

#[test]
fn a_refusal_names_its_cause_and_the_command_and_leaves_nothing() {
    let mac = Mac::new();
    let before = mac.files();
    let mut told = String::new();
    for fault in [
        "bootstrap 112 always",
        "bootstrap btm always",
        "bootstrap 119 always",
        "bootstrap 122 always",
        "bootstrap 125 always",
        "bootstrap 134 always",
        "bootstrap 155 always",
        "bootstrap 99 always",
    ] {
        mac.faults(fault);
        let init = mac.init();
        assert_eq!(init.code, 1, "{fault}: {init:#?}");
        assert_eq!(mac.files(), before, "{fault}");
        assert!(mac.job().is_none());
        told.push_str(&format!("— {fault}\n{}\n", refusal(&mac, &init)));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_user_without_a_screen_gets_the_other_domain_or_a_reason() {
    let mac = Mac::new();
    let user = mac.domain().replace("gui", "user");
    for code in [112, 125] {
        mac.faults(&format!("print {code} always {}\n", mac.domain()));
        let init = mac.init().code(0);
        assert!(init.out.contains(&format!("kept by launchd ({user})")), "{init:?}");
        mac.does(&["uninstall", "--yes"]);
    }
    mac.faults(&format!("print 125 always {}\nprint 112 always {user}\n", mac.domain()));
    let before = mac.files();
    let init = mac.init();
    assert_ne!(init.code, 0);
    assert_eq!(mac.files(), before);
    insta::assert_snapshot!(refusal(&mac, &init));
}

/// Both domains read the same plist; a job loaded in one is not known in the other.
#[test]
fn a_hub_loaded_over_ssh_is_found_in_its_domain_after_a_login_at_the_screen() {
    let mac = Mac::new();
    let user = mac.domain().replace("gui", "user");
    mac.faults(&format!("print 125 always {}\n", mac.domain()));
    mac.installed();
    mac.faults("");
    let status = mac.run(&["status"]).code(0);
    assert!(status.out.contains(&format!("launchd ({user}) says of {LABEL}: running")), "{status:?}");
    let pid = mac.pid();
    assert!(mac.init().code(0).out.contains("nothing to do"));
    assert_eq!(mac.pid(), pid);
    mac.does(&["restart"]);
    assert_eq!(mac.job().unwrap()["domain"], user);
    mac.does(&["stop"]);
    assert!(mac.job().is_none());
    mac.does(&["start"]);
    assert_eq!(mac.job().unwrap()["domain"], mac.domain());
    mac.does(&["uninstall", "--yes"]);
    assert!(mac.job().is_none());
}

/// Under launchd it exits with 0, or it would be restarted for ever: the plan must not take that for a running hub.
#[test]
fn a_hub_that_needs_the_user_is_reported_and_undone() {
    let mac = Mac::new();
    // A directory in the place of its token.
    std::fs::create_dir_all(mac.world.home().join("operator.token")).unwrap();
    mac.give();
    let init = mac.init();
    assert_eq!(init.code, 1, "{init:#?}");
    assert!(mac.job().is_none() && !mac.plist().exists(), "{init:#?}\n{:#?}", mac.job());
    // Seen by the start, by the check after it, or by the wait.
    let told = refusal(&mac, &init);
    let ways = ["ended at once with code 0", "it does not run", "it exited with code 0"];
    assert!(ways.iter().any(|way| told.contains(way)), "{told}");
    assert!(told.contains("hint: parachute logs hub"), "{told}");
    let log = mac.run(&["logs", "hub"]);
    assert!(log.out.contains("not started; it needs you to act first"), "{log:?}");
}

/// A loaded job would be started from the definition with which it was loaded.
#[test]
fn a_loaded_label_that_does_not_run_does_not_count_as_stopped() {
    let ended = |mac: &Mac| {
        mac.installed();
        mac.manager_does(&["kill", "TERM", &mac.target()]);
        until("it has ended", || mac.job().filter(|job| job["state"] == "NotRunning"));
    };
    let mac = Mac::new();
    ended(&mac);
    mac.does(&["stop"]);
    assert!(mac.job().is_none());
    mac.does(&["uninstall", "--yes"]);

    ended(&mac);
    std::fs::write(mac.world.home().join("hub.toml"), "[unit]\nenv = { FRESH = \"1\" }\n").unwrap();
    mac.give();
    mac.installed();
    assert_eq!(mac.job().unwrap()["environment"]["FRESH"], "1");

    mac.manager_does(&["kill", "TERM", &mac.target()]);
    until("it has ended", || mac.job().filter(|job| job["state"] == "NotRunning"));
    mac.does(&["uninstall", "--yes"]);
    assert!(mac.job().is_none());
}

#[test]
fn a_job_that_launchd_cannot_start_is_reported_with_its_code() {
    let mac = Mac::new();
    mac.installed();
    mac.does(&["stop"]);
    // The directory of its log is missing, so the log cannot be opened: EX_CONFIG of sysexits(3).
    std::fs::remove_dir_all(mac.world.home().join("hub/logs")).unwrap();
    let start = mac.run(&["start"]);
    assert_eq!(start.code, 1, "{start:#?}");
    assert!(start.err.contains("ended at once with code 78"), "{start:?}");
    let status = mac.run(&["status"]);
    assert!(status.out.contains(&format!("says of {LABEL}: failed (exit code 78)")), "{status:?}");
    // The plan creates the missing directory again.
    mac.installed();
    mac.does(&["start"]);
    assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
}

/// As macOS does with a program with a bad signature: there is no exit code then.
#[test]
fn a_hub_that_is_killed_at_once_is_reported() {
    let mac = Mac::new();
    mac.installed();
    mac.does(&["stop"]);
    let program = mac.world.home().join("bin/parachute");
    std::fs::remove_file(&program).unwrap();
    executable::write(&program, "#!/bin/sh\nkill -9 $$\n", 0o755);
    let start = mac.run(&["start"]);
    assert_eq!(start.code, 1, "{start:#?}");
    assert!(start.err.contains("ended at once") && start.err.contains("Killed: 9"), "{start:?}");
    assert!(start.err.contains("hint: parachute logs hub"), "{start:?}");
    // launchd keeps trying, and `init` finds the fault: the program is not the installed one.
    mac.installed();
    assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
}

#[test]
fn an_init_killed_at_any_step_is_undone_by_the_next_verb() {
    let mac = Mac::new();
    let before = mac.files();
    let mut killed = 0;
    for step in 1..=12 {
        // Steps that are already done cannot be killed, and the last numbers are beyond the end.
        let init = mac.init_with(&format!("kill-after {step}"));
        assert!([0, 128 + 9].contains(&init.code), "{init:#?}");
        killed += u32::from(init.code != 0);
        mac.does(&["uninstall", "--yes"]);
        assert!(mac.job().is_none() && !mac.plist().exists(), "step {step}");
        let left: Vec<String> = mac.files().into_iter().filter(|file| !before.contains(file)).collect();
        for ours in ["/person", "/bin", "/install"] {
            assert!(left.iter().all(|file| !file.contains(ours)), "step {step}: {left:#?}");
        }
    }
    assert!(killed > 6, "only {killed} steps");
}

#[test]
fn an_init_that_is_killed_is_finished_or_restarted_by_the_next() {
    for (fault, args) in [
        ("kill 8", ["init", "--resume"]),
        ("kill-after 8", ["init", "--resume"]),
        ("kill-after 8", ["init", "--yes"]),
    ] {
        let mac = Mac::new();
        // So that an override is part of the changes.
        mac.manager_does(&["disable", &mac.target()]);
        assert_eq!(mac.init_with(fault).code, 128 + 9);
        let port = mac.world.port().to_string();
        let mut next = args.to_vec();
        next.extend(["--port", &port]);
        mac.does(&next);
        assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
        mac.does(&["uninstall", "--yes"]);
        assert!(mac.job().is_none() && mac.overrides()[LABEL] == true, "{fault} {args:?}");
    }
}
