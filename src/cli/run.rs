//! From arguments to an exit code.

use std::ffi::OsStr;
use std::future::Future;

use clap::{CommandFactory, Parser};

use crate::logs::priority::{Priority, is_journal};
use crate::process::path_helper::server;
use crate::ui::style::Style;
use crate::ui::terminal::Terminal;

use super::context::Context;
use super::error::{CliError, ExitKind};
use super::output::VerbOutput;
use super::root::{Root, Verb};
use super::verbs::init::{Ended, InitArgs};
use super::verbs::serve::ServeArgs;
use super::verbs::{
    add, completions, demo_module, doctor, init, logs, man, migrate, remove, serve, start_stop, status,
    uninstall, units, why,
};
use super::{installation, reap, standby, verbose};

/// Parses, runs, prints. Returns the exit code.
#[must_use]
pub fn main() -> u8 {
    // Before anything else is opened or read: a helper needs nothing of it, and may not fail for it.
    if server::is_called(std::env::args_os().next().as_deref()) {
        return server::run();
    }
    let terminal = Terminal;
    let root = match Root::try_parse() {
        Ok(root) => root,
        Err(error) => {
            // clap prints help and version to standard output with code 0, mistakes to standard error with 2.
            let code = if error.use_stderr() { ExitKind::Usage.code() } else { ExitKind::Done.code() };
            let text = error.render();
            if error.use_stderr() {
                terminal.err(&text.to_string());
            } else if let Err(error) = terminal.out(text.to_string().as_bytes()) {
                terminal.err(&format!("error: cannot write: {error}\n"));
            }
            return code;
        }
    };
    let is_hub = matches!(root.verb, Verb::Serve(_));
    let (error, style, journal) = match Context::read(root.home.as_deref(), root.color, root.verbose) {
        Ok(cx) => match verb(&cx, root.verb) {
            Ok(output) => return print(terminal, &output),
            Err(error) => (error, cx.style, cx.env.get(OsStr::new("JOURNAL_STREAM")).cloned()),
        },
        Err(error) => (error, Style::PLAIN, None),
    };
    let text = error.screen(style);
    // The last words of a hub have a priority, as its others do.
    let text = if is_hub && is_journal(std::io::stderr(), journal.as_deref()) {
        Priority::Error.before_each_line(&text)
    } else {
        text
    };
    terminal.err(&text);
    error.kind.code()
}

fn print(terminal: Terminal, output: &VerbOutput) -> u8 {
    match terminal.out(output.out.as_bytes()) {
        // A closed pipe is not an error of the verb.
        Ok(_) => output.kind.code(),
        Err(error) => {
            terminal.err(&format!("error: cannot write to standard output: {error}\n"));
            ExitKind::Failed.code()
        }
    }
}

fn verb(cx: &Context, verb: Verb) -> Result<VerbOutput, CliError> {
    match verb {
        Verb::Init(args) => init(cx, &args),
        Verb::Migrate(args) => block_on(cx, migrate::run(cx, args)),
        Verb::Uninstall(args) => block_on(cx, uninstall::run(cx, args)),
        Verb::Serve(args) => serve::run(cx, args),
        Verb::Start(args) => block_on(cx, start_stop::start(&installation::of_caller(cx), args)),
        Verb::Stop(args) => block_on(cx, start_stop::stop(&installation::of_caller(cx), args)),
        Verb::Restart(args) => block_on(cx, start_stop::restart(&installation::of_caller(cx), args)),
        Verb::Status(args) => block_on(cx, status::run(&installation::of_caller(cx), args)),
        Verb::Logs(args) => block_on(cx, logs::run(&installation::of_caller(cx), args)),
        Verb::Doctor(args) => block_on(cx, doctor::run(&installation::of_caller(cx), args)),
        Verb::Why(args) => block_on(cx, why::run(&installation::of_caller(cx), args)),
        Verb::Add(args) => block_on(cx, add::run(cx, args)),
        Verb::Remove(args) => block_on(cx, remove::run(cx, args)),
        Verb::Units(args) => block_on(cx, units::run(cx, args)),
        Verb::Completions(args) => Ok(completions::run(args, Root::command())),
        Verb::Man(args) => man::run(args, Root::command()),
        Verb::StandBy(args) => block_on(cx, standby::run(cx, args)),
        Verb::Reap => block_on(cx, reap::run(cx)),
        Verb::DemoModule => block_on(cx, demo_module::run(cx)),
    }
}

/// A hub has its own event loop, so it runs outside the verb's.
fn init(cx: &Context, args: &InitArgs) -> Result<VerbOutput, CliError> {
    match block_on(cx, init::run(cx, args))? {
        Ended::Output(output) => Ok(output),
        Ended::Foreground(port) => serve::run(cx, ServeArgs::on(port)),
    }
}

fn block_on<T>(cx: &Context, verb: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::from_error(ExitKind::Failed, error))?;
    // Only for the verb: a hub that it goes on to be has events of its own.
    let _shown = verbose::show(cx.verbose);
    runtime.block_on(verb)
}
