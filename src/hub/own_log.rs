//! Where the hub's own words go: always to its own rotated file, and to standard output unless nobody bounds that.

use std::io;

use crate::home::fs;
use crate::home::paths::Home;
use crate::home::settings::Settings;
use crate::logs::collector::LogCollector;
use crate::logs::line::{Stream, stored_line};
use crate::logs::stdout::StdoutSink;
use crate::module::launch::LogLimits;
use crate::module::timestamp::Timestamp;

use super::service_manager::ServiceManager;

/// launchd opens the file of a job for appending and never rotates it; newsyslog would rename it under the job. A file
/// larger than this is cut when a hub starts.
const LAUNCHD_FILE: u64 = 1024 * 1024;

/// Starts the log threads.
///
/// # Errors
/// Standard output is closed, or a thread cannot be had.
pub fn start(home: &Home, service_manager: ServiceManager, settings: &Settings) -> io::Result<LogCollector> {
    // launchd's file is for what is said before this point and for last words; everything else would grow in it
    // without bound.
    let sink =
        if service_manager.output_grows() { StdoutSink::nowhere()? } else { StdoutSink::of_this_process()? };
    let logs = LogCollector::start(sink)?;
    let usual = LogLimits::default();
    let limits = LogLimits {
        max_bytes: settings.logs.max_bytes.unwrap_or(usual.max_bytes),
        keep: settings.logs.keep.unwrap_or(usual.keep),
    };
    logs.keep_hub_log(home.hub_log(), limits);
    Ok(logs)
}

/// Cuts launchd's file if it has grown large; its end is kept once. Returns what could not be done.
pub fn cut_launchds(home: &Home, service_manager: ServiceManager) -> Option<String> {
    let path = home.launchd_log();
    let aside = path.with_extension("log.1");
    let grows = service_manager.output_grows();
    grows.then(|| fs::cut(&path, &aside, LAUNCHD_FILE).err().map(|error| error.to_string())).flatten()
}

/// Leaves a line in the hub's file without a hub: for one that refuses to start. Several at once cannot mix: each is
/// one write at the end of the file.
///
/// # Errors
/// The file cannot be written.
pub fn leave(home: &Home, now: Timestamp, text: &str) -> Result<(), fs::FsError> {
    let bytes: Vec<u8> = text.lines().flat_map(|line| stored_line(now, Stream::Out, line)).collect();
    let path = home.hub_log();
    if let Some(dir) = path.parent() {
        fs::make_dir(dir, fs::PRIVATE_DIR)?;
    }
    fs::append(&path, &bytes)
}
