//! What the hub asks a path helper and what that answers, as bytes. Pure.
//!
//! A message is its length (four bytes, little-endian) and that many bytes. The hub sends a [`Request`]; the helper
//! sends [`Reply`]s: one for each question, in order, and before one any number of [`Reply::Via`]. Both ends read the
//! other's bytes as hostile: every length is checked against a limit before anything is kept.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Longest path that is sent, in bytes. The kernel refuses one longer than 4096 (path_resolution(7)), and so it does the
/// beginning of one, as long as that is longer too.
pub(crate) const MAX_PATH: usize = 4200;
/// Most questions of one request.
pub(crate) const MAX_QUESTIONS: usize = 256;
/// Most places that one request names as silent.
pub(crate) const MAX_AVOID: usize = 64;
/// Most bytes of a file that are read.
pub(crate) const MAX_READ: u32 = 1024 * 1024;
/// How much of the beginning of a program is read, for the interpreter in its `#!` line. The kernel reads 256 bytes too
/// (execve(2)).
pub(crate) const HEAD: u32 = 256;
/// Longest request.
pub(crate) const MAX_REQUEST: usize = (MAX_QUESTIONS + MAX_AVOID) * (MAX_PATH + 16) + 64;
/// Longest reply.
pub(crate) const MAX_REPLY: usize = MAX_READ as usize + 64;

/// One look at a path. It follows links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// Is it a directory?
    Dir(PathBuf),
    /// May it be executed? After one that may be, the rest of the request's programs is not looked at.
    Program(PathBuf),
    /// Its bytes, if it is a regular file of at most this many.
    Read(PathBuf, u32),
    /// The first bytes of a program that could not be started.
    Head(PathBuf),
}

/// Several questions that are answered one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Repeated in every reply.
    pub number: u32,
    /// Places that do not answer: nothing at or below them is touched.
    pub avoid: Vec<PathBuf>,
    /// The questions.
    pub questions: Vec<Question>,
}

/// What a helper says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The path in question leads through links to this one, which is looked at next.
    Via(PathBuf),
    /// The next answer.
    Answer(Answer),
    /// The path in question is at or below this entry of [`Request::avoid`]. No further answer follows.
    Avoided(u32),
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// To [`Question::Dir`].
    Dir(Dir),
    /// To [`Question::Program`].
    Program(Program),
    /// To [`Question::Read`]; `None`: it does not exist.
    Read(Result<Option<Vec<u8>>, Unread>),
    /// To [`Question::Head`].
    Head(Head),
}

/// A directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dir {
    /// Nothing that this user can see, or no directory.
    None,
    /// This user may not enter it.
    Closed,
    /// This user may enter it.
    Open,
    /// It cannot be looked at: this errno. Not for want of a permission.
    Failed(i32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// It does not exist, or cannot be seen.
    None,
    Directory,
    /// It exists and may not be executed by this user.
    NotExecutable,
    /// It may be executed.
    Usable,
    /// It was not looked at.
    Skipped,
}

/// Why a file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// A FIFO, device, socket or directory.
    NotRegular,
    /// Larger than asked.
    TooLarge,
    /// `open` failed with this errno.
    Open(i32),
    /// `read` failed with this errno.
    Read(i32),
}

/// The beginning of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Head {
    /// It does not exist.
    None,
    /// It exists, and this user may not read it.
    Unreadable,
    /// Its first bytes.
    Bytes(Vec<u8>),
}

/// The bytes break a rule of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is not valid")]
pub(crate) struct Invalid;

impl Question {
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Dir(path) | Self::Program(path) | Self::Read(path, _) | Self::Head(path) => path,
        }
    }

    #[must_use]
    pub(crate) fn is_answered_by(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Dir(_), Answer::Dir(_)) | (Self::Program(_), Answer::Program(_)) => true,
            (Self::Read(_, limit), Answer::Read(Ok(Some(bytes)))) => bytes.len() <= *limit as usize,
            (Self::Read(..), Answer::Read(_)) => true,
            (Self::Head(_), Answer::Head(Head::Bytes(bytes))) => bytes.len() <= HEAD as usize,
            (Self::Head(_), Answer::Head(_)) => true,
            (Self::Dir(_) | Self::Program(_) | Self::Read(..) | Self::Head(_), _) => false,
        }
    }
}

impl Request {
    /// The whole message. What exceeds a limit is left out: a caller asks no more than [`MAX_QUESTIONS`].
    #[must_use]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(self.number);
        let avoid = &self.avoid[..self.avoid.len().min(MAX_AVOID)];
        out.number(avoid.len());
        avoid.iter().for_each(|path| out.path(path));
        let questions = &self.questions[..self.questions.len().min(MAX_QUESTIONS)];
        out.number(questions.len());
        for question in questions {
            let (tag, limit) = match question {
                Question::Dir(_) => (0, None),
                Question::Program(_) => (1, None),
                Question::Read(_, limit) => (2, Some(*limit)),
                Question::Head(_) => (3, None),
            };
            out.0.push(tag);
            out.path(question.path());
            out.0.extend(limit.map(|limit| limit.min(MAX_READ).to_le_bytes()).into_iter().flatten());
        }
        out.message()
    }

    /// From the bytes of one message, without its length.
    ///
    /// # Errors
    /// [`Invalid`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        let mut from = Reader(bytes);
        let number = from.number()?;
        let avoid = (0..from.count(MAX_AVOID)?).map(|_| from.path()).collect::<Result<_, _>>()?;
        let questions = (0..from.count(MAX_QUESTIONS)?)
            .map(|_| {
                let tag = from.byte()?;
                let path = from.path()?;
                Ok(match tag {
                    0 => Question::Dir(path),
                    1 => Question::Program(path),
                    2 => {
                        Question::Read(path, Some(from.number()?).filter(|n| *n <= MAX_READ).ok_or(Invalid)?)
                    }
                    3 => Question::Head(path),
                    _ => return Err(Invalid),
                })
            })
            .collect::<Result<_, _>>()?;
        from.end()?;
        Ok(Self { number, avoid, questions })
    }
}

impl Reply {
    /// The whole message, as a reply to the request of this number.
    #[must_use]
    pub(crate) fn encode(&self, number: u32) -> Vec<u8> {
        let mut out = Writer::new(number);
        match self {
            Self::Via(path) => {
                out.0.push(0);
                out.path(path);
            }
            Self::Avoided(at) => {
                out.0.push(1);
                out.0.extend(at.to_le_bytes());
            }
            Self::Answer(answer) => out.answer(answer),
        }
        out.message()
    }

    /// From the bytes of one message, without its length: the number of the request, and the reply.
    ///
    /// # Errors
    /// [`Invalid`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<(u32, Self), Invalid> {
        let mut from = Reader(bytes);
        let number = from.number()?;
        let reply = match from.byte()? {
            0 => Self::Via(from.path()?),
            1 => Self::Avoided(from.number()?),
            tag => Self::Answer(from.answer(tag)?),
        };
        from.end()?;
        Ok((number, reply))
    }
}

/// The messages in a stream of bytes, however it is cut. It keeps at most one message and what was pushed last.
#[derive(Debug)]
pub(crate) struct Messages {
    limit: usize,
    bytes: Vec<u8>,
}

impl Messages {
    /// Of at most this many bytes each.
    #[must_use]
    pub(crate) fn of_at_most(limit: usize) -> Self {
        Self { limit, bytes: Vec::new() }
    }

    /// Adds what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, without its length.
    ///
    /// # Errors
    /// [`Invalid`]: it is longer than the limit. Nothing that follows can be read.
    pub(crate) fn take(&mut self) -> Result<Option<Vec<u8>>, Invalid> {
        let Some((length, rest)) = self.bytes.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > self.limit {
            return Err(Invalid);
        }
        let Some(message) = rest.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
        self.bytes.drain(..4 + length);
        Ok(Some(message))
    }

    /// Whether nothing is kept.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// A message that is being written, behind the place of its length.
struct Writer(Vec<u8>);

impl Writer {
    fn new(number: u32) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(number.to_le_bytes());
        Self(bytes)
    }

    /// A count or length, which is always within one of the limits above.
    fn number(&mut self, number: usize) {
        self.0.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn path(&mut self, path: &Path) {
        let bytes = path.as_os_str().as_bytes();
        self.bytes(&bytes[..bytes.len().min(MAX_PATH)]);
    }

    fn answer(&mut self, answer: &Answer) {
        let (tag, value) = match answer {
            Answer::Dir(Dir::None) => (2, 0),
            Answer::Dir(Dir::Closed) => (2, 1),
            Answer::Dir(Dir::Open) => (2, 2),
            Answer::Dir(Dir::Failed(_)) => (2, 3),
            Answer::Program(program) => (3, *program as u8),
            Answer::Read(Ok(None)) => (4, 0),
            Answer::Read(Ok(Some(_))) => (4, 1),
            Answer::Read(Err(Unread::NotRegular)) => (4, 2),
            Answer::Read(Err(Unread::TooLarge)) => (4, 3),
            Answer::Read(Err(Unread::Open(_))) => (4, 4),
            Answer::Read(Err(Unread::Read(_))) => (4, 5),
            Answer::Head(Head::None) => (5, 0),
            Answer::Head(Head::Unreadable) => (5, 1),
            Answer::Head(Head::Bytes(_)) => (5, 2),
        };
        self.0.extend([tag, value]);
        match answer {
            Answer::Read(Ok(Some(bytes))) | Answer::Head(Head::Bytes(bytes)) => self.bytes(bytes),
            Answer::Read(Err(Unread::Open(errno) | Unread::Read(errno)))
            | Answer::Dir(Dir::Failed(errno)) => {
                self.0.extend(errno.to_le_bytes());
            }
            Answer::Dir(_) | Answer::Program(_) | Answer::Read(_) | Answer::Head(_) => {}
        }
    }

    fn message(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

/// What is left of a message.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, Invalid> {
        let (first, rest) = self.0.split_first().ok_or(Invalid)?;
        self.0 = rest;
        Ok(*first)
    }

    fn four(&mut self) -> Result<[u8; 4], Invalid> {
        let (four, rest) = self.0.split_first_chunk().ok_or(Invalid)?;
        self.0 = rest;
        Ok(*four)
    }

    fn number(&mut self) -> Result<u32, Invalid> {
        Ok(u32::from_le_bytes(self.four()?))
    }

    fn errno(&mut self) -> Result<i32, Invalid> {
        Some(i32::from_le_bytes(self.four()?)).filter(|errno| *errno > 0).ok_or(Invalid)
    }

    fn count(&mut self, limit: usize) -> Result<usize, Invalid> {
        Some(self.number()? as usize).filter(|count| *count <= limit).ok_or(Invalid)
    }

    fn bytes(&mut self, limit: usize) -> Result<Vec<u8>, Invalid> {
        let length = self.count(limit)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Invalid)?;
        self.0 = rest;
        Ok(bytes.to_vec())
    }

    /// An absolute path.
    fn path(&mut self) -> Result<PathBuf, Invalid> {
        let bytes = self.bytes(MAX_PATH)?;
        let is_absolute = bytes.first() == Some(&b'/');
        is_absolute.then(|| PathBuf::from(OsString::from_vec(bytes))).ok_or(Invalid)
    }

    fn answer(&mut self, tag: u8) -> Result<Answer, Invalid> {
        Ok(match (tag, self.byte()?) {
            (2, 0) => Answer::Dir(Dir::None),
            (2, 1) => Answer::Dir(Dir::Closed),
            (2, 2) => Answer::Dir(Dir::Open),
            (2, 3) => Answer::Dir(Dir::Failed(self.errno()?)),
            (3, 0) => Answer::Program(Program::None),
            (3, 1) => Answer::Program(Program::Directory),
            (3, 2) => Answer::Program(Program::NotExecutable),
            (3, 3) => Answer::Program(Program::Usable),
            (3, 4) => Answer::Program(Program::Skipped),
            (4, 0) => Answer::Read(Ok(None)),
            (4, 1) => Answer::Read(Ok(Some(self.bytes(MAX_READ as usize)?))),
            (4, 2) => Answer::Read(Err(Unread::NotRegular)),
            (4, 3) => Answer::Read(Err(Unread::TooLarge)),
            (4, 4) => Answer::Read(Err(Unread::Open(self.errno()?))),
            (4, 5) => Answer::Read(Err(Unread::Read(self.errno()?))),
            (5, 0) => Answer::Head(Head::None),
            (5, 1) => Answer::Head(Head::Unreadable),
            (5, 2) => Answer::Head(Head::Bytes(self.bytes(HEAD as usize)?)),
            _ => return Err(Invalid),
        })
    }

    /// Nothing may follow.
    fn end(&self) -> Result<(), Invalid> {
        if self.0.is_empty() { Ok(()) } else { Err(Invalid) }
    }
}

#[cfg(test)]
mod tests;
