//! Random values through the real parser: what we render is what a program gets, byte for byte.

use std::collections::BTreeMap;

use fastrand::Rng;
use parachute::unit::name::UnitName;
use parachute::unit::render::render;
use parachute::unit::target::Target;

use crate::hub::{Hub, Scope, in_both_scopes};
use crate::lab::{FIXTURE, Lab, PERSON, Who};
use crate::units::{Started, UnitFile, printer};

/// Units for each of the two managers, with random values in each.
const UNITS: usize = 55;
const ARGS: usize = 60;
const VARS: usize = 40;
const _: () = assert!(2 * UNITS * (ARGS + VARS + 1) >= 10_000);

/// Texts with a meaning to systemd, a shell, or a line reader; alone and in pieces that only have one
/// together.
const PIECES: [&str; 64] = [
    " ", "  ", "\t", "\r", "\x01", "\x1b", "\x7f", "\"", "'", "`", "\\", "\\\\", "\\x41", "\\n", "\\s",
    "\\\"", "\\'", "\\ ", "\\101", "\\u00e9", "$", "$$", "$X", "${HOME}", "${", "$(id)", "%", "%%", "%h",
    "%n", "%{", "%t", ";", " ; ", "&", "|", "<", ">", "(", ")", "[", "]", "[a]", "{", "}", "*", "?", "~",
    "#", "=", "!", "!!", "-", "+", "@", ":", ",", ".", "/", "a", "Z0", "é", "日本", "😀",
];

/// One unit and the expected values of its program.
struct Case {
    name: UnitName,
    program: String,
    args: Vec<String>,
    vars: BTreeMap<String, String>,
}

#[test]
fn eleven_thousand_random_values_are_passed_unchanged() {
    let seed = std::env::var("PARACHUTE_LAB_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("the same values again: PARACHUTE_LAB_SEED={seed}");
    in_both_scopes(|lab, hub| {
        let mut random = Rng::with_seed(seed ^ hub.scope as u64);
        let cases: Vec<Case> = (0..UNITS).map(|n| Case::random(&mut random, n)).collect();
        let files: Vec<String> = cases.iter().map(|case| case.rendered(hub.scope)).collect();
        prepare(lab, &hub, &cases, &files);
        let names: Vec<String> = cases.iter().map(|case| case.name.systemd()).collect();
        let _ = hub.systemctl("daemon-reload").code(0);
        // Each is a oneshot: `start` returns when its program has ended.
        let _ = hub.systemctl(&format!("start {}", names.join(" "))).code(0);
        let got = printed(lab);
        for (case, file) in cases.iter().zip(&files) {
            case.compare(&got[case.name.plain()], file);
            case.compare_with_model(file);
        }
    });
}

impl Case {
    fn random(random: &mut Rng, n: usize) -> Self {
        let name = UnitName::new(&format!("p{n}")).unwrap();
        let vars = (0..VARS).map(|n| (format!("V{n}"), text(random))).collect();
        Self {
            program: format!("/srv/p{n}/{}/fixture", directory(random)),
            args: (0..ARGS).map(|_| text(random)).collect(),
            vars,
            name,
        }
    }

    fn argv(&self) -> Vec<String> {
        let fixed = [self.program.clone(), "print".to_owned(), format!("/srv/out/{}", self.name.plain())];
        fixed.into_iter().chain(self.args.iter().cloned()).collect()
    }

    /// A oneshot that prints its arguments and environment.
    fn rendered(&self, scope: Scope) -> String {
        let argv = self.argv().into_iter().map(Into::into).collect();
        let env = self.vars.iter().map(|(name, value)| (name.clone(), value.into())).collect();
        let mut unit = printer(self.name.plain(), argv, env);
        unit.person = Some(PERSON.to_owned());
        let target: Target = match scope {
            Scope::System => "systemd-system".parse().unwrap(),
            Scope::User => "systemd-user".parse().unwrap(),
        };
        let [file] = render(&unit, &target).unwrap().try_into().unwrap();
        file.text
    }

    /// The model of systemd's parser, used in tests without a systemd, agrees.
    #[track_caller]
    fn compare_with_model(&self, file: &str) {
        let model = UnitFile::parse(file);
        assert_eq!(model.started(), Started { argv: self.argv(), env: self.vars.clone() }, "{file}");
    }

    #[track_caller]
    fn compare(&self, got: &Printed, file: &str) {
        assert_eq!(got.args.len(), self.argv().len(), "arguments of\n{file}");
        for (at, (got, wanted)) in got.args.iter().zip(self.argv()).enumerate() {
            assert_eq!(show(got), show(wanted.as_bytes()), "argument {at} of\n{file}");
        }
        for (name, wanted) in &self.vars {
            let got = got.vars.get(name).map(|value| show(value));
            assert_eq!(got, Some(show(wanted.as_bytes())), "{name} of\n{file}");
        }
    }
}

/// Creates programs and the units.
#[track_caller]
fn prepare(lab: &Lab, hub: &Hub<'_>, cases: &[Case], files: &[String]) {
    let script = format!(
        "mkdir -m 777 /srv/out
         exec xargs -0 -n 1 sh -ec 'mkdir -p \"${{1%/*}}\"; ln -s {FIXTURE} \"$1\"' sh"
    );
    let things: String = cases.iter().flat_map(|case| [case.program.as_str(), "\0"]).collect();
    let _ = lab.exec(&Who::Root, &script, &[], things.as_bytes()).code(0);

    let script = "mkdir -p \"$1\"; cd \"$1\"; exec xargs -0 -n 2 sh -ec 'printf %s \"$2\" > \"$1\"' sh";
    let units = cases.iter().zip(files).map(|(case, file)| format!("{}\0{file}\0", case.name.systemd()));
    let _ = lab.exec(&hub.keeper(), script, &[&hub.units], units.collect::<String>().as_bytes()).code(0);
}

/// The output of one program.
#[derive(Default)]
pub struct Printed {
    pub args: Vec<Vec<u8>>,
    pub vars: BTreeMap<String, Vec<u8>>,
}

/// The output of all programs in `/srv/out`, by the name of the file.
#[track_caller]
pub fn printed(lab: &Lab) -> BTreeMap<String, Printed> {
    let said = lab.root("cd /srv/out; for name in *; do echo \"unit $name\"; cat \"$name\"; done").code(0);
    let mut all = BTreeMap::new();
    let mut of_unit: &mut Printed = &mut Printed::default();
    for line in said.out.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["unit", name] => of_unit = all.entry(name.to_owned()).or_default(),
            ["arg", value] => of_unit.args.push(bytes(value)),
            ["var", name, value] => {
                let name = String::from_utf8(bytes(name)).unwrap();
                of_unit.vars.insert(name, bytes(value));
            }
            _ => panic!("{line}"),
        }
    }
    all
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Any text that a unit can hold; mostly with hostile characters.
fn text(random: &mut Rng) -> String {
    let pieces = if random.u8(..) < 8 { 400 } else { random.usize(0..12) };
    let mut text = String::new();
    while text.chars().count() < pieces {
        if random.u8(..) < 200 {
            text.push_str(random.choice(PIECES).unwrap());
        } else {
            text.push(random.char(..));
        }
        // Refused values, which `unit::token` tests.
        let none = |c: char| matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
        text.retain(|c| c != '\0' && c != '\n' && !none(c));
    }
    text
}

/// The name of a directory.
fn directory(random: &mut Rng) -> String {
    loop {
        let name = text(random).replace('/', "");
        if (1..=255).contains(&name.len()) && name != "." && name != ".." {
            return name;
        }
    }
}
