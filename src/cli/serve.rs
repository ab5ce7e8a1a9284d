//! `parachute serve`

use crate::hub::serve::{self, ServeOptions};

use super::context::Context;
use super::error::{CliError, Kind};
use super::said::Said;

/// Run the hub in the foreground
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// TCP port of the API; 0 takes a free one [default: $PORT, hub.toml, 1939]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Address to listen on [default: $PARACHUTE_BIND_HOST, hub.toml, 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Add one small built-in module for as long as this hub runs
    #[arg(long)]
    demo: bool,
}

/// Runs until it is asked to stop.
///
/// # Errors
/// Everything that ends a hub otherwise.
pub fn run(cx: &Context, args: ServeArgs) -> Result<Said, CliError> {
    let options = ServeOptions {
        home: cx.home.clone(),
        port: args.port,
        host: args.host,
        demo: args.demo,
        env: cx.env.clone(),
        exe: cx.exe.clone(),
        has_terminal: cx.has_terminal,
    };
    match serve::run(options) {
        Ok(()) => Ok(Said::done("")),
        Err(error) => {
            let kind = if error.needs_person() { Kind::NeedsPerson } else { Kind::Failed };
            Err(CliError::from_error(kind, &error).hint(error.next()))
        }
    }
}
