//! Random directories with random names: only a marked home is touched, and it is deleted completely.
#![expect(clippy::disallowed_methods, reason = "test: makes directories and compares them")]

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::facts::{InUse, Marked};
use super::gather::{gather, user};
use super::judge::{Because, judge};
use crate::error_chain::Hints;
use crate::home::fs::{self, PRIVATE};
use crate::home::lock::Lock;
use crate::home::mark::{self, Mark};
use crate::home::paths::Home;
use crate::process::user::{self, User};

/// The origin of a directory, before files are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `serve` or `add` created it.
    Made,
    /// It held other files when it was first used.
    Found,
    /// A hub of a version without marks used it.
    Before,
    /// Not a home.
    Foreign,
    /// It only has an entry named `run`.
    HasRun,
    /// A copy of a home.
    Copied,
}

/// One entry in it.
#[derive(Debug, Clone)]
enum Thing {
    File(usize),
    Dir(usize),
    LinkOut,
    LinkUp,
    HardLink,
    ReadOnlyDir,
    Fifo,
    Home,
}

/// How it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Plain,
    Dot,
    Around,
    Up,
    Link,
    LinkSlash,
    ThroughLink,
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![
        Kind::Made,
        Kind::Made,
        Kind::Made,
        Kind::Found,
        Kind::Before,
        Kind::Foreign,
        Kind::HasRun,
        Kind::Copied,
    ])
}

fn things() -> impl Strategy<Value = Vec<Thing>> {
    let thing = prop_oneof![
        4 => (0..3usize).prop_map(Thing::File),
        3 => (1..6usize).prop_map(Thing::Dir),
        2 => Just(Thing::LinkOut),
        2 => Just(Thing::LinkUp),
        1 => Just(Thing::HardLink),
        1 => Just(Thing::ReadOnlyDir),
        1 => Just(Thing::Fifo),
        1 => Just(Thing::Home),
    ];
    prop::collection::vec(thing, 0..8)
}

fn names() -> impl Strategy<Value = Name> {
    prop::sample::select(vec![
        Name::Plain,
        Name::Plain,
        Name::Dot,
        Name::Around,
        Name::Up,
        Name::Link,
        Name::LinkSlash,
        Name::ThroughLink,
    ])
}

fn me() -> User {
    user::by_uid(user::effective_uid()).unwrap()
}

fn put(path: &Path, bytes: &[u8]) {
    fs::make_dir(path.parent().unwrap(), 0o700).unwrap();
    // Not fs::put: that syncs, and there are thousands of these.
    std::fs::write(path, bytes).unwrap();
    fs::set_mode(path, PRIVATE).unwrap();
}

fn make(dir: &Path, kind: Kind) {
    let home = Home::at(dir.to_owned());
    match kind {
        Kind::Made => mark::ensure(&home).unwrap(),
        Kind::Found => {
            put(&dir.join("src/main.c"), b"int main;");
            mark::ensure(&home).unwrap();
        }
        Kind::Before => {
            put(&home.services(), br#"{"services":[]}"#);
            put(&home.hub_lock(), b"1\n");
            put(&home.ledger(), b"{\"entry\":\"crashes\",\"short\":\"x\",\"at\":[]}\n");
        }
        Kind::Foreign => put(&dir.join("data"), b"theirs"),
        Kind::HasRun => put(&dir.join("run/app.pid"), b"7"),
        Kind::Copied => {
            fs::make_dir(dir, 0o700).unwrap();
            let other = Mark { made: true, path: "/somewhere/else".into() };
            put(&dir.join(mark::NAME), &other.bytes());
        }
    }
}

fn fill(dir: &Path, outside: &Path, things: &[Thing]) {
    for (n, thing) in things.iter().enumerate() {
        let at = dir.join(format!("t{n}"));
        match thing {
            Thing::File(lines) => put(&at, "line\n".repeat(*lines).as_bytes()),
            Thing::Dir(depth) => {
                let deep = (0..*depth).fold(at, |dir, level| dir.join(format!("d{level}")));
                put(&deep.join("leaf"), b"x");
                symlink(outside, deep.join("out")).unwrap();
            }
            Thing::LinkOut => symlink(outside.join("kept"), at).unwrap(),
            Thing::LinkUp => symlink("..", at).unwrap(),
            Thing::HardLink => std::fs::hard_link(outside.join("kept"), at).unwrap(),
            Thing::ReadOnlyDir => {
                put(&at.join("cached"), b"x");
                fs::set_mode(&at, 0o555).unwrap();
            }
            Thing::Fifo => nix::unistd::mkfifo(&at, nix::sys::stat::Mode::S_IRWXU).unwrap(),
            Thing::Home => mark::ensure(&Home::at(at.join("inner"))).unwrap(),
        }
    }
}

/// The state of all files below a directory.
fn snapshot(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let what = if meta.is_symlink() {
            format!("-> {}", std::fs::read_link(&path).unwrap().display())
        } else if meta.is_dir() {
            left.extend(fs::list(&path).unwrap().iter().map(|name| path.join(name)));
            format!("dir {:o}", meta.mode())
        } else if meta.file_type().is_fifo() {
            "a FIFO".to_owned()
        } else {
            format!("file {:o} {:?}", meta.mode(), std::fs::read(&path).unwrap())
        };
        all.insert(path, what);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn only_a_marked_home_is_touched_and_it_is_deleted_completely(
        kind in kinds(), above in kinds(), things in things(), name in names(), nested in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let base = fs::resolved(dir.path());
        let outside = base.join("outside");
        put(&outside.join("kept"), b"keep me");
        let parent = base.join("parent");
        if nested {
            make(&parent, above);
        } else {
            fs::make_dir(&parent, 0o700).unwrap();
        }
        let target = parent.join("target");
        make(&target, kind);
        fill(&target, &outside, &things);
        symlink(&target, base.join("link")).unwrap();
        symlink(&parent, base.join("parent-link")).unwrap();
        let named = match name {
            Name::Plain => target.clone(),
            Name::Dot => target.join("."),
            Name::Around => target.join("../target"),
            Name::Up => target.join(".."),
            Name::Link => base.join("link"),
            Name::LinkSlash => base.join("link/"),
            Name::ThroughLink => base.join("parent-link/target"),
        };
        let before = snapshot(&base);
        let (tree, mut facts) = gather(&named, &me()).unwrap().unwrap();
        facts.survey = tree.survey().unwrap();
        let verdict = judge(&facts);
        let victim = if name == Name::Up { &parent } else { &target };
        let its = match (name, nested) {
            (Name::Up, true) => above,
            (Name::Up, false) => Kind::Foreign,
            _ => kind,
        };
        let inner_home = things.iter().any(|thing| matches!(thing, Thing::Home))
            || name == Name::Up && matches!(kind, Kind::Made | Kind::Found | Kind::Before | Kind::Copied);
        let may = matches!(its, Kind::Made | Kind::Before)
            && !inner_home
            && !matches!(name, Name::Link | Name::LinkSlash);
        prop_assert_eq!(verdict.is_ok(), may, "{:?}", verdict);
        if may {
            let listed = facts.survey.files();
            let deleted = tree.delete(&mut || {}).unwrap();
            prop_assert!(deleted.gone && deleted.left.is_empty(), "{:?}", deleted);
            // The mark is listed, but is not a file of the user.
            let mark = u64::from(its == Kind::Made);
            prop_assert_eq!(deleted.files + mark, listed);
        }
        let after = snapshot(&base);
        let expected: BTreeMap<_, _> =
            before.into_iter().filter(|(path, _)| !may || !path.starts_with(victim)).collect();
        prop_assert_eq!(after, expected);
    }
}

#[test]
fn a_home_that_is_in_use_is_refused_and_its_lock_stays_taken() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(fs::resolved(dir.path()).join("home"));
    mark::ensure(&home).unwrap();
    fs::make_dir(&home.run_dir(), 0o700).unwrap();
    let hub = Lock::try_take(&home.hub_lock()).unwrap();
    let (tree, mut facts) = gather(home.root(), &me()).unwrap().unwrap();
    facts.user = user(&tree, home.root()).0;
    assert_eq!(facts.user, Some(InUse::Hub(Some(std::process::id()))));
    let refusal = judge(&facts).unwrap_err();
    assert!(refusal.to_string().contains("a hub is using it (pid "), "{refusal}");
    assert!(refusal.hints()[0].ends_with(" stop"));
    drop(hub);
    let (user, lock) = user(&tree, home.root());
    assert!(user.is_none() && lock.is_some());
    assert!(Lock::try_take(&home.hub_lock()).is_err(), "no hub starts meanwhile");
}

#[test]
fn a_mark_that_another_user_could_have_written_proves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(fs::resolved(dir.path()).join("home"));
    mark::ensure(&home).unwrap();
    let file = home.root().join(mark::NAME);
    let marked = || gather(home.root(), &me()).unwrap().unwrap().1.mark;
    assert!(matches!(marked(), Marked::Yes(_)));
    fs::set_mode(&file, 0o666).unwrap();
    assert_eq!(marked(), Marked::Untrusted("another user can write it".to_owned()));
    fs::remove(&file).unwrap();
    symlink("/etc/passwd", &file).unwrap();
    assert!(matches!(marked(), Marked::Untrusted(_)));
}

#[test]
fn an_interrupted_deletion_is_finished_by_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let root = fs::resolved(dir.path()).join("home");
    make(&root, Kind::Before);
    fill(&root, dir.path(), &[Thing::Dir(3), Thing::ReadOnlyDir, Thing::File(2)]);
    for stop_at in 1.. {
        let Some((tree, mut facts)) = gather(&root, &me()).unwrap() else {
            assert!(stop_at > 5, "the loop did interrupt it: {stop_at}");
            return;
        };
        facts.survey = tree.survey().unwrap();
        judge(&facts).unwrap();
        let mut count = 0;
        // Like a kill: the walk never returns.
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            tree.delete(&mut || {
                count += 1;
                if count == 2 {
                    std::panic::resume_unwind(Box::new(()));
                }
            })
        }));
        drop(broken);
    }
}

#[test]
fn a_tree_deeper_than_there_are_descriptors_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let root = fs::resolved(dir.path()).join("home");
    make(&root, Kind::Made);
    // Longer than PATH_MAX in total, so it is created relative to descriptors.
    let mut at = rustix::fs::open(&root, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..3000 {
        rustix::fs::mkdirat(&at, "deep", rustix::fs::Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "deep", rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty())
            .unwrap();
    }
    let (tree, mut facts) = gather(&root, &me()).unwrap().unwrap();
    facts.survey = tree.survey().unwrap();
    assert_eq!(judge(&facts), Ok(()));
    assert!(tree.delete(&mut || {}).unwrap().gone);
}

#[test]
fn the_root_and_login_directories_are_refused_before_anything_else() {
    let (_, facts) = gather(Path::new("/"), &me()).unwrap().unwrap();
    assert!(matches!(judge(&facts).unwrap_err().because, Because::Login(_) | Because::Mount));
    let home = me().home;
    let (_, facts) = gather(&home, &me()).unwrap().unwrap();
    assert!(matches!(judge(&facts).unwrap_err().because, Because::Login(_)));
    assert!(gather(Path::new("/no/such/directory"), &me()).unwrap().is_none());
}
