use super::*;
use crate::doctor::testing::{installed, nothing};
use crate::manager::state::Told;

#[test]
fn screens() {
    let mut off = installed();
    if let Ok(install) = &mut off.install {
        install.linger = Some(Told::Known(false));
    }
    let text = |facts: &DoctorFacts| say(facts, false, Style::PLAIN).out;
    insta::assert_snapshot!(format!("{}\n--\n{}\n--\n{}", text(&installed()), text(&off), text(&nothing())));
    assert_eq!(say(&off, true, Style::PLAIN).kind, Kind::Done, "a warning is no failure");
}
