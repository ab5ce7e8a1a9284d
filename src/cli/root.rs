//! The command line. Pure.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};

use super::context::Color;
use super::standby;
use super::verbs::{
    add, completions, doctor, init, logs, man, migrate, remove, serve, start_stop, status, uninstall, units,
    why,
};

/// A supervised home for your background services
#[derive(Debug, Parser)]
#[command(name = "parachute", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "The home is --home, else $PARACHUTE_HOME, else ~/.parachute. To try it without installing: parachute serve --demo"
)]
pub struct Root {
    /// Home of the hub and its modules
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Show each command that is given to a service manager or another tool; twice: its output too
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// The verb
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Install the hub as a systemd unit or launchd job
    Init(init::InitArgs),
    /// Move from the detached daemons of Parachute 0.6 to the supervised hub
    Migrate(migrate::MigrateArgs),
    /// Run the hub in the foreground
    Serve(serve::ServeArgs),
    /// Start modules, or the hub itself, and wait until they are ready
    Start(start_stop::StartArgs),
    /// Stop modules, or the hub itself
    Stop(start_stop::StopArgs),
    /// Restart modules, or the hub itself, and wait until they are ready
    Restart(start_stop::RestartArgs),
    /// Show the hub and every module
    Status(status::StatusArgs),
    /// Show what modules, or the hub itself, wrote
    Logs(logs::LogsArgs),
    /// Check the installation and say how to repair it
    Doctor(doctor::DoctorArgs),
    /// Explain the last failure of a module
    Why(why::WhyArgs),
    /// Add a module: any command
    Add(add::AddArgs),
    /// Remove a module
    Remove(remove::RemoveArgs),
    /// Uninstall the hub: undo what `init` did
    Uninstall(uninstall::UninstallArgs),
    /// Show the unit files that `init` would install
    Units(units::UnitsArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Print manual pages
    Man(man::ManArgs),
    /// Stand by for a cutover, and finish it if its process is killed
    #[command(hide = true)]
    StandBy(standby::StandByArgs),
    /// End what the hub left of its modules, if it was to end: the unit runs this after each end of the hub
    #[command(hide = true)]
    Reap,
    /// The module of `serve --demo`
    #[command(hide = true)]
    DemoModule,
}

#[cfg(test)]
mod tests;
