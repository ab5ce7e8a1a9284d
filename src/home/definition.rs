//! Everything one start of a module needs, read again from disk.
//!
//! Called before every spawn, so a change of a row, `.env`, `module.json` or setting applies from the next start on.

use std::borrow::Cow;
use std::error::Error;
use std::path::Path;

use super::env_file;
use super::files::{Direct, Files, Places};
use super::hub_env::{self, Refused};
use super::module_json;
use super::paths::Home;
use super::settings::LastGood;
use crate::error_chain;
use crate::module::compose::{Composed, Inputs, compose};
use crate::module::env::{self, Env, inherit};
use crate::module::known;
use crate::module::manifest::Manifest;
use crate::module::name::Short;
use crate::module::origin;
use crate::module::problem::{Problem, ProblemKind};
use crate::module::row::Row;
use crate::module::timestamp::Timestamp;

/// Largest `expose-state.json` that is read.
const EXPOSE_LIMIT: u64 = 1024 * 1024;

/// The data that the hub passes to every start.
#[derive(Debug, Clone)]
pub(crate) struct SpawnBase {
    /// The hub's own environment.
    pub hub_env: Env,
    /// The user as whom `hub.env` is read before each start. `None`: it is not read, as for a hub in the foreground.
    pub reads_hub_env: Option<u32>,
    /// The hub's TCP port.
    pub hub_port: u16,
}

impl SpawnBase {
    /// The hub's own environment, with `hub.env` above it if that is read: as systemd.exec(5) orders `Environment=`
    /// and `EnvironmentFile=`.
    fn environment(&self, home: &Home) -> Result<Cow<'_, Env>, Refused> {
        let Some(me) = self.reads_hub_env else { return Ok(Cow::Borrowed(&self.hub_env)) };
        let mut env = self.hub_env.clone();
        env.extend(hub_env::read(home, me)?.variables);
        Ok(Cow::Owned(env))
    }
}

/// The same for a row that was just read, so that booting many modules reads services.json once, and for settings that
/// may be from an earlier read.
///
/// # Errors
/// As [`load`].
pub(crate) fn of_row(
    home: &Home,
    short: &Short,
    row: &Row,
    settings: &LastGood,
    base: &SpawnBase,
    at: Timestamp,
) -> Result<Composed, Box<Problem>> {
    let definition = Definition { home, short, row, settings, base };
    definition.compose(&*definition.environment(at)?, &Direct, at)
}

/// What a start of one module is composed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition<'a> {
    /// The home.
    pub home: &'a Home,
    /// The module.
    pub short: &'a Short,
    /// Its row.
    pub row: &'a Row,
    /// The settings, which may be from an earlier read.
    pub settings: &'a LastGood,
    /// What the hub passes to every start.
    pub base: &'a SpawnBase,
}

impl<'a> Definition<'a> {
    /// The environment that every module starts from. `hub.env` is read directly: it lies in the home itself, and as a
    /// link it is refused.
    ///
    /// # Errors
    /// It is refused.
    pub(crate) fn environment(&self, at: Timestamp) -> Result<Cow<'a, Env>, Box<Problem>> {
        self.base.environment(self.home).map_err(|refused| Box::new(refused.problem(at)))
    }

    /// All that [`Self::compose`] looks at: below the install directory; below the module's directory in the home, which
    /// may be a link; and places where login shells find tools.
    #[must_use]
    pub(crate) fn places(&self, environment: &Env) -> Places {
        let mut places = Places::default();
        if let Some(dir) = &self.row.install_dir {
            places.dirs.push(dir.clone());
            places.files.push((Home::manifest(dir), module_json::LIMIT));
        }
        places.files.push((self.home.env_file(self.short), env_file::LIMIT));
        places.files.push((self.home.expose_state(), EXPOSE_LIMIT));
        places.dirs.extend(env::usual_dirs(environment));
        places
    }

    /// Composes the start.
    ///
    /// # Errors
    /// A [`Problem`] that names the file: [`ProblemKind::BadDefinition`], [`ProblemKind::NoStartCmd`] or
    /// [`ProblemKind::MissingCwd`].
    pub(crate) fn compose(
        &self,
        environment: &Env,
        files: &dyn Files,
        at: Timestamp,
    ) -> Result<Composed, Box<Problem>> {
        let Self { home, short, row, settings, base } = self;
        let mut notes: Vec<String> = settings.broken().map(str::to_owned).into_iter().collect();
        let manifest = match &row.install_dir {
            Some(dir) if !files.is_dir(dir) => return Err(Box::new(no_install_dir(home, row, dir, at))),
            Some(dir) => manifest(row, files, dir, &mut notes, at)?,
            None => None,
        };
        let env_file = env_file::read_by(files, &home.env_file(short)).map_err(|e| bad(&e, at))?;
        // An unreadable file counts as absent, like a corrupt one: it only holds the public origin.
        let expose_state = files.read_if_there(&home.expose_state(), EXPOSE_LIMIT).unwrap_or_default();
        let origin = origin::resolve(&origin::Sources {
            hub_env: environment,
            expose_state: expose_state.as_deref(),
            hub_port: base.hub_port,
        });
        let inputs = Inputs {
            short,
            row,
            manifest: manifest.as_ref(),
            env_file: &env_file,
            inherited: &inherit(environment, &|dir| files.is_dir(dir)),
            origin: &origin,
            home: home.root(),
            settings: settings.settings().of(short),
        };
        let mut composed = compose(&inputs, at)?;
        composed.notes.extend(notes);
        Ok(composed)
    }
}

/// A module of the known table needs no `module.json`, so an invalid one is a note for it and a problem for any other.
fn manifest(
    row: &Row,
    files: &dyn Files,
    dir: &Path,
    notes: &mut Vec<String>,
    at: Timestamp,
) -> Result<Option<Manifest>, Box<Problem>> {
    match module_json::read_by(files, dir) {
        Ok(manifest) => Ok(manifest),
        Err(error) if known::by_row(&row.name).is_some_and(|k| !k.argv.is_empty()) => {
            notes.push(format!("{}; started without it", error_chain::of(&error)));
            Ok(None)
        }
        Err(error) => Err(bad(&error, at)),
    }
}

fn no_install_dir(home: &Home, row: &Row, dir: &Path, at: Timestamp) -> Problem {
    let (name, dir, file) = (&row.name, dir.display(), home.services());
    let text =
        format!("The install directory `{dir}` of `{name}` does not exist; {} names it.", file.display());
    Problem::new(ProblemKind::MissingCwd, text, at)
}

fn bad(error: &dyn Error, at: Timestamp) -> Box<Problem> {
    Box::new(Problem::new(ProblemKind::BadDefinition, format!("{}.", error_chain::of(error)), at))
}

#[cfg(test)]
mod tests {
    use super::super::{fs, services};
    use super::*;
    use std::cell::RefCell;
    use std::ffi::OsStr;
    use std::path::PathBuf;

    struct World {
        _dir: tempfile::TempDir,
        home: Home,
        app: PathBuf,
        reads: Option<u32>,
    }

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let (home, app) = (Home::at(dir.path().join("home")), dir.path().join("app"));
            fs::make_dir(&app.join(".parachute"), 0o700).unwrap();
            fs::make_dir(home.root(), 0o700).unwrap();
            let world = Self { _dir: dir, home, app, reads: None };
            world.rows("acme");
            world.manifest(r#""startCmd":["acmed"]"#);
            world
        }

        fn put(&self, path: &Path, text: &str) {
            fs::make_dir(path.parent().unwrap(), 0o700).unwrap();
            fs::put(path, 0o600, text.as_bytes()).unwrap();
        }

        fn rows(&self, name: &str) {
            let row = serde_json::json!({"name": name, "port": 1944, "paths": [], "health": "/h", "version": "",
                "installDir": self.app});
            self.put(&self.home.services(), &format!("{{\"services\":[{row}]}}"));
        }

        fn manifest(&self, rest: &str) {
            let text =
                format!(r#"{{"name":"a","manifestName":"a","port":1,"paths":[],"health":"/",{rest}}}"#);
            self.put(&Home::manifest(&self.app), &text);
        }

        fn load(&self, short: &str) -> Result<Composed, Box<Problem>> {
            let hub_env = [("LANG".into(), "C".into()), ("NOTIFY_SOCKET".into(), "/n".into())].into();
            let base = SpawnBase { hub_env, reads_hub_env: self.reads, hub_port: 2000 };
            let (short, services) = (Short::new(short).unwrap(), services::read(&self.home).unwrap());
            let row = services.row(&short).unwrap();
            of_row(&self.home, &short, row, &LastGood::of(&self.home), &base, Timestamp(0))
        }
    }

    #[test]
    fn each_start_uses_the_files_as_they_are_now() {
        let world = World::new();
        let first = world.load("acme").unwrap().launch;
        assert_eq!((first.argv, first.cwd), (vec!["acmed".into()], Some(world.app.clone())));
        let get = |env: &Env, key: &str| env.get(OsStr::new(key)).map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(get(&first.env, "PARACHUTE_HUB_ORIGIN").unwrap(), "http://127.0.0.1:2000");
        assert_eq!(
            (get(&first.env, "LANG").unwrap().as_str(), get(&first.env, "NOTIFY_SOCKET")),
            ("C", None)
        );

        world.put(&world.home.root().join("acme/.env"), "KEY=new\n");
        world.put(&world.home.expose_state(), r#"{"canonicalFqdn":"box.example"}"#);
        world.put(&world.home.settings(), "[modules.acme]\nlisten = false\n");
        world.manifest(r#""startCmd":["other"]"#);
        let second = world.load("acme").unwrap().launch;
        assert_eq!((get(&second.env, "KEY").unwrap().as_str(), second.listens), ("new", false));
        assert_eq!(get(&second.env, "PARACHUTE_HUB_ORIGIN").unwrap(), "https://box.example");
        assert_eq!(second.argv, [OsStr::new("other")]);
    }

    /// Looks directly, and remembers at what.
    #[derive(Default)]
    struct Recorder(RefCell<Places>);

    impl Files for Recorder {
        fn is_dir(&self, path: &Path) -> bool {
            self.0.borrow_mut().dirs.push(path.to_owned());
            Direct.is_dir(path)
        }

        fn read_if_there(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, fs::FsError> {
            self.0.borrow_mut().files.push((path.to_owned(), limit));
            Direct.read_if_there(path, limit)
        }
    }

    /// The hub has these places looked at beforehand: one that is missing there would not be seen.
    #[test]
    fn the_places_are_all_that_a_definition_looks_at() {
        let world = World::new();
        let hub_env = [("HOME".into(), "/home/p".into())].into();
        let base = SpawnBase { hub_env, reads_hub_env: None, hub_port: 2000 };
        let (short, settings) = (Short::new("acme").unwrap(), LastGood::of(&world.home));
        let services = services::read(&world.home).unwrap();
        let row = services.row(&short).unwrap();
        let definition =
            Definition { home: &world.home, short: &short, row, settings: &settings, base: &base };
        let environment = definition.environment(Timestamp(0)).unwrap();
        let recorder = Recorder::default();
        definition.compose(&environment, &recorder, Timestamp(0)).unwrap();
        assert_eq!(recorder.0.into_inner(), definition.places(&environment));
    }

    #[test]
    fn every_failure_names_the_file() {
        let said = |world: &World| {
            let problem = world.load("acme").unwrap_err();
            assert_eq!(problem.error_type, ProblemKind::BadDefinition, "{problem:?}");
            problem.error_description.replace(&world.home.root().display().to_string(), "HOME")
        };
        let world = World::new();
        world.manifest(r#""startCmd":[]"#);
        assert!(said(&world).contains("/app/.parachute/module.json cannot be used: `startCmd` must be"));
        let world = World::new();
        world.put(&world.home.root().join("acme/.env"), "K=\0");
        assert_eq!(said(&world), "HOME/acme/.env contains NUL bytes.");
        world.rows("other");
        fs::make_dir(&world.home.root().join("other/.env"), 0o700).unwrap();
        assert_eq!(
            world.load("other").unwrap_err().error_description,
            format!("{} is not a regular file.", world.home.root().join("other/.env").display())
        );
    }

    #[test]
    fn hub_env_is_read_at_each_start_and_required_if_present() {
        let mut world = World::new();
        let file = world.home.hub_env();
        let value = |world: &World, key: &str| {
            let env = world.load("acme").unwrap().launch.env;
            env.get(OsStr::new(key)).map(|value| value.to_str().unwrap().to_owned())
        };
        world
            .put(&file, "LANG=de\nKEY='a b'\nPARACHUTE_HUB_ORIGIN=https://hub.example/\nPARACHUTE_HOME=/x\n");
        assert_eq!(value(&world, "KEY"), None, "a hub in the foreground");

        world.reads = fs::owner(&file);
        assert_eq!(value(&world, "KEY").as_deref(), Some("a b"));
        assert_eq!(value(&world, "LANG").as_deref(), Some("de"), "the file overrides the environment");
        assert_eq!(value(&world, "PARACHUTE_HUB_ORIGIN").as_deref(), Some("https://hub.example"));
        assert_eq!(value(&world, "PARACHUTE_HOME").as_deref(), world.home.root().to_str());
        world.put(&world.home.root().join("acme/.env"), "KEY=own\n");
        assert_eq!(value(&world, "KEY").as_deref(), Some("own"), "a module's own file overrides it");

        fs::set_mode(&file, 0o620).unwrap();
        let problem = world.load("acme").unwrap_err();
        let file = file.display();
        let text = format!(
            "{file} is refused: other users can write it (mode 0620). No module is started without it."
        );
        assert_eq!((problem.error_type, problem.error_description), (ProblemKind::BadDefinition, text));
        assert_eq!(problem.next, Some(format!("chmod 600 {file}")));
        fs::remove(&world.home.hub_env()).unwrap();
        assert_eq!(value(&world, "LANG").as_deref(), Some("C"), "it may be absent");
    }

    #[test]
    fn broken_settings_stop_no_module_and_are_noted() {
        let world = World::new();
        world.put(&world.home.settings(), "[hub]\nprot = 1\n");
        let composed = world.load("acme").unwrap();
        assert_eq!(composed.launch.argv, [OsStr::new("acmed")]);
        assert!(
            composed.notes[0].contains("/hub.toml, line 2: unknown field `prot`"),
            "{:?}",
            composed.notes
        );
    }

    #[test]
    fn a_missing_install_directory_is_reported() {
        let world = World::new();
        fs::rename(&world.app, &world.app.with_extension("gone")).unwrap();
        let problem = world.load("acme").unwrap_err();
        assert_eq!(problem.error_type, ProblemKind::MissingCwd);
        assert!(problem.error_description.contains("/app` of `acme` does not exist"), "{problem:?}");
    }

    #[test]
    fn a_known_module_starts_without_its_bad_module_json() {
        let world = World::new();
        world.rows("parachute-scribe");
        world.put(&Home::manifest(&world.app), "{");
        let composed = world.load("scribe").unwrap();
        assert_eq!(composed.launch.argv[0], "parachute-scribe");
        assert!(composed.notes[0].contains("module.json cannot be used"), "{:?}", composed.notes);
    }
}
