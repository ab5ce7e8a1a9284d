//! Reads from a unit file on disk which home it serves, as which user, and on which port. Pure.

use std::path::{Path, PathBuf};

use super::target::Target;

/// Whether `text`, the file of a unit, sets exactly this home.
#[must_use]
pub(crate) fn serves(text: &str, home: &Path, target: &Target) -> bool {
    target.serves(text, home)
}

/// The port that `text`, the file of a service, gives to the hub.
#[must_use]
pub(crate) fn port(text: &str, target: &Target) -> Option<u16> {
    target.port(text)
}

/// The home that `text`, the file of a service, sets. `None`: it sets none, or in a way that only its manager can
/// expand.
#[must_use]
pub(crate) fn home(text: &str, target: &Target) -> Option<PathBuf> {
    target.home(text).filter(|home| home.is_absolute())
}

/// The user as which `text`, the file of a service, runs: a login name, or a number. `None`: the user of its manager.
#[must_use]
pub(crate) fn person(text: &str, target: &Target) -> Option<String> {
    target.person(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::bind::Binding;
    use crate::unit::descriptor::Descriptor;
    use crate::unit::overrides::Overrides;
    use crate::unit::render::render;

    #[test]
    fn a_unit_serves_the_home_it_was_written_for_and_no_other() {
        for target in ["systemd-user", "systemd-system", "launchd-agent", "launchd-daemon"] {
            let target: Target = target.parse().unwrap();
            let home = Path::new("/home/my op/100% $x \"q\" 'é");
            let binding = Binding {
                bin: "/b/parachute".into(),
                home: home.into(),
                person: Some("op".to_owned()),
                person_home: Some("/home/op".into()),
                port: 1939,
                path: "/bin".into(),
                log_dir: "/l".into(),
            };
            let unit = Descriptor::embedded("hub").unwrap().bind(&binding, &Overrides::default()).unwrap();
            let text = &render(&unit, &target).unwrap()[0].text;
            assert!(serves(text, home, &target), "{target}: {text}");
            assert!(!serves(text, Path::new("/home/my op"), &target));
            assert!(!serves("", home, &target));
            assert_eq!((port(text, &target), port("", &target)), (Some(1939), None), "{target}: {text}");
            assert_eq!(super::home(text, &target).as_deref(), Some(home), "{target}: {text}");
            let of_a_system = matches!(target.to_string().as_str(), "systemd-system" | "launchd-daemon");
            assert_eq!(person(text, &target), of_a_system.then(|| "op".to_owned()), "{target}: {text}");
        }
    }
}
