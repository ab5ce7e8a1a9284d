//! Converts the supervisor's snapshots to the API's types. Pure except for memory readings and module.json.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::api::wire::{
    FileProblem, HealthView, HubView, LegacyState, ModuleEntry, ModuleEvent, ModuleList, ModuleView, Ready,
    State, Status,
};
use crate::home::module_json;
use crate::home::paths::Home;
use crate::module::known;
use crate::module::manifest::Manifest;
use crate::module::row::Row;
use crate::module::timestamp::Timestamp;
use crate::process::path_helper::client::{NoAnswer, PathHelper};
use crate::process::path_helper::protocol::{Answer, Question};
use crate::process::table::Families;
use crate::supervisor::clock::moment;
use crate::supervisor::snapshot::{Change, Snapshot, StateWord};
use crate::supervisor::supervisor::Member;

use super::app::App;
use super::safe_mode;

fn state(word: StateWord) -> State {
    match word {
        StateWord::Starting => State::Starting,
        StateWord::Running => State::Running,
        StateWord::Stopped => State::Stopped,
        StateWord::Crashed => State::Crashed,
        StateWord::Restarting => State::Restarting,
    }
}

/// The original's state object.
#[must_use]
pub(crate) fn legacy(snapshot: &Snapshot) -> LegacyState {
    LegacyState {
        short: snapshot.short.to_string(),
        status: state(snapshot.word),
        pid: snapshot.pid,
        started_at: snapshot.started,
        restarts_in_window: snapshot.crashes,
        last_crash_at: snapshot.last_crash,
        last_exit_code: snapshot.last.and_then(|last| last.ended.code()),
        start_error: snapshot.problem.clone(),
    }
}

#[must_use]
pub(crate) fn event(change: &Change) -> ModuleEvent {
    let now = &change.now;
    ModuleEvent {
        seq: change.seq,
        at: change.at,
        short: now.short.to_string(),
        state: state(now.word),
        detail: now.detail.clone(),
        ready: now.ready,
        pid: now.pid,
        problem: now.problem.clone(),
    }
}

/// Readiness: modules that a user stopped are not waited for. Modules that the hub holds back (`safe`)
/// will not become ready without a user's action.
#[must_use]
pub(crate) fn ready(snapshots: &[Snapshot], safe: bool) -> Ready {
    let mut lists = Ready::default();
    for snapshot in snapshots.iter().filter(|snapshot| safe || !snapshot.stopped_on_purpose) {
        let name = snapshot.short.to_string();
        match snapshot.word {
            StateWord::Running if snapshot.ready => lists.ready_modules.push(name),
            StateWord::Running if snapshot.problem.is_some() => lists.persistent_modules.push(name),
            StateWord::Running | StateWord::Starting | StateWord::Restarting => {
                lists.transient_modules.push(name)
            }
            StateWord::Crashed | StateWord::Stopped => lists.persistent_modules.push(name),
        }
    }
    lists.ready = lists.transient_modules.is_empty() && lists.persistent_modules.is_empty();
    lists
}

/// Everything `status` shows. Memory is read from /proc for every process of every module: for a thousand modules that
/// takes most of 100 ms, in which the supervising thread would see no crash. `None`: the hub is ending.
pub(crate) async fn status(app: &App) -> Option<Status> {
    let app = app.clone();
    // The read is never cancelled and never panics; it fails only if the runtime ends.
    tokio::task::spawn_blocking(move || read_status(&app)).await.ok()
}

fn read_status(app: &App) -> Status {
    let now = moment();
    let families = Families::look();
    let modules = app.supervisor.members().iter().map(|member| module(member, &families, now.wall)).collect();
    let identity = &app.identity;
    let uptime = now.mono.saturating_duration_since(identity.since);
    let hub = HubView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        port: identity.port,
        host: identity.host.clone(),
        socket_held_by: identity.held_by.map(str::to_owned),
        home: app.home.root().display().to_string(),
        mode: identity.mode.clone(),
        started_at: identity.started,
        uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
        memory_bytes: memory(&[std::process::id()]),
        draining: app.supervisor.is_draining(),
        instance: identity.instance.clone(),
    };
    Status { hub, modules, problems: file_problems(app), notes: app.notes() }
}

/// One module as `status` shows it.
#[must_use]
pub(crate) fn one(member: &Member) -> ModuleView {
    module(member, &Families::look(), moment().wall)
}

fn memory(pids: &[u32]) -> Option<u64> {
    Some(crate::process::table::memory(pids)).filter(|bytes| *bytes > 0)
}

/// Problems of the hub and of files of the home.
#[must_use]
pub(crate) fn file_problems(app: &App) -> Vec<FileProblem> {
    let condition = app.supervisor.condition();
    let file = app.home.services().display().to_string();
    let broken = condition.broken.map(|message| FileProblem {
        next: Some(format!("repair {file}; it is read again when it changes")),
        file: file.clone(),
        row: None,
        message,
    });
    let rows = condition.issues.into_iter().map(|issue| FileProblem {
        file: file.clone(),
        row: issue.row,
        message: issue.message,
        next: issue.next,
    });
    let settings = app.supervisor.settings_broken().map(|message| {
        let file = app.home.settings().display().to_string();
        FileProblem { next: Some(format!("repair {file}")), file, row: None, message }
    });
    let hub_env = app.hub_env.refused().map(|refused| FileProblem {
        file: refused.path.display().to_string(),
        row: None,
        message: format!("{refused}; no module is started without it"),
        next: Some(refused.next),
    });
    let safe = app.boots.safe().map(|deaths| FileProblem {
        file: app.home.boots().display().to_string(),
        row: None,
        message: safe_mode::message(deaths),
        next: Some(safe_mode::NEXT.to_owned()),
    });
    safe.into_iter().chain(hub_env).chain(broken).chain(rows).chain(settings).collect()
}

fn module(member: &Member, families: &Families, now: Timestamp) -> ModuleView {
    let snapshot = member.snapshot();
    let row = &member.row;
    let pid = snapshot.pid;
    ModuleView {
        short: snapshot.short.to_string(),
        name: row.name.clone(),
        state: state(snapshot.word),
        detail: snapshot.detail,
        ready: snapshot.ready,
        pid,
        port: row.port,
        listens: snapshot.listens,
        version: row.version.clone(),
        url: snapshot.listens.then(|| known::address(&row.name, row.port, &row.paths)),
        install_dir: row.install_dir.as_ref().map(|dir| dir.display().to_string()),
        started_at: snapshot.started,
        uptime_ms: snapshot
            .started
            .filter(|_| snapshot.alive)
            .map(|at| u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX)),
        adopted: snapshot.adopted,
        restarts: snapshot.respawns,
        restarts_in_window: snapshot.crashes,
        memory_bytes: pid.and_then(|pid| memory(&families.of(pid))),
        health: snapshot.health.map(|health| HealthView {
            ok: health.ok,
            latency_us: health.latency.map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)),
            detail: health.detail,
            at: health.at,
        }),
        last_exit: snapshot.last.map(|last| last.ended),
        last_exit_at: snapshot.last.map(|last| last.at),
        problem: snapshot.problem,
    }
}

/// The original's module list: vault and scribe first, installed or not, then every other row.
pub(crate) async fn list(app: &App) -> ModuleList {
    let members = app.supervisor.members();
    let urls = management_urls(app.supervisor.paths(), &members).await;
    let by_short: BTreeMap<&str, &Member> = members.iter().map(|m| (m.short.as_str(), m)).collect();
    let entry = |short: &str, member| entry(short, member, urls.get(short).cloned());
    let curated = known::CURATED.iter().map(|short| entry(short, by_short.get(short).copied()));
    let others = members.iter().filter(|m| !known::CURATED.contains(&m.short.as_str()));
    let modules = curated.chain(others.map(|m| entry(m.short.as_str(), Some(m)))).collect();
    ModuleList { modules, supervisor_available: true, module_install_channel: "latest".to_owned() }
}

fn entry(short: &str, member: Option<&Member>, management_url: Option<String>) -> ModuleEntry {
    let known = known::by_short(short);
    let row = member.map(|member| &member.row);
    let snapshot = member.map(Member::snapshot);
    let display = row.and_then(|row| row.display_name.clone());
    ModuleEntry {
        short: short.to_owned(),
        package: known.map(|known| known.package.to_owned()),
        display_name: display.unwrap_or_else(|| capitalised(short)),
        tagline: row.and_then(|row| row.tagline.clone()),
        available: true,
        installed: row.is_some(),
        installed_version: row.map(|row| row.version.clone()),
        latest_version: None,
        supervisor_status: snapshot.as_ref().map(|s| state(s.word)),
        pid: snapshot.as_ref().and_then(|s| s.pid),
        supervisor_start_error: snapshot.and_then(|s| s.problem),
        install_dir: row.and_then(|row| row.install_dir.as_ref()).map(|dir| dir.display().to_string()),
        uis: row.map_or_else(Vec::new, uis),
        management_url,
    }
}

fn capitalised(short: &str) -> String {
    let mut chars = short.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Sub-units, snake_case, missing values null.
fn uis(row: &Row) -> Vec<Map<String, Value>> {
    let text = |value: &Option<String>| value.clone().map_or(Value::Null, Value::String);
    row.uis
        .iter()
        .map(|(name, ui)| {
            Map::from_iter([
                ("name".to_owned(), Value::String(name.clone())),
                ("display_name".to_owned(), Value::String(ui.display_name.clone())),
                ("path".to_owned(), Value::String(ui.path.clone())),
                ("tagline".to_owned(), text(&ui.tagline)),
                ("icon_url".to_owned(), text(&ui.icon_url)),
                ("version".to_owned(), text(&ui.version)),
                ("oauth_client_id".to_owned(), text(&ui.oauth_client_id)),
                ("status".to_owned(), ui.status.map_or(Value::Null, |s| Value::String(s.to_owned()))),
            ])
        })
        .collect()
}

/// Where a user manages each module, by short name. What lies on a file system that does not answer has none, and what
/// lies behind it is still looked at.
async fn management_urls(paths: &PathHelper, members: &[Member]) -> BTreeMap<String, String> {
    let (mut urls, mut silent) = (BTreeMap::new(), Vec::new());
    for Member { short, row, .. } in members {
        let Some(file) = row.install_dir.as_deref().map(Home::manifest) else { continue };
        if silent.iter().any(|place| file.starts_with(place)) {
            continue;
        }
        let asked = vec![Question::Read(file, u32::try_from(module_json::LIMIT).unwrap_or(u32::MAX))];
        match paths.ask(asked).await.map(|mut answers| answers.pop()) {
            Ok(Some(Answer::Read(Ok(Some(bytes))))) => {
                urls.extend(management_url(row, &bytes).map(|url| (short.to_string(), url)));
            }
            Err(NoAnswer::Silent { place, .. }) => silent.push(place),
            Ok(_) | Err(_) => {}
        }
    }
    urls
}

/// An unusable manifest gives none; the start reports the reason.
fn management_url(row: &Row, manifest: &[u8]) -> Option<String> {
    let manifest = Manifest::parse(manifest).ok()?;
    let url = manifest.management_url.or(manifest.ui_url)?;
    if !url.starts_with('/') {
        return Some(url);
    }
    let mount = row.paths.iter().find(|path| *path != "/.parachute" && !path.starts_with("/.parachute/"))?;
    let mount = mount.trim_end_matches('/');
    let under = url == mount || url.strip_prefix(mount).is_some_and(|rest| rest.starts_with('/'));
    Some(if under { url } else { format!("{mount}{url}") })
}
