//! `serve --demo`: this very binary as the one module of a home, so that everything can be tried with nothing
//! installed. The row is taken back when the hub stops.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::home::paths::Home;
use crate::home::registration::{self, AddError, NewModule, Occupied, RemoveError};
use crate::module::name::{NameError, Short};

/// Name of the module.
pub const NAME: &str = "demo";

/// How long another writer of services.json is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The name is a constant and plain; this cannot be.
    #[error("the demo module's name is refused")]
    Name(#[from] NameError),
    /// The home cannot be written, or has a module of that name that is not ours.
    #[error("the demo module cannot be added")]
    Add(#[from] AddError),
    /// The row cannot be taken back.
    #[error("the demo module cannot be removed")]
    Remove(#[from] RemoveError),
    /// The path of this binary is not UTF-8, which `module.json` cannot hold.
    #[error("the path of this program, {}, is not UTF-8", .0.display())]
    Exe(PathBuf),
}

/// The module of this hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demo {
    /// Its name.
    pub short: Short,
    /// Its port.
    pub port: u16,
}

impl Demo {
    /// What a newcomer may try, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Self { short, port } = self;
        vec![
            "this is a demo with one module; in another terminal try:".to_owned(),
            "  parachute status".to_owned(),
            format!("  parachute logs {short} -f"),
            format!("  curl http://127.0.0.1:{port}/crash    # it crashes and is restarted"),
            format!("  parachute why {short}"),
            format!("  parachute stop {short}; parachute start {short}"),
            "Ctrl-C here stops everything and removes the demo module".to_owned(),
        ]
    }
}

/// Adds the module, or puts this binary into one that an earlier demo left.
///
/// # Errors
/// [`DemoError`].
pub fn add(home: &Home, exe: &Path, occupied: Occupied<'_>) -> Result<Demo, DemoError> {
    let short = Short::new(NAME)?;
    let program = exe.to_str().ok_or_else(|| DemoError::Exe(exe.to_owned()))?;
    let module = NewModule {
        short: short.clone(),
        argv: vec![program.to_owned(), "demo-module".to_owned()],
        port: None,
        health: Some("/health".to_owned()),
        env: Vec::new(),
        cwd: Some(home.root().to_owned()),
        listens: true,
        replace: true,
    };
    let added = registration::add(home, &module, occupied, PATIENCE)?;
    Ok(Demo { short, port: added.port })
}

/// Takes it back.
///
/// # Errors
/// [`DemoError`].
pub fn remove(home: &Home, demo: &Demo) -> Result<(), DemoError> {
    registration::remove(home, demo.short.as_str(), false, PATIENCE)?;
    Ok(())
}
