//! Hints about the holder of a port, typed as shown: they free the port, or show the holder, and end nothing else.

use crate::hub::{Hub, SERVICE, SOCKET, Scope};
use crate::lab::{FIXTURE, Lab, PERSON, Who};
use crate::program::Outcome;

/// The hints, without remarks in brackets after five blanks.
fn hints(outcome: &Outcome) -> Vec<String> {
    let said = format!("{}{}", outcome.out, outcome.err);
    let hints = said.lines().filter_map(|line| line.trim_start().strip_prefix("hint: "));
    hints.map(|hint| hint.split("     (").next().unwrap().to_owned()).collect()
}

/// The output of `serve --check` for a taken port, as this user.
#[track_caller]
fn taken(lab: &Lab, who: &Who, env: &str) -> Outcome {
    let outcome = lab.run(who, &format!("{env} parachute serve --check")).code(78);
    assert!(!outcome.out.contains("kill"), "{outcome:?}");
    outcome
}

fn person() -> Who {
    Who::LoggedIn(PERSON.to_owned())
}

#[track_caller]
fn listens(lab: &Lab) {
    lab.eventually("it listens", || lab.root("grep -q ':0793 .* 0A ' /proc/net/tcp").code == 0);
}

#[track_caller]
fn is_free(lab: &Lab) {
    lab.eventually("the port is free", || lab.root("grep -q ':0793 .* 0A ' /proc/net/tcp").code == 1);
}

/// Reported by a user: the hint was `kill 82`, and 82 was the manager of all of that user's services.
#[test]
fn the_socket_of_our_unit_is_named_by_its_unit() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.user("parachute init --yes").code(0);
    let hub = Hub::new(&lab, Scope::User);
    hub.own_socket();
    let manager = lab.root("systemctl show -P MainPID user@$(id -u lab).service").code(0).out;
    assert_eq!(hub.systemctl(&format!("is-active {SOCKET}")).code, 0);

    let check = taken(&lab, &person(), "");
    assert!(
        check.out.contains("is held by parachute-hub.socket, the socket of the hub, in systemd (user)"),
        "{check:?}"
    );
    assert_eq!(hints(&check), ["parachute start"]);
    let serve = lab.user("parachute serve").code(78);
    assert!(!serve.err.contains("kill") && serve.err.contains("parachute-hub.socket"), "{serve:?}");
    assert_eq!(hints(&serve), ["parachute start", "parachute stop", "parachute serve --port N"]);
    let _ = lab.user(&hints(&serve)[0]).code(0);
    assert_eq!(lab.user("parachute status").code, 0);

    // Of another home of the same user: the hub while it runs, and its socket when it does not.
    let other = "PARACHUTE_HOME=/home/lab/other";
    assert_eq!(hints(&taken(&lab, &person(), other)), ["parachute --home /home/lab/.parachute stop"]);
    let _ = hub.systemctl(&format!("stop {SERVICE}")).code(0);
    let hint = hints(&taken(&lab, &person(), other));
    assert_eq!(hint, ["parachute --home /home/lab/.parachute stop"]);
    let _ = lab.user(&hint[0]).code(0);
    let _ = lab.user(&format!("{other} parachute serve --check")).code(0);
    let after = lab.root("systemctl show -P MainPID user@$(id -u lab).service").code(0).out;
    assert_eq!(after, manager, "the user's manager still runs");
}

#[test]
fn the_socket_of_the_system_unit_is_too() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.root("export SUDO_UID=$(id -u lab) HOME=/root; parachute init --yes").code(0);
    Hub::new(&lab, Scope::System).own_socket();
    let check = taken(&lab, &person(), "");
    assert!(
        check.out.contains("parachute-hub.socket, the socket of the hub, in systemd (system)"),
        "{check:?}"
    );
    assert_eq!(hints(&check), ["sudo parachute start"]);
    let of_another = taken(&lab, &person(), "PARACHUTE_HOME=/home/lab/other");
    assert!(of_another.out.contains("the hub of /home/lab/.parachute"), "{of_another:?}");
    let hint = hints(&taken(&lab, &Who::Root, "PARACHUTE_HOME=/srv/other"));
    assert_eq!(hint, ["parachute --home /home/lab/.parachute stop"]);
    let _ = lab.root(&hint[0]).code(0);
    is_free(&lab);
}

#[test]
fn a_manager_that_holds_the_port_for_another_unit_shows_which() {
    let Some(lab) = Lab::up() else { return };
    lab.linger();
    let socket = "[Socket]\nListenStream=127.0.0.1:1939\n";
    let service = "[Service]\nExecStart=/bin/true\n";
    for (dir, who, shows) in [
        ("/etc/systemd/system", Who::Root, "systemctl list-sockets"),
        ("/home/lab/.config/systemd/user", person(), "systemctl --user list-sockets"),
    ] {
        lab.write(&who, &format!("{dir}/door.socket"), socket);
        lab.write(&who, &format!("{dir}/door.service"), service);
        let user = if who == Who::Root { "" } else { "--user" };
        let _ = lab
            .run(&who, &format!("systemctl {user} daemon-reload; systemctl {user} start door.socket"))
            .code(0);
        let hint = hints(&taken(&lab, &who, "PARACHUTE_HOME=/tmp/other"));
        assert_eq!(hint, [shows]);
        let shown = lab.run(&who, &hint[0]).code(0).out;
        assert!(
            shown.lines().any(|line| line.contains("127.0.0.1:1939") && line.contains("door.socket")),
            "{shown}"
        );
        // Only root may see root's processes.
        let init = lab.user("parachute init --yes").code(78);
        let seen = if user == "--user" { shows } else { "sudo ss -ltnp 'sport = :1939'" };
        assert_eq!(hints(&init)[0], seen, "{init:?}");
        if user == "--user" {
            // Root reaches another user's manager by the user's name.
            let hint = hints(&taken(&lab, &Who::Root, "PARACHUTE_HOME=/srv/other"));
            assert_eq!(hint, ["systemctl --user --machine=lab@ list-sockets"]);
            assert!(lab.root(&hint[0]).code(0).out.contains("door.socket"));
        }
        let _ = lab.run(&who, &format!("systemctl {user} stop door.socket")).code(0);
    }
}

#[test]
fn a_process_of_a_unit_is_stopped_with_its_unit_and_others_by_pid() {
    let Some(lab) = Lab::up() else { return };
    lab.linger();
    let server = format!("-E PORT=1939 {FIXTURE} server");
    let _ = lab.root(&format!("systemd-run --unit stranger -p Restart=always {server}")).code(0);
    listens(&lab);
    assert_eq!(hints(&taken(&lab, &person(), "")), ["sudo ss -ltnp 'sport = :1939'"]);
    let hint = hints(&taken(&lab, &Who::Root, ""));
    assert_eq!(hint, ["systemctl stop stranger.service"]);
    let _ = lab.root(&hint[0]).code(0);
    is_free(&lab);

    let _ = lab.user(&format!("systemd-run --user --unit own -p Restart=always {server}")).code(0);
    listens(&lab);
    let of_root = hints(&taken(&lab, &Who::Root, ""));
    assert_eq!(of_root, ["systemctl --user --machine=lab@ stop own.service"]);
    let hint = hints(&taken(&lab, &person(), ""));
    assert_eq!(hint, ["systemctl --user stop own.service"]);
    let _ = lab.user(&hint[0]).code(0);
    is_free(&lab);

    // A process of a terminal.
    let login = lab.login();
    let start = format!("PORT=1939 setsid {FIXTURE} server >/dev/null 2>&1 </dev/null & echo $!");
    let _ = lab.user(&start).code(0);
    listens(&lab);
    let check = lab.user("parachute serve --check").code(78);
    let hint = hints(&check);
    assert!(hint[0].starts_with("kill "), "{check:?}");
    let _ = lab.user(&hint[0]).code(0);
    is_free(&lab);
    drop(login);
}
