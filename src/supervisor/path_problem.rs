//! The problem of a module whose paths could not be looked at. Pure.

use std::path::Path;

use crate::module::name::Short;
use crate::module::problem::{Problem, ProblemKind};
use crate::module::timestamp::Timestamp;
use crate::process::path_helper::client::NoAnswer;
use crate::process::path_helper::mount_point;

/// Says which file system does not answer, or why no look was possible.
pub(super) fn of(no_answer: &NoAnswer, short: &Short, at: Timestamp) -> Problem {
    let why = format!("parachute why {short}");
    match no_answer {
        NoAnswer::Silent { place, mount, asked } => {
            let needed = if place == asked { "it".to_owned() } else { asked.display().to_string() };
            let text = format!("{} does not answer, and {short} needs {needed}", place.display());
            // Of `/` the line would tell nothing.
            let is_named = mount != Path::new("/");
            let hint = if is_named { mount_point::command_to_show(mount) } else { why };
            Problem::new(ProblemKind::PathSilent, text, at).next(hint)
        }
        NoAnswer::NoHelper(_) | NoAnswer::Broken => {
            let text = format!("the paths of {short} are not known, so it is not started: {no_answer}");
            Problem::new(ProblemKind::SpawnFailed, text, at).next(why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(place: &str, mount: &str, asked: &str) -> (String, String) {
        let no_answer = NoAnswer::Silent { place: place.into(), mount: mount.into(), asked: asked.into() };
        let problem = of(&no_answer, &Short::new("web").unwrap(), Timestamp(0));
        assert_eq!(problem.error_type, ProblemKind::PathSilent);
        (problem.error_description, problem.next.unwrap())
    }

    #[test]
    fn the_mount_is_named_and_the_hint_does_not_look_at_it() {
        let (text, hint) = said("/mnt/x", "/mnt/x", "/home/p/web");
        assert_eq!(text, "/mnt/x does not answer, and web needs /home/p/web");
        assert_eq!(hint, "grep -F ' /mnt/x ' /proc/self/mounts");
        let (text, hint) = said("/srv/web", "/", "/srv/web");
        assert_eq!(
            (text.as_str(), hint.as_str()),
            ("/srv/web does not answer, and web needs it", "parachute why web")
        );
    }
}
