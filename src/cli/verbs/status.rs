//! `parachute status`

use std::time::Duration;

use serde::Serialize;

use crate::api::client::ClientError;
use crate::api::wire::{FileProblem, HubView, ModuleView, State, Status};
use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::manager_view::{self, ManagerView};
use crate::cli::orphans::{self, Orphan};
use crate::cli::output::VerbOutput;
use crate::cli::{occupied, offer};
use crate::duration::uptime;
use crate::home::services;
use crate::ui::style::Style;
use crate::ui::table::{Cell, Table};
use crate::ui::text::{bytes, printable};

/// Show the hub and every module
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// The output while a hub runs.
#[derive(Debug, Serialize)]
struct Up {
    #[serde(flatten)]
    status: Status,
    /// The manager's view; null if this home has no installation.
    manager: Option<ManagerView>,
}

/// The output while no hub runs: from the files.
#[derive(Debug, Serialize)]
struct Down {
    /// Always null.
    hub: Option<HubView>,
    /// The manager's view; null if this home has no installation.
    manager: Option<ManagerView>,
    /// Detached daemons that run instead, in a sentence; absent: there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    older: Option<String>,
    /// Modules that run without a hub, in a sentence; absent: there are none, or it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<String>,
    /// Rows of services.json.
    modules: Vec<DownRow>,
    /// Problems of the home's files.
    problems: Vec<FileProblem>,
}

#[derive(Debug, Serialize)]
struct DownRow {
    short: String,
    name: String,
    port: u16,
    /// Its oldest process, if it runs without a hub.
    pid: Option<u32>,
}

/// Asks the hub, or reads the files if there is none.
///
/// # Errors
/// It is unknown whether a hub runs.
pub(crate) async fn run(cx: &Context, args: StatusArgs) -> Result<VerbOutput, CliError> {
    let client = cx.client();
    let (answer, manager) = tokio::join!(client.get::<Status>("/api/status"), manager_view::look(cx));
    match answer {
        Ok(mut status) => {
            for module in &mut status.modules {
                if let Some(problem) = &mut module.problem {
                    occupied::renew(cx, &module.short, problem);
                }
            }
            let kind = verdict(&status);
            let up = Up { status, manager };
            Ok(VerbOutput::report(args.json, &up, kind, || screen(&up.status, up.manager.as_ref(), cx.style)))
        }
        Err(ClientError::NoHub { .. }) => {
            let older = offer::older(cx).await.map(|daemons| offer::words(&daemons));
            let left = orphans::running(cx).await.unwrap_or_default();
            let down = Down { manager, older, ..from_disk(cx) }.with(&left);
            Ok(VerbOutput::report(args.json, &down, ExitKind::NotRunning, || down_screen(&down, cx.style)))
        }
        Err(error) => {
            let mut error = CliError::from(error);
            error.message = format!("cannot tell whether the hub is running: {}", error.message);
            Err(error)
        }
    }
}

/// Failing: a module that should be ready and needs the user's action, or a file that cannot be read.
fn verdict(status: &Status) -> ExitKind {
    let failing = |module: &ModuleView| {
        module.state == State::Crashed
            || (module.state == State::Running && !module.ready && module.problem.is_some())
    };
    let broken = status.problems.iter().any(|problem| problem.row.is_none());
    if broken || status.modules.iter().any(failing) { ExitKind::Failed } else { ExitKind::Done }
}

impl Down {
    /// Adds the modules that run without a hub.
    fn with(mut self, left: &[Orphan]) -> Self {
        for row in &mut self.modules {
            row.pid = left.iter().find(|left| left.short == row.short).map(|left| left.id.pid);
        }
        self.left = (!left.is_empty()).then(|| orphans::words(left));
        self
    }
}

fn from_disk(cx: &Context) -> Down {
    match services::read(&cx.home) {
        Ok(services) => Down {
            hub: None,
            manager: None,
            older: None,
            left: None,
            modules: services
                .rows
                .iter()
                .map(|(short, row)| DownRow {
                    short: short.to_string(),
                    name: row.name.clone(),
                    port: row.port,
                    pid: None,
                })
                .collect(),
            problems: services
                .problems
                .into_iter()
                .map(|issue| FileProblem {
                    file: cx.home.services().display().to_string(),
                    row: issue.row,
                    message: issue.message,
                    next: issue.next,
                })
                .collect(),
        },
        Err(error) => {
            let file = cx.home.services().display().to_string();
            let next = Some(format!("repair {file}"));
            Down {
                hub: None,
                manager: None,
                older: None,
                left: None,
                modules: Vec::new(),
                problems: vec![FileProblem { file, row: None, message: error.to_string(), next }],
            }
        }
    }
}

const HEAD: [&str; 9] = ["NAME", "STATE", "PID", "PORT", "READY", "UPTIME", "RESTARTS", "MEMORY", "HEALTH"];

fn screen(status: &Status, manager: Option<&ManagerView>, style: Style) -> String {
    let hub = &status.hub;
    let mut out = problems(&status.problems, style);
    for note in &status.notes {
        out.push_str(&format!("{} {}\n", style.warn("note:"), printable(note)));
    }
    let memory = hub.memory_bytes.map_or_else(String::new, |b| format!(", {}", bytes(b)));
    let held = hub.socket_held_by.as_deref();
    let held = held.map_or_else(String::new, |by| format!(" (socket held by {})", printable(by)));
    let draining = if hub.draining { ", stopping" } else { "" };
    out.push_str(&format!(
        "hub {} is running{}{draining}: pid {}, http://{}:{}{held}, up {}{memory}\nhome {}\n{}\n",
        hub.version,
        if hub.mode == "foreground" {
            " in the foreground".to_owned()
        } else {
            format!(", {}", printable(&hub.mode))
        },
        hub.pid,
        hub.host,
        hub.port,
        uptime(Duration::from_millis(hub.uptime_ms)),
        printable(&hub.home),
        manager.map_or_else(String::new, |manager| manager.screen(style)),
    ));
    if status.modules.is_empty() {
        // A file that cannot be read is not an empty one.
        let unread = |p: &FileProblem| p.row.is_none() && p.file.ends_with("/services.json");
        if status.problems.iter().any(unread) {
            out.push_str("the modules are unknown: see above\n");
            return out;
        }
        out.push_str("no modules yet; any command can be one: parachute add NAME -- COMMAND\n");
        return out;
    }
    let mut table = Table::default();
    table.row(HEAD.iter().map(|head| Cell::painted(head, |t| style.bold(t))).collect(), Vec::new());
    for module in &status.modules {
        table.row(cells(module, style), under(module, style));
    }
    out.push_str(&table.render());
    out
}

fn cells(module: &ModuleView, style: Style) -> Vec<Cell> {
    let dash = || "-".to_owned();
    let state = match module.state {
        State::Starting => "starting",
        State::Running => "running",
        State::Stopped => "stopped",
        State::Crashed if module.is_blocked() => "blocked",
        State::Crashed => "crashed",
        State::Restarting => "restarting",
    };
    let paint = |text: &str| match (module.state, module.ready) {
        (State::Running, true) => style.good(text),
        (State::Crashed, _) => style.bad(text),
        (State::Stopped, _) => style.dim(text),
        (State::Running | State::Starting | State::Restarting, _) => style.warn(text),
    };
    let port = if module.listens { module.port.to_string() } else { format!("({})", module.port) };
    let health = module.health.as_ref().map_or_else(dash, |health| match (health.ok, health.latency_us) {
        (true, Some(us)) => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        (true, None) => "ok".to_owned(),
        (false, _) => "failing".to_owned(),
    });
    vec![
        Cell::new(printable(&module.short)),
        Cell::painted(state, paint),
        Cell::new(module.pid.map_or_else(dash, |pid| pid.to_string())),
        Cell::new(port),
        Cell::new(if module.ready { "yes" } else { "no" }),
        Cell::new(module.uptime_ms.map_or_else(dash, |ms| uptime(Duration::from_millis(ms)))),
        Cell::new(module.restarts.to_string()),
        Cell::new(module.memory_bytes.map_or_else(dash, bytes)),
        Cell::new(health),
    ]
}

/// The lines below a row: the address of a ready module, the reason and the hint of a failing one.
fn under(module: &ModuleView, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    match &module.problem {
        Some(problem) => {
            for (i, line) in
                problem.error_description.lines().filter(|line| !line.trim().is_empty()).enumerate()
            {
                let sign = if i == 0 { "!" } else { " " };
                lines.push(format!("  {} {}", style.bad(sign), printable(line)));
            }
            let next = problem.next.clone().unwrap_or_else(|| format!("parachute why {}", module.short));
            lines.push(format!("  {} {}", style.good("hint:"), printable(&next)));
        }
        None if module.ready => {}
        None if module.state != State::Stopped => {
            lines.push(format!("  {}", style.dim(&printable(&module.detail))))
        }
        None => {}
    }
    if let Some(health) = module.health.as_ref().filter(|health| !health.ok) {
        lines.push(format!("  {} health: {}", style.bad("!"), printable(&health.detail)));
    }
    if !module.listens && module.ready {
        lines.push(format!("  {}", style.dim(&format!("a worker: port {} is only reserved", module.port))));
    }
    if let Some(url) = module.url.as_ref().filter(|_| module.ready) {
        lines.push(format!("  {} {}", style.dim("→"), printable(url)));
    }
    lines
}

fn problems(problems: &[FileProblem], style: Style) -> String {
    let mut out = String::new();
    for problem in problems {
        let mut lines = problem.message.lines().filter(|line| !line.trim().is_empty());
        let first = lines.next().unwrap_or("it reports a problem without details");
        out.push_str(&format!("{} {}\n", style.bad("problem:"), printable(first)));
        for line in lines {
            out.push_str(&format!("  {}\n", printable(line)));
        }
        let next = problem.next.clone().unwrap_or_else(|| format!("ls -l {}", problem.file));
        out.push_str(&format!("  {} {}\n", style.good("hint:"), printable(&next)));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn down_screen(down: &Down, style: Style) -> String {
    let mut out = problems(&down.problems, style);
    out.push_str(&format!("{}\n", style.bold("the hub is not running")));
    if let Some(older) = &down.older {
        out.push_str(&format!("  {} {}\n", style.warn("note:"), printable(older)));
        out.push_str(&format!("  {} parachute migrate --to-supervised\n", style.good("hint:")));
    }
    if let Some(left) = &down.left {
        out.push_str(&format!("  {} {}\n", style.warn("note:"), printable(left)));
        // The manager's own hint comes below.
        if down.manager.is_none() {
            out.push_str(&format!(
                "  {} parachute serve     (a hub that can stop them)\n",
                style.good("hint:")
            ));
        }
        out.push_str(&format!("  {} parachute stop --all --without-hub\n", style.good("hint:")));
    }
    match &down.manager {
        None if down.older.is_some() => {}
        Some(manager) => out.push_str(&manager.screen(style)),
        None => out.push_str(&format!("  {} parachute init\n", style.good("hint:"))),
    }
    if !down.modules.is_empty() {
        out.push('\n');
        let mut table = Table::default();
        table.row(
            ["NAME", "STATE", "PORT"].map(|head| Cell::painted(head, |t| style.bold(t))).to_vec(),
            Vec::new(),
        );
        for row in &down.modules {
            let cells = vec![
                Cell::new(row.short.as_str()),
                match row.pid {
                    Some(pid) => Cell::painted(&format!("runs, pid {pid}"), |t| style.warn(t)),
                    None => Cell::painted("down", |t| style.dim(t)),
                },
                Cell::new(row.port.to_string()),
            ];
            table.row(cells, Vec::new());
        }
        out.push_str(&table.render());
    }
    out
}

#[cfg(test)]
mod tests;
