//! The helper itself: this program, once more, as a process that may hang. It looks at the paths that it is asked about,
//! one after the other, and ends with the hub.
#![expect(clippy::disallowed_methods, reason = "edge: looks at the paths that a hub asks about")]

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::protocol::{
    Answer, Dir, HEAD, Head, MAX_REQUEST, Messages, Program, Question, Reply, Request, Unread,
};
use super::walk::{Ground, Way, walk};
use crate::process::{find_program, os};

/// `argv[0]` of a helper, by which this program knows that it is one. No person types it.
pub(crate) const NAME: &str = "parachute-path-helper";

/// Whether this process was started as a helper. To be asked before anything else.
#[must_use]
pub(crate) fn is_called(name: Option<&OsStr>) -> bool {
    name == Some(OsStr::new(NAME))
}

/// Serves the hub at the other end of standard input until that ends. Returns the exit code.
///
/// No runtime, no thread, no file of the home: it needs little memory.
#[must_use]
pub(crate) fn run() -> u8 {
    match os::stand_apart().and_then(serve) {
        Ok(()) => 0,
        // The hub sees that it has ended.
        Err(_) => 1,
    }
}

/// Answers requests until the stream ends.
///
/// # Errors
/// The stream broke, or what it carries is no request.
fn serve(mut hub: UnixStream) -> io::Result<()> {
    let mut messages = Messages::of_at_most(MAX_REQUEST);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        while let Some(message) = messages.take().map_err(io::Error::other)? {
            let request = Request::decode(&message).map_err(io::Error::other)?;
            answer(&request, &mut |reply| hub.write_all(&reply.encode(request.number)))?;
        }
        match hub.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => messages.push(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Answers the questions of a request.
///
/// # Errors
/// Those of `say`.
fn answer(request: &Request, say: &mut dyn FnMut(&Reply) -> io::Result<()>) -> io::Result<()> {
    let mut found = false;
    for question in &request.questions {
        let skipped = found && matches!(question, Question::Program(_));
        let said = if skipped {
            Reply::Answer(Answer::Program(Program::Skipped))
        } else {
            match walk(question.path(), &request.avoid, &mut Disk { say })? {
                Way::Avoided(at) => return say(&Reply::Avoided(u32::try_from(at).unwrap_or(u32::MAX))),
                Way::Clear => Reply::Answer(look(question)),
                Way::Endless => Reply::Answer(refused(question)),
            }
        };
        found |= said == Reply::Answer(Answer::Program(Program::Usable));
        say(&said)?;
    }
    Ok(())
}

/// The file systems of this machine.
struct Disk<'a> {
    say: &'a mut dyn FnMut(&Reply) -> io::Result<()>,
}

impl Ground for Disk<'_> {
    type Error = io::Error;

    fn link(&mut self, path: &Path) -> Option<PathBuf> {
        std::fs::read_link(path).ok()
    }

    fn via(&mut self, path: &Path) -> io::Result<()> {
        (self.say)(&Reply::Via(path.to_owned()))
    }
}

/// As the kernel answers for a path that leads through too many links.
fn refused(question: &Question) -> Answer {
    match question {
        Question::Dir(_) => Answer::Dir(Dir::None),
        Question::Program(_) => Answer::Program(Program::None),
        Question::Read(..) => Answer::Read(Err(Unread::Open(Errno::LOOP.raw_os_error()))),
        Question::Head(_) => Answer::Head(Head::None),
    }
}

fn look(question: &Question) -> Answer {
    match question {
        Question::Dir(path) => Answer::Dir(dir(path)),
        Question::Program(path) => Answer::Program(program(path)),
        Question::Read(path, limit) => Answer::Read(read(path, *limit)),
        Question::Head(path) => Answer::Head(head(path)),
    }
}

fn dir(path: &Path) -> Dir {
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_dir() => Dir::None,
        Ok(_) if rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_err() => Dir::Closed,
        Ok(_) => Dir::Open,
        // A directory above it may not be entered: it may exist.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Dir::Closed,
        Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
            None | Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP) => Dir::None,
            // Such as ENOTCONN of a FUSE file system whose daemon has died.
            Some(errno) => Dir::Failed(errno.raw_os_error()),
        },
    }
}

fn program(path: &Path) -> Program {
    if find_program::is_program(path) {
        return Program::Usable;
    }
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Program::Directory,
        Ok(_) => Program::NotExecutable,
        // A dangling link is a name that exists.
        Err(_) if std::fs::symlink_metadata(path).is_ok() => Program::NotExecutable,
        Err(_) => Program::None,
    }
}

/// Opens without waiting for the other end of a FIFO (fifo(7)) and without taking a terminal.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn read(path: &Path, limit: u32) -> Result<Option<Vec<u8>>, Unread> {
    let errno = |error: &io::Error| error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        // A socket: open(2).
        Err(error) if errno(&error) == Errno::NXIO.raw_os_error() => return Err(Unread::NotRegular),
        Err(error) => return Err(Unread::Open(errno(&error))),
    };
    if !file.metadata().map_err(|error| Unread::Read(errno(&error)))?.is_file() {
        return Err(Unread::NotRegular);
    }
    let mut bytes = Vec::new();
    let most = u64::from(limit).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(|error| Unread::Read(errno(&error)))?;
    if bytes.len() > limit as usize { Err(Unread::TooLarge) } else { Ok(Some(bytes)) }
}

fn head(path: &Path) -> Head {
    let mut bytes = Vec::new();
    match open(path).and_then(|file| file.take(u64::from(HEAD)).read_to_end(&mut bytes)) {
        Ok(_) => Head::Bytes(bytes),
        // An unreadable program exists, and `#!` needs no read permission of ours.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Head::Unreadable,
        Err(_) => Head::None,
    }
}

/// The answers of this very process: for tests of what follows from answers.
#[cfg(test)]
pub(crate) fn answers(questions: Vec<Question>) -> Vec<Answer> {
    let answers = tests::replies(questions, Vec::new()).into_iter();
    answers.filter_map(|reply| if let Reply::Answer(answer) = reply { Some(answer) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    pub(super) fn replies(questions: Vec<Question>, avoid: Vec<PathBuf>) -> Vec<Reply> {
        let mut said = Vec::new();
        answer(&Request { number: 1, avoid, questions }, &mut |reply| {
            said.push(reply.clone());
            Ok(())
        })
        .unwrap();
        said
    }

    fn only(question: Question) -> Answer {
        answers(vec![question]).pop().unwrap()
    }

    #[test]
    fn each_kind_of_file_has_its_answer() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("plain"), "12345").unwrap();
        std::fs::write(at("tool"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(at("tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(at("dir")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();

        for (name, answer) in [("dir", Dir::Open), ("plain", Dir::None), ("none", Dir::None)] {
            assert_eq!(only(Question::Dir(at(name))), Answer::Dir(answer), "{name}");
        }
        for (name, answer) in [
            ("tool", Program::Usable),
            ("plain", Program::NotExecutable),
            ("dangling", Program::NotExecutable),
            ("dir", Program::Directory),
            ("none", Program::None),
        ] {
            assert_eq!(only(Question::Program(at(name))), Answer::Program(answer), "{name}");
        }
        for (name, answer) in [
            ("plain", Ok(Some(b"12345".to_vec()))),
            ("tool", Err(Unread::TooLarge)),
            ("none", Ok(None)),
            ("plain/below", Ok(None)),
            ("dir", Err(Unread::NotRegular)),
            ("fifo", Err(Unread::NotRegular)),
        ] {
            assert_eq!(only(Question::Read(at(name), 5)), Answer::Read(answer), "{name}");
        }
        for (name, answer) in [("none", Head::None), ("tool", Head::Bytes(b"#!/bin/sh\n".to_vec()))] {
            assert_eq!(only(Question::Head(at(name))), Answer::Head(answer), "{name}");
        }
    }

    #[test]
    fn programs_after_a_usable_one_are_not_looked_at_and_avoided_places_end_it() {
        let programs = ["/no/such", "/bin/sh", "/mnt/silent/sh"].map(|path| Question::Program(path.into()));
        let avoid = vec![PathBuf::from("/mnt/silent")];
        let said = replies(programs.to_vec(), avoid.clone());
        let said: Vec<_> = said.into_iter().filter(|reply| !matches!(reply, Reply::Via(_))).collect();
        let expected = [Program::None, Program::Usable, Program::Skipped];
        assert_eq!(said, expected.map(|program| Reply::Answer(Answer::Program(program))));
        let questions = vec![Question::Dir("/mnt/silent/x".into()), Question::Dir("/".into())];
        assert_eq!(replies(questions, avoid), [Reply::Avoided(0)]);
    }

    #[test]
    fn it_serves_until_the_stream_ends_and_refuses_what_is_no_request() {
        let (mut hub, theirs) = UnixStream::pair().unwrap();
        let served = std::thread::spawn(move || serve(theirs));
        let request = Request { number: 9, avoid: Vec::new(), questions: vec![Question::Dir("/".into())] };
        hub.write_all(&request.encode()).unwrap();
        let expected = Reply::Answer(Answer::Dir(Dir::Open)).encode(9);
        let mut said = vec![0; expected.len()];
        hub.read_exact(&mut said).unwrap();
        assert_eq!(said, expected);
        drop(hub);
        assert!(served.join().unwrap().is_ok());

        let (mut hub, theirs) = UnixStream::pair().unwrap();
        hub.write_all(&[255; 64]).unwrap();
        assert!(serve(theirs).is_err());
    }
}
