//! `parachute completions`

use clap::Command;
use clap_complete::Shell;

use crate::cli::output::VerbOutput;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// The script of this command line.
#[must_use]
pub(crate) fn run(args: CompletionsArgs, mut root: Command) -> VerbOutput {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut root, "parachute", &mut out);
    VerbOutput::done(String::from_utf8_lossy(&out))
}
