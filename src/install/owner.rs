//! The owner of an existing installation, according to the text of its unit, from any source. Pure.
//!
//! A machine has one place for a system unit, and a user has one for a user unit. A request for a hub there may find
//! an existing one: that of another user, or of another home, must not be replaced, stopped or removed.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::manager::backend::Manager;
use crate::plan::Plan;
use crate::plan::step::Step;
use crate::process::user::User;
use crate::unit::name::UnitName;
use crate::unit::recognise;
use crate::unit::target::Target;

/// The owner of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user that the hub runs as: a login name, or a number where the unit has one.
    pub person: String,
    /// Its home; `None`: the unit does not name it in a readable way.
    pub home: Option<PathBuf>,
}

/// How an owner relates to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// The same user and home.
    Same,
    /// The same user, and another home.
    OtherHome,
    /// Another user.
    OtherPerson,
}

/// The owner, by each source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owners {
    /// By an interrupted plan.
    pub open: Option<Owner>,
    /// By the receipt: what this program wrote last.
    pub receipt: Option<Owner>,
    /// By the unit's file as it is now.
    pub unit: Option<Owner>,
}

impl Owner {
    /// By the text of the hub's service. `None`: it is not a unit of a hub, since it names neither a user nor a home.
    #[must_use]
    pub fn of_unit(text: &str, target: &Target, whose_manager: &User) -> Option<Self> {
        let (person, home) = (recognise::person(text, target), recognise::home(text, target));
        if person.is_none() && home.is_none() {
            return None;
        }
        // Without a user the system manager runs a unit as root, and a user's manager runs it as that user.
        let by_itself = if target.is_system() { "root" } else { whose_manager.name.as_str() };
        Some(Self { person: person.unwrap_or_else(|| by_itself.to_owned()), home })
    }

    /// By a plan: the unit that it writes.
    #[must_use]
    pub fn of_plan(plan: &Plan, manager: &Manager, whose_manager: &User) -> Option<Self> {
        let file = manager.file(&UnitName::hub());
        let texts = plan.steps.iter().filter_map(Step::unit_text);
        let (_, text) = texts.rev().find(|(path, _)| *path == file)?;
        Self::of_unit(text, &manager.target(), whose_manager)
    }

    /// How it relates to this user and home.
    #[must_use]
    pub fn kinship(&self, person: &User, home: &Path) -> Kinship {
        if self.person != person.name && self.person.parse() != Ok(person.uid) {
            return Kinship::OtherPerson;
        }
        match &self.home {
            Some(own) if own != home => Kinship::OtherHome,
            Some(_) | None => Kinship::Same,
        }
    }
}

impl Owners {
    /// The first of them that is not this user with this home. The owner of a plan comes first: during a plan the files
    /// may be in an intermediate state.
    #[must_use]
    pub(crate) fn other(&self, person: &User, home: &Path) -> Option<&Owner> {
        let all = self.open.iter().chain(&self.unit).chain(&self.receipt);
        all.into_iter().find(|owner| owner.kinship(person, home) != Kinship::Same)
    }

    /// Whether a plan of another user, or for another home, is unfinished.
    #[must_use]
    pub(crate) fn is_anothers_plan(&self, person: &User, home: &Path) -> bool {
        self.open.as_ref().is_some_and(|owner| owner.kinship(person, home) != Kinship::Same)
    }

    /// The home of this user's installation, if there is one.
    #[must_use]
    pub(crate) fn home_of(&self, person: &User) -> Option<&Path> {
        let all = self.open.iter().chain(&self.receipt).chain(&self.unit);
        let own =
            all.into_iter().find(|owner| owner.kinship(person, Path::new("")) != Kinship::OtherPerson)?;
        own.home.as_deref()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.home {
            Some(home) => write!(f, "{} (home {})", self.person, home.display()),
            None => write!(f, "{}", self.person),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::testing::fresh;
    use crate::manager::backend::Systemd;
    use crate::unit::target::Scope;

    fn system() -> Manager {
        let dir = "/etc/systemd/system".into();
        Manager::Systemd(Systemd { scope: Scope::System, version: 252, dir, runtime_dir: None })
    }

    fn person(uid: u32, name: &str) -> User {
        User { uid, gid: uid, name: name.to_owned(), home: format!("/home/{name}").into() }
    }

    const ALICES: &str = "[Service]\nUser=alice\nEnvironment=\"PARACHUTE_HOME=/home/alice/.parachute\"\n";

    #[test]
    fn a_unit_names_its_owner() {
        let root = person(0, "root");
        let of = |text: &str| Owner::of_unit(text, &system().target(), &root).map(|owner| owner.to_string());
        assert_eq!(of(ALICES).unwrap(), "alice (home /home/alice/.parachute)");
        assert_eq!(of("User=1000\nExecStart=/x\n").unwrap(), "1000");
        assert_eq!(of("Environment=PARACHUTE_HOME=/r\n").unwrap(), "root (home /r)");
        assert_eq!(of("ExecStart=/bin/other\n"), None, "it is no unit of a hub");
        let own =
            Owner::of_unit("Environment=PARACHUTE_HOME=/h\n", &fresh().manager.target(), &person(7, "op"))
                .unwrap();
        assert_eq!(own.person, "op");
    }

    #[test]
    fn another_person_and_another_home_are_others() {
        let owner = Owner::of_unit(ALICES, &system().target(), &person(0, "root")).unwrap();
        let home = Path::new("/home/alice/.parachute");
        assert_eq!(owner.kinship(&person(1000, "alice"), home), Kinship::Same);
        assert_eq!(owner.kinship(&person(1000, "alice"), Path::new("/srv")), Kinship::OtherHome);
        assert_eq!(owner.kinship(&person(1001, "carol"), home), Kinship::OtherPerson);
        let by_number = Owner { person: "1000".to_owned(), home: None };
        assert_eq!(by_number.kinship(&person(1000, "alice"), home), Kinship::Same);
        assert_eq!(by_number.kinship(&person(1001, "carol"), home), Kinship::OtherPerson);
    }

    #[test]
    fn each_source_can_name_another_owner() {
        let (alice, carol) = (person(1000, "alice"), person(1001, "carol"));
        let owner = |person: &User| Owner { person: person.name.clone(), home: None };
        let home = Path::new("/h");
        let none = Owners::default();
        assert_eq!(none.other(&alice, home), None);
        let edited = Owners { receipt: Some(owner(&alice)), unit: Some(owner(&carol)), open: None };
        assert_eq!(edited.other(&alice, home), Some(&owner(&carol)));
        assert_eq!(edited.other(&carol, home), Some(&owner(&alice)));
        let open = Owners { open: Some(owner(&carol)), ..edited };
        assert!(open.is_anothers_plan(&alice, home) && !open.is_anothers_plan(&carol, home));
        let own = Owner { home: Some("/srv/ph".into()), ..owner(&alice) };
        let known = Owners { receipt: Some(own), ..none };
        assert_eq!(known.home_of(&alice), Some(Path::new("/srv/ph")));
        assert_eq!(known.home_of(&carol), None);
    }
}
