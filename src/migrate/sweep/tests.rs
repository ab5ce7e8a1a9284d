use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;

fn home() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().to_owned());
    (dir, home)
}

fn put(home: &Home, name: &str, len: usize) {
    let path = home.root().join(name);
    fs::make_dir(path.parent().unwrap(), 0o700).unwrap();
    fs::put(&path, 0o600, &vec![b'x'; len]).unwrap();
}

/// Dangling links, loops and links out of the tree are links, also deep inside.
#[test]
fn links_are_not_followed() {
    let (dir, home) = home();
    let outside = tempfile::tempdir().unwrap();
    fs::put(&outside.path().join("large"), 0o600, &[0; 100_000]).unwrap();
    put(&home, "logs/deep/a.log", 10);
    put(&home, "logs/b.log", 5);
    for (to, name) in [
        ("/nowhere", "logs/dangling"),
        ("cycle2", "logs/cycle1"),
        ("cycle1", "logs/cycle2"),
        (".", "logs/self"),
        ("../..", "logs/deep/up"),
    ] {
        symlink(to, home.root().join(name)).unwrap();
    }
    symlink(outside.path(), home.root().join("logs/out")).unwrap();
    symlink(outside.path(), home.root().join("tokens.db")).unwrap();
    symlink("/nowhere", home.root().join("server.yaml")).unwrap();
    nix::unistd::mkfifo(&home.root().join("channel.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::net::UnixListener::bind(home.root().join("odd")).unwrap();
    let name = std::ffi::OsStr::from_bytes(b"daily.db-\xff\x1b[2J");
    fs::put(&dir.path().join(name), 0o600, b"x").unwrap();
    let found: Vec<(String, Kind, Label, u64)> = leftovers(&home)
        .unwrap()
        .into_iter()
        .map(|leftover| (leftover.name, leftover.kind, leftover.label, leftover.bytes))
        .collect();
    let row = |name: &str, kind, label, bytes| (name.to_owned(), kind, label, bytes);
    assert_eq!(
        found,
        [
            row("channel.log", Kind::Special, Label::Safe, 0),
            row("logs", Kind::Dir, Label::Safe, 15),
            row("server.yaml", Kind::Link, Label::Safe, 0),
            row("tokens.db", Kind::Link, Label::LiveDb, 0),
            row("daily.db-\u{fffd}\u{1b}[2J", Kind::File, Label::Unknown, 0),
            row("odd", Kind::Special, Label::Unknown, 0),
        ]
    );
    assert_eq!(notice(&home).as_deref(), Some("4 files of an older version: parachute migrate --list"));
}

#[test]
fn directories_of_modules_are_not_leftovers() {
    let (_dir, home) = home();
    put(&home, "lens/x", 1);
    put(&home, "logs/x", 1);
    put(&home, "web/x", 1);
    let row = |name: &str, dir: &str| {
        let install = home.root().join(dir);
        serde_json::json!({"name": name, "port": 4000 + name.len(), "paths": [], "health": "/", "version": "", "installDir": install})
    };
    let rows = serde_json::json!({"services": [row("lens", "web"), row("other", "logs/deep")]});
    fs::put(&home.services(), 0o600, rows.to_string().as_bytes()).unwrap();
    assert_eq!(leftovers(&home).unwrap(), [], "{:?}", modules(&home));
    assert_eq!(notice(&home), None);
    // A file that cannot be read does not mean "no modules".
    fs::put(&home.services(), 0o600, b"{").unwrap();
    let all = leftovers(&home).unwrap();
    assert!(all.iter().all(|leftover| leftover.label == Label::Unknown) && all.len() == 3, "{all:?}");
    let none = Home::at("/nowhere/at/all".into());
    assert_eq!((leftovers(&none).unwrap(), archives(&none).unwrap()), (Vec::new(), Vec::new()));
}

#[test]
fn archives_are_listed_by_day() {
    let (_dir, home) = home();
    put(&home, ".archive-2026-03-02/logs/x", 7);
    put(&home, ".archive-2026-03-01/daily.db", 3);
    put(&home, ".archive-2026-03-01/daily.db-wal", 4);
    put(&home, ".archive-soon/x", 1);
    let shown: Vec<_> = archives(&home).unwrap().into_iter().map(|a| (a.day, a.things, a.bytes)).collect();
    assert_eq!(shown, [("2026-03-01".to_owned(), 2, 7), ("2026-03-02".to_owned(), 1, 7)]);
}
