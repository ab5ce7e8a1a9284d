//! `parachute migrate`: what an older version left behind. Without a mode: its leftovers at the root of the home.

pub mod sweep;

use super::context::Context;
use super::error::CliError;
use super::said::Said;

/// Move what an older version left into an archive
#[derive(Debug, clap::Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    sweep: sweep::SweepArgs,
}

/// Does what was asked.
///
/// # Errors
/// The home is in use, nobody answers a question, a step fails.
pub async fn run(cx: &Context, args: MigrateArgs) -> Result<Said, CliError> {
    sweep::run(cx, args.sweep).await
}
