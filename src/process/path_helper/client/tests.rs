use super::super::protocol::{Dir, Program};
use super::super::server;
use super::*;
use crate::process::group::{self, Signal};

/// Set for a process that is a real helper.
const ROLE: &str = "PARACHUTE_TEST_HELPER";

/// Not a test: what a helper of these tests runs.
#[test]
fn as_a_helper() {
    if std::env::var_os(ROLE).is_some() {
        assert_eq!(server::run(), 0);
    }
}

/// The words that become a real helper.
fn real() -> String {
    let exe = std::env::current_exe().unwrap();
    let test = "process::path_helper::client::tests::as_a_helper";
    format!("{ROLE}=1 exec '{}' --exact {test} --test-threads=1", exe.display())
}

fn helper(script: &str, silent: Duration) -> PathHelper {
    PathHelper::with_patience(Starter::of("/bin/sh", &["-c", script]), silent)
}

/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

fn dir(path: &str) -> Vec<Question> {
    vec![Question::Dir(path.into())]
}

const IS_DIR: [Answer; 1] = [Answer::Dir(Dir::Open)];

#[tokio::test]
async fn one_helper_answers_one_question_after_the_other() {
    let helper = helper(&real(), FOREVER);
    helper.warm();
    let questions = vec![Question::Dir("/".into()), Question::Program("/bin/sh".into())];
    let expected = vec![Answer::Dir(Dir::Open), Answer::Program(Program::Usable)];
    assert_eq!(helper.ask(questions).await, Ok(expected));
    let many = vec![Question::Dir("/".into()); MAX_QUESTIONS + 3];
    assert_eq!(helper.ask(many).await.map(|answers| answers.len()), Ok(MAX_QUESTIONS + 3));
    assert_eq!(helper.0.state().running, 1);
    helper.close().await;
    assert_eq!(helper.0.state().running, 0, "it ends with its socket");
}

#[tokio::test]
async fn a_helper_that_was_killed_while_it_was_idle_is_replaced() {
    let helper = helper(&real(), FOREVER);
    assert_eq!(helper.ask(dir("/")).await, Ok(IS_DIR.to_vec()));
    let id = helper.0.state().idle.as_ref().map(|line| line.id().clone()).unwrap();
    group::signal(&id, Signal::Kill).unwrap();
    assert_eq!(helper.ask(dir("/")).await, Ok(IS_DIR.to_vec()));
}

#[tokio::test]
async fn a_silent_helper_is_abandoned_and_the_path_is_named() {
    let helper = helper("exec cat > /dev/null", SHORT);
    let asked = PathBuf::from("/no/such/place");
    let no_answer = helper.ask(vec![Question::Dir(asked.clone())]).await.unwrap_err();
    assert_eq!(no_answer, NoAnswer::Silent { place: asked.clone(), mount: "/".into(), asked });
    assert!(helper.0.state().idle.is_some(), "the next one is warm");
}

#[tokio::test]
async fn lies_ends_and_floods_are_no_answers() {
    let length = r"\001\000\000\000";
    for script in [
        "exit 0".to_owned(),
        "exec >&0; yes".to_owned(),
        format!("printf '{length}x' >&0; exec cat > /dev/null"),
        // An answer to a request that was not sent.
        r"printf '\006\000\000\000\377\000\000\000\002\002' >&0; exec cat > /dev/null".to_owned(),
    ] {
        let helper = helper(&script, FOREVER);
        assert_eq!(helper.ask(dir("/")).await, Err(NoAnswer::Broken), "{script}");
    }
    let none = PathHelper::new(Starter::of("/no/such/program", &[]));
    none.warm();
    assert!(matches!(none.ask(dir("/")).await, Err(NoAnswer::NoHelper(_))));
}

/// Nothing below a place where a helper hangs is touched, whatever leads there; the rest of the world is looked at.
#[tokio::test]
async fn while_one_hangs_its_place_is_silent_at_once() {
    let helper = helper(&real(), FOREVER);
    let home = tempfile::tempdir().unwrap();
    let silent = home.path().canonicalize().unwrap().join("silent");
    let link = home.path().join("link");
    std::os::unix::fs::symlink(&silent, &link).unwrap();
    assert_eq!(helper.ask(dir("/")).await, Ok(IS_DIR.to_vec()));
    let stuck = table::identify(table::own_pid()).unwrap().unwrap();
    helper.0.state().silences.push(Silence {
        place: silent.clone(),
        mount: silent.clone(),
        helper: stuck.clone(),
        is_abandoned: true,
    });
    for asked in [silent.join("a"), link.join("b")] {
        let no_answer = helper.ask(vec![Question::Dir(asked.clone())]).await.unwrap_err();
        assert_eq!(no_answer, NoAnswer::Silent { place: silent.clone(), mount: silent.clone(), asked });
    }
    assert_eq!(helper.ask(dir("/")).await, Ok(IS_DIR.to_vec()));
    assert_eq!(helper.0.state().running, 1, "no further one was started");
    helper.0.state().silences.retain(|silence| silence.helper != stuck);
    assert_eq!(helper.ask(vec![Question::Dir(silent)]).await, Ok(vec![Answer::Dir(Dir::None)]));
}

/// The first helper hangs; others do not wait for it.
#[tokio::test]
async fn a_slow_place_does_not_delay_other_questions_and_a_dropped_question_ends_its_helper() {
    let home = tempfile::tempdir().unwrap();
    let first = home.path().join("first");
    let script = format!("mkdir '{}' 2> /dev/null && exec cat > /dev/null; {}", first.display(), real());
    let helper = helper(&script, FOREVER);
    let slow = tokio::spawn({
        let helper = helper.clone();
        async move { helper.ask(dir("/no/such/place")).await }
    });
    while helper.0.state().silences.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(helper.ask(dir("/")).await, Ok(IS_DIR.to_vec()));
    // It asks for the same place, so it waits for the first one's end.
    let waits = tokio::spawn({
        let helper = helper.clone();
        async move { helper.ask(dir("/no/such/place/below")).await }
    });
    assert!(!slow.is_finished());
    slow.abort();
    assert!(slow.await.unwrap_err().is_cancelled());
    let said = waits.await.unwrap();
    let given_up =
        matches!(&said, Err(NoAnswer::Silent { place, .. }) if place == Path::new("/no/such/place"));
    assert!(given_up || said == Ok(vec![Answer::Dir(Dir::None)]), "{said:?}");
    helper.close().await;
    assert_eq!(helper.0.state().running, 0);
}
