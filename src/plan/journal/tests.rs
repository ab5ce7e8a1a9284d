use super::*;
use crate::error_chain::{self, Hints};

fn installation() -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("install");
    (temp, dir)
}

#[test]
fn a_second_command_is_refused_and_names_the_first() {
    let (_temp, dir) = installation();
    let held = Journal::open(&dir).unwrap();
    let error = Journal::open(&dir).unwrap_err();
    let said = error_chain::of(&error);
    assert!(said.starts_with("another command is changing this installation: "), "{said}");
    assert!(said.ends_with(&format!("lock is held by pid {}", std::process::id())), "{said}");
    held.close().unwrap();
    assert!(!dir.exists());
}

#[test]
fn a_damaged_file_is_an_error_that_names_it_and_is_not_touched() {
    for (name, text, has_hint) in [
        ("journal.jsonl", "{\n{}\n", true),
        ("receipt.json", "{\"version\":1}", true),
        ("receipt.json", "{\"version\":9,\"program\":\"3.1.0\"}", false),
    ] {
        let (_temp, dir) = installation();
        let path = dir.join(name);
        fs::make_dir(&dir, 0o700).unwrap();
        fs::put(&path, 0o600, text.as_bytes()).unwrap();
        let error = Journal::open(&dir).unwrap_err();
        let said = error_chain::of(&error);
        assert!(said.contains(&path.display().to_string()), "{said}");
        assert_eq!(error.hint().is_some_and(|hint| hint.starts_with("mv ")), has_hint, "{said}");
        assert_eq!(fs::read(&path, 99).unwrap(), text.as_bytes());
        assert!(!text.contains('9') || said.contains("written by parachute 3.1.0"), "{said}");
    }
}
