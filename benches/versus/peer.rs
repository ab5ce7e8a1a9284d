//! What a bench wants of a manager, whoever made it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One module to keep.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
}

/// What is done to one module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Start,
    Stop,
    Restart,
}

impl Verb {
    /// Its usual word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// A manager of services. Everything of it lies in one directory, which is also its `HOME`.
pub trait Peer {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Its version.
    fn version(&self) -> String;
    /// Whether it is installed.
    fn there(&self) -> bool;
    /// Writes its configuration: these modules, each ended with SIGTERM and after a second with SIGKILL.
    fn configure(&self, dir: &Path, modules: &[Module]);
    /// What starts it; the last one may stay in the foreground.
    fn start(&self, dir: &Path) -> Vec<Command>;
    /// What ends it and its modules; `None`: SIGTERM to it.
    fn stop(&self, dir: &Path) -> Option<Command>;
    /// What lists its modules.
    fn status(&self, dir: &Path) -> Option<Command>;
    /// What does that to one module and returns when it is done.
    fn verb(&self, dir: &Path, verb: Verb, module: &str) -> Option<Command>;
    /// Where the output of a module ends up; `None`: it keeps none.
    fn log(&self, dir: &Path, module: &str) -> Option<PathBuf>;
    /// Whether it runs already, goes on after everything, and cannot be killed.
    fn resident(&self) -> bool {
        false
    }
    /// Whether a process that is no module belongs to it.
    fn is_manager(&self, _line: &str) -> bool {
        true
    }
    /// The most modules that are asked of it.
    fn most(&self) -> usize {
        1000
    }
}

/// A command that knows nothing of this machine's owner.
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

/// First line of what a command says.
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
