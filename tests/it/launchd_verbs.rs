//! The verbs of an installation under launchd: the real binary against the model of `tests/fixture/launchctl.rs`.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::support::mac::{LABEL, Mac};
use crate::support::{eventually, processes, until};

fn kill(pid: u32) {
    nix::sys::signal::kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
}

#[test]
fn a_hub_is_installed_once_and_status_queries_launchd() {
    let mac = Mac::new();
    mac.module("web", &[]);
    let init = mac.init().code(0);
    assert!(init.out.contains(&format!("kept by launchd ({})", mac.domain())), "{init:?}");
    assert!(init.out.contains("1 of 1 modules ready"), "{init:?}");
    // Nothing has to be booted out, and there is no second start after the one of `RunAtLoad`.
    assert_eq!(mac.changes(), "enable bootstrap");

    let plist = plist::Value::from_file(mac.plist()).unwrap().into_dictionary().unwrap();
    let mode = std::fs::metadata(mac.plist()).unwrap().permissions().mode();
    assert_eq!((plist["Label"].as_string(), mode & 0o777), (Some(LABEL), 0o644));
    let installed = mac.world.home().join("bin/parachute");
    assert_eq!(plist["ProgramArguments"].as_array().unwrap()[0].as_string(), installed.to_str());
    assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
    assert_eq!(mac.world.status()["hub"]["mode"], "managed by launchd");

    let status = mac.run(&["status"]).code(0);
    let says = format!("launchd ({}) says of {LABEL}: running\n", mac.domain());
    assert!(status.out.contains(&says), "{status:?}");
    assert!(
        status.out.contains("it does not come back (an agent stops at logout, and starts at login)"),
        "{status:?}"
    );
    let log = mac.run(&["logs", "hub"]).code(0);
    assert!(log.out.contains("listening on http://"), "{log:?}");

    mac.forget_calls();
    let (files, pid) = (mac.files(), mac.pid());
    let again = mac.init().code(0);
    assert!(again.out.contains("nothing to do: the hub runs"), "{again:?}");
    assert_eq!((mac.changes(), mac.pid()), (String::new(), pid));
    assert_eq!(mac.files().len(), files.len());
}

#[test]
fn a_stop_lasts_until_a_start_and_a_restart_gives_a_new_run() {
    let mac = Mac::new();
    mac.module("web", &[]);
    mac.installed();
    let first = mac.pid();

    mac.does(&["stop"]);
    // No waiting here: the verb has waited for it.
    assert!(mac.job().is_none() && processes::identity(first).is_none(), "{:?}", mac.job());
    mac.world.expect_no_processes();
    let status = mac.run(&["status"]);
    assert!(status.out.contains(&format!("says of {LABEL}: stopped (its plist is there")), "{status:?}");
    assert!(status.out.contains("an agent stops at logout, and starts at login"), "{status:?}");

    mac.does(&["start"]);
    let second = mac.pid();
    assert_eq!(mac.world.status()["hub"]["pid"], second);
    mac.does(&["start"]);
    assert_eq!(mac.pid(), second, "a running hub is not touched");

    mac.forget_calls();
    mac.does(&["restart"]);
    assert_eq!(mac.changes(), "bootout enable bootstrap");
    assert!(mac.pid() != second && processes::identity(second).is_none());
    assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
    mac.world.ready("web");
}

#[test]
fn launchd_starts_a_killed_hub_again_and_status_counts_it() {
    let mac = Mac::new();
    mac.module("web", &[]);
    mac.installed();
    let first = mac.pid();
    kill(first);
    let second = until("another life", || Some(mac.pid()).filter(|pid| *pid != first));
    mac.world.ready_soon("web");
    assert_eq!(mac.world.status()["hub"]["pid"], second);
    let status = mac.run(&["status"]).code(0);
    assert!(status.out.contains("running, restarted once"), "{status:?}");
    // A stop is not undone by `SuccessfulExit`, regardless of the sender of the signal.
    mac.manager_does(&["kill", "TERM", &mac.target()]);
    eventually("it has ended", || mac.job().is_some_and(|job| job["state"] == "NotRunning"));
    let status = mac.run(&["status"]);
    assert!(status.out.contains(": loaded, not running"), "{status:?}");
    mac.forget_calls();
    mac.does(&["start"]);
    assert_eq!(mac.changes(), "kickstart");
    assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
}

#[test]
fn an_installation_is_undone() {
    let mac = Mac::new();
    mac.module("web", &[]);
    let before = mac.files();
    mac.installed();
    let uninstall = mac.run(&["uninstall", "--yes"]).code(0);
    assert!(uninstall.out.contains("nothing is left of it"), "{uninstall:?}");
    assert!(mac.job().is_none() && !mac.plist().exists());
    mac.world.expect_no_processes();
    // The output of modules and the hub belongs to the user: it is deleted with the home.
    let left: Vec<String> = mac.files().into_iter().filter(|file| !before.contains(file)).collect();
    for ours in ["/person", "/bin", "/install", "plist"] {
        assert!(left.iter().all(|file| !file.contains(ours)), "{left:#?}");
    }
    assert_eq!(mac.launchctl(&["print", &mac.target()]).code, 113);
    assert_ne!(mac.overrides()[LABEL], true, "no override keeps the next one from starting");
    let again = mac.run(&["uninstall", "--yes"]).code(0);
    assert!(again.out.contains("nothing is installed"), "{again:?}");
    mac.installed();
    mac.does(&["uninstall", "--yes", "--purge"]);
    assert!(!mac.world.home().exists());
}

#[test]
fn an_override_of_the_user_is_removed_while_a_hub_is_installed() {
    let mac = Mac::new();
    mac.manager_does(&["disable", &mac.target()]);
    mac.installed();
    assert_eq!(mac.overrides()[LABEL], false);
    assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
    // Disabled from outside: the running hub keeps running, and `status` reports that the next login would not start
    // it.
    mac.manager_does(&["disable", &mac.target()]);
    let status = mac.run(&["status"]).code(0);
    assert!(status.out.contains("it does not come back"), "{status:?}");
    mac.forget_calls();
    let init = mac.init().code(0);
    assert_eq!(mac.changes(), "enable", "{init:?}");
    mac.does(&["uninstall", "--yes"]);
    assert_eq!(mac.overrides()[LABEL], true, "as before the installation");
    assert!(mac.job().is_none());
}

#[test]
fn an_installed_hub_that_was_not_started_is_loaded_by_a_start() {
    let mac = Mac::new();
    let port = mac.world.port().to_string();
    mac.does(&["init", "--yes", "--no-start", "--port", &port]);
    assert!(mac.plist().exists() && mac.job().is_none());
    assert_eq!(mac.changes(), "");
    let status = mac.run(&["status"]);
    assert!(status.out.contains(&format!("says of {LABEL}: stopped")), "{status:?}");
    mac.does(&["start"]);
    assert_eq!(mac.world.status()["hub"]["pid"], mac.pid());
}

#[test]
fn secrets_reach_modules_and_neither_the_plist_nor_launchd() {
    let mac = Mac::new();
    let dump = mac.world.file("person/dump");
    mac.module("web", &["--dump", dump.to_str().unwrap()]);
    let (env, secret) = (mac.world.home().join("hub.env"), "planted-secret-90cd");
    std::fs::write(&env, format!("API_KEY={secret}\n")).unwrap();
    std::fs::set_permissions(&env, std::fs::Permissions::from_mode(0o600)).unwrap();
    mac.give();
    mac.installed();
    assert!(std::fs::read_to_string(dump).unwrap().contains(secret));
    assert!(!std::fs::read_to_string(mac.plist()).unwrap().contains(secret));
    assert!(!mac.launchctl(&["print", &mac.target()]).code(0).out.contains(secret));
    // It belongs to the user, and stays.
    mac.does(&["uninstall", "--yes"]);
    assert!(env.exists());
}
