//! `parachute units`, and the built-in files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use parachute::unit::descriptor::Descriptor;
use parachute::unit::embedded;

use crate::support::world::World;
use crate::unit_plists::dictionary;

/// A file that is not built in would have no effect.
#[test]
fn every_file_under_units_and_templates_is_built_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let on_disk = |below: &str, ending: &str| {
        let (mut found, mut dirs) = (BTreeMap::new(), vec![root.join(below)]);
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else if path.file_name().unwrap() != "README.md" {
                    let name = path.strip_prefix(root.join(below)).unwrap().to_str().unwrap();
                    let name = name.strip_suffix(ending).unwrap_or_else(|| panic!("{name} is no {ending}"));
                    found.insert(name.to_owned(), std::fs::read_to_string(&path).unwrap());
                }
            }
        }
        found
    };
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    assert_eq!(on_disk("units", ".toml"), embedded::UNITS.iter().map(owned).collect());
    let templates: BTreeMap<_, _> = embedded::TEMPLATES.iter().map(owned).collect();
    let found = on_disk("templates", ".tera").into_iter().map(|(name, text)| (format!("{name}.tera"), text));
    assert_eq!(found.collect::<BTreeMap<_, _>>(), templates);
    for (name, text) in embedded::UNITS {
        let unit = Descriptor::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(unit.name.plain(), name);
    }
}

/// The description of the format has a row for each key.
#[test]
fn the_readme_of_units_names_every_key() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("units/README.md")).unwrap();
    let told: BTreeSet<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let error = Descriptor::parse("nothing = 1").unwrap_err().to_string();
    let known: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    assert!(known.len() >= 10, "{error}");
    for key in known {
        assert!(told.iter().any(|row| *row == key || row.starts_with(&format!("{key}."))), "{key}: {told:?}");
    }
}

#[test]
fn the_verb_lists_and_renders() {
    let world = World::new();
    let list: serde_json::Value =
        serde_json::from_str(&world.run(&["units", "list", "--json"]).code(0).out).unwrap();
    assert_eq!(list[0]["systemd"], serde_json::json!(["parachute-hub.service"]));
    let render = |args: &[&str]| world.run(&[&["units", "render", "hub", "--user", "root"], args].concat());
    let text = render(&["--target", "systemd-user"]).code(0).out;
    assert!(text.starts_with("# Written by parachute. ") && !text.contains("socket"), "{text}");
    let home = world.home();
    assert!(text.contains(&format!("PARACHUTE_HOME={}", home.display())), "{text}");
    let args = [
        "--target",
        "systemd-system",
        "--systemd-version",
        "255",
        "--port",
        "2000",
        "--bin",
        "/x/p",
        "--json",
    ];
    let json: serde_json::Value = serde_json::from_str(&render(&args).code(0).out).unwrap();
    let service = json["files"][0]["text"].as_str().unwrap();
    for line in ["ExecStart=/x/p serve --port 2000", "ExecStopPost=-/x/p reap", "User=root"] {
        assert!(service.lines().any(|l| l == line), "{line} in {service}");
    }
    let plist = render(&["--target", "launchd-daemon"]).code(0).out;
    assert_eq!(dictionary(&plist)["UserName"].as_string(), Some("root"));

    std::fs::write(home.join("hub.toml"), "[hub]\nport = 3000\n[unit]\nsocket = true\nenv = { A = '1' }\n")
        .unwrap();
    let text = render(&["--target", "systemd-user"]).code(0).out;
    assert!(
        text.contains("--port 3000\n") && text.contains("\"A=1\"") && !text.contains(".socket"),
        "{text}"
    );
}

#[test]
fn the_verb_refuses_with_a_hint() {
    let world = World::new();
    let toml = |text: &str| std::fs::write(world.home().join("hub.toml"), text).unwrap();
    let run = |args: &[&str]| world.run(&[&["units", "render"], args].concat());
    let user = ["hub", "--target", "systemd-user"];
    let said = run(&["nothing", "--target", "systemd-user"]).code(2).err;
    assert_eq!(said, "error: there is no unit \"nothing\"\nhint: parachute units list\n");
    let said = run(&["hub", "--target", "upstart"]).code(2).err;
    assert!(said.contains("systemd-user, systemd-system, launchd-agent, launchd-daemon"), "{said}");
    let said = run(&["hub", "--target", "launchd-agent", "--systemd-version", "255"]).code(2).err;
    assert!(said.contains("--systemd-version is for systemd's targets"), "{said}");
    toml("\n[unit]\nsokcet = true\n");
    let said = run(&user).code(78).err;
    assert!(said.contains("hub.toml, line 3: unknown field `sokcet`"), "{said}");
    assert!(said.contains("\nhint: correct "), "{said}");
    toml("[unit]\nenv = { A = \"a\\nb\" }\n");
    let said = run(&user).code(1).err;
    assert!(said.starts_with("error: env.A cannot be \"a\\nb\": it holds a line break\n"), "{said}");
}
