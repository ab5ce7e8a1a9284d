//! A unit for launchd's template: tokens, numbers, and fixed words; launchd.plist(5).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use serde::Serialize;

use crate::unit::bind::Unit;
use crate::unit::descriptor::{Hardening, Signal};
use crate::unit::token::{Refused, env_key};

use super::JobKind;
use super::token::XmlText;

/// launchd's own default, written out so that it is visible. It counts from the last start, so a hub that ran longer is
/// restarted at once; and as launchd never gives up, it is all that slows down a program that cannot run.
const THROTTLE: u64 = 10;

/// All session types. With the default, `Aqua`, a job loaded over ssh is removed when its user logs in at
/// the screen: Homebrew's `service.rb` writes the same list.
const SESSIONS: [&str; 5] = ["Aqua", "Background", "LoginWindow", "StandardIO", "System"];

/// Exists on every macOS; without it programs take their text for ASCII.
const LANG: &str = "en_US.UTF-8";

/// `job.plist.tera`.
#[derive(Debug, Serialize)]
pub(super) struct JobView {
    label: String,
    arguments: Vec<XmlText>,
    user: Option<XmlText>,
    environment: Vec<Variable>,
    keep_alive: Option<KeepAlive>,
    exit_timeout: u64,
    open_files: Option<u64>,
    sessions: &'static [&'static str],
    log: XmlText,
}

#[derive(Debug, Serialize)]
struct Variable {
    name: XmlText,
    value: XmlText,
}

#[derive(Debug, Serialize)]
struct KeepAlive {
    throttle: u64,
}

pub(super) fn job(unit: &Unit, kind: JobKind) -> Result<JobView, Refused> {
    expressible(unit)?;
    let person = unit.person.as_deref().map(OsStr::new);
    let arguments = unit.argv.iter().enumerate();
    let arguments = arguments.map(|(at, word)| XmlText::new(&format!("argv[{at}]"), word));
    let log = unit.log_dir.join("launchd.log");
    Ok(JobView {
        label: unit.name.label(),
        arguments: arguments.collect::<Result<_, _>>()?,
        user: match kind {
            JobKind::Daemon => {
                let because = "a daemon must name the user it runs as, even root";
                let person = person.ok_or_else(|| Refused::new("user", OsStr::new(""), because))?;
                Some(XmlText::new("user", person)?)
            }
            JobKind::Agent => None,
        },
        environment: environment(unit)?,
        keep_alive: unit
            .restart
            .as_ref()
            .map(|restart| KeepAlive { throttle: restart.delay.0.div_ceil(1000).max(THROTTLE) }),
        exit_timeout: unit.stop.grace.0,
        open_files: unit.limits.nofile.map(Into::into),
        sessions: match kind {
            JobKind::Agent => &SESSIONS,
            JobKind::Daemon => &[],
        },
        log: XmlText::new("log_dir", log.as_os_str())?,
    })
}

/// Refuses what launchd cannot express where the user asked for it. `ready`, `watchdog` and `oom` are optional: the
/// hub works without them.
fn expressible(unit: &Unit) -> Result<(), Refused> {
    let refused = |key: &str, value: &str, because| Err(Refused::new(key, OsStr::new(value), because));
    if unit.hardening == Hardening::Strict {
        return refused("hardening", "strict", "launchd has no such restrictions");
    }
    if let Some(memory) = unit.limits.memory {
        let because = "launchd cannot limit the memory of a job and its children";
        return refused("limits.memory", &memory.0.to_string(), because);
    }
    if let Some(tasks) = unit.limits.tasks {
        // NumberOfProcesses counts all processes of the user, and would starve the login session.
        return refused("limits.tasks", &tasks.to_string(), "launchd cannot limit the tasks of one job");
    }
    if unit.stop.signal != Signal::Term {
        return refused("stop.signal", "INT", "launchd stops a job with SIGTERM only");
    }
    Ok(())
}

/// The descriptor's environment, and what a login would have set: launchd starts jobs with little more than a PATH.
fn environment(unit: &Unit) -> Result<Vec<Variable>, Refused> {
    let mut all: BTreeMap<&str, OsString> = BTreeMap::from([("LANG", LANG.into())]);
    if let Some(person) = &unit.person {
        all.extend([("USER", OsString::from(person)), ("LOGNAME", OsString::from(person))]);
    }
    if let Some(home) = &unit.person_home {
        all.insert("HOME", home.into());
    }
    all.extend(unit.env.iter().map(|(name, value)| (name.as_str(), value.clone())));
    if !all.contains_key("HOME") {
        let because = "their home directory is unknown here, and launchd sets no HOME";
        let person = unit.person.as_deref().unwrap_or_default();
        return Err(Refused::new("user", OsStr::new(person), because));
    }
    let variable = |(name, value): (&str, OsString)| {
        let key = env_key(name)?;
        Ok(Variable { name: XmlText::new(&key, OsStr::new(name))?, value: XmlText::new(&key, &value)? })
    };
    all.into_iter().map(variable).collect()
}
