//! Composes what disk and hub hold about one module into one start.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::env::Env;
use super::fingerprint;
use super::known;
use super::launch::{Launch, MARK_HOME, MARK_INCARNATION, MARK_MODULE, Policy};
use super::manifest::Manifest;
use super::name::Short;
use super::problem::{Problem, ProblemKind};
use super::row::Row;
use super::supervise::{Log, Supervise};
use super::timestamp::Timestamp;

/// Variable that carries the origin of the hub.
pub(crate) const HUB_ORIGIN: &str = "PARACHUTE_HUB_ORIGIN";

/// The inputs of one start.
#[derive(Debug)]
pub(crate) struct Inputs<'a> {
    /// Short name.
    pub short: &'a Short,
    /// Its row.
    pub row: &'a Row,
    /// Its `module.json`, if it has one.
    pub manifest: Option<&'a Manifest>,
    /// Variables of its `.env`.
    pub env_file: &'a Env,
    /// What it inherits; see [`super::env::inherit`].
    pub inherited: &'a Env,
    /// The hub's origin; see [`super::origin::resolve`].
    pub origin: &'a str,
    /// The home.
    pub home: &'a Path,
    /// What the user set.
    pub settings: Settings<'a>,
}

/// The parts of `hub.toml` that concern one module. `own` overrides the others.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings<'a> {
    /// `[logs]`.
    pub logs: Option<&'a Log>,
    /// `[defaults]`, below what `module.json` says.
    pub defaults: Option<&'a Supervise>,
    /// `[modules.<short>]`.
    pub own: Option<&'a Supervise>,
}

/// A start, and notes for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Composed {
    /// The start.
    pub launch: Launch,
    /// One sentence each; nothing here stops the module.
    pub notes: Vec<String>,
}

/// Composes one start.
///
/// # Errors
/// [`ProblemKind::NoStartCmd`] if neither `module.json` nor the known table says how to start it.
pub(crate) fn compose(inputs: &Inputs<'_>, at: Timestamp) -> Result<Composed, Box<Problem>> {
    let row = inputs.row;
    let mut notes = Vec::new();
    let mut policy = Policy::default();
    if let Some(logs) = inputs.settings.logs {
        logs.apply(&mut policy);
    }
    let own = inputs.manifest.map(|m| &m.supervise);
    // Later wins.
    let layers: Vec<&Supervise> =
        [inputs.settings.defaults, own, inputs.settings.own].into_iter().flatten().collect();
    layers.iter().for_each(|layer| layer.apply(&mut policy));
    let last = |layers: &[&Supervise]| layers.iter().rev().find_map(|l| l.cwd.clone());
    let base = row.install_dir.as_deref();
    let cwd = match last(&layers) {
        Some(dir) => Some(base.unwrap_or(inputs.home).join(dir)),
        None => base.map(Path::to_owned),
    };
    let mut launch = Launch {
        short: inputs.short.clone(),
        row: row.name.clone(),
        argv: argv(inputs, at)?,
        cwd,
        env: child_env(inputs, &mut notes),
        port: row.port,
        listens: layers.iter().rev().find_map(|l| l.listen).unwrap_or(true),
        health: row.health.clone(),
        policy,
        definition: String::new(),
    };
    launch.definition = fingerprint::of(&launch, inputs.env_file);
    Ok(Composed { launch, notes })
}

/// The module's own start command first, the known table as a fallback.
fn argv(inputs: &Inputs<'_>, at: Timestamp) -> Result<Vec<OsString>, Box<Problem>> {
    let known = known::by_row(&inputs.row.name);
    if let Some(argv) = inputs.manifest.and_then(|m| m.start_cmd.as_ref()) {
        return Ok(argv.iter().map(OsString::from).collect());
    }
    match known {
        Some(known) if !known.argv.is_empty() => Ok(known.argv.iter().map(OsString::from).collect()),
        _ => Err(Box::new(no_start_cmd(inputs, at))),
    }
}

fn no_start_cmd(inputs: &Inputs<'_>, at: Timestamp) -> Problem {
    let row = inputs.row;
    let name = &row.name;
    let cause = match (&row.install_dir, inputs.manifest) {
        (Some(dir), Some(_)) => {
            format!("`{}` has no `startCmd`", dir.join(".parachute/module.json").display())
        }
        (Some(dir), None) => {
            format!("there is no `{}` to say how", dir.join(".parachute/module.json").display())
        }
        (None, _) => {
            "its row in services.json has no `installDir`, so no `module.json` can say how".to_owned()
        }
    };
    let why = match known::by_row(name) {
        // The original starts it with a script of its own package.
        Some(known) => format!(
            "`{name}` cannot be started: {cause}, and `{}` is part of the original hub's package, not a separate program.",
            known.short
        ),
        None => format!("`{name}` cannot be started: {cause}."),
    };
    Problem::new(ProblemKind::NoStartCmd, why, at)
}

/// Inherited variables, then `.env`, then what only the hub sets.
fn child_env(inputs: &Inputs<'_>, notes: &mut Vec<String>) -> Env {
    let port = inputs.row.port.to_string();
    let mut env = inputs.inherited.clone();
    env.extend(inputs.env_file.iter().map(|(k, v)| (k.clone(), v.clone())));
    if let Some(stale) = inputs.env_file.get(OsStr::new("PORT")).filter(|p| p.as_os_str() != port.as_str()) {
        notes.push(format!(
            "PORT={} in `{}` is ignored: the row's port {port} counts",
            stale.display(),
            inputs.home.join(inputs.short.as_str()).join(".env").display()
        ));
    }
    env.insert("PORT".into(), port.into());
    env.insert(HUB_ORIGIN.into(), inputs.origin.into());
    // Each incarnation gets its own mark, at the spawn.
    env.remove(OsStr::new(MARK_INCARNATION));
    env.insert(MARK_MODULE.into(), inputs.short.as_str().into());
    env.insert(MARK_HOME.into(), inputs.home.into());
    env
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::row::short_of;
    use serde_json::{Value, json};
    use std::time::Duration;

    struct World {
        row: Value,
        manifest: Option<Value>,
        dotenv: &'static str,
        inherited: &'static [(&'static str, &'static str)],
        defaults: Supervise,
        own: Supervise,
    }

    impl World {
        fn of(name: &str) -> Self {
            Self {
                row: json!({"name": name, "port": 1943, "paths": [], "health": "/h", "version": ""}),
                manifest: None,
                dotenv: "",
                inherited: &[],
                defaults: Supervise::default(),
                own: Supervise::default(),
            }
        }

        fn compose(&self) -> Result<Composed, Box<Problem>> {
            let row = Row::check(&self.row).unwrap();
            let short = short_of(&row.name).unwrap();
            let manifest = self.manifest.as_ref().map(|m| {
                let mut whole =
                    json!({"name": "x", "manifestName": "x", "port": 1, "paths": [], "health": "/"});
                whole.as_object_mut().unwrap().extend(m.as_object().unwrap().clone());
                Manifest::parse(whole.to_string().as_bytes()).unwrap()
            });
            let inputs = Inputs {
                short: &short,
                row: &row,
                manifest: manifest.as_ref(),
                env_file: &crate::module::env::parse(self.dotenv.as_bytes()),
                inherited: &self.inherited.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
                origin: "https://o",
                home: Path::new("/home/p"),
                settings: Settings { logs: None, defaults: Some(&self.defaults), own: Some(&self.own) },
            };
            compose(&inputs, Timestamp(0))
        }
    }

    #[test]
    fn the_row_port_and_the_hub_origin_win_and_the_env_file_beats_what_is_inherited() {
        let world = World {
            dotenv: "PORT=1944\nKEY=file\nPARACHUTE_HUB_ORIGIN=stale\nPARACHUTE_MODULE=spoof",
            inherited: &[("KEY", "hub"), ("LANG", "C")],
            ..World::of("parachute-scribe")
        };
        let composed = world.compose().unwrap();
        let pairs: Vec<_> =
            composed.launch.env.iter().map(|(k, v)| (k.to_str().unwrap(), v.to_str().unwrap())).collect();
        assert_eq!(
            pairs,
            [
                ("KEY", "file"),
                ("LANG", "C"),
                ("PARACHUTE_HOME", "/home/p"),
                ("PARACHUTE_HUB_ORIGIN", "https://o"),
                ("PARACHUTE_MODULE", "scribe"),
                ("PORT", "1943"),
            ]
        );
        assert_eq!(
            composed.notes,
            ["PORT=1944 in `/home/p/scribe/.env` is ignored: the row's port 1943 counts"]
        );
        let same = World { dotenv: "PORT=1943", ..World::of("parachute-scribe") };
        assert_eq!(same.compose().unwrap().notes, [""; 0]);
    }

    #[test]
    fn module_json_comes_before_the_table() {
        let argv = |world: World| world.compose().map(|c| c.launch.argv).map_err(|p| p.error_description);
        assert_eq!(argv(World::of("parachute-scribe")).unwrap(), ["parachute-scribe", "serve"]);
        let own = json!({"startCmd": ["./mine"]});
        assert_eq!(argv(World { manifest: Some(own), ..World::of("parachute-scribe") }).unwrap(), ["./mine"]);
        assert_eq!(
            argv(World::of("acme")).unwrap_err(),
            "`acme` cannot be started: its row in services.json has no `installDir`, so no `module.json` can say how."
        );
        let mut notes = World::of("parachute-notes");
        notes.row["installDir"] = json!("/n");
        assert_eq!(
            argv(notes).unwrap_err(),
            "`parachute-notes` cannot be started: there is no `/n/.parachute/module.json` to say how, and `notes` is \
             part of the original hub's package, not a separate program."
        );
        assert_eq!(World::of("acme").compose().unwrap_err().error_type, ProblemKind::NoStartCmd);
    }

    #[test]
    fn settings_are_layered_and_the_working_directory_follows_the_install_directory() {
        let mut world = World::of("acme");
        world.row["installDir"] = json!("/opt/acme");
        world.manifest = Some(json!({"startCmd": ["a"],
            "supervise": {"cwd": "work", "kill_timeout": "7s", "ready_within": "9s", "listen": false}}));
        let settings = |v: Value| serde_json::from_value::<Supervise>(v).unwrap();
        world.defaults = settings(json!({"kill_timeout": "1s", "restart": {"max": 2}}));
        world.own = settings(json!({"ready_within": "30s"}));
        let launch = world.compose().unwrap().launch;
        assert_eq!(launch.cwd.as_deref(), Some(Path::new("/opt/acme/work")));
        assert!(!launch.listens);
        assert_eq!(launch.policy.kill_timeout, Duration::from_secs(7), "module.json beats [defaults]");
        assert_eq!(launch.policy.ready_within, Duration::from_secs(30), "[modules.acme] beats module.json");
        assert_eq!(launch.policy.max_crashes, 2);
        world.own = settings(json!({"cwd": "/abs", "listen": true}));
        let launch = world.compose().unwrap().launch;
        assert_eq!((launch.cwd.as_deref(), launch.listens), (Some(Path::new("/abs")), true));
        assert_eq!(World::of("parachute-scribe").compose().unwrap().launch.cwd, None);
    }
}
