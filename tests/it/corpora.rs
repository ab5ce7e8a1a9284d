//! Replays the inputs that fuzzers kept on every run: `fuzz/corpus`, one directory per property.

use std::path::Path;

#[path = "../../fuzz/properties.rs"]
mod properties;

type Property = fn(&[u8]);

const ALL: [(&str, Property); 11] = [
    ("services", properties::services),
    ("manifest", properties::manifest),
    ("env", properties::env),
    ("hub-env", properties::hub_env),
    ("pidfile", properties::pidfile),
    ("journal", properties::journal),
    ("receipt", properties::receipt),
    ("systemctl", properties::systemctl),
    ("launchctl", properties::launchctl),
    ("pump", properties::pump),
    ("ledger", properties::ledger),
];

#[test]
fn every_kept_input_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, property) in ALL {
        let mut files: Vec<_> =
            std::fs::read_dir(corpus.join(name)).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            let held = std::panic::catch_unwind(|| property(&bytes));
            assert!(held.is_ok(), "{} does not hold for {}", name, file.display());
        }
    }
}

/// Detects a target without replay, and a property without a fuzzer.
#[test]
fn every_property_has_a_target() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/targets");
    let mut found: Vec<String> = std::fs::read_dir(targets)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    let mut replayed: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    replayed.sort_unstable();
    assert_eq!(found, replayed);
}
