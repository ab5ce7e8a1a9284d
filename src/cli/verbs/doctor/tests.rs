use super::*;
use crate::doctor::testing::{ill, well};
use crate::plan::step::Step;

fn report(facts: &DoctorFacts) -> Report {
    let checks = checks::all(facts);
    Report { verdict: worst(&checks), mended: None, notes: Vec::new(), checks }
}

#[test]
fn screen_of_a_fresh_installation() {
    let report = report(&well());
    insta::assert_snapshot!("well", screen(&report, Style::PLAIN));
    insta::assert_snapshot!("well_json", serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn every_problem_has_a_next_command() {
    let report = report(&ill());
    let text = screen(&report, Style::PLAIN);
    assert!(!text.contains('\u{1b}'), "control characters are escaped");
    insta::assert_snapshot!("ill", text);
    insta::assert_snapshot!("ill_json", serde_json::to_string_pretty(&report).unwrap());
    let painted = screen(&report, Style::COLOUR);
    assert!(
        painted.contains("\u{1b}[31m✗\u{1b}[0m") && painted.contains("\u{1b}[33m!\u{1b}[0m"),
        "{painted}"
    );
}

#[test]
fn the_result_of_a_repair_is_reported() {
    let after = |mended, notes| screen(&Report { mended, notes, ..report(&well()) }, Style::PLAIN);
    let note =
        Note { text: "the unit is not repaired: it was changed".to_owned(), hint: Some("x".to_owned()) };
    let output = after(Some(0), vec![note]);
    let end = "note: the unit is not repaired: it was changed\n  hint: x\nnothing that --fix can repair\n\
               all ok (27 checks)\n";
    assert!(output.ends_with(end), "{output}");
    assert!(after(Some(2), Vec::new()).contains("✓ 2 steps were done\n"));
}

#[test]
fn a_plan_repairs_what_it_can_and_leaves_the_rest() {
    let plan = |facts: &DoctorFacts| {
        let plan = fix::plan(facts, &checks::all(facts));
        let steps: Vec<String> = plan.steps.iter().map(Step::describe).collect();
        (steps, plan.notes.into_iter().map(|note| note.text).collect::<Vec<_>>())
    };
    assert_eq!(plan(&well()), (Vec::new(), Vec::new()));
    // The unit was edited, and there is a twin: what `init` refuses stays refused.
    let (steps, notes) = plan(&ill());
    assert_eq!(
        steps,
        [
            "set the mode of /home/op/.parachute to 0755",
            "set the mode of /home/op/.parachute/hub.env to 0600",
            "enable linger for op (services run without a login)",
        ]
    );
    assert!(notes.len() == 1 && notes[0].starts_with("the unit is not repaired: "), "{notes:?}");
}
