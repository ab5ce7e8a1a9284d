//! Starts a child with another descriptor limit than ours, without copying the hub.
//!
//! Limits are inherited, and posix_spawn(3) has no attribute for them. prlimit(2) afterwards would come too late for a
//! program that reads its limit at once, or raises it. std would have to set it between fork(2) and
//! execve(2), and a fork copies the page tables of the hub: for a thousand modules that was more than half of
//! their boot time. So this does what posix_spawn(3) does itself: the child runs on its own stack in
//! our memory, while the thread that started it sleeps (`CLONE_VM | CLONE_VFORK`, clone(2)).
#![expect(unsafe_code, reason = "a child that shares our memory until it executes must be vouched for")]

use std::ffi::{CString, OsStr, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Rlimit};

use super::posix;
use crate::process::system::{Born, Order};

/// The child makes a few dozen system calls, each a few frames deep.
const STACK: usize = 64 * 1024;

/// All that the child needs, prepared before it exists: it may not allocate and may take no lock.
struct Script {
    program: *const c_char,
    argv: *const *const c_char,
    env: *const *const c_char,
    /// Null: the hub's own.
    cwd: *const c_char,
    /// Its descriptors 0, 1 and 2.
    fds: [c_int; 3],
    limit: libc::rlimit,
    /// errno of the call that failed; zero if it executes.
    failed: c_int,
}

/// Starts the child with this limit. The program is not searched for: it is a path.
pub(super) fn spawn(order: &Order<'_>, limit: Rlimit) -> io::Result<Born> {
    let program = text(order.program.as_os_str())?;
    let argv = order.argv.iter().map(|word| text(word)).collect::<io::Result<Vec<_>>>()?;
    let env = order.env.iter().map(|(key, value)| pair(key, value)).collect::<io::Result<Vec<_>>>()?;
    let cwd = order.cwd.map(|cwd| text(cwd.as_os_str())).transpose()?;
    let (argv_pointers, env_pointers) = (pointers(&argv), pointers(&env));
    let stdin = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let (stdout, to_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr, to_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    // `None` is "no limit".
    let raw = |value: Option<u64>| value.unwrap_or(libc::RLIM_INFINITY);
    let mut script = Script {
        program: program.as_ptr(),
        argv: argv_pointers.as_ptr(),
        env: env_pointers.as_ptr(),
        cwd: cwd.as_ref().map_or(ptr::null(), |cwd| cwd.as_ptr()),
        fds: [&stdin, &to_stdout, &to_stderr].map(|fd: &OwnedFd| fd.as_raw_fd()),
        limit: libc::rlimit { rlim_cur: raw(limit.current), rlim_max: raw(limit.maximum) },
        failed: 0,
    };
    let pid = begin(&mut script)?;
    if script.failed != 0 {
        // It has exited without executing a program, and we have to reap it.
        posix::wait_for(pid);
        return Err(io::Error::from_raw_os_error(script.failed));
    }
    Ok(Born { pid: pid.as_raw_nonzero().get().unsigned_abs(), stdout, stderr })
}

/// Returns when the child has executed its program, or has failed to.
fn begin(script: &mut Script) -> io::Result<Pid> {
    let mut stack = vec![MaybeUninit::<u128>::uninit(); STACK / size_of::<u128>()];
    // A handler of ours that ran in the child would change our memory: a stop meant for the child would stop the hub.
    let ours = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: clone(2). The stack grows down from its end, which is aligned for any value, and it and the script
    // outlive the child's use of them: with CLONE_VFORK this thread sleeps until the child has executed or ended.
    let pid = unsafe {
        let top = stack.as_mut_ptr_range().end.cast::<c_void>();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        libc::clone(child, top, flags, ptr::from_mut(script).cast::<c_void>())
    };
    let refused = io::Error::last_os_error();
    ours.thread_set_mask()?;
    Pid::from_raw(pid).filter(|_| pid > 0).ok_or(refused)
}

/// What runs in the child.
extern "C" fn child(script: *mut c_void) -> c_int {
    // SAFETY: `begin` passes its script, which no other code touches while this runs.
    let script = unsafe { &mut *script.cast::<Script>() };
    script.failed = execute(script);
    127
}

/// Executes the program; returns the errno of a failed call. Only async-signal-safe calls (signal-safety(7)), no
/// allocation.
fn execute(script: &Script) -> c_int {
    for signal in 1..=libc::SIGRTMAX() {
        reset(signal);
    }
    // SAFETY: plain system calls on numbers, and on texts and arrays that the parent keeps until this returns.
    unsafe {
        let moved = |(to, from): (c_int, &c_int)| libc::dup2(*from, to) == to;
        let prepared = libc::setpgid(0, 0) == 0
            && (script.cwd.is_null() || libc::chdir(script.cwd) == 0)
            && (0..).zip(&script.fds).all(moved)
            && libc::setrlimit(libc::RLIMIT_NOFILE, &raw const script.limit) == 0;
        if prepared {
            let mut nothing = MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(nothing.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, nothing.as_ptr(), ptr::null_mut());
            libc::execve(script.program, script.argv, script.env);
        }
    }
    Errno::last_raw()
}

/// Resets a signal that we handle to its default; an ignored one stays ignored, as in every other child of ours.
/// Only SIGPIPE is ignored by Rust's own choice, and std resets it for children too.
fn reset(signal: c_int) {
    // SAFETY: sigaction(2); all zeros is a valid action, which handles nothing by default (`SIG_DFL` is 0). libc
    // refuses its own signals. The dispositions are the child's own: CLONE_SIGHAND is not set.
    unsafe {
        let mut now = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        let known = libc::sigaction(signal, ptr::null(), &raw mut now) == 0;
        let kept = now.sa_sigaction == libc::SIG_IGN && signal != libc::SIGPIPE;
        if known && !kept && now.sa_sigaction != libc::SIG_DFL {
            let default = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            libc::sigaction(signal, &raw const default, ptr::null_mut());
        }
    }
}

fn text(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}

fn pair(key: &OsStr, value: &OsStr) -> io::Result<CString> {
    Ok(CString::new([key.as_bytes(), b"=", value.as_bytes()].concat())?)
}

/// Null-terminated, as execve(2) requires.
fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}
