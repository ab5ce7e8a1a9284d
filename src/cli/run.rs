//! From what was typed to an exit code.

use std::future::Future;

use clap::{CommandFactory, Parser};

use crate::ui::style::Style;
use crate::ui::terminal::Terminal;

use super::context::Context;
use super::error::{CliError, Kind};
use super::init::{Ended, InitArgs};
use super::root::{Root, Verb};
use super::said::Said;
use super::serve::ServeArgs;
use super::{
    add, completions, demo_module, doctor, init, logs, man, migrate, ops, remove, serve, site, standby,
    status, uninstall, units, why,
};

/// Parses, runs, prints. Returns the exit code.
#[must_use]
pub fn main() -> u8 {
    let terminal = Terminal;
    let root = match Root::try_parse() {
        Ok(root) => root,
        Err(error) => {
            // clap prints help and version to standard output with code 0, mistakes to standard error with 2.
            let code = if error.use_stderr() { Kind::Usage.code() } else { Kind::Done.code() };
            let text = error.render();
            if error.use_stderr() {
                terminal.err(&text.to_string());
            } else if let Err(error) = terminal.out(text.to_string().as_bytes()) {
                terminal.err(&format!("error: cannot write: {error}\n"));
            }
            return code;
        }
    };
    let (error, style) = match Context::read(root.home.as_deref(), root.color) {
        Ok(cx) => match verb(&cx, root.verb) {
            Ok(said) => return print(terminal, &said),
            Err(error) => (error, cx.style),
        },
        Err(error) => (error, Style::PLAIN),
    };
    terminal.err(&error.screen(style));
    error.kind.code()
}

fn print(terminal: Terminal, said: &Said) -> u8 {
    match terminal.out(said.out.as_bytes()) {
        // Nobody reading is no failure of ours.
        Ok(_) => said.kind.code(),
        Err(error) => {
            terminal.err(&format!("error: cannot write to standard output: {error}\n"));
            Kind::Failed.code()
        }
    }
}

fn verb(cx: &Context, verb: Verb) -> Result<Said, CliError> {
    match verb {
        Verb::Init(args) => init(cx, &args),
        Verb::Migrate(args) => block_on(migrate::run(cx, args)),
        Verb::Uninstall(args) => block_on(uninstall::run(cx, args)),
        Verb::Serve(args) => serve::run(cx, args),
        Verb::Start(args) => block_on(ops::start(&site::of_caller(cx), args)),
        Verb::Stop(args) => block_on(ops::stop(&site::of_caller(cx), args)),
        Verb::Restart(args) => block_on(ops::restart(&site::of_caller(cx), args)),
        Verb::Status(args) => block_on(status::run(&site::of_caller(cx), args)),
        Verb::Logs(args) => block_on(logs::run(&site::of_caller(cx), args)),
        Verb::Doctor(args) => block_on(doctor::run(&site::of_caller(cx), args)),
        Verb::Why(args) => block_on(why::run(&site::of_caller(cx), args)),
        Verb::Add(args) => block_on(add::run(cx, args)),
        Verb::Remove(args) => block_on(remove::run(cx, args)),
        Verb::Units(args) => block_on(units::run(cx, args)),
        Verb::Completions(args) => Ok(completions::run(args, Root::command())),
        Verb::Man(args) => man::run(args, Root::command()),
        Verb::StandBy(args) => block_on(standby::run(cx, args)),
        Verb::DemoModule => block_on(demo_module::run(cx)),
    }
}

/// A hub has an event loop of its own, so it is run outside of the verb's.
fn init(cx: &Context, args: &InitArgs) -> Result<Said, CliError> {
    match block_on(init::run(cx, args))? {
        Ended::Said(said) => Ok(said),
        Ended::Foreground(port) => serve::run(cx, ServeArgs::on(port)),
    }
}

fn block_on<T>(verb: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::from_error(Kind::Failed, &error))?;
    runtime.block_on(verb)
}
