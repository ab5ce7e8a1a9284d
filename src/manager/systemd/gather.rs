//! Asks systemd's managers whether they are there.
#![expect(clippy::disallowed_methods, reason = "edge: looks at the directories in which a manager answers")]

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::detect::SystemdFacts;
use super::parse::{self, About};
use super::{Systemd, verbs};
use crate::home::fs;
use crate::manager::explain::Cause;
use crate::manager::invocation::{Invocation, Runner, ToolOutput};
use crate::manager::state::Told;
use crate::unit::target::{OLDEST_SYSTEMD, Scope};

/// Asks the system's and this user's. `given`: `XDG_RUNTIME_DIR`.
pub(in crate::manager) async fn look<R: Runner>(
    uid: u32,
    given: Option<PathBuf>,
    runner: &R,
) -> SystemdFacts {
    let at =
        |scope, runtime_dir| Systemd { scope, version: OLDEST_SYSTEMD, dir: PathBuf::new(), runtime_dir };
    // cron, su and sudo leave XDG_RUNTIME_DIR unset, or set to another user's; pam_systemd(8) defines ours.
    let own = PathBuf::from(format!("/run/user/{uid}"));
    let given = given.filter(|dir| is_dir_of(dir, uid));
    let own = Some(own).filter(|dir| is_dir_of(dir, uid) && has_manager(dir) && given.as_ref() != Some(dir));
    let mut dirs = given.into_iter().chain(own);
    let user_in = |dir: &PathBuf| verbs::manager(&at(Scope::User, Some(dir.clone())));
    let of_system = verbs::manager(&at(Scope::System, None));
    let first = dirs.next();
    // Both at once: each answer takes a few milliseconds.
    let (system, user) = tokio::join!(runner.run(&of_system), async {
        match &first {
            Some(dir) => Some(runner.run(&user_in(dir)).await),
            None => None,
        }
    });
    let systemctl = !matches!(&system, Err(error) if error.kind() == io::ErrorKind::NotFound);
    let mut facts = SystemdFacts {
        systemctl,
        system: told(&of_system, system),
        runtime_dir: None,
        user: Told::Unknown("there is no runtime directory".to_owned()),
    };
    let (Some(dir), Some(answer), true) = (first, user, systemctl) else { return facts };
    facts.user = told(&user_in(&dir), answer);
    facts.runtime_dir = Some(dir);
    for dir in dirs {
        if facts.user.known().is_none() {
            let ask = user_in(&dir);
            facts.user = told(&ask, runner.run(&ask).await);
            facts.runtime_dir = Some(dir);
        }
    }
    facts
}

fn told(invocation: &Invocation, answer: io::Result<ToolOutput>) -> Told<About> {
    match answer {
        Ok(output) => parse::about(&output).map_or_else(Told::Unknown, Told::Known),
        Err(error) => Told::Unknown(Cause::of_tool(invocation, &error).what),
    }
}

fn is_dir_of(dir: &Path, uid: u32) -> bool {
    dir.is_absolute() && std::fs::metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == uid)
}

/// The bus of the person, or the socket that systemctl prefers to it.
fn has_manager(dir: &Path) -> bool {
    fs::exists(&dir.join("bus")) || fs::exists(&dir.join("systemd/private"))
}
