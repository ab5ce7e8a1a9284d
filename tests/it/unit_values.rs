//! Any value reaches the program byte for byte, or is refused: through a model of systemd's parser, and through a
//! property list library. `tests/lab` asks the real systemd.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use parachute::unit::bind::{Binding, Unit};
use parachute::unit::descriptor::Descriptor;
use parachute::unit::overrides::Overrides;
use parachute::unit::render::render;
use parachute::unit::target::Target;
use plist::Value;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::units::{Started, UnitFile, printer};

/// Characters that mean something to a unit file, a shell, a glob or XML, and any others.
fn hostile_char() -> impl Strategy<Value = char> {
    prop_oneof![
        4 => prop::sample::select(" \t\"'\\$%{}();#=&<>*?[]~!|:@-/ab1é\u{85}\u{2028}😀".chars().collect::<Vec<_>>()),
        1 => (1_u8..0x80).prop_map(char::from),
        1 => any::<char>(),
    ]
}

fn value() -> impl Strategy<Value = String> {
    vec(hostile_char(), 0..24).prop_map(|chars| chars.into_iter().collect())
}

fn systemd_takes(text: &str) -> bool {
    let none =
        |c: char| matches!(c, '\0' | '\n' | '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    !text.contains(none)
}

fn xml_takes(text: &str) -> bool {
    let none = |c: char| matches!(c, '\u{fffe}' | '\u{ffff}') || (c < ' ' && !"\t\n\r".contains(c));
    !text.contains(none)
}

fn target(name: &str) -> Target {
    name.parse().unwrap()
}

fn env_of(values: &[String]) -> BTreeMap<String, OsString> {
    values.iter().enumerate().map(|(at, value)| (format!("V{at}"), value.into())).collect()
}

fn text_of(unit: &Unit, name: &str) -> String {
    render(unit, &target(name)).unwrap_or_else(|error| panic!("{error}")).remove(0).text
}

/// `(strings of the array, strings of the dictionary)` as a program would get them from launchd.
fn through_the_library(text: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let plist: Value = plist::from_bytes(text.as_bytes()).unwrap();
    let plist = plist.into_dictionary().unwrap();
    let string = |value: &Value| value.as_string().unwrap().to_owned();
    let argv = plist["ProgramArguments"].as_array().unwrap().iter().map(string).collect();
    let env = plist["EnvironmentVariables"].as_dictionary().unwrap();
    (argv, env.iter().map(|(name, value)| (name.clone(), string(value))).collect())
}

proptest! {
    // 100 × (60 arguments, 50 variables) = 11,000 values for each of the two.
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn systemd_gives_every_value_back(words in vec(value(), 60), values in vec(value(), 50)) {
        let keep = |all: Vec<String>| all.into_iter().filter(|text| systemd_takes(text)).collect::<Vec<_>>();
        let (words, values) = (keep(words), keep(values));
        let argv: Vec<String> = std::iter::once("/usr/bin/printer".to_owned()).chain(words).collect();
        let unit = printer("p", argv.iter().map(OsString::from).collect(), env_of(&values));
        for name in ["systemd-user", "systemd-system"] {
            let expected = values.iter().enumerate().map(|(at, value)| (format!("V{at}"), value.clone()));
            let Started { argv: got, env } = UnitFile::parse(&text_of(&unit, name)).started();
            prop_assert_eq!(&got, &argv);
            prop_assert_eq!(env, expected.collect::<BTreeMap<_, _>>());
        }
    }

    #[test]
    fn a_property_list_gives_every_value_back(words in vec(value(), 60), values in vec(value(), 50)) {
        let keep = |all: Vec<String>| all.into_iter().filter(|text| xml_takes(text)).collect::<Vec<_>>();
        let (words, values) = (keep(words), keep(values));
        let argv: Vec<String> = std::iter::once("/usr/bin/printer".to_owned()).chain(words).collect();
        let unit = printer("p", argv.iter().map(OsString::from).collect(), env_of(&values));
        let (got, env) = through_the_library(&text_of(&unit, "launchd-agent"));
        prop_assert_eq!(&got, &argv);
        for (at, value) in values.iter().enumerate() {
            prop_assert_eq!(&env[&format!("V{at}")], value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// A home in every possible place: program, environment, log.
    #[test]
    fn any_home_is_read_back_or_refused(dir in vec(hostile_char(), 1..24), raw in vec(any::<u8>(), 0..3)) {
        let mut bytes = format!("/home/{}", dir.into_iter().collect::<String>()).into_bytes();
        bytes.extend(raw);
        let home = OsStr::from_bytes(&bytes);
        let program = Path::new(home).join("bin/parachute");
        let binding = Binding {
            bin: program.clone(),
            home: home.into(),
            person: Some("op".to_owned()),
            person_home: Some("/home/op".into()),
            port: 1939,
            path: "/usr/bin:/bin".into(),
            log_dir: Path::new(home).join("hub/logs"),
        };
        let unit = Descriptor::embedded("hub").unwrap().bind(&binding, &Overrides::default()).unwrap();
        let text = home.to_str();
        let good = text.is_some_and(systemd_takes);
        match render(&unit, &target("systemd-user")) {
            Ok(files) => {
                prop_assert!(good);
                let file = UnitFile::parse(&files[0].text);
                let Started { argv, env } = file.started();
                prop_assert_eq!(argv[0].as_bytes(), program.as_os_str().as_bytes());
                prop_assert_eq!(env["PARACHUTE_HOME"].as_bytes(), &bytes[..]);
            }
            Err(error) => prop_assert!(!good, "{error}"),
        }
        match render(&unit, &target("launchd-daemon")) {
            Ok(files) => {
                prop_assert!(text.is_some_and(xml_takes));
                let (argv, env) = through_the_library(&files[0].text);
                prop_assert_eq!(argv[0].as_bytes(), program.as_os_str().as_bytes());
                prop_assert_eq!(env["PARACHUTE_HOME"].as_bytes(), &bytes[..]);
            }
            Err(error) => prop_assert!(!text.is_some_and(xml_takes), "{error}"),
        }
    }

    /// One value alone: refused exactly when the format cannot hold it.
    #[test]
    fn a_refusal_depends_on_the_value_alone(text in value()) {
        let unit = printer("p", vec!["/p".into(), text.clone().into()], BTreeMap::new());
        prop_assert_eq!(render(&unit, &target("systemd-system")).is_ok(), systemd_takes(&text));
        prop_assert_eq!(render(&unit, &target("launchd-daemon")).is_ok(), xml_takes(&text));
    }
}
