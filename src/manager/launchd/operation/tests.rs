//! Sequences of launchd's answers, and the resulting commands.

use super::*;
use crate::manager::launchd::Domain;
use proptest::prelude::*;

const UP: &str = "x = {\n\tstate = running\n\tpid = 7\n}\n";
const DOWN: &str = "x = {\n\tstate = not running\n\tlast exit code = 0\n}\n";
const NEW: &str = "x = {\n\tstate = not running\n\tlast exit code = (never exited)\n}\n";
const DYING: &str = "x = {\n\tstate = spawn scheduled\n\tlast exit code = 1\n}\n";

fn operation(goal: Goal) -> LaunchdOperation {
    let launchd = Launchd { domain: Domain::Gui(501), dir: "/l".into() };
    LaunchdOperation::new(&launchd, &UnitName::hub(), "/l/hub.plist".into(), goal)
}

/// Plays the answers; returns the commands, abbreviated, and the result.
fn played(goal: Goal, answers: &[(i32, &str)]) -> (Vec<String>, Result<(), String>) {
    let mut operation = operation(goal);
    let mut answers = answers.iter();
    let (mut typed, mut last, mut elapsed) = (Vec::new(), None, Duration::ZERO);
    loop {
        match operation.next(last.take().as_ref(), elapsed) {
            NextAction::Run(invocation) => {
                typed.push(invocation.args[0].to_string_lossy().into_owned());
                let (code, stdout) = answers.next().unwrap_or_else(|| panic!("no answer left: {typed:?}"));
                last = Some(ToolOutput {
                    code: Some(*code),
                    stdout: (*stdout).to_owned(),
                    stderr: String::new(),
                });
            }
            NextAction::Wait(time) => elapsed += time,
            NextAction::Done => return (typed, Ok(())),
            NextAction::Failed(cause) => return (typed, Err(cause.what)),
        }
    }
}

#[test]
fn a_start_loads_an_unloaded_job_and_never_kills_a_running_one() {
    let (typed, end) = played(Goal::Running, &[(113, ""), (0, ""), (0, ""), (0, NEW), (0, UP)]);
    assert_eq!((typed.join(" "), end), ("print enable bootstrap print print".to_owned(), Ok(())));
    let (typed, end) = played(Goal::Running, &[(0, UP), (0, UP)]);
    assert_eq!((typed.join(" "), end), ("print print".to_owned(), Ok(())));
    let (typed, end) = played(Goal::Running, &[(0, DOWN), (0, ""), (0, UP)]);
    assert_eq!((typed.join(" "), end), ("print kickstart print".to_owned(), Ok(())));
    let going = [(0, DOWN), (36, ""), (0, DOWN), (113, ""), (113, ""), (0, ""), (0, ""), (0, UP)];
    let (typed, end) = played(Goal::Running, &going);
    let wanted = "print kickstart print kickstart print enable bootstrap print";
    assert_eq!((typed.join(" "), end), (wanted.to_owned(), Ok(())));
    let stuck = [(0, DOWN), (36, "")].repeat(200);
    assert!(played(Goal::Running, &stuck).1.unwrap_err().contains("still busy"));
}

/// A hub that needs the user's action exits with code 0; and the exit of an earlier run is not that of ours.
#[test]
fn a_job_that_ended_is_told_apart_from_one_that_has_not_started() {
    let down = |runs, how| format!("x = {{\n\tstate = not running\n\truns = {runs}\n\t{how}\n}}\n");
    let killed = "last terminating signal = Killed: 9";
    for (how, said) in [("last exit code = 0", "with code 0"), (killed, "with signal Killed: 9")] {
        let (_, end) = played(Goal::Running, &[(113, ""), (0, ""), (0, ""), (0, &down(1, how))]);
        let end = end.unwrap_err();
        assert!(end.contains("ended at once") && end.contains(said), "{end}");
        let (before, after) = (down(3, how), down(4, how));
        let kicked = [(0, before.as_str()), (0, ""), (0, &before), (0, &before), (0, &after)];
        assert!(played(Goal::Running, &kicked).1.unwrap_err().contains(said));
        let kicked = [(0, before.as_str()), (0, ""), (0, &before), (0, UP)];
        assert_eq!(played(Goal::Running, &kicked).1, Ok(()));
    }
}

#[test]
fn a_removal_is_waited_for_and_an_old_definition_is_removed() {
    let race =
        [(113, ""), (0, ""), (5, ""), (113, ""), (37, ""), (0, DOWN), (0, ""), (0, UP), (113, ""), (0, "")];
    let answers = [&race[..], &[(0, ""), (0, UP)]].concat();
    let (typed, end) = played(Goal::Running, &answers);
    assert_eq!(
        (typed.join(" "), end),
        (
            "print enable bootstrap print bootstrap print bootout print print enable bootstrap print"
                .to_owned(),
            Ok(())
        )
    );
}

#[test]
fn a_stop_ends_when_the_label_is_gone() {
    let (typed, end) = played(Goal::Gone, &[(0, ""), (0, UP), (0, UP), (113, "")]);
    assert_eq!((typed.join(" "), end), ("bootout print print print".to_owned(), Ok(())));
    for benign in [3, 113, 36, 5] {
        assert_eq!(played(Goal::Gone, &[(benign, ""), (113, "")]).1, Ok(()), "{benign}");
    }
    let stubborn = [vec![(0, "")], vec![(0, UP); 500]].concat();
    let (_, end) = played(Goal::Gone, &stubborn);
    assert!(end.unwrap_err().contains("still there (pid 7)"));
}

#[test]
fn permanent_errors_are_reported_at_once() {
    for (answers, said) in [
        (vec![(125, "")], "no gui domain"),
        (vec![(112, "")], "no user is logged in"),
        (vec![(113, ""), (0, ""), (119, "")], "disabled by an override"),
        (vec![(113, ""), (0, ""), (122, "")], "wrong owner or mode"),
        (vec![(113, ""), (0, ""), (0, ""), (0, DYING)], "ended at once with code 1"),
        (vec![(113, ""), (0, ""), (0, ""), (113, "")], "switched off in Login Items"),
    ] {
        let (_, end) = played(Goal::Running, &answers);
        let end = end.unwrap_err();
        assert!(end.contains(said), "{end}");
    }
    let never = [vec![(113, ""), (0, "")], [(5, ""), (113, "")].repeat(200)].concat();
    assert!(played(Goal::Running, &never).1.unwrap_err().contains("torn down"));
    // bootstrap, print, bootout, print, enable: another program loads it again each time.
    let always = [(5, ""), (0, UP), (0, ""), (113, ""), (0, "")].repeat(9);
    let always = [vec![(113, ""), (0, "")], always].concat();
    assert!(played(Goal::Running, &always).1.unwrap_err().contains("loaded already"));
}

proptest! {
    /// For any answers of launchd, in any order, the operation ends.
    #[test]
    fn every_sequence_of_answers_ends(
        goal in proptest::sample::select(vec![Goal::Running, Goal::Gone, Goal::Restarted]),
        answers in proptest::collection::vec(
            (
                proptest::sample::select(vec![0, 0, 0, 3, 5, 17, 36, 37, 112, 113, 113, 119, 125]),
                proptest::sample::select(vec![UP, DOWN, DYING, "", "state ="]),
            ),
            1..40,
        ),
    ) {
        let mut operation = operation(goal);
        let (mut last, mut elapsed, mut moves) = (None, Duration::ZERO, 0);
        loop {
            moves += 1;
            prop_assert!(moves < 20_000, "it loops for ever");
            match operation.next(last.take().as_ref(), elapsed) {
                NextAction::Run(_) => {
                    // Tools take time too: without that a repeated error would never reach the limit.
                    elapsed += Duration::from_millis(10);
                    let (code, stdout) = answers[moves % answers.len()];
                    last = Some(ToolOutput { code: Some(code), stdout: stdout.to_owned(), stderr: String::new() });
                }
                NextAction::Wait(time) => elapsed += time,
                NextAction::Done | NextAction::Failed(_) => break,
            }
        }
    }
}
