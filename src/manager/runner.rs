//! Runs the tools of service managers. The only file of this room that starts a process.
//!
//! A tool runs in the C locale (we parse its output), with its input closed (it cannot ask), and is killed when its
//! time is over or its caller is dropped.
#![expect(clippy::disallowed_methods, reason = "edge: runs the tools of service managers")]

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tracing::{debug, trace};

use super::invocation::{Answered, COMMAND, Invocation, Ran, Runner, ToolOutput};
use crate::process::find_program;

/// Most bytes kept of one stream. The longest output that we request is a page of the journal.
const KEPT: u64 = 4 * 1024 * 1024;

/// The real runner.
///
/// Two restrictions keep tests away from the service manager of the machine that they run on. With a guard directory,
/// no program outside of it is run. In unit tests, nothing that changes the machine is run without one.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    path: OsString,
    guard: Option<PathBuf>,
}

impl Tools {
    /// Tools found on this PATH; with a guard, only those whose directory is below it.
    #[must_use]
    pub(crate) fn new(path: OsString, guard: Option<PathBuf>) -> Self {
        Self { path, guard }
    }

    /// The program's file. Relative directories of PATH are skipped: files in the working directory are not
    /// tools of the system.
    fn find(&self, program: &str) -> Option<PathBuf> {
        let files = find_program::candidates(OsStr::new(program), Some(&self.path), Path::new(""));
        files.into_iter().find(|file| file.is_absolute() && find_program::is_program(file))
    }

    /// The file to run, if running it is allowed here.
    fn resolve(&self, invocation: &Invocation) -> io::Result<PathBuf> {
        let refused = |why: String| {
            io::Error::new(io::ErrorKind::PermissionDenied, format!("refused to run `{invocation}`: {why}"))
        };
        if cfg!(test) && self.guard.is_none() && invocation.changes {
            return Err(refused("a unit test may not change the machine".to_owned()));
        }
        let absent =
            || io::Error::new(io::ErrorKind::NotFound, format!("there is no {}", invocation.program));
        let file = self.find(invocation.program).ok_or_else(absent)?;
        match &self.guard {
            Some(guard) if !is_below(&file, guard) => {
                Err(refused(format!("{} is not under {}", file.display(), guard.display())))
            }
            _ => Ok(file),
        }
    }
}

/// Whether the directory of a file is below another. The file itself may be a link: a test puts links to its fake
/// there.
fn is_below(file: &Path, guard: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    match (file.parent().and_then(real), real(guard)) {
        (Some(dir), Some(guard)) => dir.starts_with(guard),
        _ => false,
    }
}

impl Runner for Tools {
    async fn run(&self, invocation: &Invocation) -> io::Result<ToolOutput> {
        let begun = Instant::now();
        let end = self.run_untold(invocation).await;
        debug!(target: COMMAND, "{}", Ran { invocation, took: begun.elapsed(), end: &end });
        if let Ok(output) = &end {
            trace!(target: COMMAND, "{}", Answered(output));
        }
        end
    }
}

impl Tools {
    async fn run_untold(&self, invocation: &Invocation) -> io::Result<ToolOutput> {
        let file = self.resolve(invocation)?;
        let mut command = Command::new(file);
        command
            .arg0(invocation.program)
            .args(&invocation.args)
            .env("PATH", &self.path)
            .env("LC_ALL", "C")
            // GNU gettext(3) prefers it to LC_ALL, except for the C locale; and a pager would wait for a key.
            .env_remove("LANGUAGE")
            .env("SYSTEMD_PAGER", "cat")
            .env("SYSTEMD_COLORS", "0")
            .envs(invocation.env.iter().map(|(name, value)| (OsStr::new(name), value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
        // The pipes are read during the wait, or a tool with much output would never end.
        let whole = async { tokio::join!(child.wait(), kept(out.as_mut()), kept(err.as_mut())) };
        match tokio::time::timeout(invocation.within, whole).await {
            Ok((status, stdout, stderr)) => {
                Ok(ToolOutput { code: status?.code(), stdout: stdout?, stderr: stderr? })
            }
            Err(_) => {
                // Kills only the tool, not its children: a job that systemd took over continues.
                let _ = child.kill().await;
                Err(io::Error::new(io::ErrorKind::TimedOut, format!("`{invocation}` timed out")))
            }
        }
    }
}

/// The output of a stream, up to a limit; the rest is read and dropped.
async fn kept<S: AsyncRead + Unpin>(stream: Option<&mut S>) -> io::Result<String> {
    let Some(stream) = stream else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    stream.take(KEPT).read_to_end(&mut bytes).await?;
    tokio::io::copy(stream, &mut tokio::io::sink()).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    fn tool(dir: &Path, name: &str, body: &str) {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join(name), format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    async fn run(tools: &Tools, invocation: &Invocation) -> io::Result<ToolOutput> {
        // A sibling test may fork between our write and our exec: execve(2), ETXTBSY.
        loop {
            match tools.run(invocation).await {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    tokio::task::yield_now().await
                }
                other => return other,
            }
        }
    }

    #[tokio::test]
    async fn a_tool_gets_the_c_locale_its_variables_and_no_input() {
        let dir = tempfile::tempdir().unwrap();
        let echo = r#"read x || printf '%s ' "$LC_ALL" "$XDG_RUNTIME_DIR" "${LANGUAGE-none}" "$0" "$@"; printf '\377' >&2; exit 3"#;
        tool(dir.path(), "systemctl", echo);
        let tools = Tools::new(dir.path().into(), Some(dir.path().into()));
        let change = Invocation::change("systemctl", &["start", "a b"]).env("XDG_RUNTIME_DIR", "/run/user/7");
        let output = run(&tools, &change).await.unwrap();
        assert_eq!(output.code, Some(3));
        let name = dir.path().join("systemctl");
        assert_eq!(output.stdout, format!("C /run/user/7 none {} start a b ", name.display()));
        assert_eq!(output.stderr, "\u{fffd}");
    }

    #[tokio::test]
    async fn a_tool_with_more_output_than_is_kept_still_ends() {
        let dir = tempfile::tempdir().unwrap();
        tool(dir.path(), "journalctl", "head -c 6000000 /dev/zero; head -c 5000000 /dev/zero >&2");
        let path = std::env::join_paths([dir.path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
        let output = run(&Tools::new(path, None), &Invocation::ask("journalctl", &[])).await.unwrap();
        assert_eq!(
            (output.code, output.stdout.len() as u64, output.stderr.len() as u64),
            (Some(0), KEPT, KEPT)
        );
    }

    #[tokio::test]
    async fn a_tool_that_exceeds_its_time_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        tool(dir.path(), "systemctl", "echo $$ > \"$PID_FILE\"; exec sleep 600");
        let path = std::env::join_paths([dir.path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
        let pid_file = dir.path().join("pid");
        let mut hang = Invocation::ask("systemctl", &[]).env("PID_FILE", &pid_file);
        hang.within = Duration::from_secs(5);
        let error = run(&Tools::new(path, None), &hang).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // Enough time to start a shell and write a line; if it was not, there is no process to look for.
        let pid = std::fs::read_to_string(&pid_file).unwrap_or_default();
        if !pid.trim().is_empty() {
            assert!(!Path::new("/proc").join(pid.trim()).exists(), "pid {pid} still runs");
        }
    }

    #[tokio::test]
    async fn a_unit_test_cannot_change_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        tool(dir.path(), "launchctl", "exit 0");
        let absolute: &'static str =
            Box::leak(dir.path().join("launchctl").display().to_string().into_boxed_str());
        let open = Tools::new(dir.path().into(), None);
        let changes = [
            Invocation::change("launchctl", &["bootout", "gui/501/computer.parachute.hub"]),
            Invocation::change("systemctl", &["--user", "stop", "parachute-hub.service"]),
            Invocation::change("/usr/bin/systemctl", &["restart", "x"]),
            Invocation::change(absolute, &["bootout"]),
        ];
        for change in changes {
            let error = open.run(&change).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{change}");
            assert!(error.to_string().contains(&change.to_string()), "{error}");
        }
        // A query is allowed, whether or not the tool exists.
        assert_ne!(
            open.run(&Invocation::ask("systemctl", &["--version"])).await.map_err(|e| e.kind()),
            Err(io::ErrorKind::PermissionDenied)
        );
    }

    #[tokio::test]
    async fn a_guard_refuses_every_tool_outside_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        tool(&outside, "systemctl", "exit 0");
        tool(&outside, "loginctl", "exit 0");
        tool(&inside, "loginctl", "exit 7");
        let both = std::env::join_paths([&inside, &outside, &inside.join("../out")]).unwrap();
        let tools = Tools::new(both, Some(inside));
        let code = |program| {
            let tools = tools.clone();
            async move { run(&tools, &Invocation::ask(program, &[])).await.map(|o| o.code).map_err(|e| e.kind()) }
        };
        assert_eq!(code("systemctl").await, Err(io::ErrorKind::PermissionDenied));
        assert_eq!(code("loginctl").await, Ok(Some(7)));
        assert_eq!(code("launchctl").await, Err(io::ErrorKind::NotFound));
        assert!(
            tools.find("loginctl").is_some()
                && tools.find("launchctl").is_none()
                && tools.find("./loginctl").is_none()
        );
    }

    #[tokio::test]
    async fn the_working_directory_is_never_searched() {
        let tools = Tools::new("tests:.:".into(), None);
        let error = tools.run(&Invocation::ask("systemctl", &[])).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
