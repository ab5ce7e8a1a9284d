//! Whether a unit makes its manager open a path that a user controls. Pure.

use std::path::Path;

use crate::doctor::check::{Check, Id, Mend, found_or};
use crate::doctor::facts::DoctorFacts;
use crate::install::facts::{Facts, OnDisk, UnitFacts};
use crate::unit::format::Opens;
use crate::unit::name::UnitName;

/// Shows the changes without making them.
const WOULD: &str = "parachute init --dry-run --force     (what would change)";

/// Empty for managers that have no such lines.
pub(super) fn checks(facts: &DoctorFacts, install: &Facts) -> Vec<Check> {
    let target = install.manager.target();
    if !target.opens_paths() {
        return Vec::new();
    }
    let dirs = [install.person.home.as_path(), install.home.root.as_path()];
    let is_system = install.manager.is_system();
    let person = &install.person.name;
    let mut found = Vec::new();
    for unit in &install.units {
        let OnDisk::Text(text) = &unit.on_disk else { continue };
        let opens = target.opens_below(text, &dirs);
        found.extend(opens.iter().map(|opens| of_unit(unit, opens, is_system, person)));
    }
    // In their own manager users may do as they like.
    if is_system {
        let definition = install.manager.definition_command(&UnitName::hub());
        for (path, text) in &facts.drop_ins {
            let opened = target.opens_below(text, &dirs);
            found.extend(opened.iter().map(|opens| of_drop_in(path, opens, person, &definition)));
        }
    }
    found_or(found, Id::UnitOpens, "no unit line makes the manager open a path below the home")
}

fn of_unit(unit: &UnitFacts, opens: &Opens, is_system: bool, person: &str) -> Check {
    const ID: Id = Id::UnitOpens;
    let place = place(&unit.path, opens);
    let is_ours =
        matches!((&unit.on_disk, &unit.written), (OnDisk::Text(text), Some(written)) if text == written);
    let next = if is_ours { "parachute init" } else { WOULD };
    let check = if is_system {
        Check::fail(ID, format!("{place}; {}", danger(person)), next)
    } else {
        let text = format!("{place}; a FIFO there stops all your services, at the next login too");
        Check::warn(ID, text, next)
    };
    if is_ours { check.mended_by(Mend::Install) } else { check }
}

/// A drop-in is the user's own change to a unit, and no plan of ours touches it.
fn of_drop_in(path: &Path, opens: &Opens, person: &str, definition: &str) -> Check {
    let text = format!("{}; {}", place(path, opens), danger(person));
    Check::warn(Id::UnitOpens, text, format!("{definition}     (take that line out of its file)"))
}

fn place(file: &Path, opens: &Opens) -> String {
    let Opens { line, key, path } = opens;
    format!("{}, line {line}: {key}= makes the manager open {path}", file.display())
}

fn danger(person: &str) -> String {
    format!(
        "{person} can put a link there, which exposes what only root may read, or a FIFO, which stops PID 1 for good"
    )
}
