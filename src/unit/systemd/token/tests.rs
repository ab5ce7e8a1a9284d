//! Each kind of value in each place, and what is refused. The round trip through a model of systemd's
//! parser and through a property list library is in `tests/it/unit_values.rs`.

use super::*;

fn os(text: &str) -> &OsStr {
    OsStr::new(text)
}

fn word(text: &str) -> String {
    SystemdWord::new("argv[1]", os(text)).unwrap().0
}

#[test]
fn words() {
    for (raw, written) in [
        ("serve", "serve"),
        ("--port=1939", "--port=1939"),
        ("", r#""""#),
        (";", r#"";""#),
        ("a b", r#""a b""#),
        (r#"say "it's""#, r#""say \"it's\"""#),
        (r"C:\n", r#""C:\\n""#),
        ("100%", r#""100%%""#),
        ("$HOME ${HOME} $$", r#""$$HOME $${HOME} $$$$""#),
        ("\t\r\u{1b}\u{7f}", r#""\x09\x0d\x1b\x7f""#),
        ("é\u{85}\u{2028}#", "\"é\u{85}\u{2028}#\""),
    ] {
        assert_eq!(word(raw), written, "{raw:?}");
    }
}

#[test]
fn programs_that_systemd_would_refuse_get_a_shell_in_between() {
    let program = |path: &str| SystemdProgram::new("argv[0]", os(path)).unwrap().0;
    assert_eq!(program("/usr/bin/parachute"), "/usr/bin/parachute");
    assert_eq!(program("/my op/100%é"), r#""/my op/100%%é""#);
    let launcher = r#"/bin/sh -c "exec \"$$0\" \"$$@\"" "#;
    for path in [r#"/q"q"#, "/q'q", r"/b\b", "/d$d", "/t\tt"] {
        assert_eq!(program(path), format!("{launcher}{}", word(path)));
    }
    let error = SystemdProgram::new("argv[0]", os("parachute")).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"argv[0] cannot be "parachute": a program is named by its absolute path"#
    );
}

#[test]
fn assignments_and_text() {
    let assignment = |value: &str| SystemdAssignment::new("A", os(value)).unwrap().0;
    assert_eq!(assignment(""), r#""A=""#);
    assert_eq!(assignment(r#"50%z $x "q" \ é"#), r#""A=50%%z $x \"q\" \\ é""#);
    assert_eq!(assignment("\t\u{7}"), r#""A=\x09\x07""#);
    let text = |value: &str| SystemdText::new("description", os(value)).unwrap().0;
    assert_eq!(text(r#"a "b" 1% \ $x"#), r#"a "b" 1%% \ $x"#);
}

#[test]
fn what_cannot_be_written_is_refused_with_its_key_and_value() {
    let ffff = "\u{ffff}";
    let refused = |error: Result<String, Refused>| error.unwrap_err().to_string();
    let word = |raw: &OsStr| SystemdWord::new("argv[2]", raw).map(|token| token.0);
    let env = |raw: &OsStr| SystemdAssignment::new("A", raw).map(|token| token.0);
    let text = |raw: &OsStr| SystemdText::new("user", raw).map(|token| token.0);
    for (error, said) in [
        (word(os("a\nExecStartPre=/x")), r#"argv[2] cannot be "a\nExecStartPre=/x": it holds a line break"#),
        (word(os("a\0b")), r#"argv[2] cannot be "a\0b": it holds a NUL byte"#),
        (word(OsStr::from_bytes(b"a\xff")), r#"argv[2] cannot be "a\\xff": it is not UTF-8"#),
        (word(os(ffff)), &format!("argv[2] cannot be {ffff:?}: systemd takes no Unicode non-character")),
        (env(os("a\n[Install]")), r#"env.A cannot be "a\n[Install]": it holds a line break"#),
        (env(os("\u{fdd0}")), r#"env.A cannot be "\u{fdd0}": systemd takes no Unicode non-character"#),
        (text(os("")), r#"user cannot be "": empty, it would unset the key"#),
        (
            text(os("a\\")),
            "user cannot be \"a\\\\\": systemd would drop the blank or the backslash at its end",
        ),
        (text(os(" a")), "user cannot be \" a\": systemd would drop the blank or the backslash at its end"),
        (text(os("a\tb")), r#"user cannot be "a\tb": it holds a control character"#),
    ] {
        assert_eq!(refused(error), said);
    }
    for name in ["", "1A", "A B", "A=B", "é", "A\nB", "A%"] {
        assert!(SystemdAssignment::new(name, os("x")).is_err(), "{name:?}");
    }
}
