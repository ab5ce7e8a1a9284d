//! Takes what only one hub may have: the lock, the control socket, the port. In this order, before any module.

use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::PathBuf;

use tokio::net::{TcpListener, UnixListener};

use crate::home::fs;
use crate::home::lock::{Lock, LockError};
use crate::home::paths::Home;
use crate::process::ports;

/// `sun_path` holds 108 bytes on Linux and 104 on macOS, with the final NUL: unix(7), `sys/un.h`.
const MAX_SOCKET_PATH: usize = 103;

/// Why a hub cannot begin. A person must act on each of these: exit code 78.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another hub serves this home.
    #[error("another hub serves {}: {holder}", home.display())]
    SecondHub {
        /// The home.
        home: PathBuf,
        /// Who.
        holder: String,
    },
    /// Somebody listens on the port.
    #[error("port {port} on {host} is held by {holder}")]
    PortBusy {
        /// Host.
        host: String,
        /// Port.
        port: u16,
        /// Who.
        holder: String,
        /// Its pid, if this user may see it.
        pid: Option<u32>,
    },
    /// The address cannot be bound for another reason.
    #[error("cannot listen on {host}:{port}")]
    Bind {
        /// Host.
        host: String,
        /// Port.
        port: u16,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The host is not an IP address or `localhost`.
    #[error("{0:?} is not an address to listen on: use 127.0.0.1, ::1, 0.0.0.0 or another IP address")]
    Host(String),
    /// The home's path is too long for a socket.
    #[error("the control socket's path {} is longer than {MAX_SOCKET_PATH} bytes, the most a socket allows", .0.display())]
    SocketPath(PathBuf),
    /// Something in the home cannot be created.
    #[error("cannot use {}", path.display())]
    Home {
        /// What.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The lock of this home. Held for as long as the value lives.
///
/// # Errors
/// [`ListenError::SecondHub`], or the home cannot be written.
pub fn lock(home: &Home) -> Result<Lock, ListenError> {
    let run = home.run_dir();
    fs::make_dir(&run, fs::PRIVATE_DIR)
        .map_err(|error| ListenError::Home { path: run, source: std::io::Error::other(error) })?;
    let path = home.hub_lock();
    Lock::try_take(&path).map_err(|error| match error {
        LockError::Held { pid, .. } => ListenError::SecondHub {
            home: home.root().to_owned(),
            holder: pid.map_or_else(|| "its pid is unknown".to_owned(), |pid| format!("pid {pid}")),
        },
        other => ListenError::Home { path, source: std::io::Error::other(other) },
    })
}

/// The control socket. Whoever holds the lock owns the path: a socket that is still there is a dead hub's.
///
/// # Errors
/// The path is too long, or cannot be bound.
pub fn socket(home: &Home) -> Result<UnixListener, ListenError> {
    let path = home.socket();
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        return Err(ListenError::SocketPath(path));
    }
    let bind = || {
        fs::remove(&path).map_err(std::io::Error::other)?;
        let listener = StdUnixListener::bind(&path)?;
        fs::set_mode(&path, fs::PRIVATE).map_err(std::io::Error::other)?;
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener)
    };
    bind().map_err(|source| ListenError::Home { path: path.clone(), source })
}

/// The files that lead to a running hub: its socket, and its port for clients of the original. Dropping the value
/// removes them; drop it before the lock, so that nothing of a next hub is removed.
#[derive(Debug)]
pub struct Traces {
    home: Home,
}

impl Traces {
    /// Writes the port.
    ///
    /// # Errors
    /// The file cannot be written. The value is good all the same.
    pub fn leave(home: &Home, port: u16) -> (Self, Result<(), fs::FsError>) {
        let path = home.hub_port();
        let dir = path.parent().unwrap_or(home.root());
        let written = fs::make_dir(dir, fs::PRIVATE_DIR)
            .and_then(|()| fs::put(&path, 0o644, format!("{port}\n").as_bytes()));
        (Self { home: home.clone() }, written)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // What cannot be removed leads nowhere: a client that follows it finds nobody.
        let _ = fs::remove(&self.home.socket());
        let _ = fs::remove(&self.home.hub_port());
    }
}

/// The TCP listener.
///
/// # Errors
/// [`ListenError::PortBusy`] names the holder.
pub fn tcp(host: &str, port: u16) -> Result<TcpListener, ListenError> {
    let ip: IpAddr = match host {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        other => other.parse().map_err(|_| ListenError::Host(host.to_owned()))?,
    };
    let bind = || {
        let listener = StdTcpListener::bind(SocketAddr::new(ip, port))?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    bind().map_err(|source| {
        if source.kind() != std::io::ErrorKind::AddrInUse {
            return ListenError::Bind { host: host.to_owned(), port, source };
        }
        let holder = ports::holder(port).ok().flatten().map(|(holder, _)| holder);
        ListenError::PortBusy {
            host: host.to_owned(),
            port,
            pid: holder.as_ref().and_then(|holder| holder.pid),
            holder: holder.map_or_else(|| "a process that could not be found".to_owned(), |h| h.phrase()),
        }
    })
}
