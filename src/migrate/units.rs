//! Units from before the supervisor, which start a module by themselves and restart it when it is stopped.
//! Pure: only exact names that this program's predecessors used, and never the hub's or a tunnel's.

use std::path::{Path, PathBuf};

use crate::module::known::KNOWN;
use crate::unit::name::UnitName;
use crate::unit::target::Target;

/// A possible path of such a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its file.
    pub path: PathBuf,
    /// The command that disables it there, for a user with the rights.
    pub by_hand: String,
}

/// The units that could exist for these roles, and for the modules of the known table.
#[must_use]
pub(crate) fn names<'a>(roles: impl Iterator<Item = &'a str>) -> Vec<UnitName> {
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
pub(crate) fn places(unit: &UnitName, person_home: &Path) -> impl Iterator<Item = Place> {
    Target::ALL.into_iter().map(move |target| Place {
        path: target.dir(person_home).join(target.file_name(unit)),
        by_hand: target.disable_by_hand(unit),
    })
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
        let places: Vec<Place> = places(&UnitName::new("vault").unwrap(), Path::new("/home/op")).collect();
        assert_eq!(places[0].path, Path::new("/home/op/.config/systemd/user/parachute-vault.service"));
        assert_eq!(places[1].by_hand, "sudo systemctl disable --now parachute-vault.service");
        assert!(places[2].path.ends_with("LaunchAgents/computer.parachute.vault.plist"));
    }
}
