//! No dependency cycles between the files of a room: each can be read after those that it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::layers::{code, names_after, sources};

/// Which part uses which.
type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn files_of_a_room_have_no_dependency_cycles() {
    let uses = uses();
    let arrows: usize = uses.values().map(BTreeSet::len).sum();
    assert!(arrows > 200, "the scan found only {arrows} arrows: it does not read what it should");
    assert_eq!(in_circles(&uses), BTreeMap::new());
}

#[test]
fn a_cycle_is_found_without_the_parts_attached_to_it() {
    let uses = |arrows: &[(&str, &[&str])]| -> Uses {
        let set = |to: &[&str]| to.iter().map(ToString::to_string).collect();
        arrows.iter().map(|(from, to)| ((*from).to_owned(), set(to))).collect()
    };
    let straight: [(&str, &[&str]); 3] = [("a", &["b", "c"]), ("b", &["c"]), ("c", &[])];
    assert!(in_circles(&uses(&straight)).is_empty());
    let round: [(&str, &[&str]); 4] = [("a", &["b"]), ("b", &["c"]), ("c", &["b", "d"]), ("d", &[])];
    assert_eq!(in_circles(&uses(&round)), uses(&[("b", &["c"]), ("c", &["b"])]));
}

/// Folders whose files count as parts of their own.
const FOLDERS: [&str; 1] = ["cli/verbs"];

/// `room/part` of a file, and its depth below the room: a file and the folder with its name are one part. A room's
/// `mod.rs` is not a part. A file of one of the [`FOLDERS`] is also a part of that folder.
fn parts_of(file: &Path) -> Vec<(String, String, usize)> {
    let names: Vec<&str> = file.iter().filter_map(|name| name.to_str()).collect();
    let part = |at: usize| {
        let name = names.get(at).filter(|name| **name != "mod.rs")?;
        Some((names[..at].join("/"), name.trim_end_matches(".rs").to_owned(), names.len() - at - 1))
    };
    let below = part(2).filter(|(folder, ..)| FOLDERS.contains(&folder.as_str()));
    part(1).into_iter().chain(below).collect()
}

/// Which files of the same room each file uses; uses in tests only are separate.
fn uses() -> Uses {
    let files = sources();
    let parts: BTreeSet<String> = files
        .iter()
        .flat_map(|(file, _)| parts_of(file))
        .map(|(room, part, _)| format!("{room}/{part}"))
        .collect();
    let mut uses = Uses::new();
    for (file, text) in &files {
        let text = code(text);
        let text = text.split("\nmod tests {").next().unwrap_or_default();
        for (room, part, below) in parts_of(file) {
            // From a part's own folder, one more step leads up to the room.
            let upward = "super::".repeat(below + 1);
            let named = names_after(text, &upward)
                .into_iter()
                .chain(names_after(text, &format!("crate::{}::", room.replace('/', "::"))));
            let own = format!("{room}/{part}");
            let used = named
                .map(|name| format!("{room}/{name}"))
                .filter(|used| *used != own && parts.contains(used));
            uses.entry(own.clone()).or_default().extend(used);
        }
    }
    uses
}

/// The rest after all parts are removed that use nothing, or that no part uses.
fn in_circles(uses: &Uses) -> Uses {
    let mut left = uses.clone();
    loop {
        let used: BTreeSet<String> = left.values().flatten().cloned().collect();
        let before = left.len();
        left.retain(|part, uses| used.contains(part) && !uses.is_empty());
        let there: BTreeSet<String> = left.keys().cloned().collect();
        for uses in left.values_mut() {
            uses.retain(|part| there.contains(part));
        }
        if left.len() == before {
            return left;
        }
    }
}
