//! `uninstall --purge` under a real systemd, with mounts, and against directories that were never a home.

use serde_json::Value;

use crate::lab::{FIXTURE, Lab};

const HOME: &str = "/home/lab/.parachute";
/// A directory tree of another program that only has an entry named `run`.
const APP: &str = "mkdir -p /opt/app/run /opt/app/src && echo theirs > /opt/app/src/data;";

/// All names below a directory with their contents, as one text.
fn tree(lab: &Lab, dir: &str) -> String {
    let script = "cd \"$1\" && find . -mindepth 1 -printf '%p %y %m %l\\n' | sort && find . -type f -exec sha256sum {} + | sort";
    lab.exec(&crate::lab::Who::Root, script, &[dir], b"").code(0).out
}

#[test]
fn a_directory_that_was_never_a_home_is_never_deleted() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.root(APP).code(0);
    let app = tree(&lab, "/opt/app");
    let purge = "--home /opt/app uninstall --purge --yes --user root --scope system";
    for dry in ["", " --dry-run"] {
        let refused = lab.root(&format!("parachute {purge}{dry}")).code(78).err;
        assert!(refused.contains("/opt/app is not deleted: it has no mark file"), "{refused}");
        assert_eq!(tree(&lab, "/opt/app"), app);
    }

    // A hub that runs there does not make it ours.
    let _ = lab
        .root(
            "cd /; timeout -s INT 20 parachute --home /opt/app serve --port 2999 >/tmp/out & \
               until grep -q listening /tmp/out; do sleep 0.05; done; kill -INT $!; wait; true",
        )
        .code(0);
    let refused = lab.root(&format!("parachute {purge}")).code(78).err;
    assert!(refused.contains("it held other files when it was first used"), "{refused}");
    assert!(tree(&lab, "/opt/app").contains("./src/data"));

    // The installed hub belongs to another home: neither is touched.
    let _ = lab.root("parachute init --user root --yes").code(0);
    let refused = lab.root(&format!("parachute {purge}")).code(78).err;
    assert!(refused.contains("that of another home, /root/.parachute"), "{refused}");
    assert_eq!(lab.root("systemctl is-active parachute-hub.service").out.trim(), "active");
    assert!(tree(&lab, "/opt/app").contains("./src/data"));
}

#[test]
fn a_login_directory_is_refused_by_any_name() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.user("parachute init --yes && echo mine > ~/letter").code(0);
    let _ = lab.user("parachute uninstall --yes").code(0);
    for (home, why) in [
        ("~/.parachute/..", "/home/lab is a login directory"),
        ("~/.parachute/../../lab", "/home/lab is a login directory"),
        ("/home", "/home is a login directory"),
        ("/", "is a login directory"),
        ("~/link", "it is a symbolic link to /home/lab/.parachute"),
        ("~/link/", "it is a symbolic link to /home/lab/.parachute"),
    ] {
        let _ = lab.user("ln -sfn ~/.parachute ~/link").code(0);
        let refused = lab.user(&format!("parachute --home {home} uninstall --purge --yes")).code(78).err;
        assert!(refused.contains(why), "{home}: {refused}");
    }
    // The hint of the last one, typed.
    let hint = lab.user("parachute --home ~/link uninstall --purge --yes").code(78).err;
    let hint = hint.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap().to_owned();
    let shown = lab.user(&hint).code(0).out;
    assert!(shown.contains("deletes /home/lab/.parachute"), "{shown}");
    assert_eq!(lab.user("cat ~/letter").out, "mine\n");
}

#[test]
fn mounts_in_a_home_are_named_and_not_touched() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.user(&format!("parachute init --yes && parachute add web -- {FIXTURE} server")).code(0);
    let script = format!(
        "mkdir -p /srv/same /srv/deep {HOME}/web/same {HOME}/web/a/b/deep {HOME}/ram; echo 1 > /srv/same/f; \
         echo 2 > /srv/deep/g; echo 3 > /srv/file; touch {HOME}/web/onefile; chown -R lab {HOME}; \
         mount --bind /srv/same {HOME}/web/same; mount --bind /srv/deep {HOME}/web/a/b/deep; \
         mount --bind /srv/file {HOME}/web/onefile; mount -t tmpfs none {HOME}/ram; echo 4 > {HOME}/ram/h; \
         chown lab {HOME}/ram {HOME}/ram/h"
    );
    let _ = lab.root(&script).code(0);
    let before = tree(&lab, "/srv");
    let shown = lab.user("parachute uninstall --purge --dry-run").code(0).out;
    for mount in ["web/same", "web/a/b/deep", "web/onefile", "ram"] {
        assert!(shown.contains(&format!("{HOME}/{mount} is a mount point and is left")), "{shown}");
    }
    let said = lab.user("parachute uninstall --purge --yes").code(1).out;
    assert!(said.contains(&format!("{HOME}/web/same is a mount point")), "{said}");
    assert_eq!(tree(&lab, "/srv"), before);
    assert_eq!(lab.root(&format!("cat {HOME}/ram/h {HOME}/web/same/f")).out, "4\n1\n");
    let left =
        lab.root(&format!("find {HOME} -xdev -type f ! -path '*/same/*' ! -path '*/deep/*' | sort")).out;
    assert_eq!(left, format!("{HOME}/.parachute-home\n{HOME}/web/onefile\n"), "the mark goes last");

    // Unmounted, the same command finishes it.
    let _ = lab
        .root(&format!("umount {HOME}/ram {HOME}/web/same {HOME}/web/a/b/deep {HOME}/web/onefile"))
        .code(0);
    let said = lab.user("parachute uninstall --purge --yes").code(0).out;
    assert!(
        said.contains("nothing was installed\n") && said.contains("deleted /home/lab/.parachute"),
        "{said}"
    );
    assert_eq!(lab.root(&format!("ls -d {HOME} 2>&1 || true")).out.lines().count(), 1);
    assert_eq!(tree(&lab, "/srv"), before);

    // A home that is itself a mount is not a directory that we created.
    let script = format!("mkdir {HOME}; mount -t tmpfs none {HOME}; chown lab {HOME}");
    let _ = lab.root(&script).code(0);
    let refused = lab.user("parachute uninstall --purge --yes").code(78).err;
    assert!(refused.contains("it is the root of a file system or a mount point"), "{refused}");
}

#[test]
fn deleted_entries_are_listed_with_their_size_and_enter_alone_keeps_them() {
    let Some(lab) = Lab::up() else { return };
    let script = format!(
        "parachute init --yes && parachute add web -- {FIXTURE} server && head -c 1000000 /dev/zero > {HOME}/web/data"
    );
    let _ = lab.user(&script).code(0);
    let listed = format!("deletes {HOME}: ");
    let shown = lab.user("parachute uninstall --purge --dry-run").code(0).out;
    assert!(shown.contains(&listed) && shown.contains("web/") && shown.contains("services.json"), "{shown}");
    let json = lab.user("parachute uninstall --purge --dry-run --json").code(0).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["delete"]["bytes"].as_u64().unwrap() > 1_000_000, "{json}");
    assert_eq!(json["delete"]["path"], HOME);

    let asked = lab.user("printf '\\n' | script -qec 'parachute uninstall --purge' /dev/null").out;
    assert!(
        asked.contains(&listed) && asked.contains("[y/N") && asked.contains("nothing was changed"),
        "{asked}"
    );
    let _ = lab.user("parachute status").code(0);

    // A hub in the foreground uses it: refused before anything is undone.
    let _ = lab.user("parachute uninstall --yes").code(0);
    let shown = lab.user("parachute uninstall --purge --dry-run").code(0).out;
    assert!(shown.starts_with("nothing is installed\n") && shown.contains(&listed), "{shown}");
    let script = "parachute serve >/tmp/out 2>&1 & until parachute status >/dev/null; do sleep 0.05; done; \
                  parachute uninstall --purge --yes || echo rc=$?; parachute stop; wait; true";
    let refused = lab.user(script).code(0);
    assert!(refused.out.contains("rc=78") && refused.err.contains("a hub is using it (pid "), "{refused:?}");
    let said = lab.user("parachute uninstall --purge --yes").code(0).out;
    assert!(said.contains(&format!("deleted {HOME} (")), "{said}");
}

/// At every step of the plan, and while the home is deleted.
#[test]
fn a_purge_killed_anywhere_is_finished_by_the_next_one() {
    let Some(lab) = Lab::up() else { return };
    let before = lab.snapshot();
    let mut killed = 0;
    let faults = (1..=12).flat_map(|n| [format!("kill {n}"), format!("kill-after {n}")]);
    for fault in faults.chain([1, 2, 5, 9].map(|n| format!("kill-deleting {n}"))) {
        let _ = lab.user(&format!("parachute init --yes && parachute add web -- {FIXTURE} server")).code(0);
        let broken = lab.user(&format!("PARACHUTE_FAULT='{fault}' parachute uninstall --purge --yes"));
        killed += usize::from(broken.code == 137);
        // A standby may be undoing the plan right now.
        lab.eventually("the purge is finished", || {
            lab.user("parachute uninstall --purge --yes").code == 0
                && lab.root(&format!("test ! -e {HOME}")).code == 0
        });
        before.same_as(&lab.snapshot());
    }
    assert!(killed > 10, "only {killed} of the runs were killed");
}

/// `PARACHUTE_ROUNDS=1000` for the long form; `PARACHUTE_SEED` for other targets.
#[test]
fn random_targets_with_mounts_lose_only_marked_homes() {
    let Some(lab) = Lab::up() else { return };
    let rounds = std::env::var("PARACHUTE_ROUNDS").unwrap_or_else(|_| "60".to_owned());
    // Always the same seed, unless set: its targets include some of each kind.
    let seed = std::env::var("PARACHUTE_SEED").unwrap_or_else(|_| "7".to_owned());
    lab.write(&crate::lab::Who::Root, "/root/purge_random.sh", include_str!("purge_random.sh"));
    let said = lab.root(&format!("bash /root/purge_random.sh {rounds} {seed}")).code(0).out;
    let counts = said.lines().last().unwrap();
    assert!(counts.starts_with("bad=0 "), "seed {seed}: {said}");
    for none in ["gone=0 ", "left=0 "] {
        assert!(!counts.contains(none), "seed {seed}: {said}");
    }
}
