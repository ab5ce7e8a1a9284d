use super::*;
use std::os::unix::fs::symlink;

/// A tree with everything that can be copied.
fn tree(at: &Path) {
    fs::make_dir(&at.join("deep/er"), 0o750).unwrap();
    fs::put(&at.join("deep/er/file"), 0o640, b"bytes").unwrap();
    fs::put(&at.join("deep/secret"), 0o400, &[7; 100_000]).unwrap();
    symlink("/nowhere", at.join("dangling")).unwrap();
    symlink("..", at.join("deep/up")).unwrap();
    fs::put(&at.join("odd\n\u{1b}[2J"), 0o600, b"").unwrap();
    fs::set_mode(&at.join("deep/er"), 0o500).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    fs::list(dir).unwrap().into_iter().map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn a_copy_is_alike_and_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    tree(&at("from"));
    across(&at("from"), &at("to")).unwrap();
    assert_eq!(names(dir.path()), ["to"], "no temporary files");
    assert_eq!((fs::mode(&at("to/deep/er")), fs::mode(&at("to/deep/secret"))), (Some(0o500), Some(0o400)));
    assert_eq!(fs::read_link(&at("to/deep/up")).unwrap(), Path::new(".."));
    // Killed between creating the new name and removing the old one: the next run only removes the old one.
    copy(&at("to"), &at("back"), None).unwrap();
    assert!(alike(&at("to"), &at("back")).unwrap());
    relocate(&at("to"), &at("back")).unwrap();
    assert_eq!(names(dir.path()), ["back"]);
    // Already done.
    relocate(&at("to"), &at("back")).unwrap();
    // Another file has the name: both stay, of whatever kind.
    fs::put(&at("other"), 0o600, b"bytes").unwrap();
    symlink("/nowhere", at("link")).unwrap();
    for taken in ["other", "link"] {
        assert!(
            matches!(relocate(&at("back"), &at(taken)), Err(MoveError::Taken(path)) if path == at(taken))
        );
        assert!(matches!(relocate(&at(taken), &at("back")), Err(MoveError::Taken(_))));
    }
    assert_eq!(names(dir.path()), ["back", "link", "other"]);
    fs::set_mode(&at("back/deep/er"), 0o700).unwrap();
}

#[test]
fn changed_or_uncopiable_files_stay() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::make_dir(&at("from"), 0o700).unwrap();
    nix::unistd::mkfifo(&at("from/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let said = across(&at("from"), &at("to")).unwrap_err().to_string();
    assert!(
        said.ends_with(
            "from/fifo is a FIFO, socket or device, which cannot be copied to another file system"
        )
    );
    assert_eq!(names(dir.path()), ["from"]);
    // Within one file system it is renamed.
    relocate(&at("from"), &at("to")).unwrap();
    assert_eq!(glimpse(&at("to/fifo")).unwrap().unwrap().kind, FileKind::Special);
    assert!(matches!(relocate(&at("none"), &at("none2")), Err(MoveError::File(error)) if error.is_absent()));
}

#[test]
fn without_the_flag_nothing_is_replaced_either() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::put(&at("a"), 0o600, b"a").unwrap();
    symlink("/nowhere", at("b")).unwrap();
    assert_eq!(place_plainly(&at("a"), &at("b")), Err(Errno::EXIST));
    place_plainly(&at("a"), &at("c")).unwrap();
    fs::make_dir(&at("d"), 0o700).unwrap();
    assert_eq!(place_plainly(&at("d"), &at("b")), Err(Errno::EXIST));
    place_plainly(&at("d"), &at("e")).unwrap();
    assert_eq!(names(dir.path()), ["b", "c", "e"]);
    // Killed between link and unlink: one file has two names.
    std::fs::hard_link(at("c"), at("f")).unwrap();
    relocate(&at("c"), &at("f")).unwrap();
    assert_eq!(names(dir.path()), ["b", "e", "f"]);
}

#[test]
fn temporary_files_are_removed_and_the_last_copy_stays() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    tree(&at(".a.tmp-1-2"));
    for name in [".b.tmp-1-2", ".c.tmp-1", "a.tmp-1"] {
        fs::put(&at(name), 0o600, b"").unwrap();
    }
    tidy(&at("a"), &at("b")).unwrap();
    assert_eq!(names(dir.path()).len(), 4, "neither name exists: one of these may be all there is");
    fs::put(&at("b"), 0o600, b"").unwrap();
    tidy(&at("a"), &at("b")).unwrap();
    assert_eq!(names(dir.path()), [".c.tmp-1", "a.tmp-1", "b"]);
}
