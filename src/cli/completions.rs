//! `parachute completions`

use clap::CommandFactory;
use clap_complete::Shell;

use super::root::Root;
use super::said::Said;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// The script.
#[must_use]
pub fn run(args: CompletionsArgs) -> Said {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Root::command(), "parachute", &mut out);
    Said::done(String::from_utf8_lossy(&out))
}
