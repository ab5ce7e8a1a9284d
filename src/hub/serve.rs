//! `parachute serve`, from the first signal handler until the last process has ended.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use crate::error_chain;
use crate::home::definition::SpawnBase;
use crate::home::registration::Occupied;
use crate::logs::collector::LogCollector;
use crate::module::name::Short;
use crate::process::cgroup::{NoCgroups, UnitCgroup};
use crate::process::inherited_fds;
use crate::process::path_helper::client::{PathHelper, Starter};
use crate::process::this_process::heap;
use crate::process::{group, ports};
use crate::supervisor::clock::moment;
use crate::supervisor::output_keeper::{KeptOutputs, OutputKeeper};
use crate::supervisor::supervisor::{Supervisor, SupervisorSetup};

use super::activation::{self, Handed, Passed};
use super::app::{App, Identity};
use super::boots::BootLog;
use super::demo::{self, Demo};
use super::fd_store::FdStore;
use super::http::{accept, router};
use super::hub_env::HubEnv;
use super::notify::Notifier;
use super::options::ServeOptions;
use super::resources::Resources;
use super::run_loop::RunLoop;
use super::serve_error::ServeError;
use super::signals::Signals;
use super::watch::Watch;
use super::{diagnostics, listen, log_filter, own_log, safe_mode};

/// How long the last lines of stopped modules may take to be written.
const LOG_FLUSH: Duration = Duration::from_secs(1);

/// Runs a hub until it is asked to stop.
///
/// # Errors
/// [`ServeError`].
pub(crate) fn run(options: ServeOptions) -> Result<(), ServeError> {
    inherited_fds::close_in_children();
    // First: the passed descriptors have numbers that anything opened before could have taken.
    let Passed { socket: handed, outputs, mut notes } = activation::take(&options.env, std::process::id())?;
    if !heap::settle() {
        notes.push("the allocator cannot be tuned: this hub may keep more memory than it uses".to_owned());
    }
    let (options, hub_env) = HubEnv::begin(options);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ServeError::System { what: "the event loop cannot be started", source })?;
    runtime.block_on(serve(options, hub_env, handed, outputs, notes))
}

async fn serve(
    options: ServeOptions,
    hub_env: HubEnv,
    handed: Option<Handed>,
    outputs: BTreeMap<Short, [Option<OwnedFd>; 2]>,
    mut notes: Vec<String>,
) -> Result<(), ServeError> {
    let system = |what| move |source| ServeError::System { what, source };
    let (service_manager, home) = (options.service_manager(), options.home.clone());
    let mut signals =
        Signals::install(options.seat()).map_err(system("signal handlers cannot be installed"))?;
    let notifier = Notifier::from_env(&options.env);
    let started = moment();

    let lock = listen::lock(&home)?;
    // As early as possible: what kills a hub before this is not counted.
    let (boots, note) = BootLog::begin(&home, service_manager, started.wall);
    notes.extend(note);
    if let Some(deaths) = boots.safe().filter(|deaths| !safe_mode::pause(*deaths).is_zero()) {
        let text = safe_mode::waiting(deaths);
        notifier.waiting(&text);
        notes.push(text);
        if signals.stops_within(safe_mode::pause(deaths)).await {
            boots.end_in_order();
            return Ok(());
        }
    }
    let Resources { lock, settings, token, socket, door, traces } =
        Resources::take(&options, lock, handed, &mut notes).inspect_err(|error| {
            // It is not started again, so it is no crash.
            if error.needs_person() {
                boots.end_in_order();
            }
        })?;
    let unit = match UnitCgroup::take(&options.env) {
        Ok(unit) => Some(unit),
        Err(NoCgroups::NotDelegated) => None,
        Err(error) => {
            notes.push(format!("modules get no cgroups of their own: {}", error_chain::of(&error)));
            None
        }
    };
    if let Err(error) = group::become_subreaper() {
        notes.push(format!(
            "orphans cannot be adopted ({error}): processes that leave their group are found by their environment only"
        ));
    }
    notes.extend(own_log::cut_manager_output(&home, service_manager));
    let logs = own_log::start(&options, &settings).map_err(system("the log threads cannot be started"))?;
    let (filter, note) = log_filter::of(&options.env);
    notes.extend(note);
    diagnostics::start(filter, logs.clone());
    debug!(
        pid = std::process::id(),
        mode = service_manager.mode(),
        version = env!("CARGO_PKG_VERSION"),
        "a hub begins"
    );
    if let Some(holder) = door.held_by {
        debug!(holder, host = door.host, port = door.port, "a socket was handed over and is used");
    }

    let starter = Starter::of_this_program().map_err(system("the hub's own program is unknown"))?;
    let paths = PathHelper::new(starter);
    // While it starts, the rest of the hub does.
    paths.warm();
    let nonce = format!("{:016x}", fastrand::u64(..));
    let base =
        SpawnBase { hub_env: options.env.clone(), reads_hub_env: hub_env.reads_as(), hub_port: door.port };
    let keeper = FdStore::of(&notifier).map(|store| Arc::new(store) as Arc<dyn OutputKeeper>);
    let setup = SupervisorSetup {
        home: home.clone(),
        base,
        logs: logs.clone(),
        nonce: nonce.clone(),
        unit,
        paths: paths.clone(),
        outputs: KeptOutputs { keeper, earlier: outputs },
    };
    let supervisor =
        Supervisor::new(setup).map_err(system("the ledger of running modules cannot be opened"))?;
    let (close, closing) = watch::channel(false);
    let (stop, mut stops) = mpsc::channel(1);
    let listening = door.phrase();
    let identity = Identity {
        port: door.port,
        host: door.host,
        held_by: door.held_by,
        mode: service_manager.mode().to_owned(),
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
        boots: boots.clone(),
        notes: Arc::new(Mutex::new(notes)),
        hub_env: Arc::new(hub_env),
        closing: closing.clone(),
        stop,
    };
    let routes = router::build(app.clone());
    let on_socket = tokio::spawn(accept::socket(socket, routes.clone(), uid, closing.clone()));
    let on_tcp = tokio::spawn(accept::tcp(door.tcp, routes, closing));
    info!(port = app.identity.port, "listening on http://{listening}, home {}", home.root().display());
    notifier.ready(&format!("listening on {listening}"));

    // Only now may modules be started or stopped.
    let demo = if options.demo {
        let listening = ports::occupied().map_err(|unknown| ServeError::System {
            what: "the ports in use cannot be read",
            source: std::io::Error::from_raw_os_error(unknown.errno),
        })?;
        let occupied = Occupied { listening: &listening, hub: door.port };
        Some(demo::add(&home, &options.exe, occupied)?)
    } else {
        None
    };
    if let Some(deaths) = boots.safe() {
        supervisor.hold();
        warn!("{}; {} leaves it", safe_mode::message(deaths), safe_mode::NEXT);
    }
    let watch = Watch::begin(home.clone(), app.hub_env.reads_as().is_some());
    let mut run_loop = RunLoop { app: &app, signals: &mut signals, notifier: &notifier, watch, listening };
    run_loop.begin().await;
    for line in demo.iter().flat_map(Demo::lines) {
        info!("{line}");
    }
    let reason = run_loop.until_asked_to_stop(&mut stops).await;

    info!("stopping: {reason}");
    // Before the modules end: a stop that takes too long is not a crash of the hub.
    boots.end_in_order();
    let left = run_loop.stop_modules().await;
    if let Some(demo) = &demo
        && let Err(error) = demo::remove(&home, demo)
    {
        warn!("{error}");
    }
    // Streams end before sockets close, so that an open follower delays nothing.
    let _ = close.send(true);
    let _ = on_socket.await;
    let _ = on_tcp.await;
    paths.close().await;
    finish(&logs).await;
    drop(traces);
    // Last: the next holder may bind at once.
    drop(lock);
    if left.is_empty() { Ok(()) } else { Err(ServeError::LeftBehind(left)) }
}

async fn finish(logs: &LogCollector) {
    info!("stopped");
    logs.shutdown(LOG_FLUSH).await;
}
