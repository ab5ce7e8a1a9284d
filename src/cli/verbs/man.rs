//! `parachute man`

use std::path::PathBuf;

use clap::Command;

use crate::cli::error::{CliError, ExitKind};
use crate::cli::output::VerbOutput;
use crate::home::fs;

/// Print manual pages
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Write one page a verb into this directory instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// The page of this command line, or all pages into a directory.
///
/// # Errors
/// The directory cannot be written.
pub(crate) fn run(args: ManArgs, mut root: Command) -> Result<VerbOutput, CliError> {
    root.build();
    let Some(dir) = args.dir else { return Ok(VerbOutput::done(page(&root)?)) };
    let fail = |error: fs::FsError| CliError::from_error(ExitKind::Failed, error).hint("parachute man");
    fs::make_dir(&dir, 0o755).map_err(fail)?;
    let mut written = String::new();
    let verbs = root.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help");
    let pages = std::iter::once(("parachute.1".to_owned(), &root))
        .chain(verbs.map(|verb| (format!("parachute-{}.1", verb.get_name()), verb)));
    for (name, command) in pages {
        let path = dir.join(name);
        fs::put(&path, 0o644, page(command)?.as_bytes()).map_err(fail)?;
        written.push_str(&format!("{}\n", path.display()));
    }
    Ok(VerbOutput::done(written))
}

fn page(command: &Command) -> Result<String, CliError> {
    let mut out = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut out)
        .map_err(|error| CliError::from_error(ExitKind::Failed, error))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
