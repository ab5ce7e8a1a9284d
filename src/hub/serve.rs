//! `parachute serve`, from the first signal handler to the last process gone.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::api::token;
use crate::home::definition::SpawnBase;
use crate::home::fs;
use crate::home::paths::Home;
use crate::home::registration::Occupied;
use crate::home::settings;
use crate::logs::stdout::StdoutSink;
use crate::logs::thread::Logs;
use crate::process::{group, ports};
use crate::supervisor::clock::moment;
use crate::supervisor::phase::Outcome;
use crate::supervisor::set::Supervisor;

use super::app::{App, Identity};
use super::demo::{self, Demo, DemoError};
use super::http::{accept, router};
use super::listen::{self, ListenError, Traces};
use super::notify::Notifier;
use super::shutdown::{Seat, Signals, Wish};
use super::watch::Watch;

/// The last lines of stopped modules may take this long to be written.
const LOG_FLUSH: Duration = Duration::from_secs(1);
/// Adopted orphans that ended are reaped this often.
const REAP: Duration = Duration::from_secs(5);
/// A token file larger than this is not one.
const MAX_TOKEN: u64 = 64 * 1024;

/// What `serve` was asked, and what it was started with.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The home, absolute.
    pub home: Home,
    /// `--port`.
    pub port: Option<u16>,
    /// `--host`.
    pub host: Option<String>,
    /// `--demo`.
    pub demo: bool,
    /// The environment the hub was started with.
    pub env: BTreeMap<OsString, OsString>,
    /// This binary.
    pub exe: PathBuf,
    /// Whether the process has a controlling terminal.
    pub has_terminal: bool,
}

/// Why a hub ended otherwise than by being asked to. `needs_person` maps to exit code 78, else 1.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The lock, the socket or the port cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// `PORT` or hub.toml cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The operator token cannot be read or created.
    #[error("the operator token {} cannot be used: {why}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The demo module cannot be added.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// The system refuses something every hub needs.
    #[error("{what}")]
    System {
        /// What.
        what: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Modules outlived the ordered stop.
    #[error("these modules could not be stopped: {}", .0.join(", "))]
    LeftBehind(Vec<String>),
}

impl ServeError {
    /// Whether starting again cannot help before a person has done something.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        match self {
            Self::Listen(_) | Self::Settings(_) | Self::Token { .. } | Self::Demo(_) => true,
            Self::System { .. } | Self::LeftBehind(_) => false,
        }
    }

    /// What to type next.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::Listen(ListenError::SecondHub { .. }) => "parachute status".to_owned(),
            Self::Listen(ListenError::PortBusy { pid: Some(pid), .. }) => {
                format!("stop it with `kill {pid}`, or choose another port: `parachute serve --port N`")
            }
            Self::Listen(ListenError::PortBusy { .. } | ListenError::Bind { .. }) => {
                "parachute serve --port N".to_owned()
            }
            Self::Listen(ListenError::Host(_)) => "parachute serve --host 127.0.0.1".to_owned(),
            Self::Listen(ListenError::SocketPath(_)) => {
                "choose a shorter home: `parachute --home DIR serve`".to_owned()
            }
            Self::Listen(ListenError::Home { path, .. }) | Self::Token { path, .. } => {
                format!("ls -ld {}", path.display())
            }
            Self::Settings(_) => "correct it, then `parachute serve`".to_owned(),
            Self::Demo(_) => "parachute remove demo".to_owned(),
            Self::System { .. } => "parachute serve".to_owned(),
            Self::LeftBehind(_) => "ps -ef".to_owned(),
        }
    }
}

/// Runs a hub until it is asked to stop.
///
/// # Errors
/// [`ServeError`].
pub fn run(options: ServeOptions) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ServeError::System { what: "the event loop cannot be started", source })?;
    runtime.block_on(serve(options))
}

async fn serve(options: ServeOptions) -> Result<(), ServeError> {
    let managed = manager(&options.env);
    let seat = match (managed, options.has_terminal) {
        (Some(_), _) => Seat::Managed,
        (None, true) => Seat::Terminal,
        (None, false) => Seat::Detached,
    };
    let system = |what| move |source| ServeError::System { what, source };
    let mut signals = Signals::install(seat).map_err(system("signal handlers cannot be installed"))?;
    let notifier = Notifier::from_env(&options.env);
    let started = moment();

    let home = options.home.clone();
    let lock = listen::lock(&home)?;
    let mut notes = Vec::new();
    if let Err(error) = group::become_subreaper() {
        notes.push(format!(
            "orphans cannot be adopted ({error}): escaped processes are found by their marks only"
        ));
    }
    let settings = read_settings(&home, &mut notes);
    let port = choose_port(&options, settings.port)?;
    let host = choose_host(&options, settings.host);
    let token = operator_token(&home)?;
    let socket = listen::socket(&home)?;
    let tcp = listen::tcp(&host, port)?;
    let port = tcp.local_addr().map_err(system("the port cannot be read back"))?.port();
    let (traces, written) = Traces::leave(&home, port);
    if let Err(error) = written {
        notes.push(error.to_string());
    }

    let sink = StdoutSink::of_this_process().map_err(system("standard output cannot be used"))?;
    let logs = Logs::start(sink).map_err(system("the log threads cannot be started"))?;
    let nonce = format!("{:016x}", fastrand::u64(..));
    let base = SpawnBase { hub_env: options.env.clone(), hub_port: port };
    let supervisor = Supervisor::new(home.clone(), base, logs.clone(), nonce.clone())
        .map_err(system("the ledger of running modules cannot be opened"))?;
    let (close, closing) = watch::channel(false);
    let (stop, mut stops) = mpsc::channel(1);
    let identity = Identity {
        port,
        host: host.clone(),
        mode: managed.map_or_else(|| "foreground".to_owned(), |manager| format!("managed by {manager}")),
        started: started.wall,
        since: started.mono,
        instance: nonce,
        token,
        uid: nix::unistd::getuid().as_raw(),
    };
    let uid = identity.uid;
    let app = App {
        home: home.clone(),
        identity: Arc::new(identity),
        supervisor: supervisor.clone(),
        logs: logs.clone(),
        notes: Arc::new(Mutex::new(notes)),
        closing: closing.clone(),
        stop,
    };
    let routes = router::build(app.clone());
    let on_socket = tokio::spawn(accept::socket(socket, routes.clone(), uid, closing.clone()));
    let on_tcp = tokio::spawn(accept::tcp(tcp, routes, closing));
    logs.hub_line(&format!("listening on http://{host}:{port}, home {}", home.root().display()));
    notifier.ready(&format!("listening on {host}:{port}"));

    // Only now may modules be touched.
    let demo = if options.demo {
        let listening = ports::occupied().map_err(|unsure| ServeError::System {
            what: "the ports in use cannot be read",
            source: std::io::Error::from_raw_os_error(unsure.errno),
        })?;
        let occupied = Occupied { listening: &listening, hub: port };
        Some(demo::add(&home, &options.exe, occupied)?)
    } else {
        None
    };
    let mut watch = Watch::begin(home.clone());
    supervisor.reload().await;
    say_problems(&app);
    for line in demo.iter().flat_map(Demo::lines) {
        logs.hub_line(&line);
    }
    let forgotten = supervisor.clone();
    tokio::spawn(async move { forgotten.end_forgotten().await });

    let mut beat = tokio::time::interval(notifier.watchdog().unwrap_or(REAP).min(REAP));
    let reason = loop {
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::Stop(reason) => break reason,
                Wish::Reload => {
                    notifier.reloading();
                    supervisor.reload().await;
                    say_problems(&app);
                    notifier.ready(&format!("listening on {host}:{port}"));
                }
            },
            Some(()) = stops.recv() => break "`parachute stop`",
            () = watch.changed() => {
                logs.hub_line("services.json changed");
                supervisor.reload().await;
                say_problems(&app);
            }
            _ = beat.tick() => {
                notifier.alive();
                supervisor.shared().reap_adopted();
            }
        }
    };

    logs.hub_line(&format!("stopping: {reason}"));
    notifier.stopping();
    let left = stop_modules(&supervisor, &mut signals, &notifier, &logs).await;
    if let Some(demo) = &demo
        && let Err(error) = demo::remove(&home, demo)
    {
        logs.hub_line(&format!("{error}"));
    }
    // Streams end before sockets go, so that an open follower delays nothing.
    let _ = close.send(true);
    let _ = on_socket.await;
    let _ = on_tcp.await;
    logs.hub_line("stopped");
    logs.shutdown(LOG_FLUSH).await;
    drop(traces);
    // Last: whoever takes it may bind at once.
    drop(lock);
    if left.is_empty() { Ok(()) } else { Err(ServeError::LeftBehind(left)) }
}

/// Stops all modules in parallel. Every actor bounds its own ending; meanwhile the manager is told that we live, and
/// a further signal that we have heard.
async fn stop_modules(
    supervisor: &Supervisor,
    signals: &mut Signals,
    notifier: &Notifier,
    logs: &Logs,
) -> Vec<String> {
    let ending = supervisor.shutdown();
    tokio::pin!(ending);
    let mut beat = tokio::time::interval(notifier.watchdog().unwrap_or(REAP));
    loop {
        tokio::select! {
            outcomes = &mut ending => {
                let stuck = outcomes.into_iter().filter(|(_, outcome)| !matches!(outcome, Outcome::Stopped { .. }));
                return stuck.map(|(short, _)| short.to_string()).collect();
            }
            _ = signals.next() => {
                let alive = supervisor.members().iter().filter(|m| m.snapshot().alive).count();
                logs.hub_line(&format!("already stopping; {alive} modules still run and are killed in time"));
            }
            _ = beat.tick() => notifier.alive(),
        }
    }
}

/// Who started us: systemd sets `INVOCATION_ID` (systemd.exec(5)), launchd sets `XPC_SERVICE_NAME` to the job's label
/// and to `0` in a terminal.
fn manager(env: &BTreeMap<OsString, OsString>) -> Option<&'static str> {
    let has = |name: &str| env.get(OsStr::new(name)).is_some_and(|value| !value.is_empty());
    let label = env.get(OsStr::new("XPC_SERVICE_NAME")).and_then(|value| value.to_str());
    if has("NOTIFY_SOCKET")
        || env.get(OsStr::new("SYSTEMD_EXEC_PID")).and_then(|v| v.to_str())
            == Some(&std::process::id().to_string())
    {
        Some("systemd")
    } else if label.is_some_and(|label| label.starts_with("computer.parachute.")) {
        Some("launchd")
    } else {
        None
    }
}

/// Broken settings must not keep the modules down: defaults serve until they are repaired, and `status` says so.
fn read_settings(home: &Home, notes: &mut Vec<String>) -> settings::Hub {
    match settings::read(home) {
        Ok(settings) => settings.hub,
        Err(error) => {
            notes.push(error.to_string());
            settings::Hub::default()
        }
    }
}

fn choose_port(options: &ServeOptions, from_settings: Option<NonZeroU16>) -> Result<u16, ServeError> {
    if let Some(port) = options.port {
        return Ok(port);
    }
    let given = options.env.get(OsStr::new("PORT")).filter(|value| !value.is_empty());
    match given {
        Some(text) => {
            match text.to_str().and_then(|text| text.parse::<u16>().ok()).filter(|port| *port > 0) {
                Some(port) => Ok(port),
                None => Err(ServeError::Settings(format!(
                    "PORT={} is not a port: use 1 to 65535",
                    text.to_string_lossy()
                ))),
            }
        }
        None => Ok(from_settings.map_or(crate::module::port::HUB, NonZeroU16::get)),
    }
}

fn choose_host(options: &ServeOptions, from_settings: Option<IpAddr>) -> String {
    let from_env = options.env.get(OsStr::new("PARACHUTE_BIND_HOST")).filter(|value| !value.is_empty());
    let from_env = from_env.map(|value| value.to_string_lossy().into_owned());
    options
        .host
        .clone()
        .or(from_env)
        .or(from_settings.map(|ip| ip.to_string()))
        .unwrap_or_else(|| "127.0.0.1".to_owned())
}

/// The token that is there, or a new one. One of the original hub is an opaque secret like any other.
fn operator_token(home: &Home) -> Result<String, ServeError> {
    let path = home.operator_token();
    let fail = |why: String| ServeError::Token { path: path.clone(), why };
    if let Some(bytes) = fs::read_if_there(&path, MAX_TOKEN).map_err(|e| fail(e.to_string()))? {
        let text = String::from_utf8_lossy(&bytes);
        if let Some(token) = token::from_file(&text) {
            fs::set_mode(&path, fs::PRIVATE).map_err(|e| fail(e.to_string()))?;
            return Ok(token);
        }
        if !text.trim().is_empty() {
            return Err(fail(
                "it holds something that is not a token; delete it to get a new one".to_owned(),
            ));
        }
    }
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|e| fail(e.to_string()))?;
    let token = token::generate(random);
    fs::put(&path, fs::PRIVATE, format!("{token}\n").as_bytes()).map_err(|e| fail(e.to_string()))?;
    Ok(token)
}

fn say_problems(app: &App) {
    for problem in super::views::file_problems(app) {
        app.logs.hub_line(&problem.message);
    }
}
