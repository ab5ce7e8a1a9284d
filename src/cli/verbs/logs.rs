//! `parachute logs`: the output of modules, from their files: the same with and without a running hub, and across
//! restarts of both.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::api::wire::Health;
use crate::api::wire::Stream as WireStream;
use crate::cli::context::Context;
use crate::cli::error::{CliError, ExitKind};
use crate::cli::installation;
use crate::cli::output::VerbOutput;
use crate::duration;
use crate::home::services;
use crate::logs::file_reader::{self, Selection};
use crate::logs::line::{Shown, Stream};
use crate::logs::log_entry::{LogEntry, ReadError};
use crate::logs::sanitize::sanitize;
use crate::module::name::Short;
use crate::module::row::short_of;
use crate::module::timestamp::Timestamp;
use crate::ui::terminal::{Printed, Terminal};
use crate::ui::text::printable;
use crate::unit::name::UnitName;

/// Lines shown without an explicit number.
const LINES: usize = 200;
/// Lines of the manager about the last start.
const LAST_START: usize = 10;
/// Pause between two checks of growing files.
const LOOK: Duration = Duration::from_millis(100);
/// Output is written in chunks of about this size.
const PIECE: usize = 64 * 1024;

/// Show what modules, or the hub itself, wrote
#[derive(Debug, clap::Args)]
pub struct LogsArgs {
    /// Modules, by short name or row name, or `hub`; none means all modules
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Follow: print new lines until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Last lines of each module to show [default: 200, or all with --since]
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
    /// Only lines of this time or later: `10m`, `2h 30m`, or 2026-03-01T10:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Show when each line was written
    #[arg(short, long)]
    timestamps: bool,
    /// Never show the module's name
    #[arg(long)]
    no_prefix: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct JsonLine<'a> {
    module: &'a str,
    at: Option<Timestamp>,
    stream: WireStream,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    continued: bool,
    text: std::borrow::Cow<'a, str>,
}

/// The source of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Hub,
    Module(Short),
}

impl Source {
    fn name(&self) -> &str {
        match self {
            Self::Hub => "hub",
            Self::Module(short) => short.as_str(),
        }
    }

    fn file(&self, cx: &Context) -> PathBuf {
        match self {
            Self::Hub => cx.home.hub_log(),
            Self::Module(short) => cx.home.log_file(short),
        }
    }
}

/// The format of lines.
struct Screen {
    sources: Vec<Source>,
    prefix: bool,
    times: bool,
    json: bool,
}

/// Prints directly: a log may be larger than memory.
///
/// # Errors
/// An unknown module, a bad time, an unreadable file.
pub(crate) async fn run(cx: &Context, args: LogsArgs) -> Result<VerbOutput, CliError> {
    let sources = sources(cx, &args.names)?;
    let since = args.since.as_deref().map(|text| when(text, cx.now)).transpose()?;
    let last = args.lines.or(if since.is_some() { None } else { Some(LINES) });
    let paths: Vec<PathBuf> = sources.iter().map(|source| source.file(cx)).collect();
    let prefix = sources.len() > 1 && !args.no_prefix;
    let screen = Screen { sources, prefix, times: args.timestamps, json: args.json };
    let entries = file_reader::open(&paths, Selection { last, since }).map_err(unreadable)?;
    let mut followers = if args.follow { entries.followers().map_err(unreadable)? } else { Vec::new() };

    let mut out = Vec::new();
    let mut shown = false;
    for entry in entries {
        screen.render(&entry.map_err(unreadable)?, &mut out);
        shown = true;
        if out.len() >= PIECE && print(&mut out)? == Printed::Closed {
            return Ok(VerbOutput::done(""));
        }
    }
    if print(&mut out)? == Printed::Closed {
        return Ok(VerbOutput::done(""));
    }
    if !args.follow {
        tell_of_manager_output(cx, &screen);
        if shown && !args.json && screen.sources == [Source::Hub] {
            last_start(cx).await?;
        }
        if !shown && !args.json {
            if screen.sources == [Source::Hub] && from_manager(cx, last.unwrap_or(LINES)).await? {
                return Ok(VerbOutput::done(""));
            }
            let names: Vec<_> = screen.sources.iter().map(Source::name).collect();
            let what = if args.since.is_some() { "no lines since then" } else { "no lines yet" };
            Terminal.err(&format!("{what}: {}\n", names.join(", ")));
        }
        return Ok(VerbOutput::done(""));
    }
    // Ctrl-C ends this loop; the files are only read, so no cleanup is needed.
    loop {
        for follower in &mut followers {
            for entry in follower.poll().map_err(unreadable)? {
                screen.render(&entry, &mut out);
            }
        }
        if !out.is_empty() && print(&mut out)? == Printed::Closed {
            return Ok(VerbOutput::done(""));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A hub that exited before it had a log has printed only to its manager. `false`: the manager has no lines either.
async fn from_manager(cx: &Context, lines: usize) -> Result<bool, CliError> {
    let Some(installation) = installation::installed(cx).await else { return Ok(false) };
    match installation.driver.logs(&UnitName::hub(), lines).await {
        Ok(told) if told.is_empty() => Ok(false),
        Ok(told) => {
            Terminal.err(&format!(
                "from {}, since the hub has no file yet:\n",
                installation.driver.manager.words()
            ));
            let text: String = told.iter().map(|line| format!("{}\n", printable(line))).collect();
            print(&mut text.into_bytes())?;
            Ok(true)
        }
        Err(error) => {
            Terminal.err(&format!("{}\n", printable(&error.to_string())));
            Ok(false)
        }
    }
}

/// A hub that exits again before it could open its log leaves an older log, which says nothing about that: then the
/// manager's lines about the last start follow.
async fn last_start(cx: &Context) -> Result<(), CliError> {
    if cx.client().get::<Health>("/health").await.is_ok() {
        return Ok(());
    }
    let Some(installation) = installation::installed(cx).await else { return Ok(()) };
    let state = installation.driver.state(&UnitName::hub()).await;
    let died = state.has_crashed();
    // Without the manager's log this file is the only one, or the other one was named above.
    let Ok(told) = installation.driver.logs(&UnitName::hub(), LAST_START).await else { return Ok(()) };
    if !died || told.is_empty() {
        return Ok(());
    }
    Terminal.err(&format!("it has crashed since; {} kept from then:\n", installation.driver.manager.words()));
    let text: String = told.iter().map(|line| format!("{}\n", printable(line))).collect();
    print(&mut text.into_bytes())?;
    Ok(())
}

/// Under launchd the hub's output before it has a log, and that of a panic, are in another file.
fn tell_of_manager_output(cx: &Context, screen: &Screen) {
    let path = cx.home.manager_output();
    let has_some = crate::home::fs::signature(&path).is_some_and(|seen| seen.len > 0);
    if has_some && !screen.json && screen.sources.contains(&Source::Hub) {
        Terminal.err(&format!("its output from before its log was open is in {}\n", path.display()));
    }
}

fn print(out: &mut Vec<u8>) -> Result<Printed, CliError> {
    if Terminal.out_is_terminal() {
        *out = sanitize(out);
    }
    let failed = |error| CliError::new(ExitKind::Failed, "cannot write to standard output").cause(error);
    let printed = Terminal.out(out).map_err(failed);
    out.clear();
    printed
}

impl Screen {
    fn render(&self, entry: &LogEntry, out: &mut Vec<u8>) {
        let name = self.sources[entry.source].name();
        if !self.json {
            let shown = Shown { short: Some(name).filter(|_| self.prefix), times: self.times };
            return shown.render(&entry.stored(), out);
        }
        let line = JsonLine {
            module: name,
            at: entry.at,
            stream: match entry.stream {
                Stream::Out => WireStream::Out,
                Stream::Err => WireStream::Err,
                Stream::Hub => WireStream::Hub,
            },
            continued: entry.continued,
            text: String::from_utf8_lossy(&entry.text),
        };
        // Strings, numbers and times always serialise.
        out.extend(serde_json::to_vec(&line).unwrap_or_default());
        out.push(b'\n');
    }
}

/// The requested logs. A module without a row is still shown if it has a log.
fn sources(cx: &Context, names: &[String]) -> Result<Vec<Source>, CliError> {
    let rows: Vec<Short> = match services::read(&cx.home) {
        Ok(services) => services.rows.into_iter().map(|(short, _)| short).collect(),
        Err(error) if names.is_empty() => {
            return Err(CliError::from_error(ExitKind::Failed, error).hint("parachute logs NAME"));
        }
        Err(_) => Vec::new(),
    };
    if names.is_empty() {
        if rows.is_empty() {
            return Err(
                CliError::new(ExitKind::Failed, "there are no modules").hint("parachute add NAME -- COMMAND")
            );
        }
        return Ok(rows.into_iter().map(Source::Module).collect());
    }
    names.iter().map(|name| one(cx, name, &rows)).collect()
}

fn one(cx: &Context, name: &str, rows: &[Short]) -> Result<Source, CliError> {
    if name == "hub" {
        return Ok(Source::Hub);
    }
    let unknown = || {
        let known: Vec<_> = rows.iter().map(Short::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        CliError::new(ExitKind::Failed, format!("no module named {name:?}; there are: {known}"))
            .hint("parachute status")
    };
    let short = short_of(name).map_err(|_| unknown())?;
    let has_log = crate::home::fs::exists(&cx.home.log_file(&short));
    if rows.contains(&short) || has_log { Ok(Source::Module(short)) } else { Err(unknown()) }
}

/// A point in time, or a duration before now.
fn when(text: &str, now: Timestamp) -> Result<Timestamp, CliError> {
    if let Some(stamp) = Timestamp::parse(text) {
        return Ok(stamp);
    }
    match duration::parse(text) {
        Ok(span) => Ok(Timestamp(now.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))),
        Err(error) => Err(CliError::new(
            ExitKind::Usage,
            format!("--since {text:?} is neither a time nor a duration: {error}"),
        )
        .hint("parachute logs --since 10m")),
    }
}

fn unreadable(error: ReadError) -> CliError {
    let path = error.path.display().to_string();
    CliError::from_error(ExitKind::Failed, error).hint(format!("ls -l {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans() {
        let now = Timestamp(1_772_359_449_120);
        assert_eq!(when("10m", now).map(|s| s.0).ok(), Some(1_772_359_449_120 - 600_000));
        assert_eq!(
            when("2026-03-01T10:00:00Z", now).map(|s| s.to_string()).ok().as_deref(),
            Some("2026-03-01T10:00:00.000Z")
        );
        assert_eq!(when("yesterday", now).unwrap_err().kind, ExitKind::Usage);
        assert_eq!(when("9999999y", now).map(|s| s.0).ok(), Some(0), "longer ago than time itself");
    }
}
