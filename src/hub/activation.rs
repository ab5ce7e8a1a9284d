//! A listening socket that systemd holds and passes at each start, so that no client is refused during a restart of
//! the hub: sd_listen_fds(3), systemd.socket(5).
//!
//! The variables stay in the environment of the process; modules never get them (`module::env`), and the descriptors
//! are closed on exec.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

use super::fd_store;
use crate::error_chain::Hints;
use crate::module::name::Short;
use crate::process::inherited_fds;

/// The holder, as shown by `status`.
pub(crate) const HOLDER: &str = "systemd";

/// Names of the hub's own socket: that of its socket unit, which is the default, and the one that a user
/// may give it with `FileDescriptorName=`.
const NAMES: [&str; 2] = ["parachute-hub.socket", "hub"];

/// More descriptors than this do not come from a unit of ours.
const MOST: u16 = 1024;

/// What was passed.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// The hub's socket.
    pub socket: Option<Handed>,
    /// Read ends of modules' outputs, from the hub before.
    pub outputs: BTreeMap<Short, [Option<OwnedFd>; 2]>,
    /// One sentence each: what was passed and not used.
    pub notes: Vec<String>,
}

/// The socket that was passed.
#[derive(Debug)]
pub(crate) struct Handed {
    /// It listens, and does not block.
    pub listener: TcpListener,
    /// Its address.
    pub at: SocketAddr,
}

/// Why a passed descriptor cannot be used. A user must act on each of these.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActivationError {
    /// The variables contradict themselves.
    #[error("LISTEN_FDS={fds:?} and LISTEN_FDNAMES={names:?} name no usable sockets")]
    Announced {
        /// `LISTEN_FDS`.
        fds: String,
        /// `LISTEN_FDNAMES`.
        names: String,
    },
    /// The descriptors are not open.
    #[error("the sockets passed by systemd cannot be used")]
    Take(#[source] std::io::Error),
    /// The hub's descriptor is of another kind.
    #[error("the socket {name:?} passed by systemd cannot be used: {why}")]
    Unfit {
        name: String,
        /// What it is instead.
        why: String,
    },
    /// The command line asks for another address.
    #[error("{asked} was asked for, and the socket that systemd holds is {held}")]
    Elsewhere {
        /// `--port 2000`.
        asked: String,
        /// Its address.
        held: SocketAddr,
    },
}

impl Hints for ActivationError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Elsewhere { .. } => {
                "give the unit the socket's address, or change ListenStream= in `systemctl edit parachute-hub.socket`"
            }
            _ => "systemctl cat parachute-hub.socket   (with --user for a user unit)",
        };
        vec![hint.to_owned()]
    }
}

/// Takes the descriptors that were passed to this process: at most one socket is the hub's, outputs of modules were stored
/// by the hub before, others are closed, and each note names one. To be called once, before anything else is opened.
///
/// # Errors
/// [`ActivationError`].
pub(crate) fn take(env: &BTreeMap<OsString, OsString>, pid: u32) -> Result<Passed, ActivationError> {
    let names = announced(env, pid)?;
    if names.is_empty() {
        return Ok(Passed::default());
    }
    let count = u16::try_from(names.len()).unwrap_or(MOST);
    let descriptors = inherited_fds::take(count).map_err(ActivationError::Take)?;
    choose(names.into_iter().zip(descriptors))
}

/// The names of the descriptors that are for us, in order. `None`: it has no name (systemd-socket-activate(1) gives
/// none unless requested).
fn announced(env: &BTreeMap<OsString, OsString>, pid: u32) -> Result<Vec<Option<String>>, ActivationError> {
    let var = |name: &str| env.get(OsStr::new(name)).map(|value| value.to_string_lossy().into_owned());
    // Another pid: the variables were inherited from a process that was activated, and are not for us.
    if var("LISTEN_PID") != Some(pid.to_string()) {
        return Ok(Vec::new());
    }
    let Some(fds) = var("LISTEN_FDS") else { return Ok(Vec::new()) };
    let names = var("LISTEN_FDNAMES");
    let count = fds.parse::<u16>().ok().filter(|count| *count <= MOST).map(usize::from);
    let announced = match (count, &names) {
        (Some(count), None) => Some(vec![None; count]),
        (Some(0), Some(_)) => Some(Vec::new()),
        (Some(count), Some(names)) => {
            let names: Vec<_> = names.split(':').map(|name| Some(name.to_owned())).collect();
            (names.len() == count).then_some(names)
        }
        (None, _) => None,
    };
    announced.ok_or_else(|| ActivationError::Announced { fds, names: names.unwrap_or_default() })
}

fn choose(descriptors: impl Iterator<Item = (Option<String>, OwnedFd)>) -> Result<Passed, ActivationError> {
    let Passed { socket: mut chosen, mut outputs, mut notes } = Passed::default();
    for (name, fd) in descriptors {
        if let Some((short, place)) = name.as_deref().and_then(fd_store::output_of) {
            outputs.entry(short).or_default()[place] = Some(fd);
            continue;
        }
        let ours = name.as_ref().is_none_or(|name| NAMES.contains(&name.as_str()));
        let name = name.unwrap_or_else(|| "unknown".to_owned());
        // Dropping one closes it. systemd keeps its own.
        if !ours {
            notes.push(format!("systemd passed a socket {name:?}, which is not the hub's: closed"));
        } else if chosen.is_some() {
            notes.push(format!("systemd passed a second socket {name:?}: the hub uses one; closed"));
        } else {
            chosen = Some(check(fd).map_err(|why| ActivationError::Unfit { name, why })?);
        }
    }
    Ok(Passed { socket: chosen, outputs, notes })
}

/// The API listens on loopback only; otherwise a unit file alone could open it to the network.
fn check(fd: OwnedFd) -> Result<Handed, String> {
    match inherited_fds::accepts(fd.as_fd()) {
        Ok(true) => {}
        Ok(false) => return Err("it is not a listening stream socket (ListenStream=, Accept=no)".to_owned()),
        Err(error) => return Err(format!("it is not a socket: {error}")),
    }
    let listener = TcpListener::from(fd);
    // A Unix socket has no such address.
    let at = listener.local_addr().map_err(|_| "it is not a TCP socket".to_owned())?;
    if !at.ip().to_canonical().is_loopback() {
        return Err(format!(
            "it listens on {at}, which other machines can reach; use ListenStream=127.0.0.1:1939"
        ));
    }
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    Ok(Handed { listener, at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpStream, UdpSocket};
    use std::os::unix::net::UnixListener;

    fn names(pairs: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let env = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let names = announced(&env, 7).map_err(|error| error.to_string())?;
        Ok(names.into_iter().map(|name| name.unwrap_or_else(|| "-".to_owned())).collect())
    }

    #[test]
    fn announced_descriptors_and_their_process() {
        let us = ("LISTEN_PID", "7");
        assert_eq!(names(&[]).unwrap(), [""; 0]);
        assert_eq!(names(&[("LISTEN_FDS", "1")]).unwrap(), [""; 0], "no pid is named");
        assert_eq!(names(&[("LISTEN_PID", "8"), ("LISTEN_FDS", "1")]).unwrap(), [""; 0], "another process");
        assert_eq!(names(&[us]).unwrap(), [""; 0]);
        assert_eq!(names(&[us, ("LISTEN_FDS", "0"), ("LISTEN_FDNAMES", "")]).unwrap(), [""; 0]);
        assert_eq!(names(&[us, ("LISTEN_FDS", "2")]).unwrap(), ["-", "-"]);
        assert_eq!(names(&[us, ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "a:")]).unwrap(), ["a", ""]);
        for (fds, given) in [("-1", ""), ("x", ""), ("1025", ""), ("99999", ""), ("1", "a:b"), ("2", "a::")] {
            let error = names(&[us, ("LISTEN_FDS", fds), ("LISTEN_FDNAMES", given)]).unwrap_err();
            assert!(error.contains(&format!("LISTEN_FDS={fds:?}")), "{error}");
        }
    }

    fn tcp() -> OwnedFd {
        TcpListener::bind("127.0.0.1:0").unwrap().into()
    }

    fn chosen(handed: Vec<(Option<&str>, OwnedFd)>) -> Result<(Option<SocketAddr>, Vec<String>), String> {
        let handed = handed.into_iter().map(|(name, fd)| (name.map(str::to_owned), fd));
        let passed = choose(handed).map_err(|error| error.to_string())?;
        Ok((passed.socket.map(|socket| socket.at), passed.notes))
    }

    #[test]
    fn the_hubs_socket_is_taken_and_others_are_closed_with_a_note() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (socket, notes) =
            chosen(vec![(Some("syslog"), tcp()), (Some("hub"), listener.into()), (None, tcp())]).unwrap();
        assert_eq!(socket, Some(at));
        assert_eq!(
            notes,
            [
                "systemd passed a socket \"syslog\", which is not the hub's: closed",
                "systemd passed a second socket \"unknown\": the hub uses one; closed"
            ]
        );
        let outputs = [Some("log.web.err".to_owned()), Some("hub".to_owned())];
        let passed = choose(outputs.into_iter().zip([tcp(), tcp()])).unwrap();
        let web = &passed.outputs[&Short::new("web").unwrap()];
        assert!(web[0].is_none() && web[1].is_some() && passed.socket.is_some() && passed.notes.is_empty());
        let (socket, notes) = chosen(vec![(Some("stored"), tcp())]).unwrap();
        assert_eq!((socket, notes.len()), (None, 1), "the hub binds its own then");
    }

    #[test]
    fn only_a_listening_tcp_socket_on_loopback_is_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "test: a descriptor that is no socket")]
        let null = std::fs::File::open("/dev/null").unwrap();
        let kinds: [(OwnedFd, &str); 5] = [
            (UdpSocket::bind("127.0.0.1:0").unwrap().into(), "not a listening stream socket"),
            (client.into(), "not a listening stream socket"),
            (UnixListener::bind(dir.path().join("s")).unwrap().into(), "not a TCP socket"),
            (TcpListener::bind("0.0.0.0:0").unwrap().into(), "other machines can reach"),
            (null.into(), "not a socket: "),
        ];
        for (fd, said) in kinds {
            let error = chosen(vec![(Some("parachute-hub.socket"), fd)]).unwrap_err();
            assert!(error.contains("\"parachute-hub.socket\"") && error.contains(said), "{error}");
        }
    }
}
