//! The hub's own log lines: always to its own rotated file, and to standard output unless that file is never rotated.

use std::ffi::{OsStr, OsString};
use std::io;

use crate::home::fs;
use crate::home::paths::Home;
use crate::home::settings::HubSettings;
use crate::logs::collector::LogCollector;
use crate::logs::line::{Stream, stored_line};
use crate::logs::stdout::StdoutSink;
use crate::module::launch::LogLimits;
use crate::module::timestamp::Timestamp;

use super::options::ServeOptions;
use super::service_manager::ServiceManager;

/// launchd opens the file of a job for appending and never rotates it; newsyslog would rename it under the job. A
/// larger file is truncated when a hub starts.
const LAUNCHD_FILE: u64 = 1024 * 1024;

/// Starts the log threads.
///
/// # Errors
/// Standard output is closed, or a thread cannot be created.
pub(crate) fn start(options: &ServeOptions, settings: &HubSettings) -> io::Result<LogCollector> {
    let journal_stream = options.env.get(OsStr::new("JOURNAL_STREAM")).map(OsString::as_os_str);
    // launchd's file is for lines before this point and for a panic; all other lines would make it grow
    // without limit.
    let sink = if options.service_manager().output_grows() {
        StdoutSink::nowhere()?
    } else {
        StdoutSink::of_this_process(journal_stream)?
    };
    let logs = LogCollector::start(sink)?;
    let usual = LogLimits::default();
    let limits = LogLimits {
        max_bytes: settings.logs.max_bytes.unwrap_or(usual.max_bytes),
        keep: settings.logs.keep.unwrap_or(usual.keep),
    };
    logs.keep_hub_log(options.home.hub_log(), limits);
    Ok(logs)
}

/// Truncates launchd's file if it has grown large; its end is kept once. Returns the error, if it failed.
pub(crate) fn cut_manager_output(home: &Home, service_manager: ServiceManager) -> Option<String> {
    let path = home.manager_output();
    let aside = path.with_extension("log.1");
    let grows = service_manager.output_grows();
    grows.then(|| fs::cut(&path, &aside, LAUNCHD_FILE).err().map(|error| error.to_string())).flatten()
}

/// Writes a line to the hub's file without a hub: for one that refuses to start. Several at once do not mix: each is
/// one write at the end of the file.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn leave(home: &Home, now: Timestamp, text: &str) -> Result<(), fs::FsError> {
    let bytes: Vec<u8> = text.lines().flat_map(|line| stored_line(now, Stream::Out, line)).collect();
    let path = home.hub_log();
    if let Some(dir) = path.parent() {
        fs::make_dir(dir, fs::PRIVATE_DIR)?;
    }
    fs::append(&path, &bytes)
}
