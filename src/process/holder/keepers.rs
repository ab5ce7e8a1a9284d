//! Supervisors other than systemd and launchd: they restart a process that is killed. Pure.

use super::judge::Looks;
use crate::module::shell::quote as quoted;

/// How to make a supervisor stop a process.
#[derive(Clone, Copy)]
enum How {
    /// By the name in its first argument: text before it, and after it.
    Named(&'static str, &'static str),
    /// By its working directory.
    Directory(&'static str),
    /// By a command that lists its processes.
    Listed(&'static str),
    /// By a command that shows which container publishes this port.
    Published(&'static str),
    /// It has no command of its own.
    Seen,
}

/// By the first 15 bytes of the name, which is all that the kernel keeps (proc_pid_comm(5)).
const KEEPERS: [(&str, How); 24] = [
    ("circusd", How::Listed("circusctl status")),
    ("conmon", How::Listed("podman ps")),
    ("containerd", How::Published("docker")),
    ("containerd-shim", How::Published("docker")),
    ("dinit", How::Listed("dinitctl list")),
    ("docker-proxy", How::Published("docker")),
    ("dockerd", How::Published("docker")),
    ("god", How::Listed("god status")),
    ("horust", How::Listed("horustctl status")),
    ("inetd", How::Seen),
    ("monit", How::Listed("monit status")),
    ("perpd", How::Seen),
    ("podman", How::Listed("podman ps")),
    ("rootlessport", How::Listed("podman ps")),
    ("runit", How::Seen),
    ("runsv", How::Named("sv stop ", "")),
    ("runsvdir", How::Seen),
    ("s6-supervise", How::Directory("s6-svc -d ")),
    ("s6-svscan", How::Seen),
    ("supervise", How::Directory("svc -d ")),
    ("supervise-daemo", How::Named("rc-service ", " stop")),
    ("supervisord", How::Listed("supervisorctl status")),
    ("svscan", How::Seen),
    ("xinetd", How::Seen),
];

/// Sessions of users, which hold ports to forward them or to show something.
const SESSIONS: [&str; 9] =
    ["login", "mosh-server", "screen", "SCREEN", "sshd", "sshd-auth", "sshd-session", "tmux: server", "ttyd"];

/// The supervisor's name, and the command about its process on this port; `None`: it is no supervisor.
pub(super) fn tell(looks: &Looks, port: u16, sudo: &str) -> Option<(String, String)> {
    // PM2 sets its own title: "PM2 v5.3.0: God Daemon (/root/.pm2)".
    if looks.name.starts_with("PM2 v") {
        return Some(("pm2".to_owned(), "pm2 list".to_owned()));
    }
    let (name, how) = KEEPERS.iter().find(|(name, _)| is_called(looks, name))?;
    let seen = || format!("ps -fp {}", looks.pid);
    let tell = match how {
        How::Named(before, after) => match looks.argv.get(1).filter(|name| is_plain(name)) {
            Some(name) => format!("{sudo}{before}{name}{after}"),
            None => seen(),
        },
        How::Directory(command) => match &looks.cwd {
            Some(dir) => format!("{sudo}{command}{}", quoted(&dir.to_string_lossy())),
            None => seen(),
        },
        How::Listed(command) => format!("{command}     (shows what to stop)"),
        How::Published(docker) => {
            format!("{docker} ps --filter publish={port}     (the container to stop)")
        }
        How::Seen => seen(),
    };
    Some(((*name).to_owned(), tell))
}

/// Whether it is a user's session.
pub(super) fn is_session(looks: &Looks) -> bool {
    SESSIONS.contains(&looks.name.as_str())
}

/// By the kernel's name of it, or by the program that it runs: `python3 /usr/bin/supervisord`.
fn is_called(looks: &Looks, name: &str) -> bool {
    let base =
        |word: &String| word.rsplit('/').next().unwrap_or_default().chars().take(15).collect::<String>();
    looks.name == name || looks.argv.iter().take(2).any(|word| base(word) == name)
}

/// A name that needs no quoting in a shell and is not an option.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_supervisor_has_a_command_that_stops_or_shows() {
        assert!(KEEPERS.iter().map(|(name, _)| name).is_sorted());
        assert!(KEEPERS.iter().all(|(name, _)| name.len() <= 15), "the kernel keeps 15 bytes");
        let keeper = |name: &str, argv: &[&str], cwd: Option<&str>| {
            let argv = argv.iter().map(|word| (*word).to_owned()).collect();
            let looks =
                Looks { pid: 7, name: name.to_owned(), argv, cwd: cwd.map(Into::into), ..Looks::default() };
            tell(&looks, 1939, "sudo ").map(|(_, tell)| tell)
        };
        for (name, argv, cwd, wanted) in [
            ("runsv", vec!["runsv", "web"], None, "sudo sv stop web"),
            ("runsv", vec!["runsv", "a; reboot"], None, "ps -fp 7"),
            ("supervise-daemo", vec!["supervise-daemon", "web", "--start"], None, "sudo rc-service web stop"),
            (
                "s6-supervise",
                vec!["s6-supervise", "web"],
                Some("/run/service/web"),
                "sudo s6-svc -d /run/service/web",
            ),
            ("s6-supervise", vec!["s6-supervise", "web"], None, "ps -fp 7"),
            (
                "python3",
                vec!["python3", "/usr/bin/supervisord"],
                None,
                "supervisorctl status     (shows what to stop)",
            ),
            ("PM2 v5.3.0: God", vec!["PM2 v5.3.0: God Daemon (/r)"], None, "pm2 list"),
            ("docker-proxy", vec![], None, "docker ps --filter publish=1939     (the container to stop)"),
        ] {
            assert_eq!(keeper(name, &argv, cwd).as_deref(), Some(wanted), "{argv:?}");
        }
        assert_eq!(keeper("node", &["node", "server.js", "runsv"], None), None);
    }
}
