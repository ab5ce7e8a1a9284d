use super::*;
use crate::migrate::archive::Label;
use crate::plan::observed;
use crate::ui::style::Style;

fn report() -> Report {
    let left = |name: &str, kind, label, bytes| Leftover {
        name: name.to_owned(),
        kind,
        label,
        bytes,
        because: None,
    };
    let mut leftovers = vec![
        left("daily.db", observed::Kind::File, Label::LiveDb, 12_345),
        left("daily.db-wal", observed::Kind::File, Label::LiveDb, 0),
        left("logs", observed::Kind::Dir, Label::Safe, 5_000_000),
        left("tokens.db-\n\u{1b}[2J", observed::Kind::Link, Label::Safe, 0),
        left("my notes", observed::Kind::Dir, Label::Unknown, 0),
        left("lens", observed::Kind::Dir, Label::Unknown, 0),
    ];
    leftovers[5].because = Some("another file system is mounted there");
    let to = archive::dir(Path::new("/h"), "2026-03-01");
    let moves = archive::away(Path::new("/h"), &to, &leftovers, &std::collections::BTreeSet::new());
    let archives = vec![Archive { day: "2026-02-01".to_owned(), things: 1, bytes: 7 }];
    Report { leftovers, archive: Some(to), moves, unfinished: true, archives, ..Report::default() }
}

#[test]
fn screens_escape_names_and_name_the_way_back() {
    let root = Path::new("/h");
    let mut report = report();
    let mut all = format!("--- list\n{}", screen::list(&report, root, Style::PLAIN));
    all += &format!("--- before\n{}", screen::away(&report, root, Style::PLAIN));
    report.done = true;
    all += &format!("--- done\n{}", screen::away(&report, root, Style::PLAIN));
    report.stays = vec![Stay { name: "hub.db\u{7}".to_owned(), because: "its name is taken" }];
    all += &format!("--- back\n{}", screen::back(&report, root, Style::PLAIN));
    report.leftovers.clear();
    report.archives.clear();
    all += &format!("--- nothing\n{}", screen::list(&report, root, Style::PLAIN));
    assert!(!all.contains(['\u{1b}', '\u{7}']));
    insta::assert_snapshot!(all);
}
