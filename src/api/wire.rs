//! The control API as types. Paths, methods and status codes are in `docs/api.md` and `hub::http::router`. Pure.
//!
//! Two formats share one server. The original's format (`GET /api/modules`, `POST /api/modules/<short>/<op>`,
//! camelCase `state`) is kept for its clients; [`Status`] and the events are our own and carry more.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::module::exit_status::ExitStatus;
pub use crate::module::failure::Failure;
use crate::module::problem::Problem;
use crate::module::timestamp::Timestamp;

/// The error body of every answer that is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// Stable code, snake_case: `unknown_module`, `unauthenticated`, …
    pub error: String,
    /// What happened and why, as text for the user.
    pub error_description: String,
    /// The next command to type, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /health`: liveness of the hub, public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`, or `degraded` if `problems` is not empty. The HTTP status is 200 in both cases: the hub runs.
    pub status: String,
    /// Always `parachute-hub`.
    pub service: String,
    /// Version of the hub.
    pub version: String,
    /// Random per start, so that a client can tell this hub from any other that answers on the port.
    pub instance: String,
    /// What is wrong with the hub and its files, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// `GET /api/ready`, public.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Both lists below are empty. Modules that a user stopped are in none of the lists.
    pub ready: bool,
    /// Modules that are ready.
    pub ready_modules: Vec<String>,
    /// Modules that are starting or restarting.
    pub transient_modules: Vec<String>,
    /// Modules that will not become ready without a user's action.
    pub persistent_modules: Vec<String>,
}

/// A module's state in one word, as the original spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Being checked or spawned for the first time.
    Starting,
    /// Its leader runs. `ready` tells whether it accepts requests yet.
    Running,
    /// A user stopped it; its group is empty and its port is free.
    Stopped,
    /// It will not restart by itself, or is blocked; the problem gives the reason.
    Crashed,
    /// It exited and will be started again, or a restart was requested.
    Restarting,
}

/// `state` in answers to start, stop and restart: the original's camelCase object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LegacyState {
    /// Short name.
    pub short: String,
    /// Its state.
    pub status: State,
    /// Present only while a leader runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Start time of the current leader, or of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Crashes inside the window, counted now.
    pub restarts_in_window: u32,
    /// Last crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_crash_at: Option<Timestamp>,
    /// Exit code of the last run, 128 + signal for a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit_code: Option<i32>,
    /// The current problem, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_error: Option<Problem>,
}

/// Answer to `POST /api/modules/<short>/start|restart|stop`. Always 200 if the module is known;
/// `ok` tells whether the request was fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpReply {
    /// Short name.
    pub short: String,
    /// Whether it is ready (start, restart), or its group is empty and its port free (stop).
    pub ok: bool,
    /// On stop only: whether a process was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<bool>,
    /// The state in the original's format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<LegacyState>,
    /// Why `ok` is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Last answer of a module's health path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthView {
    /// Whether it counts as alive.
    pub ok: bool,
    /// Round trip in microseconds; absent without an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// The answer: a status code or an error, as text.
    pub detail: String,
    /// When the request was sent.
    pub at: Timestamp,
}

/// One module as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleView {
    /// Short name.
    pub short: String,
    /// Row name in services.json.
    pub name: String,
    /// Its state.
    pub state: State,
    /// More detailed than `state`, as text: `ready`, `waiting for port 1940`, `stopping`, `backing off 2 s`, `blocked`
    /// …
    pub detail: String,
    /// Whether it accepts on its port and the listener is its own (or, for a worker, has run for a second).
    pub ready: bool,
    /// Leader's pid while it runs.
    pub pid: Option<u32>,
    /// Row's port.
    pub port: u16,
    /// `false`: a worker, the port is only reserved.
    pub listens: bool,
    /// Row's version, may be empty.
    pub version: String,
    /// Its address; absent for a worker.
    pub url: Option<String>,
    /// Row's installDir.
    pub install_dir: Option<String>,
    /// Start time of the current leader.
    pub started_at: Option<Timestamp>,
    /// Uptime of the current leader in milliseconds.
    pub uptime_ms: Option<u64>,
    /// Whether an earlier hub started the current leader and this one adopted it.
    #[serde(default)]
    pub adopted: bool,
    /// Automatic restarts since the hub started.
    pub restarts: u32,
    /// Crashes inside the window, counted now.
    pub restarts_in_window: u32,
    /// Resident memory of the leader and its descendants, bytes.
    pub memory_bytes: Option<u64>,
    /// Last health answer; absent unless a health check is configured.
    pub health: Option<HealthView>,
    /// How its last run ended.
    pub last_exit: Option<ExitStatus>,
    /// When its last run ended.
    pub last_exit_at: Option<Timestamp>,
    /// The current problem, if any.
    pub problem: Option<Problem>,
}

impl ModuleView {
    /// Whether it cannot be started until something outside of it changes; it is then started without being asked.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.state == State::Crashed && self.detail == crate::module::problem::BLOCKED
    }
}

/// The hub as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubView {
    /// Version.
    pub version: String,
    /// Pid.
    pub pid: u32,
    /// TCP port.
    pub port: u16,
    /// Bind host.
    pub host: String,
    /// The manager that holds the listening socket while no hub runs (`systemd`); absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket_held_by: Option<String>,
    /// Absolute path of the home.
    pub home: String,
    /// `foreground`, or `managed by systemd` / `managed by launchd`, according to the hub's environment.
    pub mode: String,
    /// Start time of this hub.
    pub started_at: Timestamp,
    /// Uptime in milliseconds.
    pub uptime_ms: u64,
    /// Resident memory of the hub itself, bytes.
    pub memory_bytes: Option<u64>,
    /// The hub is stopping: it starts no module any more.
    pub draining: bool,
    /// Same nonce as in [`Health`].
    pub instance: String,
}

/// `GET /api/status`: everything `parachute status` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The hub.
    pub hub: HubView,
    /// Modules in the order of services.json.
    pub modules: Vec<ModuleView>,
    /// Problems: safe mode, corrupt services.json, bad rows, unreadable settings.
    pub problems: Vec<FileProblem>,
    /// Harmless findings of the hub at its start, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A file of the home that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProblem {
    /// Path.
    pub file: String,
    /// Row or key inside it, if the rest is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// What is wrong and what follows from it (`the last good 3 modules keep running`).
    pub message: String,
    /// What to type or edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /api/modules/<short>/why`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The module's current state; absent if no hub runs (read from files).
    pub module: Option<ModuleView>,
    /// Its last failure, if there was one.
    pub failure: Option<Failure>,
}

/// Which stream a log line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// A line of the supervisor about this module.
    Hub,
}

/// One log line, as `logs` shows it and as an SSE `data:` carries it (`id:` is `seq`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Grows by one per line of a module while the hub runs; gaps mean dropped lines.
    pub seq: u64,
    /// When the hub read it.
    pub at: Timestamp,
    /// Stream.
    pub stream: Stream,
    /// It continues the previous line of the same stream, which was longer than 64 KiB.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
    /// The line without its newline; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// `GET /api/modules/<short>/logs` without `follow`: `short`, `lines` and `text` as in the original, plus `entries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogReply {
    /// Short name.
    pub short: String,
    /// Prefixed lines, without newline.
    pub lines: Vec<String>,
    /// The same joined, each with its newline.
    pub text: String,
    /// The lines with time and stream. `seq` is 0 in those that were read from files.
    pub entries: Vec<LogLine>,
}

/// One state change, an SSE event `module` of `GET /api/events` (`id:` is `seq`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleEvent {
    /// Grows by one per event of a hub.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Short name.
    pub short: String,
    /// New state.
    pub state: State,
    /// More detailed state.
    pub detail: String,
    /// Ready.
    pub ready: bool,
    /// Leader's pid while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The current problem, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// One entry of `GET /api/modules`, as in the original (nulls are explicit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModuleEntry {
    /// Short name.
    pub short: String,
    /// npm package of a known module, else null.
    pub package: Option<String>,
    /// Display name.
    pub display_name: String,
    /// Tagline.
    pub tagline: Option<String>,
    /// Always true: every listed module can be controlled.
    pub available: bool,
    /// Whether services.json has a row.
    pub installed: bool,
    /// Row's version.
    pub installed_version: Option<String>,
    /// Always null: the hub queries no registry.
    pub latest_version: Option<String>,
    /// Its state, null if never supervised.
    pub supervisor_status: Option<State>,
    /// Leader's pid.
    pub pid: Option<u32>,
    /// The current problem.
    pub supervisor_start_error: Option<Problem>,
    /// Row's installDir.
    pub install_dir: Option<String>,
    /// Sub-units of the row, snake_case, missing values null.
    pub uis: Vec<Map<String, Value>>,
    /// Where a user manages it.
    pub management_url: Option<String>,
}

/// `GET /api/modules`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModuleList {
    /// vault and scribe first, then every other row in file order.
    pub modules: Vec<ModuleEntry>,
    /// Always true.
    pub supervisor_available: bool,
    /// Always `latest`.
    pub module_install_channel: String,
}
