//! Turns a command into a module.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::home::document::Document;
use crate::home::env_file;
use crate::home::fs;
use crate::home::module_json;
use crate::home::paths::Home;
use crate::home::services;
use crate::module::known;
use crate::module::manifest::{ADDED_BY, Manifest};
use crate::module::name::Short;
use crate::module::port::{self, Source};
use crate::module::row::Row;

use super::add_error::AddError;
use super::available;

/// Version of a row without a package, as the original writes it.
const LINKED: &str = "0.0.0-linked";

/// A command that is to become a module.
#[derive(Debug, Clone)]
pub(crate) struct NewModule {
    /// Its short name, also the name of its row.
    pub short: Short,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Port, if the user chose one.
    pub port: Option<u16>,
    /// Health path. If given, it is also checked while the module runs.
    pub health: Option<String>,
    /// Variables for its `.env`.
    pub env: Vec<(String, String)>,
    /// Working directory. `None`: its directory below the home.
    pub cwd: Option<PathBuf>,
    /// `false`: a worker that binds nothing.
    pub listens: bool,
    /// Whether it may replace a module that `add` created.
    pub replace: bool,
}

/// Ports that are taken although no row has them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occupied<'a> {
    /// They are in use now.
    pub listening: &'a BTreeSet<u16>,
    /// The hub's port.
    pub hub: u16,
}

/// What [`add`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Added {
    /// Its port.
    pub port: u16,
    /// How the port was found. `None`: it was given, or kept from the module that was replaced.
    pub source: Option<Source>,
    /// Whether an existing module was replaced.
    pub replaced: bool,
    /// Its `module.json`.
    pub module_json: PathBuf,
    /// Its `.env`, if variables were given.
    pub env_file: Option<PathBuf>,
}

/// Turns a command into a module: `module.json` and `.env` below the home, then the row.
///
/// # Errors
/// [`AddError`]; then no row was written.
pub(crate) fn add(
    home: &Home,
    new: &NewModule,
    occupied: Occupied<'_>,
    within: Duration,
) -> Result<Added, AddError> {
    let dir = home.module(&new.short);
    available::as_name(home, &new.short)?;
    // Port and row are chosen under the lock: of two concurrent adds the second sees the row of the first.
    services::edit(home, within, |document| {
        let replaced = may_write(home, new, document)?;
        let (port, source) = choose_port(new, replaced.as_ref(), document, occupied)?;
        let health = new.health.clone().unwrap_or_else(|| format!("/{}/health", new.short));
        document.upsert(new.short.as_str(), &row(port, &health, &dir)?)?;
        let text = module_json(new, port, &health)?;

        let env_file = (!new.env.is_empty()).then(|| home.env_file(&new.short));
        if let Some(path) = &env_file {
            env_file::upsert(path, &new.env)?;
        }
        let module_json = Home::manifest(&dir);
        fs::make_dir(module_json.parent().unwrap_or(&dir), fs::PRIVATE_DIR)?;
        // Arguments may contain secrets, so it is as private as the `.env`.
        fs::put(&module_json, fs::PRIVATE, text.as_bytes())?;
        let replaced = replaced.is_some();
        Ok(Added { port, source, replaced, module_json, env_file })
    })
}

/// The port of the module that is replaced; `None` if there is none.
struct Replaced {
    port: Option<u16>,
}

fn may_write(home: &Home, new: &NewModule, document: &Document) -> Result<Option<Replaced>, AddError> {
    let dir = home.module(&new.short);
    match document.row_of(&new.short) {
        Some((name, port)) => {
            let elsewhere = |row: Row| row.name == name && row.install_dir.as_ref() != Some(&dir);
            let other = document.rows().flatten().any(elsewhere);
            let is_ours =
                || module_json::read(&dir).is_ok_and(|found| found.is_some_and(|found| found.added));
            if new.replace && name == new.short.as_str() && is_ours() && !other {
                return Ok(Some(Replaced { port }));
            }
            Err(AddError::Exists { short: new.short.clone(), row: name })
        }
        None => available::below_the_home(home, &new.short).map(|()| None),
    }
}

fn choose_port(
    new: &NewModule,
    replaced: Option<&Replaced>,
    document: &Document,
    occupied: Occupied<'_>,
) -> Result<(u16, Option<Source>), AddError> {
    let others: Vec<(String, u16)> = document
        .names_and_ports()
        .filter(|(name, _)| name.as_deref() != Some(new.short.as_str()))
        .filter_map(|(name, port)| Some((name.unwrap_or_else(|| "without a name".to_owned()), port?)))
        .collect();
    let holder = |port: u16| others.iter().find(|(_, p)| *p == port).map(|(name, _)| name.clone());
    if let Some(port) = new.port {
        return match holder(port) {
            Some(row) => Err(AddError::PortTaken { port, row }),
            None if port == occupied.hub => Err(AddError::PortOfHub(port)),
            None => Ok((port, None)),
        };
    }
    if let Some(port) = replaced.and_then(|r| r.port).filter(|p| holder(*p).is_none()) {
        return Ok((port, None));
    }
    let mut taken = occupied.listening.clone();
    taken.extend(others.iter().map(|(_, port)| *port).chain([occupied.hub]));
    let canonical = known::by_short(new.short.as_str()).map(|k| k.port);
    port::assign(canonical, &taken).map(|(p, source)| (p, Some(source))).ok_or(AddError::NoPort)
}

fn row(port: u16, health: &str, dir: &Path) -> Result<Map<String, Value>, AddError> {
    // No mount: the command serves its own root, and knows nothing of a path below a hub.
    let paths = json!([]);
    let fields = [
        ("port", port.into()),
        ("paths", paths),
        ("health", health.into()),
        ("version", LINKED.into()),
        ("installDir", text(dir)?.into()),
    ];
    Ok(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn module_json(new: &NewModule, port: u16, health: &str) -> Result<String, AddError> {
    let mut supervise = Map::new();
    if !new.listens {
        supervise.insert("listen".to_owned(), false.into());
    }
    if new.health.is_some() {
        supervise.insert("liveness".to_owned(), true.into());
    }
    if let Some(cwd) = &new.cwd {
        supervise.insert("cwd".to_owned(), text(cwd)?.into());
    }
    let mut file = json!({
        "name": manifest_name(&new.short),
        "manifestName": new.short.as_str(),
        "port": port,
        "paths": [],
        "health": health,
        "startCmd": new.argv,
    });
    if !supervise.is_empty() {
        file["supervise"] = Value::Object(supervise);
    }
    file[ADDED_BY.0] = ADDED_BY.1.into();
    let text = format!("{file:#}\n");
    // Checked: what could not be read back is not written.
    Manifest::parse(text.as_bytes())?;
    Ok(text)
}

fn text(path: &Path) -> Result<&str, AddError> {
    path.to_str().ok_or_else(|| AddError::NotText(path.to_owned()))
}

/// The short name within `^[a-z][a-z0-9-]*$`, which is all the original accepts in `name`.
fn manifest_name(short: &Short) -> String {
    let plain = short.as_str().to_ascii_lowercase().replace(['.', '_'], "-");
    if plain.starts_with(|c: char| c.is_ascii_lowercase()) { plain } else { format!("m-{plain}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(60);

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("h"));
        (dir, home)
    }

    fn new(short: &str) -> NewModule {
        NewModule {
            short: Short::new(short).unwrap(),
            argv: vec!["prog".to_owned(), "--x".to_owned()],
            port: None,
            health: None,
            env: Vec::new(),
            cwd: None,
            listens: true,
            replace: false,
        }
    }

    fn put(home: &Home, new: &NewModule) -> Result<Added, AddError> {
        add(home, new, Occupied { listening: &BTreeSet::from([1944]), hub: 1947 }, WITHIN)
    }

    fn rows(home: &Home, text: &str) {
        fs::make_dir(home.root(), 0o700).unwrap();
        fs::put(&home.services(), 0o600, text.as_bytes()).unwrap();
    }

    #[test]
    fn only_modules_of_add_are_replaced_and_keep_their_port() {
        let (dir, home) = home();
        let first = NewModule { port: Some(3000), ..new("web") };
        put(&home, &first).unwrap();
        let error = put(&home, &first).unwrap_err().to_string();
        assert_eq!(error, "module `web` exists already (row `web` of services.json)");
        let again = NewModule { replace: true, argv: vec!["other".to_owned()], ..new("web") };
        let added = put(&home, &again).unwrap();
        assert_eq!((added.port, added.replaced), (3000, true));
        let other = dir.path().join("elsewhere");
        let theirs = json!({"services": [
            {"name": "web", "port": 1, "paths": [], "health": "/", "version": "", "installDir": other},
            {"name": "parachute-vault", "port": 1940, "paths": [], "health": "/", "version": ""}]});
        rows(&home, &theirs.to_string());
        assert!(matches!(put(&home, &again), Err(AddError::Exists { .. })), "another installDir");
        let vault = NewModule { replace: true, ..new("vault") };
        let error = put(&home, &vault).unwrap_err().to_string();
        assert_eq!(error, "module `vault` exists already (row `parachute-vault` of services.json)");
    }

    #[test]
    fn taken_ports_are_refused_by_name_and_ports_of_bad_rows_count() {
        let (_dir, home) = home();
        rows(&home, r#"{"services":[{"name":"bad","port":1948},{"port":1949}]}"#);
        let on = |port| put(&home, &NewModule { port: Some(port), ..new("web") }).unwrap_err().to_string();
        assert_eq!(on(1948), "port 1948 is taken by row `bad`");
        assert_eq!(on(1947), "port 1947 is the hub's own");
        assert!(on(0).contains("`port` must be an integer from 1 to 65535"));
        assert!(!fs::exists(&home.module(&Short::new("web").unwrap())), "nothing was written");
        assert_eq!(put(&home, &new("web")).unwrap().port, 1950);
        assert_eq!(put(&home, &new("scribe")).unwrap().source, Some(Source::Canonical));
    }

    #[test]
    fn invalid_values_are_refused_before_a_row_is_written() {
        let (_dir, home) = home();
        for name in ["run", "services.json", "bin"] {
            assert!(matches!(put(&home, &new(name)), Err(AddError::Taken(_))), "{name}");
        }
        let cases = [
            NewModule { argv: Vec::new(), ..new("a") },
            NewModule { health: Some("up".to_owned()), ..new("a") },
            NewModule { env: vec![("A B".to_owned(), "1".to_owned())], ..new("a") },
        ];
        for bad in cases {
            assert!(put(&home, &bad).is_err(), "{bad:?}");
        }
        let foreign = Home::manifest(&home.root().join("a"));
        fs::make_dir(foreign.parent().unwrap(), 0o700).unwrap();
        fs::put(&foreign, 0o600, b"{}").unwrap();
        assert!(matches!(put(&home, &new("a")), Err(AddError::Foreign(path)) if path == foreign));
        assert!(!fs::exists(&home.services()));
    }

    #[test]
    fn fifty_adds_at_once_give_fifty_rows_with_fifty_ports() {
        let (_dir, home) = home();
        std::thread::scope(|scope| {
            for i in 0..50 {
                let home = &home;
                scope.spawn(move || put(home, &new(&format!("m{i}"))).unwrap());
            }
        });
        let services = services::read(&home).unwrap();
        let ports: BTreeSet<u16> = services.rows.iter().map(|(_, row)| row.port).collect();
        assert_eq!((services.rows.len(), ports.len(), services.problems.len()), (50, 50, 0));
        for (short, _) in &services.rows {
            assert!(module_json::read(&home.module(short)).unwrap().unwrap().added);
        }
    }
}
