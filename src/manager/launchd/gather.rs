//! Asks launchd which of its domains are there.
#![expect(clippy::disallowed_methods, reason = "edge: looks at whose the screen is")]

use std::io;
use std::os::unix::fs::MetadataExt;

use super::Domain;
use super::detect::LaunchdFacts;
use crate::manager::explain::Cause;
use crate::manager::invocation::{Invocation, Runner, ToolOutput};
use crate::manager::state::Told;

/// Asks for both domains of this user.
pub(in crate::manager) async fn look<R: Runner>(uid: u32, runner: &R) -> LaunchdFacts {
    let print = |domain: Domain| Invocation::ask("launchctl", &["print", &domain.words()]);
    let gui = runner.run(&print(Domain::Gui(uid))).await;
    let launchctl = !matches!(&gui, Err(error) if error.kind() == io::ErrorKind::NotFound);
    let user = runner.run(&print(Domain::User(uid))).await;
    LaunchdFacts {
        launchctl,
        gui: domain_is_there(&print(Domain::Gui(uid)), gui),
        user: domain_is_there(&print(Domain::User(uid)), user),
        console_uid: std::fs::metadata("/dev/console").ok().map(|meta| meta.uid()),
    }
}

/// `launchctl print DOMAIN`: 0 if it is there; 112, 113 and 125 if it is not, or not for this session (`launchctl error
/// N`). Anything else is no answer.
fn domain_is_there(invocation: &Invocation, answer: io::Result<ToolOutput>) -> Told<bool> {
    match answer {
        Ok(ToolOutput { code: Some(0), .. }) => Told::Known(true),
        Ok(ToolOutput { code: Some(112 | 113 | 125), .. }) => Told::Known(false),
        Ok(output) => Told::Unknown(format!("`{invocation}` failed: {}", output.stderr.trim())),
        Err(error) => Told::Unknown(Cause::of_tool(invocation, &error).what),
    }
}
