//! One request and what was answered so far. Pure.
//!
//! It knows at any moment at which place the helper is: if that falls silent, this is the place that does not answer.

use std::path::{Path, PathBuf};

use super::protocol::{Answer, Invalid, MAX_REPLY, Messages, Question, Reply, Request};
use super::walk::MAX_NAMES;

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Exchange {
    request: Request,
    messages: Messages,
    answers: Vec<Answer>,
    /// Where links led from the path in question.
    via: Option<PathBuf>,
    /// How often links were reported of it.
    reports: usize,
}

/// What follows from the bytes so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More replies are due.
    Open,
    /// Every question is answered.
    Done,
    /// The path in question is at or below this place, which was to be avoided.
    Avoided(PathBuf),
}

impl Exchange {
    pub(super) fn new(request: Request) -> Self {
        let messages = Messages::of_at_most(MAX_REPLY);
        Self { request, messages, answers: Vec::new(), via: None, reports: 0 }
    }

    /// The bytes to send.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.request.encode()
    }

    /// Takes bytes of the helper.
    ///
    /// # Errors
    /// [`Invalid`]: they are no answer to this request.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Result<Progress, Invalid> {
        self.messages.push(bytes);
        while let Some(message) = self.messages.take()? {
            let (number, reply) = Reply::decode(&message)?;
            let question = self.question().filter(|_| number == self.request.number).ok_or(Invalid)?;
            match reply {
                Reply::Via(path) if self.reports < MAX_NAMES => {
                    self.reports += 1;
                    self.via = Some(path);
                }
                Reply::Answer(answer) if question.is_answered_by(&answer) => {
                    self.answers.push(answer);
                    self.via = None;
                    self.reports = 0;
                }
                Reply::Avoided(at) if self.messages.is_empty() => {
                    let place = self.request.avoid.get(at as usize).ok_or(Invalid)?;
                    return Ok(Progress::Avoided(place.clone()));
                }
                Reply::Via(_) | Reply::Answer(_) | Reply::Avoided(_) => return Err(Invalid),
            }
        }
        match (self.question(), self.messages.is_empty()) {
            (Some(_), _) => Ok(Progress::Open),
            (None, true) => Ok(Progress::Done),
            (None, false) => Err(Invalid),
        }
    }

    fn question(&self) -> Option<&Question> {
        self.request.questions.get(self.answers.len())
    }

    /// The path of the question that is not answered yet, as it was asked.
    pub(super) fn asked(&self) -> &Path {
        self.question().map_or(Path::new("/"), Question::path)
    }

    /// The path that the helper looks at: the same, or where its links lead.
    pub(super) fn place(&self) -> &Path {
        self.via.as_deref().unwrap_or(self.asked())
    }

    /// The answers, in the order of the questions.
    pub(super) fn into_answers(self) -> Vec<Answer> {
        self.answers
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::protocol::{Dir, Program};
    use super::*;

    fn exchange() -> Exchange {
        let questions = vec![Question::Dir("/a".into()), Question::Program("/b".into())];
        Exchange::new(Request { number: 7, avoid: vec!["/mnt/x".into()], questions })
    }

    fn replies(replies: &[Reply]) -> Vec<u8> {
        replies.iter().flat_map(|reply| reply.encode(7)).collect()
    }

    const OPEN: Reply = Reply::Answer(Answer::Dir(Dir::Open));
    const USABLE: Reply = Reply::Answer(Answer::Program(Program::Usable));

    #[test]
    fn it_knows_where_the_helper_is() {
        let mut exchange = exchange();
        assert_eq!(exchange.place(), Path::new("/a"));
        assert_eq!(exchange.hear(&replies(&[Reply::Via("/mnt/y/a".into())])), Ok(Progress::Open));
        assert_eq!((exchange.asked(), exchange.place()), (Path::new("/a"), Path::new("/mnt/y/a")));
        assert_eq!(exchange.hear(&replies(&[OPEN])), Ok(Progress::Open));
        assert_eq!(exchange.place(), Path::new("/b"));
        assert_eq!(exchange.hear(&replies(&[USABLE])), Ok(Progress::Done));
        assert_eq!(exchange.into_answers(), [Answer::Dir(Dir::Open), Answer::Program(Program::Usable)]);
    }

    #[test]
    fn what_was_to_be_avoided_is_named() {
        let mut exchange = exchange();
        let said = exchange.hear(&replies(&[OPEN, Reply::Avoided(0)]));
        assert_eq!((said, exchange.asked()), (Ok(Progress::Avoided("/mnt/x".into())), Path::new("/b")));
    }

    #[test]
    fn lies_are_refused() {
        let lies: [(&str, Vec<u8>); 7] = [
            ("another kind of answer", replies(&[USABLE])),
            ("another request", OPEN.encode(8)),
            ("more answers than questions", replies(&[OPEN, USABLE, USABLE])),
            ("bytes behind the last answer", [replies(&[OPEN, USABLE]), vec![0]].concat()),
            ("a place that was not to be avoided", replies(&[Reply::Avoided(1)])),
            ("an answer after an avoided place", replies(&[Reply::Avoided(0), OPEN])),
            ("links without end", replies(&vec![Reply::Via("/l".into()); MAX_NAMES + 1])),
        ];
        for (lie, bytes) in lies {
            assert_eq!(exchange().hear(&bytes), Err(Invalid), "{lie}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_chunks_are_refused_or_answers(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20)
        ) {
            let mut exchange = exchange();
            for chunk in chunks {
                if !matches!(exchange.hear(&chunk), Ok(Progress::Open)) {
                    break;
                }
            }
            prop_assert!(exchange.answers.len() <= 2);
        }
    }
}
