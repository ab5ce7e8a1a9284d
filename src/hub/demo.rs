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

/// Adds the module, or puts this binary into one that an earlier demo left.
///
/// # Errors
/// [`DemoError`].
pub fn add(home: &Home, exe: &Path, occupied: Occupied<'_>) -> Result<Short, DemoError> {
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
    registration::add(home, &module, occupied, PATIENCE)?;
    Ok(short)
}

/// Takes it back.
///
/// # Errors
/// [`DemoError`].
pub fn remove(home: &Home, short: &Short) -> Result<(), DemoError> {
    registration::remove(home, short, false, PATIENCE)?;
    Ok(())
}
