//! The capabilities of this machine, and how many labs it runs at a time.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Condvar, Mutex, OnceLock};

/// Labs at a time. A lab mostly waits, but its boot uses a whole core.
const MOST: usize = 2;

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// The right to run a lab; released on drop.
pub struct Turn(());

impl Turn {
    /// Waits for it. `None`, with a message on stderr, where the machine can run no lab.
    #[track_caller]
    pub fn wait() -> Option<Self> {
        static WHY_NOT: OnceLock<Option<String>> = OnceLock::new();
        let why_not = WHY_NOT.get_or_init(|| {
            let why_not = examine();
            if let Some(why_not) = &why_not {
                say(&format!(
                    "\n*** NO LAB ON THIS MACHINE: tests under a real systemd are skipped ***\n{why_not}\n"
                ));
            }
            why_not
        });
        if let Some(why_not) = why_not {
            skip(why_not);
            return None;
        }
        let mut running = RUNNING.lock().unwrap();
        while *running >= MOST {
            running = ENDED.wait(running).unwrap();
        }
        *running += 1;
        Some(Self(()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Ok(mut running) = RUNNING.lock() {
            *running -= 1;
        }
        ENDED.notify_one();
    }
}

/// Reports that the test of this thread is skipped; fails it where skipping is not allowed.
#[track_caller]
pub fn skip(because: &str) {
    let setting = std::env::var("PARACHUTE_LAB").ok();
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    match skipped(setting.as_deref(), &test, because) {
        Ok(line) => say(&line),
        Err(required) => panic!("{required}"),
    }
}

/// The line for a test that is skipped, or, with this value of `PARACHUTE_LAB`, why it fails.
pub fn skipped(setting: Option<&str>, test: &str, because: &str) -> Result<String, String> {
    match setting {
        Some("required") => Err(format!("PARACHUTE_LAB=required, but: {because}")),
        _ => Ok(format!("SKIPPED {test}: {because}\n")),
    }
}

/// The script beside this file.
pub fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lab/systemd-lab")
}

fn examine() -> Option<String> {
    match Command::new(script()).arg("doctor").output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            Some(String::from_utf8_lossy(&said).trim().to_owned())
        }
        Err(error) => Some(format!("{}: {error}", script().display())),
    }
}

/// Bypasses libtest's capture, which would hide it in a successful run.
fn say(text: &str) {
    // If this fails, nothing is reported.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
