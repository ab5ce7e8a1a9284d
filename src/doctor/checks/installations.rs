//! What each verb does about each installation that there can be.

use crate::doctor::checks;
use crate::doctor::fix;
use crate::doctor::testing::{install, installed, well};
use crate::error_chain::Hints;
use crate::install::facts::{Facts, OnDisk, UnitFacts};
use crate::install::planner::{self, InstallRequest};
use crate::install::testing::{fresh, pair};
use crate::manager::state::Active;
use crate::plan::content::Fingerprint;
use crate::plan::observed::{Entry, Kept, Observed, UnitRead};
use crate::plan::receipt::{Receipt, ReceiptEntry};
use crate::plan::step::{Step, UNIT_MODE};
use crate::plan::{Plan, UndoScope, undo_plan};

/// The pair, with a line that its user added to one of its files.
fn edited(at: usize) -> Facts {
    let mut facts = fresh();
    pair(&mut facts);
    let unit = &mut facts.units[at];
    unit.on_disk = OnDisk::Text(unit.written.clone().unwrap() + "# mine\n");
    facts
}

fn old() -> Facts {
    let mut facts = fresh();
    pair(&mut facts);
    facts
}

/// The same without its receipt.
fn forgotten() -> Facts {
    let mut facts = old();
    facts.units.iter_mut().for_each(|unit| unit.written = None);
    facts
}

/// The new unit, and a socket that its user wrote for it.
fn beside_foreign() -> Facts {
    let mut facts = installed(&InstallRequest::default());
    facts.units[1].on_disk = OnDisk::Text("[Socket]\nListenStream=127.0.0.1:1939\n".to_owned());
    facts
}

/// What `init` wrote into the receipt about a unit, and what is found of it now.
fn records(unit: &UnitFacts) -> Vec<(ReceiptEntry, Observed)> {
    let Some(text) = &unit.written else { return Vec::new() };
    let (name, path) = (unit.unit.clone(), unit.path.clone());
    let found = match &unit.on_disk {
        OnDisk::Text(text) => Entry::File {
            mode: UNIT_MODE,
            uid: 0,
            gid: 0,
            fingerprint: Fingerprint::of(text.as_bytes()),
            kept: Kept::Text(text.clone()),
        },
        other => panic!("{other:?}"),
    };
    let read = |entry, read, active| Observed::Unit { entry, read: Some(read), active };
    let runs = |active| Observed::Running { active, process: None, service: None };
    let enabled = |enabled, active| Observed::Enabled { enabled, active };
    let (before, now) = (Active::Stopped, Active::Running);
    [
        (
            Step::PutUnit { unit: name.clone(), path, text: text.clone() },
            read(Entry::Absent, UnitRead::Nothing, before),
            read(found, UnitRead::Current, now),
        ),
        (Step::SetEnabled { unit: name.clone(), enabled: true }, enabled(false, before), enabled(true, now)),
        (Step::SetRunning { unit: name, running: true }, runs(before), runs(now)),
    ]
    .map(|(step, before, now)| (ReceiptEntry { step, before }, now))
    .into()
}

fn uninstall(facts: &Facts) -> Plan {
    let (records, now): (Vec<_>, Vec<_>) = facts.units.iter().flat_map(records).unzip();
    undo_plan(&Receipt { records, ..Receipt::default() }, &now, UndoScope::OnlyAdded, false)
}

/// The steps about units, the notes and hints of a plan.
fn shown(plan: &Plan) -> String {
    let about_units =
        plan.steps.iter().filter(|step| step.unit_text().is_some() || step.subject().contains("hub"));
    let steps = about_units.map(|step| format!("    {}\n", step.describe()));
    let notes = plan.notes.iter().map(|note| format!("    note: {}\n", note.text));
    let all: String = steps.chain(notes).collect();
    if all.is_empty() { "    nothing about a unit\n".to_owned() } else { all }
}

#[test]
fn every_installation_and_every_verb() {
    let installations: [(&str, Facts); 7] = [
        ("nothing", fresh()),
        ("the old pair", old()),
        ("the old pair, its socket edited", edited(1)),
        ("the old pair, its service edited", edited(0)),
        ("the old pair, its receipt lost", forgotten()),
        ("the new unit", installed(&InstallRequest::default())),
        ("the new unit, and a socket of its user", beside_foreign()),
    ];
    let mut out = String::new();
    for (what, facts) in installations {
        out.push_str(&format!("{what}\n"));
        for force in [false, true] {
            let verb = if force { "init --force" } else { "init" };
            let plan = planner::plan(&facts, &InstallRequest { force, ..InstallRequest::default() });
            let text = plan.map_or_else(
                |refusal| {
                    format!("    refused: {refusal}\n    hint: {}\n", refusal.hint().unwrap_or_default())
                },
                |plan| shown(&plan),
            );
            out.push_str(&format!("  {verb}\n{text}"));
        }
        let mut whole = well();
        *install(&mut whole) = facts.clone();
        let fix = fix::plan(&whole, &checks::all(&whole));
        out.push_str(&format!("  doctor --fix\n{}  uninstall\n{}", shown(&fix), shown(&uninstall(&facts))));
    }
    insta::assert_snapshot!(out);
}
