//! `hub.env` under a real systemd: it is parsed as systemd did, and with any file in its place, neither
//! PID 1 nor a module is harmed. Each case failed with a unit that had `EnvironmentFile=` below the home.

use std::os::unix::ffi::OsStrExt;

use fastrand::Rng;
use parachute::module::hub_env;
use serde_json::Value;

use crate::hub::{Hub, SERVICE, Scope, in_both_scopes};
use crate::lab::{FIXTURE, Lab, PERSON, Who};
use crate::words::printed;

const ENV: &str = "/home/lab/.parachute/hub.env";
const USER_UNIT: &str = "/home/lab/.config/systemd/user/parachute-hub.service";
const SYSTEM_UNIT: &str = "/etc/systemd/system/parachute-hub.service";
/// Root under sudo, acting for the user.
const SUDO: &str = "export SUDO_UID=$(id -u lab) SUDO_GID=$(id -g lab) SUDO_USER=lab HOME=/root;";

/// Number of random files, and texts with a meaning in them, alone and in pieces that only have one together.
const FILES: usize = 400;
const PIECES: [&str; 36] = [
    "\n", "\n", "\n", "\nA=", "\nB=", "\n  C =", "\nA='", "\nB=\"", "=", "'", "'", "\"", "\"", "\\", "\\\\",
    "\\\n", "\\\"", "\\$", "\\`", "\\n", "\r", "\r\n", " ", "\t", "# ", ";", "#", "$A", "${A}", "`", "x",
    "yz", "export ", "1", "é", "😀",
];

#[test]
fn random_files_are_parsed_as_by_systemd() {
    let Some(lab) = Lab::up() else { return };
    let seed = std::env::var("PARACHUTE_LAB_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("the same files again: PARACHUTE_LAB_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let files: Vec<String> = std::iter::repeat_with(|| file(&mut random)).take(FILES).collect();

    let script = "mkdir -m 777 /srv/out; mkdir /srv/in; cd /srv/in; touch none
        exec xargs -0 -n 2 sh -ec 'printf %s \"$2\" > \"$1\"' sh";
    let stdin: String = files.iter().enumerate().map(|(n, text)| format!("{n}\0{text}\0")).collect();
    let _ = lab.exec(&Who::Root, script, &[], stdin.as_bytes()).code(0);
    let unit = format!(
        "[Service]\nType=oneshot\nEnvironmentFile=/srv/in/%i\nExecStart={FIXTURE} print /srv/out/%i\n"
    );
    lab.write(&Who::Root, "/etc/systemd/system/p@.service", &unit);
    let script = format!(
        "systemctl daemon-reload; systemctl start p@none; seq -f 'p@%g' 0 {} | xargs systemctl start",
        FILES - 1
    );
    let _ = lab.root(&script).code(0);

    let got = printed(&lab);
    let mut variables = 0;
    for (n, text) in files.iter().enumerate() {
        // Variables that every unit gets.
        let own = got[&n.to_string()].vars.iter().filter(|(name, _)| !got["none"].vars.contains_key(*name));
        let systemd: Vec<(String, Vec<u8>)> =
            own.map(|(name, value)| (name.clone(), value.clone())).collect();
        let ours = hub_env::parse(text.as_bytes()).variables;
        let ours: Vec<(String, Vec<u8>)> = ours
            .iter()
            .map(|(name, value)| (name.to_str().unwrap().to_owned(), value.as_bytes().to_vec()))
            .collect();
        assert_eq!(ours, systemd, "{text:?}");
        variables += ours.len();
    }
    assert!(variables > FILES, "only {variables} variables were compared");
}

fn file(random: &mut Rng) -> String {
    loop {
        let text: String = (0..random.usize(1..40)).map(|_| *random.choice(&PIECES).unwrap()).collect();
        // Before 254 a comment that ends with a backslash continues on the next line; we follow the newer rule.
        let is_comment = |line: &str| line.trim_start().starts_with(['#', ';']);
        if !text.split(['\n', '\r']).any(|line| is_comment(line) && line.contains('\\')) {
            return text;
        }
    }
}

/// The same file, through the hub to a module and through systemd to a unit.
#[test]
fn a_module_gets_the_values_that_systemd_would_give_it() {
    in_both_scopes(|lab, hub| {
        let field = include_str!("../data/hub-env/field.env");
        let text = format!(
            "{field}\n; a comment\nQUOTED='it is $HOME \\n'\nESCAPED=\"a \\\"b\\\" \\\\ \\$x \\` \\n\"\nJOINED=one\\\ntwo\n\
             EMPTY=\n  TAIL = x y  \nLANG=C\nÜ=1\nTWICE=1\nTWICE=2\nLAST=no line break"
        );
        lab.write(&hub.owner(), ENV, &text);
        let _ = lab.root("mkdir -m 777 /srv/out").code(0);
        let prints = format!("'{FIXTURE} print /srv/out/hub; exec sleep 100000'");
        let _ = hub.parachute(&format!("add web --no-listen -- sh -c {prints}")).code(0);
        hub.install();
        hub.start();
        hub.ready("web");
        let systemd = format!(
            "systemd-run --wait -q -p User={PERSON} -p EnvironmentFile={ENV} {FIXTURE} print /srv/out/systemd"
        );
        let _ = lab.root(&systemd).code(0);
        let (got, wanted) = (printed(lab), hub_env::parse(text.as_bytes()).variables);
        assert_eq!(wanted.len(), 12, "{wanted:?}");
        for (name, value) in &wanted {
            let name = name.to_str().unwrap();
            let [hub, systemd] = ["hub", "systemd"].map(|who| got[who].vars.get(name));
            assert_eq!((hub, hub), (systemd, Some(&value.as_bytes().to_vec())), "{name}");
        }
        assert!(!got["hub"].vars.contains_key("T_EXP"), "lines that systemd drops are not passed either");
        // Only the hub opens it: its variables are not in the environment of the hub.
        assert!(!environ(lab, &hub).contains("QUOTED"));
        assert!(hub.parachute("status").code(0).out.contains("it begins with `export`"));
    });
}

/// The environment of the hub, given by its unit.
fn environ(lab: &Lab, hub: &Hub<'_>) -> String {
    lab.root(&format!("tr '\\0' '\\n' < /proc/{}/environ", hub.pid())).code(0).out
}

/// The hub is killed by its user, and is restarted.
#[track_caller]
fn killed(lab: &Lab, hub: &Hub<'_>) {
    let before = hub.pid();
    let _ = lab.run(&hub.owner(), &format!("kill -9 {before}")).code(0);
    lab.eventually("another hub runs", || {
        let pid = hub.pid();
        pid != 0 && pid != before && hub.show("ActiveState") == "active"
    });
}

/// Waits until a module is blocked for this reason, and every report shows it.
#[track_caller]
fn blocked(lab: &Lab, hub: &Hub<'_>, why: &str) {
    let reason = format!("{ENV} is refused: {why}");
    lab.eventually(&reason, || {
        let view = hub.view("web");
        view["detail"] == "blocked"
            && view["problem"]["error_description"].as_str().is_some_and(|text| text.starts_with(&reason))
    });
    assert!(lab.processes().is_empty(), "nothing runs without it");
    let status = hub.parachute("status").code(1).out;
    let told = hub.parachute("why web").code(0).out;
    let check = hub.parachute("serve --check").code(78).out;
    let doctor = hub.parachute("doctor").out;
    for said in [status, told, check, doctor] {
        assert!(said.contains(&reason) && said.contains("hint: "), "{reason}: {said}");
    }
}

#[test]
fn a_link_to_a_file_of_root_reveals_nothing() {
    in_both_scopes(|lab, hub| {
        let secret = "ROOTS_SECRET=planted-secret-41fe";
        lab.write(&Who::Root, "/root/keys", &format!("{secret}\n"));
        let _ = lab.root("chmod 600 /root/keys").code(0);
        hub.module("web", 1950, "--dump /tmp/dump");
        hub.install();
        hub.start();
        hub.ready("web");
        let _ = lab.run(&hub.owner(), &format!("ln -s /root/keys {ENV}")).code(0);
        killed(lab, &hub);
        blocked(lab, &hub, "it is a symbolic link");
        assert!(!environ(lab, &hub).contains("ROOTS_SECRET"));
        assert!(!lab.read("/tmp/dump").contains("ROOTS_SECRET"));
        // Also a link to a file that the user may read: only a file in its place counts.
        lab.write(&hub.owner(), "/home/lab/keys", "KEY=1\n");
        let _ = lab.run(&hub.owner(), &format!("ln -sf /home/lab/keys {ENV}")).code(0);
        blocked(lab, &hub, "it is a symbolic link");
        let next = hub.view("web")["problem"]["next"].as_str().unwrap().to_owned();
        let _ = lab.run(&hub.owner(), &next).code(0);
        hub.runs_once(&["web"]);
        assert!(lab.read("/tmp/dump").contains("KEY=1\n"));
    });
}

#[test]
fn a_fifo_blocks_neither_the_manager_nor_the_boot() {
    in_both_scopes(|lab, hub| {
        hub.module("web", 1950, "");
        hub.install();
        hub.start();
        hub.ready("web");
        let _ = lab.run(&hub.owner(), &format!("mkfifo {ENV}")).code(0);
        killed(lab, &hub);
        blocked(lab, &hub, "it is a FIFO, not a regular file");
        let alive = "timeout 20 systemctl daemon-reload && timeout 20 systemctl list-units >/dev/null";
        let _ = lab.root(alive).code(0);
        let _ = hub.systemctl(&format!("restart {SERVICE}")).code(0);
        lab.reboot();
        let _ = lab.root(alive).code(0);
        lab.eventually("the hub is back", || hub.parachute("status").code == 1);
        blocked(lab, &hub, "it is a FIFO, not a regular file");
        let _ = lab.run(&hub.owner(), &format!("rm {ENV}")).code(0);
        hub.runs_once(&["web"]);
    });
}

#[test]
fn a_file_that_others_can_write_or_own_is_refused_until_repaired() {
    in_both_scopes(|lab, hub| {
        hub.module("web", 1950, "--dump /tmp/dump");
        lab.write(&hub.owner(), ENV, "KEY=1\n");
        let _ = lab.run(&hub.owner(), &format!("chmod 666 {ENV}")).code(0);
        hub.install();
        hub.start();
        blocked(lab, &hub, "other users can write it (mode 0666)");
        for (as_whom, change, why) in [
            (Who::Root, "chmod 600 $1; chown nobody $1", "it cannot be read (Permission denied"),
            (Who::Root, "chmod 644 $1", "it belongs to user "),
            (Who::Root, "chown root $1; chmod 600 $1", "it cannot be read (Permission denied"),
            (hub.owner(), "rm -f $1; mkdir $1", "it is a directory, not a regular file"),
            (
                hub.owner(),
                "rmdir $1; head -c 1048577 /dev/zero | tr '\\0' '#' > $1",
                "it is larger than 1048576 bytes",
            ),
            (hub.owner(), "head -c 100 /dev/zero > $1", "it contains NUL bytes"),
        ] {
            // The hub sees only the result: in between the file may be valid, or absent.
            let pid = hub.pid();
            let _ = lab.root(&format!("kill -STOP {pid}")).code(0);
            let _ = lab.exec(&as_whom, change, &[ENV], b"").code(0);
            let _ = lab.root(&format!("kill -CONT {pid}")).code(0);
            blocked(lab, &hub, why);
        }
        // The last of them, with the shown command; then a file of root that the user may read.
        let next = hub.view("web")["problem"]["next"].as_str().unwrap().to_owned();
        let _ = lab.run(&hub.owner(), &next).code(0);
        hub.runs_once(&["web"]);
        lab.write(&Who::Root, ENV, "KEY=roots\n");
        let _ = lab.root(&format!("chown root:{PERSON} {ENV}; chmod 640 {ENV}")).code(0);
        let _ = hub.parachute("restart web").code(0);
        assert!(lab.read("/tmp/dump").contains("KEY=roots\n"));
        let status = hub.parachute("status").code(0).out;
        assert!(!status.contains("hub.env"), "it may be read by the group of its person: {status}");
        let doctor = hub.parachute("doctor").out;
        assert!(doctor.contains("✓  home.env") && doctor.contains("✓  home.private"), "{doctor}");
    });
}

/// The unit of an earlier build, in the place of ours: on disk, in the receipt, and loaded.
fn with_older_unit(lab: &Lab, scope: Scope) {
    let (unit, receipt, who, reload, old) = match scope {
        Scope::System => (
            SYSTEM_UNIT,
            "/var/lib/parachute/receipt.json",
            Who::Root,
            "systemctl daemon-reload",
            include_str!("../data/units/env-file-system.service"),
        ),
        Scope::User => (
            USER_UNIT,
            "/home/lab/.parachute/install/receipt.json",
            Who::LoggedIn(PERSON.to_owned()),
            "systemctl --user daemon-reload",
            include_str!("../data/units/env-file-user.service"),
        ),
    };
    let old = old.replace("/home/op/", "/home/lab/").replace("User=op", "User=lab");
    let mut kept: Value = serde_json::from_str(&lab.read(receipt)).unwrap();
    let records = kept["records"].as_array_mut().unwrap();
    let text = records.iter_mut().find_map(|record| {
        let step = &mut record["step"];
        (step["path"] == unit).then(|| &mut step["text"])
    });
    *text.expect("the receipt has the unit") = old.clone().into();
    lab.write(&who, receipt, &kept.to_string());
    lab.write(&who, unit, &old);
    let _ = lab.run(&who, reload).code(0);
}

/// With any file in its place: no step of the plan starts the older unit.
#[test]
fn an_older_unit_is_reported_as_dangerous_and_rewritten() {
    for scope in [Scope::System, Scope::User] {
        let Some(lab) = Lab::up() else { return };
        let (unit, danger, code) = match scope {
            Scope::System => (SYSTEM_UNIT, "a FIFO, which stops PID 1 for good", 1),
            Scope::User => (USER_UNIT, "a FIFO there stops all your services", 0),
        };
        let verb = |args: &str| match scope {
            Scope::System => lab.root(&format!("{SUDO} parachute {args}")),
            Scope::User => lab.user(&format!("parachute {args}")),
        };
        let _ = verb("init --yes").code(0);
        let _ = lab.user(&format!("parachute add web -- {FIXTURE} server")).code(0);
        let ours = lab.read(unit);
        assert!(!ours.contains("EnvironmentFile"), "{ours}");
        lab.eventually("all ok", || verb("doctor").out.contains("all ok"));
        for mends in ["doctor --fix --yes", "init --yes"] {
            with_older_unit(&lab, scope);
            assert!(lab.read(unit).contains(&format!("EnvironmentFile=-{ENV}")));
            let _ = lab.user(&format!("rm -f {ENV}; mkfifo {ENV}")).code(0);
            let said = verb("doctor").out;
            assert!(said.contains("unit.opens") && said.contains(danger), "{said}");
            let _ = verb("doctor").code(1);
            let mended = verb(mends);
            // The file itself must be repaired by its user, and is reported.
            assert!(format!("{}{}", mended.out, mended.err).contains("it is a FIFO"), "{mended:?}");
            assert_eq!(lab.read(unit), ours, "{mended:?}");
            let _ = lab.root("timeout 20 systemctl list-units > /dev/null").code(0);
            let _ = lab.user(&format!("rm {ENV}")).code(0);
            lab.eventually("all ok again", || {
                let said = verb("doctor").out;
                said.contains("✓  unit.opens")
                    && said.contains("✓  home.env")
                    && said.contains("✓  modules.ready")
            });
        }
        // Without other faults doctor reports the old line.
        with_older_unit(&lab, scope);
        let report: Value = serde_json::from_str(&verb("doctor --json").code(code).out).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let opens = checks.iter().find(|check| check["id"] == "unit.opens").unwrap();
        assert_eq!(opens["verdict"], if scope == Scope::System { "fail" } else { "warn" }, "{report:#}");
        assert_eq!(opens["mend"], "install", "{report:#}");
        let _ = verb("uninstall --yes").code(0);
    }
}

#[test]
fn a_drop_in_that_opens_a_path_below_the_home_is_named() {
    let Some(lab) = Lab::up() else { return };
    let _ = lab.root(&format!("{SUDO} parachute init --yes")).code(0);
    let drop_in = format!("{SYSTEM_UNIT}.d/keys.conf");
    lab.write(&Who::Root, &drop_in, "[Service]\nEnvironmentFile=-/home/lab/keys\n");
    let _ = lab.root("systemctl daemon-reload").code(0);
    let said = lab.root(&format!("{SUDO} parachute doctor")).code(0).out;
    assert!(
        said.contains("!  unit.opens") && said.contains(&format!("{drop_in}, line 2: EnvironmentFile=")),
        "{said}"
    );
}
