//! Each of systemd's rules, and the remarks on lines. `tests/lab/hub_env.rs` compares with the real systemd.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;

use super::*;

/// The variables of a text, as text.
fn read(text: &str) -> Vec<(String, String)> {
    let variables = parse(text.as_bytes()).variables;
    variables.iter().map(|(k, v)| (k.to_str().unwrap().to_owned(), v.to_str().unwrap().to_owned())).collect()
}

#[track_caller]
fn reads(text: &str, wanted: &[(&str, &str)]) {
    let wanted: Vec<_> = wanted.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    assert_eq!(read(text), wanted, "{text:?}");
}

#[test]
fn blanks_and_comments() {
    reads("", &[]);
    reads("A=1", &[("A", "1")]);
    reads("# A=1\n; B=1\n  # C=1\n\n\t\nD=1\n", &[("D", "1")]);
    reads("  A = x y \t\r\nB=\n C\t=\t\n", &[("A", "x y"), ("B", ""), ("C", "")]);
    reads("A=1\rB=2\r\n", &[("A", "1"), ("B", "2")]);
    reads("A=x # y\nB=x#y\nC=#z\n", &[("A", "x # y"), ("B", "x#y"), ("C", "#z")]);
    reads("A=1\nA=2\n", &[("A", "2")]);
    reads("A=b=c=\n", &[("A", "b=c=")]);
    reads("# ends with a backslash \\\nA=1\n", &[("A", "1")]);
}

#[test]
fn quotes_and_backslashes() {
    reads("A='x \\n $y \"z\"'\n", &[("A", "x \\n $y \"z\"")]);
    reads(r#"A="x \" \\ \` \$ \n 'y'""#, &[("A", r#"x " \ ` $ \n 'y'"#)]);
    reads(
        "A=\"one\ntwo\\\n three\"\nB='one\ntwo\\\n three'\n",
        &[("A", "one\ntwo three"), ("B", "one\ntwo\\\n three")],
    );
    reads("A=one\\\n two\nB=1\n", &[("A", "one two"), ("B", "1")]);
    reads("A=\\\"x\\ \\\\\\n \n", &[("A", "\"x \\n")]);
    // A quote counts only at the beginning of a value; what follows a closed quote is joined to it.
    reads("A=x\"y\" 'z'\nB='a' \"b\"c \nC=\"a\" # b\n", &[("A", "x\"y\" 'z'"), ("B", "abc"), ("C", "a# b")]);
    reads("A=$HOME ${X} %h `id`\n", &[("A", "$HOME ${X} %h `id`")]);
    reads("A=x\\", &[("A", "x")]);
    reads("A=\"x\n\nB=1\n", &[("A", "x\n\nB=1\n")]);
}

#[test]
fn bytes_are_bytes() {
    let variables = parse(b"K=\xff\xfe\n").variables;
    assert_eq!(variables.get(OsStr::new("K")).unwrap().as_bytes(), b"\xff\xfe");
}

/// A file from a user's machine: systemd dropped half of it, and only the journal said so.
#[test]
fn a_users_file_is_parsed_and_dropped_lines_are_reported() {
    let parsed = parse(include_bytes!("../../../tests/data/hub-env/field.env"));
    let get =
        |name: &str| parsed.variables.get(OsStr::new(name)).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(get("T_INLINE").as_deref(), Some("docker # a note"));
    assert_eq!(get("T_EXP"), None);
    assert_eq!(get("T_LEAD").as_deref(), Some("x"));
    assert_eq!(get("T_SPACE").as_deref(), Some("spaced"));
    assert_eq!(get("T_MULTI").as_deref(), Some("-----BEGIN KEY-----\nMIIabc\n-----END KEY-----"));
    assert_eq!(
        parsed.remarks,
        [
            "line 4: not used: it begins with `export`, which is a shell's word",
            "line 3: what follows ` #` is part of the value: a comment needs a line of its own, quotes show that it is \
             none",
        ]
    );
}

#[test]
fn remarks_name_lines_and_never_their_text() {
    let text = "\u{feff}A=1\nno assignment\n1A=2\nexport\tB=3\nC= x #y\nD=\"x #y\"\nE=\\#\nF='open\n";
    let parsed = parse(text.as_bytes());
    assert_eq!(
        parsed.remarks,
        [
            "line 1: not used: it begins with a byte order mark",
            "line 2: not used: it has no `=`",
            "line 4: not used: it begins with `export`, which is a shell's word",
            "line 3: not used: a name is letters, digits and _, and does not begin with a digit",
            "line 8: a quote is opened and never closed: all that follows is its value",
            "line 5: what follows ` #` is part of the value: a comment needs a line of its own, quotes show that it is \
             none",
        ]
    );
    let many = parse("s3cret\n".repeat(1000).as_bytes());
    assert_eq!(many.remarks, ["lines 1, 2, 3 and 997 more: not used: it has no `=`"]);
    assert_eq!(parse(b"A\nB\n").remarks, ["lines 1, 2: not used: it has no `=`"]);
    assert!(!format!("{:?}", parse(b"A=s3cret")).contains("s3cret"));
}

#[test]
fn the_hub_takes_its_own_settings_and_no_other() {
    let text = "PORT=2000\nPARACHUTE_BIND_HOST=0.0.0.0\nPARACHUTE_HUB_ORIGIN=https://a\nKEY=1\nPARACHUTE_LOG=debug\n\
                PARACHUTE_EXTRA_PATH=/x\nPATH=/y\nNOTIFY_SOCKET=/n\nLISTEN_FDS=1\nWATCHDOG_USEC=1\n\
                PARACHUTE_HOME=/h\nPARACHUTE_INITIAL_ADMIN_PASSWORD=p\nXPC_SERVICE_NAME=x\nLD_PRELOAD=/l\n";
    let parsed = parse(text.as_bytes());
    let own: Vec<OsString> = settings(&parsed.variables).into_keys().collect();
    assert_eq!(own, SETTINGS);
    let said: Vec<&str> =
        parsed.remarks.iter().map(|remark| remark.split_once(" is not used: the hub").unwrap().0).collect();
    assert_eq!(
        said,
        [
            "LISTEN_FDS",
            "NOTIFY_SOCKET",
            "PARACHUTE_HOME",
            "PARACHUTE_INITIAL_ADMIN_PASSWORD",
            "WATCHDOG_USEC",
            "XPC_SERVICE_NAME",
        ]
    );
}

proptest! {
    /// No input makes it fail, and every name that comes out can be given to a program.
    #[test]
    fn any_bytes_are_read(
        text in proptest::collection::vec(proptest::sample::select(b"AB1=\"'\\\r\n#; $\xff".to_vec()), 0..80),
    ) {
        let parsed = parse(&text);
        prop_assert!(parsed.variables.keys().all(|name| env::is_key(name.as_bytes())));
        prop_assert!(parsed.remarks.len() <= 6);
    }

    /// A value in single quotes is read back unchanged.
    #[test]
    fn single_quoted_values_are_read_unchanged(value in proptest::collection::vec(any::<u8>(), 0..40)) {
        let value: Vec<u8> = value.into_iter().filter(|byte| !matches!(byte, b'\'' | 0)).collect();
        let text = [b"# x\nA='", value.as_slice(), b"' \nB=1"].concat();
        let parsed = parse(&text);
        prop_assert_eq!(parsed.variables.get(OsStr::new("A")).unwrap().as_bytes(), &value[..]);
        prop_assert_eq!((parsed.variables.len(), parsed.remarks), (2, Vec::new()));
    }
}
