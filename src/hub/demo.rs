//! `serve --demo`: this binary as the one module of a home, to try everything without installing
//! anything. The row is removed when the hub stops.

use std::path::{Path, PathBuf};

use crate::home::paths::Home;
use crate::home::registration::{self, AddError, NewModule, Occupied, RemoveError};
use crate::home::services::PATIENCE;
use crate::module::name::{NameError, Short};

/// Name of the module.
pub(crate) const NAME: &str = "demo";

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The name is invalid; it is a constant, so this cannot happen.
    #[error("the demo module's name is refused")]
    Name(#[from] NameError),
    /// The home cannot be written, or has a module with that name that is not ours.
    #[error("the demo module cannot be added")]
    Add(#[from] AddError),
    /// The row cannot be removed.
    #[error("the demo module cannot be removed")]
    Remove(#[from] RemoveError),
    /// The path of this binary is not UTF-8, which `module.json` cannot hold.
    #[error("the path of this program, {}, is not UTF-8", .0.display())]
    Exe(PathBuf),
}

/// The module of this hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demo {
    /// Its name.
    pub short: Short,
    /// Its port.
    pub port: u16,
}

impl Demo {
    /// Commands for a new user to try, one per line.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
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

/// Adds the module, or updates the one of an earlier demo to this binary.
///
/// # Errors
/// [`DemoError`].
pub(crate) fn add(home: &Home, exe: &Path, occupied: Occupied<'_>) -> Result<Demo, DemoError> {
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

/// Removes it.
///
/// # Errors
/// [`DemoError`].
pub(crate) fn remove(home: &Home, demo: &Demo) -> Result<(), DemoError> {
    registration::remove(home, demo.short.as_str(), false, PATIENCE)?;
    Ok(())
}
