//! A unit for systemd's templates: tokens, numbers, and fixed words. Which words, and for which scope, is decided here.
//! Every key is known to the oldest systemd that we write for.

use std::ffi::{OsStr, OsString};

use serde::Serialize;

use super::Scope;
use crate::unit::bind::Unit;
use crate::unit::descriptor::{
    CGROUP, DELEGATED, First, Hardening, Millis, Oom, ReadySignal, Rest, Restart, RestartOn, Signal,
};
use crate::unit::overrides::Limits;
use crate::unit::token::Refused;

use super::token::{SystemdAssignment, SystemdProgram, SystemdText, SystemdWord};

/// How long a unit with `Type=notify` may take to become ready, seconds.
const START_WITHIN: u64 = 60;

/// `service.tera`.
#[derive(Debug, Serialize)]
pub(super) struct ServiceView {
    description: SystemdText,
    system: Option<System>,
    ceiling: Option<Ceiling>,
    kind: &'static str,
    start_within: Option<u64>,
    start: Command,
    environment: Vec<SystemdAssignment>,
    identifier: String,
    restart: Option<RestartView>,
    stop: StopView,
    after_end: Option<Command>,
    oom: &'static str,
    oom_goes_on: bool,
    /// `NAME=value`, which tells the program that its cgroup is delegated.
    delegated: Option<SystemdAssignment>,
    /// `FileDescriptorStoreMax=`; absent: none.
    stored_fds: Option<u16>,
    watchdog: Option<u64>,
    limits: Vec<Limit>,
    hardening: Vec<Rule>,
    wanted_by: &'static str,
}

/// A line that runs a program.
#[derive(Debug, Serialize)]
struct Command {
    program: SystemdProgram,
    words: Vec<SystemdWord>,
}

/// What only a system unit has. A user's manager fails a unit with `User=`, even with the user's own name
/// (216/GROUP, measured with 252); so a user unit has no such field.
#[derive(Debug, Serialize)]
struct System {
    user: SystemdText,
}

#[derive(Debug, Serialize)]
struct Ceiling {
    within: u64,
    starts: u32,
}

#[derive(Debug, Serialize)]
struct RestartView {
    on: &'static str,
    delay: String,
    final_exit: Option<String>,
}

#[derive(Debug, Serialize)]
struct StopView {
    main_first: bool,
    leaves_rest: bool,
    mode: &'static str,
    signal: Option<&'static str>,
    grace: u64,
}

#[derive(Debug, Serialize)]
struct Limit {
    key: &'static str,
    value: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Rule {
    key: &'static str,
    value: &'static str,
}

/// The service, for a manager of this scope.
pub(super) fn service(unit: &Unit, scope: Scope) -> Result<ServiceView, Refused> {
    let system = match scope {
        Scope::System => Some(System { user: person(unit)? }),
        Scope::User => None,
    };
    let start = Command::of("argv", &unit.argv)?
        .ok_or_else(|| Refused::new("argv", OsStr::new(""), "there is no program in it"))?;
    let environment = unit.env.iter().map(|(name, value)| SystemdAssignment::new(name, value));
    Ok(ServiceView {
        description: SystemdText::new("description", OsStr::new(&unit.description))?,
        system,
        ceiling: unit
            .restart
            .as_ref()
            .map(|restart| Ceiling { within: restart.give_up.within.0, starts: restart.give_up.starts }),
        kind: match unit.ready {
            ReadySignal::Notify => "notify",
            ReadySignal::Running => "exec",
            ReadySignal::Ended => "oneshot",
        },
        start_within: (unit.ready == ReadySignal::Notify).then_some(START_WITHIN),
        start,
        environment: environment.collect::<Result<_, _>>()?,
        // Else the name of the executable, which is the shell's where one is in between. The last lines of a
        // program that exits at once are found by this name if the journal has not yet assigned them to the unit.
        identifier: format!("parachute-{}", unit.name.plain()),
        restart: unit.restart.as_ref().map(RestartView::of),
        stop: StopView {
            main_first: unit.stop.first == First::Main,
            leaves_rest: unit.stop.rest == Rest::Leave,
            mode: match (unit.stop.first, unit.stop.rest) {
                (First::Main, Rest::Leave) => "process",
                (First::Main, Rest::Kill) => "mixed",
                // A unit with `Rest::Leave` was refused: there is no such mode.
                (First::Everyone, _) => "control-group",
            },
            signal: match unit.stop.signal {
                Signal::Term => None,
                Signal::Int => Some("SIGINT"),
            },
            grace: unit.stop.grace.0,
        },
        after_end: Command::of("after_end", &unit.after_end)?,
        oom: match unit.oom {
            Oom::KeepRunning => "continue",
            Oom::Stop => "stop",
        },
        oom_goes_on: unit.oom == Oom::KeepRunning,
        delegated: unit
            .delegate
            .then(|| SystemdAssignment::new(CGROUP, OsStr::new(DELEGATED)))
            .transpose()?,
        stored_fds: Some(unit.stored_fds).filter(|most| *most > 0),
        watchdog: unit.watchdog.map(|every| every.0),
        limits: limits(&unit.limits),
        hardening: hardening(unit.hardening, scope, unit.delegate),
        wanted_by: match scope {
            Scope::System => "multi-user.target",
            // A user's manager has no multi-user.target: systemd.special(7), USER UNITS.
            Scope::User => "default.target",
        },
    })
}

/// Root only on request: a system unit without `User=` would run every module as root.
fn person(unit: &Unit) -> Result<SystemdText, Refused> {
    let name = unit.person.as_deref().unwrap_or_default();
    if name.is_empty() {
        let because = "a system unit must name the user it runs as, even root";
        return Err(Refused::new("user", OsStr::new(name), because));
    }
    SystemdText::new("user", OsStr::new(name))
}

impl Command {
    /// `None`: no program. `key` is that of the descriptor.
    fn of(key: &str, argv: &[OsString]) -> Result<Option<Self>, Refused> {
        let Some((program, words)) = argv.split_first() else { return Ok(None) };
        let words = words.iter().enumerate();
        let words = words.map(|(at, word)| SystemdWord::new(&format!("{key}[{}]", at + 1), word));
        Ok(Some(Self {
            program: SystemdProgram::new(&format!("{key}[0]"), program)?,
            words: words.collect::<Result<_, _>>()?,
        }))
    }
}

/// systemd.time(7): a number alone is seconds.
fn span(Millis(millis): Millis) -> String {
    if millis % 1000 == 0 { (millis / 1000).to_string() } else { format!("{millis}ms") }
}

impl RestartView {
    fn of(restart: &Restart) -> Self {
        let codes: Vec<String> = restart.final_exit.iter().map(ToString::to_string).collect();
        Self {
            on: match restart.on {
                RestartOn::Failure => "on-failure",
            },
            delay: span(restart.delay),
            final_exit: (!codes.is_empty()).then(|| codes.join(" ")),
        }
    }
}

fn limits(limits: &Limits) -> Vec<Limit> {
    let limit = |key, value: Option<u64>| value.map(|value| Limit { key, value });
    let all = [
        limit("LimitNOFILE", limits.nofile.map(Into::into)),
        limit("MemoryMax", limits.memory.map(|bytes| bytes.0.into())),
        limit("TasksMax", limits.tasks.map(|tasks| u64::from(tasks.get()))),
    ];
    all.into_iter().flatten().collect()
}

/// Supported by every kind of manager: systemd.exec(5) says of each that it needs no privilege. Not among them, on
/// purpose: `MemoryDenyWriteExecute=`, which breaks every JIT.
const SAFE: [Rule; 5] = [
    Rule { key: "NoNewPrivileges", value: "yes" },
    Rule { key: "LockPersonality", value: "yes" },
    Rule { key: "RestrictRealtime", value: "yes" },
    Rule { key: "RestrictSUIDSGID", value: "yes" },
    Rule { key: "SystemCallArchitectures", value: "native" },
];

/// Likewise, but modules may need what these forbid: browsers and containers create namespaces.
const STRICT: [Rule; 2] = [
    Rule { key: "RestrictNamespaces", value: "yes" },
    Rule { key: "RestrictAddressFamilies", value: "AF_UNIX AF_INET AF_INET6 AF_NETLINK" },
];

/// Only in a system unit. A user's manager fails a unit with a capability set (218/CAPABILITIES, measured with
/// 252), and silently ignores the mount-type ones, so they would have no effect.
const STRICT_SYSTEM: [Rule; 7] = [
    Rule { key: "CapabilityBoundingSet", value: "" },
    Rule { key: "ProtectSystem", value: "full" },
    Rule { key: "ProtectControlGroups", value: "yes" },
    Rule { key: "ProtectKernelLogs", value: "yes" },
    Rule { key: "ProtectKernelModules", value: "yes" },
    Rule { key: "ProtectKernelTunables", value: "yes" },
    Rule { key: "ProtectClock", value: "yes" },
];

/// A program that divides its cgroup has to write to it.
fn hardening(level: Hardening, scope: Scope, delegate: bool) -> Vec<Rule> {
    let mut rules = Vec::new();
    if level >= Hardening::ModulesSafe {
        rules.extend(SAFE);
    }
    if level >= Hardening::Strict {
        rules.extend(STRICT);
        match scope {
            Scope::System => {
                let allowed = |rule: &&Rule| !(delegate && rule.key == "ProtectControlGroups");
                rules.extend(STRICT_SYSTEM.iter().filter(allowed));
            }
            Scope::User => {}
        }
    }
    rules
}
