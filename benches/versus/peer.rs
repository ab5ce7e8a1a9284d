//! The interface of a manager for this bench.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One module to run.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
}

/// An operation on one module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Start,
    Stop,
    Restart,
}

impl Verb {
    /// Its usual name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// A manager of services. All its files are in one directory, which is also its `HOME`.
pub trait Peer {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Its version.
    fn version(&self) -> String;
    /// Whether it is installed.
    fn there(&self) -> bool;
    /// Writes its configuration: these modules, each stopped with SIGTERM and after a second with SIGKILL.
    fn configure(&self, dir: &Path, modules: &[Module]);
    /// The commands that start it; the last one may stay in the foreground.
    fn start(&self, dir: &Path) -> Vec<Command>;
    /// The command that stops it and its modules; `None`: SIGTERM to it.
    fn stop(&self, dir: &Path) -> Option<Command>;
    /// The command that lists its modules.
    fn status(&self, dir: &Path) -> Option<Command>;
    /// The command that does that to one module and returns when it is done.
    fn verb(&self, dir: &Path, verb: Verb, module: &str) -> Option<Command>;
    /// The file with the output of a module; `None`: it keeps none.
    fn log(&self, dir: &Path, module: &str) -> Option<PathBuf>;
    /// Whether it runs already, keeps running afterwards, and cannot be killed.
    fn resident(&self) -> bool {
        false
    }
    /// Whether a process that is not a module belongs to it.
    fn is_manager(&self, _line: &str) -> bool {
        true
    }
    /// The most modules that it is measured with.
    fn most(&self) -> usize {
        1000
    }
}

/// A command without the environment of this machine's user.
pub fn command(program: impl AsRef<Path>, dir: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_clear().env("HOME", dir).env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    command.env("LANG", "C.UTF-8").current_dir(dir).stdin(Stdio::null());
    command
}

/// Where peers are installed: `target/versus`.
pub fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/versus")
}

/// First line of a command's output.
pub fn first_line(mut command: Command) -> String {
    let said = command.stderr(Stdio::piped()).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).lines().next().unwrap_or("?").trim().to_owned()
}

/// An executable script.
pub fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
