use proptest::prelude::*;

use super::*;

fn path() -> impl Strategy<Value = PathBuf> {
    prop::collection::vec(1_u8.., 0..40).prop_map(|mut bytes| {
        bytes.insert(0, b'/');
        PathBuf::from(OsString::from_vec(bytes))
    })
}

fn question() -> impl Strategy<Value = Question> {
    prop_oneof![
        path().prop_map(Question::Dir),
        path().prop_map(Question::Program),
        (path(), 0..=MAX_READ).prop_map(|(path, limit)| Question::Read(path, limit)),
        path().prop_map(Question::Head),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    (any::<u32>(), prop::collection::vec(path(), 0..4), prop::collection::vec(question(), 0..12))
        .prop_map(|(number, avoid, questions)| Request { number, avoid, questions })
}

fn reply() -> impl Strategy<Value = Reply> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..=HEAD as usize);
    let dir = prop::sample::select(vec![Dir::None, Dir::Closed, Dir::Open, Dir::Failed(107)]);
    let program = prop::sample::select(vec![
        Program::None,
        Program::Directory,
        Program::NotExecutable,
        Program::Usable,
        Program::Skipped,
    ]);
    let unread = prop_oneof![
        Just(Unread::NotRegular),
        Just(Unread::TooLarge),
        (1..=i32::MAX).prop_map(Unread::Open),
        (1..=i32::MAX).prop_map(Unread::Read),
    ];
    prop_oneof![
        path().prop_map(Reply::Via),
        any::<u32>().prop_map(Reply::Avoided),
        dir.prop_map(|dir| Reply::Answer(Answer::Dir(dir))),
        program.prop_map(|program| Reply::Answer(Answer::Program(program))),
        prop::option::of(bytes()).prop_map(|read| Reply::Answer(Answer::Read(Ok(read)))),
        unread.prop_map(|why| Reply::Answer(Answer::Read(Err(why)))),
        prop_oneof![Just(Head::None), Just(Head::Unreadable), bytes().prop_map(Head::Bytes)]
            .prop_map(|head| Reply::Answer(Answer::Head(head))),
    ]
}

/// The messages that come out of these pieces, and whether an invalid one ended them.
fn taken(limit: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let (mut messages, mut all) = (Messages::of_at_most(limit), Vec::new());
    for piece in pieces {
        messages.push(piece);
        loop {
            match messages.take() {
                Ok(Some(message)) => all.push(message),
                Ok(None) => break,
                Err(Invalid) => return (all, true),
            }
        }
    }
    (all, false)
}

proptest! {
    #[test]
    fn what_is_written_is_read(requests in prop::collection::vec(request(), 1..4)) {
        let bytes: Vec<u8> = requests.iter().flat_map(Request::encode).collect();
        let (messages, invalid) = taken(MAX_REQUEST, &[&bytes]);
        prop_assert!(!invalid);
        let read: Result<Vec<_>, _> = messages.iter().map(|message| Request::decode(message)).collect();
        prop_assert_eq!(read.unwrap(), requests);
    }

    #[test]
    fn any_chunking_gives_the_same_replies(
        replies in prop::collection::vec((any::<u32>(), reply()), 1..6), sizes in prop::collection::vec(1_usize..30, 1..40)
    ) {
        let bytes: Vec<u8> = replies.iter().flat_map(|(number, reply)| reply.encode(*number)).collect();
        let (mut rest, mut pieces) = (bytes.as_slice(), Vec::new());
        for size in sizes.iter().cycle() {
            let (piece, left) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = left;
            if rest.is_empty() {
                break;
            }
        }
        let (messages, invalid) = taken(MAX_REPLY, &pieces);
        prop_assert!(!invalid);
        let read: Result<Vec<_>, _> = messages.iter().map(|message| Reply::decode(message)).collect();
        prop_assert_eq!(read.unwrap(), replies);
    }

    /// Nothing panics; what is accepted is within the limits, and would be written as it was read.
    #[test]
    fn any_bytes_are_refused_or_within_the_limits(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(request) = Request::decode(&bytes) {
            prop_assert!(request.questions.len() <= MAX_QUESTIONS && request.avoid.len() <= MAX_AVOID);
            prop_assert_eq!(&request.encode()[4..], &bytes);
        }
        if let Ok((number, reply)) = Reply::decode(&bytes) {
            prop_assert_eq!(&reply.encode(number)[4..], &bytes);
        }
        let (messages, _) = taken(100, &[&bytes]);
        prop_assert!(messages.iter().all(|message| message.len() <= 100));
    }

    /// A valid message in which one byte was changed, or whose end is missing, does not panic either.
    #[test]
    fn a_damaged_reply_does_no_harm(reply in reply(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = reply.encode(7).split_off(4);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Reply::decode(&bytes);
        prop_assert!(Reply::decode(&bytes[..at]).is_err());
    }
}

#[test]
fn a_length_above_the_limit_is_refused_before_its_bytes_are_there() {
    let mut messages = Messages::of_at_most(10);
    messages.push(&11_u32.to_le_bytes());
    assert_eq!(messages.take(), Err(Invalid));
    let mut messages = Messages::of_at_most(10);
    messages.push(&10_u32.to_le_bytes());
    assert_eq!(messages.take(), Ok(None));
}

#[test]
fn no_path_is_relative() {
    for path in [&b"x"[..], b""] {
        let mut out = Writer::new(1);
        out.0.push(0);
        out.bytes(path);
        assert_eq!(Reply::decode(&out.message()[4..]), Err(Invalid), "{path:?}");
    }
}

#[test]
fn a_path_that_is_too_long_stays_too_long() {
    let long = PathBuf::from("/".to_owned() + &"x".repeat(1_000_000));
    let request = Request { number: 1, avoid: Vec::new(), questions: vec![Question::Dir(long)] };
    let read = Request::decode(&request.encode()[4..]).unwrap();
    assert_eq!(read.questions[0].path().as_os_str().len(), MAX_PATH);
}

#[test]
fn an_answer_fits_its_question_only() {
    let read = Question::Read("/f".into(), 2);
    assert!(read.is_answered_by(&Answer::Read(Ok(Some(vec![1, 2])))));
    assert!(!read.is_answered_by(&Answer::Read(Ok(Some(vec![1, 2, 3])))));
    assert!(!read.is_answered_by(&Answer::Dir(Dir::Open)));
    assert!(!Question::Head("/f".into()).is_answered_by(&Answer::Head(Head::Bytes(vec![0; 257]))));
}
