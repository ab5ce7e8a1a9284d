//! The control API as types. Paths, methods and status codes are in `docs/api.md` and `hub::http::router`.
//!
//! Two dialects share one server. The contract's shapes (`GET /api/modules`, `POST /api/modules/<short>/<op>`,
//! camelCase `state`) are kept for clients of the original; [`Status`] and the events are ours and carry more.

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
    /// What happened and why, for a person.
    pub error_description: String,
    /// The next command to type, if one helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /health`: liveness of the hub, public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`, or `degraded` when `problems` is not empty. The HTTP status is 200 in both cases: the hub lives.
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

/// `GET /api/ready`, public (contract A-97).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Both lists below are empty. Modules that somebody stopped are in none of the lists.
    pub ready: bool,
    /// Modules that are ready.
    pub ready_modules: Vec<String>,
    /// Modules on their way.
    pub transient_modules: Vec<String>,
    /// Modules that will not become ready without help.
    pub persistent_modules: Vec<String>,
}

/// A module's condition in one word, as the contract spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Being checked or spawned for the first time.
    Starting,
    /// Its leader lives. `ready` says whether it is of use yet.
    Running,
    /// Somebody asked for it, and its group is empty and its port free.
    Stopped,
    /// It will not come back by itself, or is blocked; the problem says why.
    Crashed,
    /// It ended and will be started again, or a restart was asked for.
    Restarting,
}

/// `state` in answers to start, stop and restart: the contract's camelCase object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LegacyState {
    /// Short name.
    pub short: String,
    /// The word.
    pub status: State,
    /// Present only while a leader lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Start of the running leader, or of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Crashes inside the window, counted now.
    pub restarts_in_window: u32,
    /// Last crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_crash_at: Option<Timestamp>,
    /// Exit code of the last end, 128 + signal for a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit_code: Option<i32>,
    /// What is wrong, if something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_error: Option<Problem>,
}

/// Answer to `POST /api/modules/<short>/start|restart|stop`. Always 200 when the module is known (contract A-117);
/// `ok` says whether what was asked for came true (W-P2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpReply {
    /// Short name.
    pub short: String,
    /// Whether it is ready (start, restart) or its group empty and its port free (stop).
    pub ok: bool,
    /// On stop only: whether there was something to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<bool>,
    /// The contract's state.
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
    /// Round trip in microseconds; absent if nothing answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// What it said: a status code or an error, in words.
    pub detail: String,
    /// When it was asked.
    pub at: Timestamp,
}

/// One module as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleView {
    /// Short name.
    pub short: String,
    /// Row name in services.json.
    pub name: String,
    /// Condition.
    pub state: State,
    /// Finer than `state`, for people: `ready`, `waiting for port 1940`, `stopping`, `backing off 2 s`, `blocked` …
    pub detail: String,
    /// Whether it accepts on its port and the listener is its own (or, for a worker, has lived a second).
    pub ready: bool,
    /// Leader's pid while it lives.
    pub pid: Option<u32>,
    /// Row's port.
    pub port: u16,
    /// `false`: a worker, the port is only reserved.
    pub listens: bool,
    /// Row's version, may be empty.
    pub version: String,
    /// Where to reach it; absent for a worker.
    pub url: Option<String>,
    /// Row's installDir.
    pub install_dir: Option<String>,
    /// Start of the running leader.
    pub started_at: Option<Timestamp>,
    /// Uptime in milliseconds of the running leader.
    pub uptime_ms: Option<u64>,
    /// Automatic respawns since the hub started.
    pub restarts: u32,
    /// Crashes inside the window, counted now.
    pub restarts_in_window: u32,
    /// Resident memory of the leader and its descendants, bytes.
    pub memory_bytes: Option<u64>,
    /// Last health answer; absent unless a health check is on.
    pub health: Option<HealthView>,
    /// How its last life ended.
    pub last_exit: Option<ExitStatus>,
    /// When its last life ended.
    pub last_exit_at: Option<Timestamp>,
    /// What is wrong, if something is.
    pub problem: Option<Problem>,
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
    /// Who holds the listening socket while no hub runs (`systemd`); absent: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket_held_by: Option<String>,
    /// Absolute path of the home.
    pub home: String,
    /// `foreground`, or `managed by systemd` / `managed by launchd` as the hub sees it from its environment.
    pub mode: String,
    /// Start of this hub.
    pub started_at: Timestamp,
    /// Uptime in milliseconds.
    pub uptime_ms: u64,
    /// Resident memory of the hub itself, bytes.
    pub memory_bytes: Option<u64>,
    /// The hub is stopping: nothing is started any more.
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
    /// What is wrong: safe mode, corrupt services.json, bad rows, unreadable settings.
    pub problems: Vec<FileProblem>,
    /// What this hub found at its start and what hinders nothing, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A file of the home that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProblem {
    /// Path.
    pub file: String,
    /// Row or key inside it, if the rest is fine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// What is wrong and what it means now (`the last good 3 modules keep running`).
    pub message: String,
    /// What to type or edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /api/modules/<short>/why`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The module as it is now; absent when the hub is down (read from files).
    pub module: Option<ModuleView>,
    /// Its last failure, if it ever failed.
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
    /// Grows by one per line of a module for as long as the hub lives; gaps mean dropped lines.
    pub seq: u64,
    /// When the hub read it.
    pub at: Timestamp,
    /// Stream.
    pub stream: Stream,
    /// It continues the line before it of the same stream, which was longer than 64 KiB.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
    /// The line without its newline; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// `GET /api/modules/<short>/logs` without `follow` (contract A-117: `short`, `lines`, `text`), plus `entries`.
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
    /// New condition.
    pub state: State,
    /// Finer condition.
    pub detail: String,
    /// Ready.
    pub ready: bool,
    /// Leader's pid while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What is wrong, if something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// One entry of `GET /api/modules` (contract A-111; nulls are explicit there).
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
    /// Always true: everything listed can be driven.
    pub available: bool,
    /// Whether services.json has a row.
    pub installed: bool,
    /// Row's version.
    pub installed_version: Option<String>,
    /// Always null: the hub asks no registry.
    pub latest_version: Option<String>,
    /// The word, null if never supervised.
    pub supervisor_status: Option<State>,
    /// Leader's pid.
    pub pid: Option<u32>,
    /// What is wrong.
    pub supervisor_start_error: Option<Problem>,
    /// Row's installDir.
    pub install_dir: Option<String>,
    /// Sub-units of the row, snake_case, missing values null.
    pub uis: Vec<Map<String, Value>>,
    /// Where a person manages it.
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
