//! `serve --demo`: this very binary as the one module of a home, so that everything can be tried with nothing
//! installed. The row is taken back when the hub stops.

use std::collections::BTreeSet;
use std::path::Path;

use crate::home::paths::Home;
use crate::home::registration::{self, HomeError, NewModule};
use crate::module::name::{NameError, Short};

/// Name of the module.
pub const NAME: &str = "demo";

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The name is a constant and plain; this cannot be.
    #[error("the demo module's name is refused")]
    Name(#[source] NameError),
    /// The home cannot be written, or has a module of that name that is not ours.
    #[error("the demo module cannot be added")]
    Home(#[source] HomeError),
}

/// Adds the module, or puts this binary into one that an earlier demo left.
///
/// # Errors
/// [`DemoError`].
pub fn add(home: &Home, exe: &Path, listening: &BTreeSet<u16>) -> Result<Short, DemoError> {
    let short = Short::new(NAME).map_err(DemoError::Name)?;
    let module = NewModule {
        short: short.clone(),
        argv: vec![exe.as_os_str().to_owned(), "demo-module".into()],
        port: None,
        health: Some("/health".to_owned()),
        env: Vec::new(),
        cwd: Some(home.root().to_owned()),
        listens: true,
        replace: true,
    };
    registration::add(home, module, listening).map_err(DemoError::Home)?;
    Ok(short)
}

/// Takes it back.
///
/// # Errors
/// [`DemoError`].
pub fn remove(home: &Home, short: &Short) -> Result<(), DemoError> {
    registration::remove(home, short).map(|_| ()).map_err(DemoError::Home)
}
