//! Properties that hold for any bytes: one function for each format that we parse. Fuzzers look for bytes that break
//! one (`CONTRIBUTING.md`); `cargo test` replays the inputs in `corpus/`.

use parachute::home::document::Document;
use parachute::logs::formatter::{Batch, Formatter};
use parachute::logs::line::{self, MAX_TEXT, Stream};
use parachute::manager::invocation::ToolOutput;
use parachute::manager::{launchd, systemd};
use parachute::migrate::pidfile as pidfiles;
use parachute::module::env as envs;
use parachute::module::hub_env as hub_envs;
use parachute::module::manifest::{Manifest, is_name};
use parachute::module::name::Short;
use parachute::module::timestamp::Timestamp;
use parachute::plan::events::replay;
use parachute::plan::receipt::Receipt;
use parachute::supervisor::ledger::Book;
use serde_json::{Map, Value, json};

/// services.json: unedited parts keep their meaning, and an added row can be removed without a trace.
pub fn services(bytes: &[u8]) {
    const OURS: &str = "of-a-fuzzer";
    let Ok(mut document) = Document::parse(bytes) else { return };
    let rows = |document: &Document| document.rows().map(|row| format!("{row:?}")).collect::<Vec<_>>();
    let before = (rows(&document), document.names_and_ports().collect::<Vec<_>>());
    let text = document.text();
    let again = Document::parse(text.as_bytes()).expect("what we write can be read");
    assert_eq!(again.text(), text, "written twice it is the same");
    assert_eq!((rows(&again), again.names_and_ports().collect::<Vec<_>>()), before);
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    assert_eq!(value(&String::from_utf8_lossy(bytes)), value(&text), "the meaning is the same");

    let named = document.names_and_ports().any(|(name, _)| name.as_deref() == Some(OURS));
    let fields: Map<String, Value> = match json!({
        "port": 1944, "paths": ["/x"], "health": "/health", "version": "1", "installDir": "/x"
    }) {
        Value::Object(fields) => fields,
        _ => return,
    };
    if named || document.upsert(OURS, &fields).is_err() {
        return;
    }
    assert_eq!(rows(&document)[..before.0.len()], before.0, "other rows are left alone");
    assert_eq!(document.remove(OURS), 1);
    assert_eq!(document.text(), text, "added and removed it is as before");
}

/// module.json: an accepted file can be started.
pub fn manifest(bytes: &[u8]) {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    assert!(
        is_name(&manifest.name) && manifest.health.starts_with('/') && !manifest.manifest_name.is_empty()
    );
    if let Some(argv) = manifest.start_cmd {
        assert!(argv.first().is_some_and(|program| !program.is_empty()));
        assert!(argv.iter().all(|word| !word.contains('\0')), "execve(2) takes C strings");
    }
}

/// `.env`: a set value is read back, and nothing else changes. A NUL byte ends the file and begins the value.
pub fn env(bytes: &[u8]) {
    const KEY: &str = "OF_A_FUZZER";
    let at = bytes.iter().position(|byte| *byte == 0);
    let (file, value) = at.map_or((bytes, &b"x"[..]), |at| (&bytes[..at], &bytes[at + 1..]));
    let mut rest = envs::parse(file);
    rest.remove(std::ffi::OsStr::new(KEY));
    match envs::upsert(file, KEY, value) {
        Err(_) => assert!(value.iter().any(|byte| matches!(byte, b'\n' | 0)), "any other value fits a line"),
        Ok(with) => {
            let mut read = envs::parse(&with);
            let ours = read.remove(std::ffi::OsStr::new(KEY)).expect("what was set is there");
            assert_eq!(std::os::unix::ffi::OsStrExt::as_bytes(ours.as_os_str()), value);
            assert_eq!(read, rest, "other variables are left alone");
            assert_eq!(envs::upsert(&with, KEY, value).as_ref(), Ok(&with), "set twice it is the same");
        }
    }
}

/// `hub.env`: for any content, the result can be given to a program, and a quoted value appended to it is read back.
pub fn hub_env(bytes: &[u8]) {
    let bytes = &bytes[..bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len())];
    let parsed = hub_envs::parse(bytes);
    for (name, value) in &parsed.variables {
        let [name, value] =
            [name, value].map(|text| std::os::unix::ffi::OsStrExt::as_bytes(text.as_os_str()));
        assert!(!name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_'));
        assert!(!value.contains(&0), "execve(2) takes C strings");
    }
    let own = hub_envs::settings(&parsed.variables);
    assert!(own.len() <= hub_envs::SETTINGS.len());
    let value: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\'').collect();
    let quoted = hub_envs::parse(&[b"OF_A_FUZZER='", value.as_slice(), b"'\n"].concat());
    let ours = quoted.variables.get(std::ffi::OsStr::new("OF_A_FUZZER")).expect("what was set is there");
    assert_eq!(std::os::unix::ffi::OsStrExt::as_bytes(ours.as_os_str()), value);
}

/// Pidfiles: an accepted number is a valid pid, and equals the content.
pub fn pidfile(bytes: &[u8]) {
    if let Ok(pid) = pidfiles::parse(bytes) {
        assert!(pid > 1 && pid < 1 << 30);
        let text = std::str::from_utf8(bytes).expect("digits are text").trim();
        assert_eq!(text.trim_start_matches('0'), pid.to_string());
    }
}

/// Journals: the used part is a prefix of the file, and alone it gives the same journal.
pub fn journal(bytes: &[u8]) {
    let Ok(read) = replay(bytes) else { return };
    assert!(read.len <= bytes.len());
    assert_eq!(replay(&bytes[..read.len]).as_ref(), Ok(&read));
    if let Some(unfinished) = &read.unfinished {
        let receipt = Receipt::default().with(unfinished);
        assert_eq!(receipt.with(unfinished), receipt, "added twice it is added once");
    }
}

/// Receipts: a parsed receipt is written unchanged, and every step of it has a description.
pub fn receipt(bytes: &[u8]) {
    let Ok(receipt) = Receipt::read(bytes) else { return };
    let text = serde_json::to_vec(&receipt).expect("a receipt can be written");
    assert_eq!(Receipt::read(&text).as_ref(), Ok(&receipt));
    for step in receipt.steps() {
        assert!(!step.describe().is_empty());
    }
}

/// `systemctl show`, `systemd-analyze verify`, `loginctl`: the first byte is the exit code, a NUL byte separates the
/// streams.
pub fn systemctl(bytes: &[u8]) {
    let output = said(bytes);
    let shown = systemd::parse::shown(&output);
    assert_eq!(shown.state, systemd::parse::state(&output));
    let told = output.stdout.lines().any(|line| line.starts_with("ActiveState="));
    assert!(told || shown.state.active.known().is_none(), "without an answer nothing is known");
    let _ = (systemd::parse::about(&output), systemd::parse::linger(&output));
    let _ = systemd::parse::is_unknown_to_logind(&output);
    for complaint in systemd::parse::complaints(&output, &["/u/parachute-hub.service".into()]) {
        assert!(!complaint.trim().is_empty());
    }
    let _ = systemd::parse::words(&output.stdout);
}

/// `launchctl print` and `print-disabled`, in the same form.
pub fn launchctl(bytes: &[u8]) {
    let output = said(bytes);
    let job = launchd::parse::job(&output.stdout);
    let _ = (job.active(), job.ended());
    if launchd::parse::is_disabled(&output, "computer.parachute.hub").is_some() {
        assert!(output.ok(), "an answer that failed says nothing");
    }
}

/// The pump: any bytes in any chunks give the same lines, and no byte is lost. Three bytes are parameters: how often
/// the rest is repeated (long lines are cut), and two sizes of chunks.
pub fn pump(bytes: &[u8]) {
    let [times, one, other, text @ ..] = bytes else { return };
    let all = text.repeat(1 + usize::from(*times) * usize::from(*times) / 16);
    let sizes = [usize::from(*one) + 1, (usize::from(*other) + 1) * 257];
    let whole = lines(&all, &[all.len().max(1)]);
    assert_eq!(lines(&all, &sizes), whole);
    let (mut joined, mut open) = (Vec::new(), false);
    for raw in whole.file.split_inclusive(|byte| *byte == b'\n') {
        let stored = line::parse(raw.strip_suffix(b"\n").expect("every line has an end"));
        assert!(stored.at.is_some() && stored.text.len() <= MAX_TEXT);
        if open && !stored.continued {
            joined.push(b'\n');
        }
        joined.extend_from_slice(stored.text);
        open = true;
    }
    let fed = all.strip_suffix(b"\n").unwrap_or(&all);
    let fed = fed.strip_prefix("\u{feff}".as_bytes()).unwrap_or(fed);
    assert_eq!(joined.len(), fed.len());
    assert!(joined == fed, "what went in came out");
}

/// The ledger: its shortest form adds up to the same.
pub fn ledger(bytes: &[u8]) {
    let book = Book::parse(bytes);
    let mut again = Book::parse(&book.lines());
    assert_eq!(again.unreadable, 0, "what we write can be read");
    again.unreadable = book.unreadable;
    assert_eq!(again, book);
}

#[derive(Debug, PartialEq, Eq)]
struct Lines {
    out: Vec<u8>,
    file: Vec<u8>,
    count: u64,
}

fn lines(bytes: &[u8], sizes: &[usize]) -> Lines {
    let mut formatter = Formatter::new(&Short::new("vault").expect("a name"), Stream::Out);
    let (mut all, mut batch) = (Lines { out: Vec::new(), file: Vec::new(), count: 0 }, Batch::default());
    let mut keep = |batch: &mut Batch| {
        all.out.extend_from_slice(&batch.out);
        all.file.extend_from_slice(&batch.file);
        all.count += batch.lines;
        batch.clear();
    };
    let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
    while !rest.is_empty() {
        let (mut chunk, after) = rest.split_at((*sizes.next().expect("a size")).min(rest.len()));
        while !chunk.is_empty() {
            let taken = formatter.feed(chunk, Timestamp(0), &mut batch);
            assert!(taken > 0, "a batch that was emptied takes something");
            chunk = &chunk[taken..];
            keep(&mut batch);
        }
        rest = after;
    }
    formatter.finish(Timestamp(0), &mut batch);
    keep(&mut batch);
    all
}

fn said(bytes: &[u8]) -> ToolOutput {
    let (code, rest) = bytes.split_first().map_or((0, bytes), |(code, rest)| (*code, rest));
    let mut streams = rest.splitn(2, |byte| *byte == 0);
    let mut text = || String::from_utf8_lossy(streams.next().unwrap_or_default()).into_owned();
    ToolOutput { code: Some(i32::from(code)), stdout: text(), stderr: text() }
}
