//! Code that Linux and macOS share: children of `std::process`, groups, `waitid`, SIGCHLD.
#![expect(
    clippy::disallowed_methods,
    reason = "edge: starts daemons with the files they write to; signals a group whose leader was proven"
)]
#![expect(unsafe_code, reason = "what runs between fork and exec must be vouched for")]

use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::libc;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, waitid};
use tokio::signal::unix::SignalKind;

use crate::module::exit_status::ExitStatus;
use crate::process::signal::{Signal, SignalError};
use crate::process::system::{Detach, NotDetached};

pub(super) fn number(signal: Signal) -> rustix::process::Signal {
    match signal {
        Signal::Hangup => rustix::process::Signal::HUP,
        Signal::Interrupt => rustix::process::Signal::INT,
        Signal::Quit => rustix::process::Signal::QUIT,
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
        Signal::Continue => rustix::process::Signal::CONT,
    }
}

/// Starts a daemon: leader of its own session, with the given output files and no input.
pub(in crate::process) fn detach(order: &Detach<'_>) -> Result<u32, NotDetached> {
    let mut command = Command::new(order.exe);
    if let Some((first, rest)) = order.argv.split_first() {
        command.arg0(first).args(rest);
    }
    command.env_clear().envs(order.env.iter().copied()).current_dir(order.cwd);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut outputs = [None, None];
    for (place, path) in order.output.iter().enumerate() {
        let path = path.map(|path| CString::new(path.as_os_str().as_bytes())).transpose();
        outputs[place] = path.map_err(|error| NotDetached::Output(place, error.into()))?;
    }
    let umask = order.umask.map(|bits| Mode::from_bits_truncate(libc_mode(bits)));
    let person = order.identity.clone();
    // std returns the errno of what failed in the child, but not which call it was.
    let (mut told, tell) = std::io::pipe().map_err(NotDetached::Start)?;
    // SAFETY: between fork and exec only what is async-signal-safe may run. Each of these is a few system calls on
    // values that were made before the fork; nothing allocates and nothing takes a lock (signal-safety(7)).
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            person.as_ref().map_or(Ok(()), become_person)?;
            for (place, path) in [0_u8, 1].into_iter().zip(&outputs) {
                if let Some(path) = path
                    && let Err(error) = write_to(path, place == 0)
                {
                    let _ = rustix::io::write(&tell, &[place]);
                    return Err(error);
                }
            }
            if let Some(mask) = umask {
                rustix::process::umask(mask);
            }
            Ok(())
        });
    }
    let started = command.spawn();
    // This also closes the command's end of the pipe.
    drop(command);
    started.map(|child| child.id()).map_err(|error| {
        let mut place = [0];
        match told.read(&mut place) {
            Ok(1) => NotDetached::Output(usize::from(place[0]), error),
            _ => NotDetached::Start(error),
        }
    })
}

/// Redirects standard output, or standard error, to the end of this file.
fn write_to(path: &CStr, out: bool) -> io::Result<()> {
    // O_NONBLOCK: opening a FIFO without a reader would block forever.
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    let flags = flags | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::from_bits_truncate(0o644))?;
    if !FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode).is_file() {
        return Err(Errno::INVAL.into());
    }
    rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
    let put = if out { nix::unistd::dup2_stdout(&file) } else { nix::unistd::dup2_stderr(&file) };
    Ok(put?)
}

fn libc_mode(bits: u32) -> rustix::fs::RawMode {
    // 16 bits wide on macOS; a umask has nine.
    (bits & 0o777) as rustix::fs::RawMode
}

/// Drops root for a user: groups before the user, or the right to set them would be lost (setgroups(2)).
fn become_person((uid, gid, groups): &(u32, u32, Vec<u32>)) -> io::Result<()> {
    // SAFETY: plain system calls; `groups` is as long as said, and gid_t is a u32 on both systems.
    let done = unsafe {
        let count = groups.len() as _; // size_t, or int on macOS
        libc::setgroups(count, groups.as_ptr()) == 0 && libc::setgid(*gid) == 0 && libc::setuid(*uid) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Kills and reaps a child that no caller knows of.
pub(in crate::process) fn discard(child: Pid) {
    let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
    wait_for(child);
}

/// Reaps a child that exits at once.
pub(super) fn wait_for(child: Pid) {
    while matches!(waitid(WaitId::Pid(child), WaitIdOptions::EXITED), Err(Errno::INTR)) {}
}

pub(super) fn explain(pid: u32, errno: Errno) -> SignalError {
    match errno {
        Errno::SRCH => SignalError::Gone { pid },
        Errno::PERM => SignalError::NotPermitted { pid },
        other => SignalError::Failed { pid, errno: other.raw_os_error() },
    }
}

fn target(pid: u32) -> Result<Pid, SignalError> {
    i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw).ok_or(SignalError::Refused { pid })
}

/// Signals one pid, whose identity the caller has just checked.
pub(super) fn send_unchecked(pid: Pid, signal: Signal) -> Result<(), SignalError> {
    rustix::process::kill_process(pid, number(signal))
        .map_err(|errno| explain(pid.as_raw_nonzero().get().unsigned_abs(), errno))
}

/// Signals a group that the caller has proven to be ours.
pub(in crate::process) fn send_group(pgid: u32, signal: Signal) -> Result<(), SignalError> {
    rustix::process::kill_process_group(target(pgid)?, number(signal)).map_err(|errno| explain(pgid, errno))
}

/// Whether the group has any member, zombies included. Only ESRCH means no: kill(2), ERRORS.
pub(in crate::process) fn group_exists(pgid: u32) -> bool {
    target(pgid).is_ok_and(|pgid| !matches!(rustix::process::test_kill_process_group(pgid), Err(Errno::SRCH)))
}

fn decode(status: &WaitIdStatus) -> ExitStatus {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, Some(signal)) => ExitStatus::Signal { signal, core: status.dumped() },
        (None, None) => ExitStatus::Unknown,
    }
}

fn wait(pid: Pid, options: WaitIdOptions) -> Option<ExitStatus> {
    loop {
        match waitid(WaitId::Pid(pid), options | WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(status) => return status.as_ref().map(decode),
            Err(Errno::INTR) => {}
            // ECHILD: not our child, or it was already reaped. It has ended, and its status is unknown.
            Err(_) => return Some(ExitStatus::Unknown),
        }
    }
}

/// How the child ended, if it has; it stays a zombie.
pub(super) fn peek(pid: Pid) -> Option<ExitStatus> {
    wait(pid, WaitIdOptions::NOWAIT)
}

/// Reaps the child if it has ended: from here on its pid may be reused.
pub(in crate::process) fn end_if_any(pid: Pid) -> Option<ExitStatus> {
    wait(pid, WaitIdOptions::empty())
}

/// Whether this is a child of ours that is not yet reaped, alive or zombie. Needs no descriptor.
pub(in crate::process) fn is_child(pid: u32) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    target(pid).is_ok_and(|pid| matches!(waitid(WaitId::Pid(pid), look), Ok(_) | Err(Errno::INTR)))
}

/// Whether this process was started with SIGHUP ignored, as nohup(1) does: an ignored signal stays ignored across
/// an exec (signal(7)). To be called before a handler is installed.
pub(in crate::process) fn ignores_hangup() -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action sigaction(2) only writes the current one to the given place, which is ours and large
    // enough; all zeroes is a valid value of the structure if it fails and writes nothing.
    let now = unsafe {
        libc::sigaction(libc::SIGHUP, std::ptr::null(), now.as_mut_ptr());
        now.assume_init()
    };
    now.sa_sigaction == libc::SIG_IGN
}

/// Whether any child of ours is a zombie; it stays one.
pub(in crate::process) fn zombie_child() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, look), Ok(Some(_)) | Err(Errno::INTR))
}

/// Waits for SIGCHLD until this child has ended.
pub(super) async fn ended_by_sigchld(pid: Pid) -> ExitStatus {
    // Listen first, then look: no exit can be missed in between.
    let mut signals = tokio::signal::unix::signal(SignalKind::child()).ok();
    loop {
        if let Some(ended) = peek(pid) {
            return ended;
        }
        match &mut signals {
            Some(signals) => drop(signals.recv().await),
            // No signal driver (out of descriptors): poll instead.
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
