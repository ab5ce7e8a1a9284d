//! A descriptor for one home on one host: every variable filled, every override merged. Still independent of the
//! manager.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::descriptor::{
    Descriptor, First, Hardening, Oom, Pattern, ReadySignal, Rest, Restart, Seconds, Stop, Variable,
};
use super::name::UnitName;
use super::overrides::{Limits, Overrides};
use super::search;
use super::token::{self, Refused};

/// Where the program of a system unit is installed: owned by root, so that no other user can change what the unit
/// starts.
pub const SYSTEM_BINARY: &str = "/usr/local/lib/parachute/parachute";

/// The values of a descriptor's variables, and the user for whom it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The program, at a path that an upgrade does not change.
    pub bin: PathBuf,
    /// The home of the hub.
    pub home: PathBuf,
    /// Login name of the user it runs as. A system unit must have one, and it is root only on request.
    pub person: Option<String>,
    /// That user's home directory. systemd knows it; launchd needs it.
    pub person_home: Option<PathBuf>,
    /// The hub's port.
    pub port: u16,
    /// The search path.
    pub path: OsString,
    /// Where launchd writes the program's output. The directory exists before the unit is loaded.
    pub log_dir: PathBuf,
}

/// A complete unit: every value is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Name.
    pub name: UnitName,
    /// One line for screens.
    pub description: String,
    /// Program, by its absolute path, and arguments.
    pub argv: Vec<OsString>,
    /// Environment.
    pub env: BTreeMap<String, OsString>,
    /// When it counts as started.
    pub ready: ReadySignal,
    /// When it is started again; `None`: never.
    pub restart: Option<Restart>,
    /// How it is stopped.
    pub stop: Stop,
    /// Program, by its absolute path, and arguments that the manager runs after each end; empty: none.
    pub after_end: Vec<OsString>,
    /// It reports that it is alive at least this often.
    pub watchdog: Option<Seconds>,
    /// What happens when one of its processes is killed for lack of memory.
    pub oom: Oom,
    /// Whether it divides its cgroup among its own children, where there are cgroups.
    pub delegate: bool,
    /// How many descriptors the manager keeps open for it while it does not run, if it can.
    pub stored_fds: u16,
    /// How much it is restricted.
    pub hardening: Hardening,
    /// Limits; a manager that does not support one refuses it.
    pub limits: Limits,
    /// The user it runs as, where the manager runs units of several users.
    pub person: Option<String>,
    /// That user's home directory.
    pub person_home: Option<PathBuf>,
    /// Where launchd writes the program's output.
    pub log_dir: PathBuf,
}

impl Descriptor {
    /// Fills in and merges.
    ///
    /// # Errors
    /// [`Refused`]: a value that no unit may have, or an override of a value that only we may set.
    pub fn bind(&self, binding: &Binding, overrides: &Overrides) -> Result<Unit, Refused> {
        for (key, path) in [("bin", &binding.bin), ("home", &binding.home), ("log_dir", &binding.log_dir)] {
            if !path.is_absolute() {
                return Err(Refused::new(key, path.as_os_str(), "it must be an absolute path"));
            }
        }
        if binding.port == 0 {
            return Err(Refused::new("port", OsStr::new("0"), "a unit needs a port above 0"));
        }
        let port = OsString::from(binding.port.to_string());
        let path = search::joined(&overrides.path, &binding.path)?;
        let value = |variable: Variable| match variable {
            Variable::Bin => Ok(binding.bin.as_os_str()),
            Variable::Home => Ok(binding.home.as_os_str()),
            Variable::Port => Ok(port.as_os_str()),
            Variable::Path => Ok(path.as_os_str()),
            Variable::User => binding.person.as_deref().map(OsStr::new).ok_or_else(|| {
                Refused::new("user", OsStr::new(""), "the unit names a user and there is none")
            }),
        };
        let filled =
            |words: &[Pattern]| words.iter().map(|word| word.fill(value)).collect::<Result<Vec<_>, _>>();
        let (argv, after_end) = (filled(&self.argv)?, filled(&self.after_end)?);
        let mut env = BTreeMap::new();
        for (name, pattern) in &self.env {
            env.insert(name.clone(), pattern.fill(value)?);
        }
        for (name, text) in &overrides.env {
            may_be_overridden(name, text)?;
            env.insert(name.clone(), text.into());
        }
        let unit = Unit {
            name: self.name.clone(),
            description: self.description.clone(),
            argv,
            env,
            ready: self.ready,
            restart: self.restart.clone(),
            stop: self.stop.clone(),
            after_end,
            watchdog: self.watchdog,
            oom: self.oom,
            delegate: self.delegate,
            stored_fds: self.stored_fds,
            hardening: overrides.hardening.unwrap_or(self.hardening),
            limits: overrides.limits.clone(),
            person: binding.person.clone(),
            person_home: binding.person_home.clone(),
            log_dir: binding.log_dir.clone(),
        };
        unit.checked()
    }
}

impl Unit {
    /// Checks what must hold for every format, so that no view has to.
    fn checked(self) -> Result<Self, Refused> {
        let refused = |key: &str, value: &str, because| Err(Refused::new(key, OsStr::new(value), because));
        let Some(program) = self.argv.first() else {
            return refused("argv", "", "there is no program in it");
        };
        if !Path::new(program).is_absolute() {
            return Err(Refused::new("argv[0]", program, "a program is named by its absolute path"));
        }
        if let Some(program) = self.after_end.first().filter(|program| !Path::new(program).is_absolute()) {
            return Err(Refused::new("after_end[0]", program, "a program is named by its absolute path"));
        }
        if (self.stop.first, self.stop.rest) == (First::Everyone, Rest::Leave) {
            return refused("stop.rest", "leave", "a stop that is for everyone leaves no process");
        }
        if let Some(Restart { delay, give_up, .. }) = &self.restart {
            // This check finds limits that can never be reached: starts that are one delay apart each
            // have to fit into the window, with as much time again to run and to crash.
            let needs = u64::from(give_up.starts).saturating_mul(delay.0).saturating_mul(2);
            if give_up.starts == 0 || needs >= give_up.within.0.saturating_mul(1000) {
                let because = "its pauses fill half of the window, so the start limit would never be hit";
                return refused("restart.give_up", &format!("{} starts", give_up.starts), because);
            }
        }
        Ok(self)
    }
}

/// Variables that name paths, or that connect the manager and the program, cannot be overridden.
fn may_be_overridden(name: &str, text: &str) -> Result<(), Refused> {
    let because = match name {
        "PARACHUTE_HOME" => "the unit belongs to this home",
        "PATH" => "use `path`, which adds to what is there",
        "NOTIFY_SOCKET" | "WATCHDOG_USEC" | "WATCHDOG_PID" | "LISTEN_FDS" | "LISTEN_PID"
        | "LISTEN_FDNAMES" | "XPC_SERVICE_NAME" => "the manager sets it",
        _ => return token::env_key(name).map(|_| ()),
    };
    Err(Refused::new(format!("env.{name}"), OsStr::new(text), because))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding() -> Binding {
        Binding {
            bin: "/b/parachute".into(),
            home: "/h".into(),
            person: Some("op".to_owned()),
            person_home: Some("/home/op".into()),
            port: 1939,
            path: "/usr/bin:/bin".into(),
            log_dir: "/h/hub/logs".into(),
        }
    }

    fn bound(change: impl FnOnce(&mut Binding, &mut Overrides)) -> Result<Unit, String> {
        let (mut binding, mut overrides) = (binding(), Overrides::default());
        change(&mut binding, &mut overrides);
        Descriptor::embedded("hub").unwrap().bind(&binding, &overrides).map_err(|error| error.to_string())
    }

    #[test]
    fn the_hub_is_bound_to_its_home_and_to_loopback() {
        let unit = bound(|_, _| {}).unwrap();
        assert_eq!(unit.argv, ["/b/parachute", "serve", "--port", "1939"]);
        let env: Vec<_> =
            unit.env.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let ours =
            [("PARACHUTE_BIND_HOST", "127.0.0.1"), ("PARACHUTE_HOME", "/h"), ("PATH", "/usr/bin:/bin")];
        assert_eq!(env, ours);
    }

    #[test]
    fn overrides_add_and_replace() {
        let unit = bound(|_, overrides| {
            *overrides = crate::unit::overrides::parse(
                "[unit]\nhardening = 'off'\npath = ['/opt/a b']\n\
                 env = { A = '{home}', PARACHUTE_BIND_HOST = '0.0.0.0' }\nlimits = { tasks = 9 }",
            )
            .unwrap();
        })
        .unwrap();
        assert_eq!(unit.env["A"], "{home}", "an override is not a pattern");
        assert_eq!(unit.env["PATH"], "/opt/a b:/usr/bin:/bin");
        assert_eq!(unit.env["PARACHUTE_BIND_HOST"], "0.0.0.0");
        assert_eq!(unit.hardening, Hardening::Off);
        assert_eq!(unit.limits.tasks.unwrap().get(), 9);
    }

    #[test]
    fn invalid_values_are_refused_and_named() {
        let env = |name: &'static str| {
            move |_: &mut Binding, overrides: &mut Overrides| {
                overrides.env.insert(name.to_owned(), "0.0.0.0".to_owned());
            }
        };
        let path = |dir: &'static str| {
            move |_: &mut Binding, overrides: &mut Overrides| overrides.path.push(dir.into())
        };
        for (error, said) in [
            (
                bound(|binding, _| binding.bin = "parachute".into()),
                r#"bin cannot be "parachute": it must be"#,
            ),
            (bound(|binding, _| binding.home = "".into()), r#"home cannot be "": it must be an absolute"#),
            (bound(|binding, _| binding.log_dir = "l".into()), r#"log_dir cannot be "l": it must be"#),
            (bound(|binding, _| binding.port = 0), r#"port cannot be "0": a unit needs a port above 0"#),
            (bound(env("PARACHUTE_HOME")), r#"env.PARACHUTE_HOME cannot be "0.0.0.0": the unit belongs"#),
            (bound(env("PATH")), r#"env.PATH cannot be "0.0.0.0": use `path`"#),
            (bound(env("NOTIFY_SOCKET")), "the manager sets it"),
            (bound(env("A B")), r#"the name of a variable cannot be "A B": "#),
            (bound(path("rel")), r#"path cannot be "rel": it must be an absolute path"#),
            (bound(path("/a:/b")), r#"path cannot be "/a:/b": a colon separates"#),
        ] {
            let error = error.unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_stop_for_everyone_leaves_no_process() {
        let hub = include_str!("../../units/hub.toml").replace("first = \"main\"", "first = \"everyone\"");
        let error = Descriptor::parse(&hub).unwrap().bind(&binding(), &Overrides::default()).unwrap_err();
        assert_eq!(error.key, "stop.rest", "{error}");
    }

    /// A limit over ten seconds was never reached while restarts came every five.
    #[test]
    fn a_restart_limit_that_is_never_reached_is_refused() {
        let hub = include_str!("../../units/hub.toml");
        let changes = [
            ("within = \"60s\"", "within = \"4s\""),
            ("\"100ms\"", "\"1500ms\""),
            ("starts = 20", "starts = 0"),
        ];
        for (from, to) in changes {
            assert!(hub.contains(from), "{from}");
            let descriptor = Descriptor::parse(&hub.replace(from, to)).unwrap();
            let error = descriptor.bind(&binding(), &Overrides::default()).unwrap_err();
            assert_eq!(error.key, "restart.give_up", "{error}");
        }
    }
}
