//! Properties that the other tests rely on.

use crate::host;
use crate::lab::{Lab, Who};

#[test]
fn a_command_runs_as_the_given_user() {
    let Some(lab) = Lab::up() else { return };
    let who = "echo $(id -un) ${XDG_RUNTIME_DIR-none} $HOME $(pwd) $(command -v parachute)";
    assert_eq!(lab.root(who).code(0).out, "root none /root /root /opt/parachute/parachute\n");
    let (user, none) = (lab.user(who).code(0).out, lab.no_session(who).code(0).out);
    assert!(
        user.starts_with("lab /run/user/")
            && user.ends_with("/home/lab /home/lab /opt/parachute/parachute\n")
    );
    assert_eq!(none, "lab none /home/lab /home/lab /opt/parachute/parachute\n");
    assert_eq!(lab.root("exit 7").code, 7);
}

#[test]
fn a_test_without_a_lab_says_that_it_is_skipped() {
    assert_eq!(host::skipped(None, "x", "no root"), Ok("SKIPPED x: no root\n".to_owned()));
    assert!(host::skipped(Some("required"), "x", "no root").is_err());
}

/// Tests of an installer rely on this: a change that is not seen here would not count as a trace there.
#[test]
fn a_snapshot_shows_what_changes_and_nothing_else() {
    let Some(lab) = Lab::up() else { return };
    lab.linger();
    let before = lab.snapshot();
    lab.reboot();
    lab.linger();
    before.same_as(&lab.snapshot());
    for (change, undo) in [
        ("touch /etc/systemd/system/a.service", "rm /etc/systemd/system/a.service"),
        ("chmod 600 /etc/systemd/system.conf", "chmod 644 /etc/systemd/system.conf"),
        ("mkdir -p /usr/local/lib/parachute", "rmdir /usr/local/lib/parachute"),
        ("ln -s x '/home/lab/a b'", "rm '/home/lab/a b'"),
        ("cp /etc/skel/.profile /tmp/p; echo >> /home/lab/.profile", "cp /tmp/p /home/lab/.profile"),
        ("loginctl enable-linger nobody", "loginctl disable-linger nobody"),
    ] {
        let _ = lab.root(change).code(0);
        assert!(!before.changes(&lab.snapshot()).is_empty(), "{change}");
        let _ = lab.root(undo).code(0);
        before.same_as(&lab.snapshot());
    }
    let unit = "/home/lab/.config/systemd/user/parachute-x.service";
    lab.write(&Who::NoSession("lab".to_owned()), unit, "[Service]\nExecStart=/bin/true\n");
    let changes = before.changes(&lab.snapshot()).join("\n");
    assert!(
        changes.contains("\n+parachute-x.service"),
        "the file, and the unit that its manager sees: {changes}"
    );
}
