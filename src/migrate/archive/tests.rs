use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::*;

fn modules() -> BTreeSet<String> {
    BTreeSet::from(["acme".to_owned(), "logs2".to_owned()])
}

fn left(name: &str, label: Label) -> Leftover {
    Leftover { name: name.to_owned(), kind: Kind::File, label, bytes: 1, because: None }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn shown(moves: &[ArchiveMove]) -> String {
    moves.iter().map(|step| format!("{} > {}\n", step.from.display(), step.to.display())).collect()
}

/// Every known name, and names that only look like one.
#[test]
fn labels_of_all_names() {
    use Kind::{Dir, File, Link, Special};
    use Label::{LiveDb, Safe, Unknown};
    let rows: &[(&str, Kind, Option<Label>)] = &[
        ("daily.db", File, Some(LiveDb)),
        ("daily.db-wal", File, Some(LiveDb)),
        ("daily.db-shm", File, Some(LiveDb)),
        ("daily.db-backup", File, Some(Safe)),
        ("daily.db-", File, Some(Unknown)),
        ("daily.dbx", File, Some(Unknown)),
        ("my-daily.db", File, Some(Unknown)),
        ("tokens.db", Link, Some(LiveDb)),
        ("tokens.db-2024", Dir, Some(Safe)),
        ("tokens.db-x\n\u{1b}[2J", File, Some(Safe)),
        ("server.yaml", File, Some(Safe)),
        ("server.yml", File, Some(Unknown)),
        ("Server.yaml", File, Some(Unknown)),
        ("channel.log", File, Some(Safe)),
        ("channel.err", File, Some(Safe)),
        ("channel.start.sh", Special, Some(Safe)),
        ("channel", Dir, None),
        ("logs", Dir, Some(Safe)),
        ("logs", Link, Some(Safe)),
        ("logs2", Dir, None),
        ("lens", Dir, Some(Safe)),
        ("lens", File, Some(Unknown)),
        ("lens", Link, Some(Unknown)),
        ("notes", Dir, None),
        ("vault", Dir, None),
        ("scribe", Dir, None),
        ("runner", Dir, None),
        ("surface", Dir, None),
        ("acme", Dir, None),
        ("other", Dir, Some(Unknown)),
        ("hub.db-journal", File, Some(Unknown)),
        (".archive-2026-03-01", Dir, None),
        (".daily.db", File, None),
        (".", Dir, None),
    ];
    for (name, kind, expected) in rows {
        assert_eq!(label(OsStr::new(name), *kind, Some(&modules())), *expected, "{name:?} {kind:?}");
    }
    for ours in OURS {
        assert_eq!(label(OsStr::new(ours), Dir, Some(&modules())), None, "{ours}");
    }
    let odd = |bytes: &[u8]| label(&OsString::from_vec(bytes.to_vec()), File, Some(&modules()));
    assert_eq!((odd(b"daily.db-\xff"), odd(b".\xff"), odd(b"\xff")), (Some(Unknown), None, Some(Unknown)));
    // If the rows cannot be read, any directory may be a module's.
    assert_eq!(label(OsStr::new("logs"), Dir, None), Some(Unknown));
    assert_eq!(label(OsStr::new("daily.db"), File, None), Some(LiveDb));
}

#[test]
fn movable_files_come_first_sorted_by_name() {
    let mut all = vec![
        left("zz", Label::Unknown),
        left("logs", Label::Safe),
        left("aa", Label::Unknown),
        left("daily.db", Label::LiveDb),
    ];
    sort(&mut all);
    let order: Vec<&str> = all.iter().map(|leftover| leftover.name.as_str()).collect();
    assert_eq!(order, ["daily.db", "logs", "aa", "zz"]);
    assert_eq!(movable(&all).count(), 2);
}

#[test]
fn a_database_is_moved_as_a_set_and_a_taken_name_gets_a_number() {
    let (root, to) = (Path::new("/h"), dir(Path::new("/h"), "2026-03-01"));
    let all = [
        left("daily.db", Label::LiveDb),
        left("daily.db-2024", Label::Safe),
        left("daily.db-shm", Label::LiveDb),
        left("daily.db-wal", Label::LiveDb),
        left("logs", Label::Safe),
        left("theirs", Label::Unknown),
    ];
    insta::assert_snapshot!(shown(&away(root, &to, &all, &names(&[]))), @r"
    /h/daily.db > /h/.archive-2026-03-01/daily.db
    /h/daily.db-shm > /h/.archive-2026-03-01/daily.db-shm
    /h/daily.db-wal > /h/.archive-2026-03-01/daily.db-wal
    /h/daily.db-2024 > /h/.archive-2026-03-01/daily.db-2024
    /h/logs > /h/.archive-2026-03-01/logs
    ");
    // One of three names is taken: all three get the same number, so that they still belong together.
    let taken = names(&["daily.db-wal", "logs", "logs.dup-1", "logs.dup-3"]);
    insta::assert_snapshot!(shown(&away(root, &to, &all, &taken)), @r"
    /h/daily.db > /h/.archive-2026-03-01/daily.db.dup-1
    /h/daily.db-shm > /h/.archive-2026-03-01/daily.db-shm.dup-1
    /h/daily.db-wal > /h/.archive-2026-03-01/daily.db-wal.dup-1
    /h/daily.db-2024 > /h/.archive-2026-03-01/daily.db-2024
    /h/logs > /h/.archive-2026-03-01/logs.dup-2
    ");
    let plan = plan_away(&to, &away(root, &to, &all, &taken));
    assert!(matches!(&plan.steps[0], Step::MakeDir { path, mode: 0o700 } if *path == to));
    assert_eq!((plan.steps.len(), plan.verb.is_recorded()), (6, false));
}

#[test]
fn restored_and_kept_files() {
    let (root, from) = (Path::new("/h"), dir(Path::new("/h"), "2026-03-01"));
    let inside = |all: &[(&str, Kind)]| -> Vec<(OsString, Kind)> {
        all.iter().map(|(name, kind)| (OsString::from(name), *kind)).collect()
    };
    let all = inside(&[
        ("daily.db", Kind::File),
        ("daily.db-wal", Kind::File),
        ("logs", Kind::Dir),
        ("logs.dup-1", Kind::Dir),
        ("server.yaml.dup-2", Kind::File),
        ("lens", Kind::File),
        ("hub.db", Kind::File),
        ("tokens.db.dup-x", Kind::File),
    ]);
    let (moves, stays) = back(root, &from, &all, &names(&["daily.db-wal"]));
    insta::assert_snapshot!(shown(&moves), @r"
    /h/.archive-2026-03-01/logs > /h/logs
    /h/.archive-2026-03-01/server.yaml.dup-2 > /h/server.yaml
    ");
    let left: Vec<&str> = stays.iter().map(|stay| stay.name.as_str()).collect();
    assert_eq!(left, ["daily.db", "daily.db-wal", "hub.db", "lens", "logs.dup-1", "tokens.db.dup-x"]);
    let plan = plan_back(&from, &moves);
    assert!(matches!(plan.steps.last(), Some(Step::RemoveDir { path }) if *path == from));
}

#[test]
fn a_database_is_never_placed_beside_the_log_of_another() {
    let (root, to) = (Path::new("/h"), dir(Path::new("/h"), "2026-03-01"));
    // Today's database has no log of its own; an earlier one left its in the archive.
    let moves = away(root, &to, &[left("daily.db", Label::LiveDb)], &names(&["daily.db-wal"]));
    assert_eq!(shown(&moves), "/h/daily.db > /h/.archive-2026-03-01/daily.db.dup-1\n");
    let inside = [("daily.db".into(), Kind::File), ("daily.db-wal.dup-1".into(), Kind::File)];
    let (moves, stays) = back(root, &to, &inside, &names(&["daily.db-shm"]));
    assert_eq!((moves.len(), stays.len()), (0, 2));
    let (moves, _) = back(root, &to, &inside, &names(&[]));
    assert_eq!(shown(&moves), "/h/.archive-2026-03-01/daily.db > /h/daily.db\n");
}

#[test]
fn days_and_archives() {
    for (text, yes) in [
        ("2026-03-01", true),
        ("2026-3-1", false),
        ("2026-03-01/", false),
        ("../../etc/x", false),
        ("2026/03/01", false),
        ("", false),
    ] {
        assert_eq!(is_day(text), yes, "{text:?}");
    }
    assert_eq!(day(OsStr::new(".archive-2026-03-01")), Some("2026-03-01"));
    assert_eq!(day(OsStr::new(".archive-x")), None);
}
