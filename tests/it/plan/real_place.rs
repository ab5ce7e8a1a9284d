//! A directory with real files, and a systemd of a few lines that reads unit files in it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use parachute::api::client::Client;
use parachute::manager::backend::{Manager, Systemd};
use parachute::manager::driver::Driver;
use parachute::manager::invocation::{Invocation, Runner, ToolOutput};
use parachute::plan::content::{Content, Fingerprint};
use parachute::plan::executor::{Done, Failed};
use parachute::plan::fault::Fault;
use parachute::plan::host::real::RealHost;
use parachute::plan::journal::Journal;
use parachute::plan::run_options::RunOptions;
use parachute::plan::step::Step;
use parachute::plan::{Plan, Verb, run};
use parachute::unit::name::UnitName;
use parachute::unit::target::Scope;

/// `systemctl` as far as the driver uses it.
#[derive(Debug, Default)]
pub struct Systemctl {
    dir: PathBuf,
    /// The text that was read, by the name of the unit.
    read: RefCell<BTreeMap<String, String>>,
    enabled: RefCell<BTreeSet<String>>,
    pub running: RefCell<BTreeSet<String>>,
    failed: RefCell<BTreeSet<String>>,
    /// The commands that change something.
    pub changes: RefCell<Vec<String>>,
}

impl Systemctl {
    /// With unit files in this directory.
    pub fn of(dir: PathBuf) -> Self {
        Self { dir, ..Self::default() }
    }

    fn text(&self, unit: &str) -> Option<String> {
        std::fs::read_to_string(self.dir.join(unit)).ok()
    }

    pub fn reload(&self) {
        let mut read = self.read.borrow_mut();
        read.clear();
        for entry in std::fs::read_dir(&self.dir).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !name.starts_with('.')
                && let Some(text) = self.text(&name)
            {
                read.insert(name, text);
            }
        }
    }

    fn show(&self, unit: &str) -> String {
        let now = self.text(unit);
        let mut read = self.read.borrow_mut();
        if let (None, Some(text)) = (read.get(unit), &now) {
            read.insert(unit.to_owned(), text.clone());
        }
        let known = read.get(unit);
        let bad = known.is_some_and(|text| text.contains("bad setting"));
        let load = match known {
            None => "not-found",
            Some(_) if bad => "bad-setting",
            Some(_) => "loaded",
        };
        let has = |set: &RefCell<BTreeSet<String>>| set.borrow().contains(unit);
        let (active, sub) = if has(&self.running) {
            ("active", "running")
        } else if has(&self.failed) {
            ("failed", "failed")
        } else {
            ("inactive", "dead")
        };
        let file_state = match known {
            None => "",
            Some(_) if has(&self.enabled) => "enabled",
            Some(_) => "disabled",
        };
        let fragment = known.map(|_| self.dir.join(unit).display().to_string()).unwrap_or_default();
        let stale = if known.is_some() && known != now.as_ref() { "yes" } else { "no" };
        format!(
            "LoadState={load}\nActiveState={active}\nSubState={sub}\nUnitFileState={file_state}\n\
             FragmentPath={fragment}\nNeedDaemonReload={stale}\nType=notify\nMainPID=0\n\
             ConditionResult=yes\nLoadError=org.x \"Unknown section.\"\n"
        )
    }
}

impl Runner for &Systemctl {
    async fn run(&self, invocation: &Invocation) -> io::Result<ToolOutput> {
        let args: Vec<&str> = invocation.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        let words: Vec<&str> = args.iter().copied().filter(|arg| !arg.starts_with("--")).collect();
        let ok = |stdout: String| Ok(ToolOutput { code: Some(0), stdout, stderr: String::new() });
        if invocation.changes {
            self.changes.borrow_mut().push(words.join(" "));
        }
        match (invocation.program, words.as_slice()) {
            ("systemctl", ["show", unit]) => return ok(self.show(unit)),
            ("systemctl", ["daemon-reload"]) => self.reload(),
            ("systemctl", ["enable", unit]) => {
                self.enabled.borrow_mut().insert((*unit).to_owned());
            }
            ("systemctl", ["disable", unit]) => {
                self.enabled.borrow_mut().remove(*unit);
            }
            ("systemctl", ["start", unit]) => {
                let fails = self.read.borrow().get(*unit).is_none_or(|text| text.contains("broken"));
                let set = if fails { &self.failed } else { &self.running };
                set.borrow_mut().insert((*unit).to_owned());
                if fails {
                    return Ok(ToolOutput { code: Some(1), ..ToolOutput::default() });
                }
            }
            ("systemctl", ["stop", unit]) => {
                self.running.borrow_mut().remove(*unit);
            }
            ("systemctl", ["reset-failed", unit]) => {
                self.failed.borrow_mut().remove(*unit);
            }
            _ => return Ok(ToolOutput { code: Some(1), ..ToolOutput::default() }),
        }
        ok(String::new())
    }
}

pub struct Place {
    pub temp: tempfile::TempDir,
    pub systemctl: Systemctl,
}

impl Place {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("units");
        make_dir(&dir, 0o755);
        Self { systemctl: Systemctl::of(dir), temp }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// The directory of the installation.
    pub fn state(&self) -> PathBuf {
        self.at("install")
    }

    pub fn host(&self) -> RealHost<&Systemctl> {
        host(&self.systemctl, self.temp.path())
    }

    /// A program to be installed: not UTF-8, and longer than one chunk of a copy.
    pub fn put_program(&self) {
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        put(&self.at("program"), 0o755, &bytes);
    }

    /// Files of other programs, of every kind that a step meets.
    pub fn put_files(&self) {
        put(&self.at("program"), 0o755, &[0xfe; 200_000]);
        put(&self.at("conf"), 0o640, b"theirs\n");
        put(&self.at("old"), 0o711, &[0xff; 100_000]);
        symlink("/nowhere", self.at("link")).unwrap();
        make_dir(&self.at("tree"), 0o750);
        put(&self.at("tree/file"), 0o400, b"deep");
    }

    pub async fn run(&self, plan: &Plan, fault: Option<Fault>) -> Result<Done, Box<Failed>> {
        let mut journal = Journal::open(&self.state()).unwrap();
        let mut options = RunOptions { progress: &mut |_| {}, shown: None, fault, stop: None };
        let outcome = run(plan, &mut self.host(), &mut journal, &mut options).await;
        journal.close().unwrap();
        outcome
    }

    pub fn unit(&self) -> PathBuf {
        self.systemctl.dir.join("parachute-hub.service")
    }

    /// A plan that installs the program and a unit.
    pub fn install(&self, text: &str) -> Plan {
        let Fingerprint { sha256, len } = Fingerprint::of(&std::fs::read(self.at("program")).unwrap());
        let copy = Content::CopyOf { source: self.at("program"), sha256, len };
        let (unit, text) = (UnitName::hub(), text.to_owned());
        let mut plan = Plan::new(Verb::Init);
        plan.steps = vec![
            Step::SetRunning { unit: unit.clone(), running: false },
            Step::MakeDir { path: self.at("home/bin"), mode: 0o755 },
            Step::PutFile { path: self.at("home/bin/parachute"), mode: 0o755, content: copy },
            Step::PutFile {
                path: self.at("home/conf"),
                mode: 0o600,
                content: Content::Text("x\n".to_owned()),
            },
            Step::PutUnit { unit: unit.clone(), path: self.unit(), text },
            Step::SetEnabled { unit: unit.clone(), enabled: true },
            Step::SetRunning { unit, running: true },
        ];
        plan
    }

    /// Every file below, with mode, owner and content, and systemd's state: to compare two states.
    pub fn all(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut dirs = vec![self.temp.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(&dir).unwrap() {
                let path = entry.unwrap().path();
                let found = std::fs::symlink_metadata(&path).unwrap();
                let what = if found.is_file() {
                    Fingerprint::of(&std::fs::read(&path).unwrap()).sha256
                } else {
                    format!("{:?}", std::fs::read_link(&path).ok())
                };
                let (mode, uid, gid) = (found.mode(), found.uid(), found.gid());
                all.push(format!("{} {mode:o} {uid} {gid} {what}", path.display()));
                if found.is_dir() {
                    dirs.push(path);
                }
            }
        }
        let Systemctl { enabled, running, failed, .. } = &self.systemctl;
        all.push(format!("{enabled:?} {running:?} {failed:?}"));
        all.sort();
        all
    }
}

/// The real host, with its installation below this directory.
pub fn host<'a>(systemctl: &'a Systemctl, dir: &Path) -> RealHost<&'a Systemctl> {
    let systemd = Systemd {
        scope: Scope::User,
        version: 252,
        dir: systemctl.dir.clone(),
        runtime_dir: Some("/run/user/7".into()),
    };
    let driver = Driver::new(Manager::Systemd(systemd), systemctl);
    RealHost::new(driver, &dir.join("install"), Client::new(dir.join("none.sock")))
}

pub fn put(path: &Path, mode: u32, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    set_mode(path, mode);
}

/// Makes a directory, and those parent directories that are missing.
pub fn make_dir(path: &Path, mode: u32) {
    std::fs::create_dir_all(path).unwrap();
    set_mode(path, mode);
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}
