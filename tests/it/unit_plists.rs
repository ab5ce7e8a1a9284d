//! The property lists, read back by a library and compared with launchd.plist(5).

use std::collections::{BTreeMap, BTreeSet};

use parachute::unit::bind::Unit;
use parachute::unit::launchd::Launchd;
use parachute::unit::overrides::{self, Overrides};
use parachute::unit::render::render;
use parachute::unit::target::{JobKind, Target};
use plist::Value;

use crate::units::{HOSTILE, all_targets, everything, files, hub};

/// The environment of a job.
pub fn environment(text: &str) -> BTreeMap<String, String> {
    let plist = dictionary(text);
    let env = plist["EnvironmentVariables"].as_dictionary().unwrap();
    env.iter().map(|(name, value)| (name.clone(), value.as_string().unwrap().to_owned())).collect()
}

pub fn dictionary(text: &str) -> plist::Dictionary {
    let value: Value = plist::from_bytes(text.as_bytes()).unwrap();
    value.into_dictionary().unwrap()
}

/// launchd.plist(5): the keys we use, and the type of each. A value of another type is ignored silently.
#[test]
fn a_property_list_has_the_keys_and_types_of_the_manual() {
    let types = BTreeMap::from([
        ("AbandonProcessGroup", "boolean"),
        ("EnvironmentVariables", "strings"),
        ("ExitTimeOut", "integer"),
        ("HardResourceLimits", "integers"),
        ("KeepAlive", "booleans"),
        ("Label", "string"),
        ("LimitLoadToSessionType", "array"),
        ("ProcessType", "string"),
        ("ProgramArguments", "array"),
        ("RunAtLoad", "boolean"),
        ("SoftResourceLimits", "integers"),
        ("StandardErrorPath", "string"),
        ("StandardOutPath", "string"),
        ("ThrottleInterval", "integer"),
        ("Umask", "integer"),
        ("UserName", "string"),
    ]);
    fn all(value: &Value, is: fn(&Value) -> bool) -> bool {
        value.as_dictionary().is_some_and(|inner| inner.values().all(is))
    }
    let mut seen = BTreeSet::new();
    for target in all_targets().into_iter().filter(|target| matches!(target, Target::Launchd(_))) {
        for overrides in [Overrides::default(), everything(&target)] {
            let text = files(HOSTILE, &target, &overrides).remove(0).text;
            assert!(text.starts_with("<?xml "), "nothing may stand before it");
            for comment in text.split("<!--").skip(1) {
                assert!(!comment.split("-->").next().unwrap().contains("--"), "{comment}");
            }
            let plist = dictionary(&text);
            assert_eq!(text.matches("\n\t<key>").count(), plist.len(), "a key twice:\n{text}");
            for (key, value) in &plist {
                let right = match types[key.as_str()] {
                    "string" => value.as_string().is_some(),
                    "boolean" => value.as_boolean().is_some(),
                    "integer" => value.as_signed_integer().is_some(),
                    "array" => value.as_array().is_some_and(|a| a.iter().all(|v| v.as_string().is_some())),
                    "strings" => all(value, |v| v.as_string().is_some()),
                    "integers" => all(value, |v| v.as_signed_integer().is_some()),
                    _ => all(value, |v| v.as_boolean().is_some()),
                };
                assert!(right, "{key}: {value:?}");
                seen.insert(key.clone());
            }
            let integer = |key: &str| plist[key].as_signed_integer();
            assert_eq!((integer("Umask"), integer("ExitTimeOut")), (Some(0o077), Some(45)));
            assert_eq!(integer("ThrottleInterval"), Some(10));
            assert_eq!(plist["Label"].as_string(), Some("computer.parachute.hub"));
            assert_eq!(
                plist["KeepAlive"].as_dictionary().unwrap()["SuccessfulExit"].as_boolean(),
                Some(false)
            );
            let env = plist["EnvironmentVariables"].as_dictionary().unwrap();
            for name in ["HOME", "PATH", "LANG", "PARACHUTE_HOME"] {
                assert!(env[name].as_string().is_some_and(|value| !value.is_empty()), "{name}");
            }
            let daemon = matches!(target, Target::Launchd(Launchd { kind: JobKind::Daemon }));
            assert_eq!(plist.get("UserName").and_then(Value::as_string), daemon.then_some("op"));
            assert_eq!(plist.contains_key("LimitLoadToSessionType"), !daemon);
            let log = format!("{HOSTILE}/hub/logs/launchd.log");
            for key in ["StandardOutPath", "StandardErrorPath"] {
                assert_eq!(plist[key].as_string(), Some(log.as_str()));
            }
        }
    }
    assert_eq!(seen.len(), types.len(), "every key of the table is rendered by some case");
}

#[test]
fn launchd_refuses_what_it_cannot_express() {
    let target: Target = "launchd-agent".parse().unwrap();
    for (text, key) in [
        ("hardening = 'strict'", "hardening"),
        ("limits = { memory = '1G' }", "limits.memory"),
        ("limits = { tasks = 9 }", "limits.tasks"),
    ] {
        let overrides = overrides::parse(&format!("[unit]\n{text}")).unwrap();
        let error = render(&hub("/h", &target, &overrides), &target).unwrap_err();
        assert_eq!(error.key, key, "{error}");
    }
    let unit = Unit { person_home: None, ..hub("/h", &target, &Overrides::default()) };
    assert!(render(&unit, &target).unwrap_err().to_string().contains("launchd sets no HOME"));
}
