//! What a unit that lies on disk says: which home it serves, and on which port. Pure.

use std::path::Path;

use serde::Serialize;

use super::target::Target;
use super::token::{SystemdAssignment, XmlText};

/// Says which home a unit serves.
const HOME: &str = "PARACHUTE_HOME";

/// Whether `text`, the file of a unit, sets exactly this home.
#[must_use]
pub fn serves(text: &str, home: &Path, target: &Target) -> bool {
    match target {
        Target::Systemd { .. } => {
            SystemdAssignment::new(HOME, home.as_os_str()).ok().and_then(|token| written(&token)).is_some_and(
                |token| text.lines().any(|line| line.strip_prefix("Environment=") == Some(token.as_str())),
            )
        }
        Target::Launchd { .. } => {
            XmlText::new(HOME, home.as_os_str()).ok().and_then(|token| written(&token)).is_some_and(|token| {
                let mut lines = text.lines().map(str::trim);
                lines.any(|line| line == format!("<key>{HOME}</key>"))
                    && lines.next() == Some(&format!("<string>{token}</string>"))
            })
        }
    }
}

/// The port that `text`, the file of a service, gives to the hub.
#[must_use]
pub fn port(text: &str, target: &Target) -> Option<u16> {
    match target {
        Target::Systemd { .. } => {
            let line = text.lines().find_map(|line| line.strip_prefix("ExecStart="))?;
            let mut words = line.split_whitespace().skip_while(|word| *word != "--port");
            words.nth(1)?.parse().ok()
        }
        Target::Launchd { .. } => {
            let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "<string>--port</string>");
            lines.nth(1)?.strip_prefix("<string>")?.strip_suffix("</string>")?.parse().ok()
        }
    }
}

/// A token as a template writes it.
fn written<T: Serialize>(token: &T) -> Option<String> {
    serde_json::to_value(token).ok()?.as_str().map(ToOwned::to_owned)
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
        }
    }
}
