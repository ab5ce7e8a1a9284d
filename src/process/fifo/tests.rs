//! Real FIFOs in a directory of each test.
#![expect(clippy::disallowed_methods, reason = "test: puts other files in place of FIFOs")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

use super::*;

fn web() -> Short {
    Short::new("web").unwrap()
}

/// A directory of FIFOs that is not made yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    (dir, log)
}

fn read(fd: &OwnedFd) -> io::Result<String> {
    let mut bytes = [0; 64];
    let got = rustix::io::read(fd, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..got]).into_owned())
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn two_fifos_for_their_owner_only() {
    let (_dir, log) = place();
    let outputs = make(&log, &web(), 1).unwrap();
    assert_eq!(names(&log), ["web.err", "web.out"]);
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o700);
    let inodes = ["web.out", "web.err"].map(|name| {
        let meta = std::fs::symlink_metadata(log.join(name)).unwrap();
        assert!(meta.file_type().is_fifo());
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        meta.ino()
    });
    assert_eq!(outputs.inodes(), Some(inodes));
    for (output, text) in [(&outputs.stdout, "to stdout"), (&outputs.stderr, "to stderr")] {
        let has = |fd: &OwnedFd, flag| fcntl_getfl(fd).unwrap().contains(flag);
        assert!(has(&output.reader, OFlags::NONBLOCK) && !has(&output.writer, OFlags::NONBLOCK));
        rustix::io::write(&output.writer, text.as_bytes()).unwrap();
        assert_eq!(read(&output.reader).unwrap(), text);
        assert_eq!(read(&output.reader).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    let Output { reader, writer } = outputs.stdout;
    drop(writer);
    assert_eq!(read(&reader).unwrap(), "", "the end: no process writes any more");
}

#[test]
fn a_writer_survives_its_reader_and_the_next_reader_gets_all_lines() {
    let (_dir, log) = place();
    let outputs = make(&log, &web(), 1).unwrap();
    let inodes = outputs.inodes().unwrap();
    drop((outputs.stdout.reader, outputs.stderr.reader));
    let mut writer = File::from(outputs.stdout.writer);
    writer.write_all(b"without a hub").unwrap();
    let [out, err] = reopen(&log, &web(), inodes).unwrap();
    assert_eq!(read(&out).unwrap(), "without a hub");
    assert_eq!(read(&err).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(matches!(reopen(&log, &web(), [inodes[1], inodes[0]]), Err(FifoError::Other(_))));
    let later = make(&log, &web(), 1).unwrap();
    assert!(matches!(reopen(&log, &web(), inodes), Err(FifoError::Other(_))), "made anew since");
    assert!(reopen(&log, &web(), later.inodes().unwrap()).is_ok());
    remove(&log, &web()).unwrap();
    assert!(matches!(reopen(&log, &web(), inodes), Err(FifoError::Io { .. })));
}

#[test]
fn a_link_is_replaced_and_its_target_stays() {
    let (dir, log) = place();
    drop(make(&log, &web(), 1).unwrap());
    let target = dir.path().join("target");
    std::fs::write(&target, "theirs").unwrap();
    std::fs::remove_file(log.join("web.out")).unwrap();
    symlink(&target, log.join("web.out")).unwrap();
    let inode = std::fs::metadata(&target).unwrap().ino();
    assert!(reopen(&log, &web(), [inode, inode]).is_err(), "no link is followed");
    drop(make(&log, &web(), 1).unwrap());
    assert!(std::fs::symlink_metadata(log.join("web.out")).unwrap().file_type().is_fifo());
    assert_eq!(std::fs::read(&target).unwrap(), b"theirs");
}

#[test]
fn what_is_not_ours_is_named_and_stays() {
    let (dir, log) = place();
    drop(make(&log, &web(), 1).unwrap());
    let in_the_way = log.join("web.err");
    std::fs::remove_file(&in_the_way).unwrap();
    std::fs::write(&in_the_way, "a file").unwrap();
    let error = make(&log, &web(), 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{} is in the way: it is not a FIFO of this user", in_the_way.display())
    );
    assert!(note(&error).contains(&error.to_string()) && is_note(&note(&error)));
    assert!(remove(&log, &web()).is_err());
    clear(&log, &BTreeSet::new()).unwrap();
    assert_eq!(names(&log), ["web.err"], "no half of a pair is left");
    assert_eq!(std::fs::read(&in_the_way).unwrap(), b"a file");
    let elsewhere = dir.path().join("elsewhere");
    symlink(&log, &elsewhere).unwrap();
    assert!(
        matches!(make(&elsewhere, &web(), 1), Err(FifoError::InTheWay { .. })),
        "a directory, not a link"
    );
    assert!(matches!(make(&in_the_way, &web(), 1), Err(FifoError::InTheWay { .. })));
}

#[test]
fn fifos_without_a_run_are_removed_and_other_files_stay() {
    let (_dir, log) = place();
    clear(&log, &BTreeSet::new()).unwrap();
    remove(&log, &web()).unwrap();
    let [one, two] = ["a", "a.out"].map(|name| Short::new(name).unwrap());
    for short in [&one, &two, &web()] {
        drop(make(&log, short, 1).unwrap());
    }
    std::fs::write(log.join("notes.txt"), "").unwrap();
    nix::unistd::mkfifo(&log.join("theirs"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    remove(&log, &one).unwrap();
    assert_eq!(names(&log), ["a.out.err", "a.out.out", "notes.txt", "theirs", "web.err", "web.out"]);
    clear(&log, &BTreeSet::from([web()])).unwrap();
    assert_eq!(names(&log), ["notes.txt", "theirs", "web.err", "web.out"]);
}

#[test]
fn a_directory_that_others_could_enter_is_closed() {
    let (_dir, log) = place();
    std::fs::create_dir(&log).unwrap();
    std::fs::set_permissions(&log, std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(make(&log, &web(), 1).unwrap());
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(make(&log.join("no/such"), &web(), 1).is_err());
}

#[test]
fn a_fifo_holds_its_share() {
    if cfg!(not(target_os = "linux")) {
        return; // the size is the system's
    }
    let (_dir, log) = place();
    let held = |modules| {
        let outputs = make(&log, &web(), modules).unwrap();
        fcntl_setfl(&outputs.stdout.writer, OFlags::NONBLOCK).unwrap();
        let mut held = 0;
        while let Ok(bytes) = rustix::io::write(&outputs.stdout.writer, &[0; 1024]) {
            held += bytes as u64;
        }
        held
    };
    let (soft, page) = os::pipe_pages().unwrap();
    assert_eq!(held(5000), capacity(soft, page, 5000));
    // The kernel may have given less, if this user has many pipes.
    assert!(held(1) <= capacity(soft, page, 1));
}

#[test]
fn pipes_serve_without_a_file_system() {
    let outputs = Outputs::pipes().unwrap();
    assert_eq!(outputs.inodes(), None);
    let Output { reader, writer } = outputs.stderr;
    assert_eq!(read(&reader).unwrap_err().kind(), ErrorKind::WouldBlock);
    File::from(writer).write_all(b"x").unwrap();
    let mut all = String::new();
    File::from(reader).read_to_string(&mut all).unwrap();
    assert_eq!(all, "x");
}
