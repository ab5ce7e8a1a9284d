//! Units from before the supervisor, which start a module by themselves and restart it when it is stopped.
//! Pure: only exact names that this program's predecessors used, and never the hub's or a tunnel's.

use std::path::{Path, PathBuf};

use crate::module::known::KNOWN;
use crate::unit::name::UnitName;

/// A possible path of such a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its file.
    pub path: PathBuf,
    /// The command that disables it there, for a user with the rights.
    pub by_hand: String,
}

/// The units that could exist for these roles, and for the modules of the known table.
#[must_use]
pub fn names<'a>(roles: impl Iterator<Item = &'a str>) -> Vec<UnitName> {
    let mut names: Vec<&str> = roles.chain(KNOWN.iter().map(|known| known.short)).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| *name != "hub" && !name.starts_with("cloudflared"))
        .filter_map(|name| UnitName::new(name).ok())
        .collect()
}

/// The paths in all managers, those of users first.
#[must_use]
pub fn places(unit: &UnitName, person_home: &Path) -> [Place; 4] {
    let (service, label) = (unit.systemd(), unit.label());
    let plist = format!("{label}.plist");
    [
        Place {
            path: person_home.join(".config/systemd/user").join(&service),
            by_hand: format!("systemctl --user disable --now {service}"),
        },
        Place {
            path: Path::new("/etc/systemd/system").join(&service),
            by_hand: format!("sudo systemctl disable --now {service}"),
        },
        Place {
            path: person_home.join("Library/LaunchAgents").join(&plist),
            by_hand: format!(
                "launchctl bootout gui/$(id -u)/{label}; launchctl disable gui/$(id -u)/{label}"
            ),
        },
        Place {
            path: Path::new("/Library/LaunchDaemons").join(&plist),
            by_hand: format!("sudo launchctl bootout system/{label}; sudo launchctl disable system/{label}"),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_the_hub_nor_a_tunnel() {
        let names = names(["hub", "wrapper", "vault", "cloudflared-x", "Bad Name"].into_iter());
        let names: Vec<&str> = names.iter().map(UnitName::plain).collect();
        assert!(names.contains(&"wrapper") && names.contains(&"scribe"));
        assert_eq!(names.iter().filter(|name| **name == "vault").count(), 1);
        assert!(!names.iter().any(|name| name.starts_with("cloudflared") || *name == "hub"));
        let places = places(&UnitName::new("vault").unwrap(), Path::new("/home/op"));
        assert_eq!(places[0].path, Path::new("/home/op/.config/systemd/user/parachute-vault.service"));
        assert_eq!(places[1].by_hand, "sudo systemctl disable --now parachute-vault.service");
        assert!(places[2].path.ends_with("LaunchAgents/computer.parachute.vault.plist"));
    }
}
