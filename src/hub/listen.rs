//! Takes the exclusive resources of a hub: the lock, the control socket, the port. In this order, before any module.

use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::PathBuf;

use rustix::net::{AddressFamily, SocketType};
use tokio::net::{TcpListener, UnixListener};

use crate::home::fs;
use crate::home::lock::{self, Lock, LockError};
use crate::home::mark;
use crate::home::paths::Home;
use crate::process::holder::Occupant;
use crate::process::holder::look::{self, Asking};

use super::activation::{self, Handed};

/// `sun_path` holds 108 bytes on Linux and 104 on macOS, with the final NUL: unix(7), `sys/un.h`.
const MAX_SOCKET_PATH: usize = 103;

/// Why a hub cannot start. A user must act on each of these: exit code 78.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Another hub serves this home.
    #[error("another hub serves {}: {holder}", home.display())]
    SecondHub {
        home: PathBuf,
        /// The other hub.
        holder: String,
    },
    /// Another process listens on the port.
    #[error("port {port} on {host} is held by {}", who(occupant.as_deref()))]
    PortBusy {
        host: String,
        port: u16,
        /// The holder, if it is known.
        occupant: Option<Box<Occupant>>,
    },
    /// The address cannot be bound for another reason.
    #[error("cannot listen on {host}:{port}")]
    Bind {
        host: String,
        port: u16,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The host is not an IP address or `localhost`.
    #[error("{0:?} is not an address to listen on: use 127.0.0.1, ::1, 0.0.0.0 or another IP address")]
    Host(String),
    /// The home's path is too long for a socket.
    #[error("the control socket's path {} is longer than {MAX_SOCKET_PATH} bytes, the most a socket allows", .0.display())]
    SocketPath(PathBuf),
    /// A file of the home cannot be created.
    #[error("cannot use {}", path.display())]
    Home {
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

/// The lock of this home, held until the value is dropped.
///
/// # Errors
/// [`ListenError::SecondHub`], or the home cannot be written.
pub(crate) fn lock(home: &Home) -> Result<Lock, ListenError> {
    // A hub runs without a mark too: `uninstall --purge` refuses then.
    let _ = mark::ensure(home);
    let run = home.run_dir();
    fs::make_dir(&run, fs::PRIVATE_DIR)
        .map_err(|error| ListenError::Home { path: run, source: std::io::Error::other(error) })?;
    let path = home.hub_lock();
    Lock::try_take(&path).map_err(|error| match error {
        LockError::Held { pid, .. } => held_by(home, pid),
        other => ListenError::Home { path, source: std::io::Error::other(other) },
    })
}

fn held_by(home: &Home, pid: Option<u32>) -> ListenError {
    ListenError::SecondHub {
        home: home.root().to_owned(),
        holder: pid.map_or_else(|| "its pid is unknown".to_owned(), |pid| format!("pid {pid}")),
    }
}

/// Names the hub that serves this home, from the content of its lock.
#[must_use]
pub(crate) fn second_hub(home: &Home) -> ListenError {
    held_by(home, lock::written_pid(&home.hub_lock()))
}

/// Whether the control socket's path is short enough.
///
/// # Errors
/// [`ListenError::SocketPath`].
pub(crate) fn socket_fits(home: &Home) -> Result<(), ListenError> {
    let path = home.socket();
    if path.as_os_str().len() > MAX_SOCKET_PATH { Err(ListenError::SocketPath(path)) } else { Ok(()) }
}

/// The control socket. The holder of the lock owns the path: an existing socket is that of a hub that has ended.
///
/// # Errors
/// The path is too long, or cannot be bound.
pub(crate) fn socket(home: &Home) -> Result<UnixListener, ListenError> {
    socket_fits(home)?;
    let path = home.socket();
    let bind = || {
        fs::remove(&path).map_err(std::io::Error::other)?;
        let listener = StdUnixListener::bind(&path)?;
        fs::set_mode(&path, fs::PRIVATE).map_err(std::io::Error::other)?;
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener)
    };
    bind().map_err(|source| ListenError::Home { path: path.clone(), source })
}

/// The files by which clients find a running hub: its socket, and its port for clients of the original. Dropping the
/// value removes them; drop it before the lock, so that no file of a next hub is removed.
#[derive(Debug)]
pub(crate) struct Traces {
    home: Home,
}

impl Traces {
    /// Writes the port.
    ///
    /// # Errors
    /// The file cannot be written. The value is usable all the same.
    pub(crate) fn leave(home: &Home, port: u16) -> (Self, Result<(), fs::FsError>) {
        let path = home.hub_port();
        let dir = path.parent().unwrap_or(home.root());
        let written = fs::make_dir(dir, fs::PRIVATE_DIR)
            .and_then(|()| fs::put(&path, 0o644, format!("{port}\n").as_bytes()));
        (Self { home: home.clone() }, written)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // A file that cannot be removed is harmless: a client that follows it finds no listener.
        let _ = fs::remove(&self.home.socket());
        let _ = fs::remove(&self.home.hub_port());
    }
}

fn who(occupant: Option<&Occupant>) -> String {
    occupant.map_or_else(|| "a process that cannot be found".to_owned(), Occupant::words)
}

fn tcp(home: &Home, host: &str, port: u16) -> Result<TcpListener, ListenError> {
    let ip = address(host)?;
    let bind = || {
        let listener = StdTcpListener::bind(SocketAddr::new(ip, port))?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    bind().map_err(|source| refused(home, host, port, source))
}

/// Whether [`Door::bind`] would succeed now. Listens on nothing.
///
/// # Errors
/// As there.
pub(crate) fn could_bind(home: &Home, host: &str, at: SocketAddr) -> Result<(), ListenError> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let bind = || {
        let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
        // As std does it: a socket in TIME_WAIT is not a holder.
        rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &at)
    };
    bind().map_err(|errno| refused(home, host, at.port(), errno.into()))
}

fn refused(home: &Home, host: &str, port: u16, source: std::io::Error) -> ListenError {
    if source.kind() == std::io::ErrorKind::AddrInUse {
        busy(home, host, port)
    } else {
        ListenError::Bind { host: host.to_owned(), port, source }
    }
}

/// Names the holder of the port.
fn busy(home: &Home, host: &str, port: u16) -> ListenError {
    let asking = Asking { detached: lock::written_pid(&home.older_pidfile()), ..Asking::about(home.root()) };
    let occupant = look::occupant(port, &asking).ok().flatten().map(Box::new);
    ListenError::PortBusy { host: host.to_owned(), port, occupant }
}

/// The address of a host.
///
/// # Errors
/// [`ListenError::Host`].
pub(crate) fn address(host: &str) -> Result<IpAddr, ListenError> {
    match host {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        other => other.parse().map_err(|_| ListenError::Host(host.to_owned())),
    }
}

/// The TCP listener of a hub, and the facts shown about it.
#[derive(Debug)]
pub(crate) struct Door {
    /// The listening socket.
    pub tcp: TcpListener,
    /// Bind host, as requested.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The manager that holds the socket while no hub runs; `None`: none, it ends with this hub.
    pub held_by: Option<&'static str>,
}

impl Door {
    /// The socket that was passed.
    ///
    /// # Errors
    /// It cannot be registered with the runtime.
    pub(crate) fn handed(socket: Handed) -> Result<Self, ListenError> {
        let (host, port) = (socket.at.ip().to_string(), socket.at.port());
        match TcpListener::from_std(socket.listener) {
            Ok(tcp) => Ok(Self { tcp, host, port, held_by: Some(activation::HOLDER) }),
            Err(source) => Err(ListenError::Bind { host, port, source }),
        }
    }

    /// A socket of our own.
    ///
    /// # Errors
    /// [`ListenError::PortBusy`] names the holder.
    pub(crate) fn bind(home: &Home, host: &str, port: u16) -> Result<Self, ListenError> {
        let tcp = tcp(home, host, port)?;
        let host = host.to_owned();
        match tcp.local_addr() {
            Ok(at) => Ok(Self { tcp, host, port: at.port(), held_by: None }),
            Err(source) => Err(ListenError::Bind { host, port, source }),
        }
    }

    /// `127.0.0.1:1939`, and its holder.
    #[must_use]
    pub(crate) fn phrase(&self) -> String {
        let held = self.held_by.map_or_else(String::new, |holder| format!(" (socket held by {holder})"));
        format!("{}:{}{held}", self.host, self.port)
    }
}
