//! Starts a child in its cgroup and with its descriptor limit, without copying the hub.
//!
//! As in posix_spawn(3) the child runs on a stack of its own in our memory, while the thread that started it sleeps
//! until the child has executed its program (`CLONE_VM | CLONE_VFORK`, clone(2)). posix_spawn(3) itself knows neither
//! limits nor cgroups, and a fork(2) copies the page tables of the hub: for a thousand modules that was more than half
//! of their boot time.
//!
//! clone3(2) puts the child into its cgroup before it runs, resets the signal handlers and gives a pidfd. Where the
//! kernel or a seccomp filter does not allow it, clone(2) is used, and the child does these itself.
#![expect(unsafe_code, reason = "a child that shares our memory until it executes must be vouched for")]

use std::ffi::{CString, OsStr, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::fs::{Mode, OFlags};
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
    /// Null: the hub's own.
    limit: *const libc::rlimit,
    /// The directory of its cgroup, if the child has to enter it by itself; else -1.
    enter: c_int,
    /// Whether the handlers of the hub were reset when it was made.
    has_no_handlers: bool,
    /// errno of the call that failed; zero if it executes.
    failed: c_int,
}

/// Starts the child. The program is not searched for: it is a path.
pub(in crate::process) fn spawn(order: &Order<'_>) -> io::Result<Born> {
    let program = text(order.program.as_os_str())?;
    let argv = order.argv.iter().map(|word| text(word)).collect::<io::Result<Vec<_>>>()?;
    let env = order.env.iter().map(|(key, value)| pair(key, value)).collect::<io::Result<Vec<_>>>()?;
    let cwd = order.cwd.map(|cwd| text(cwd.as_os_str())).transpose()?;
    let (argv_pointers, env_pointers) = (pointers(&argv), pointers(&env));
    let limit = order.limit.map(raw);
    let stdin = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut script = Script {
        program: program.as_ptr(),
        argv: argv_pointers.as_ptr(),
        env: env_pointers.as_ptr(),
        cwd: cwd.as_ref().map_or(ptr::null(), |cwd| cwd.as_ptr()),
        fds: [stdin.as_fd(), order.stdout, order.stderr].map(|fd| fd.as_raw_fd()),
        limit: limit.as_ref().map_or(ptr::null(), ptr::from_ref),
        enter: -1,
        has_no_handlers: false,
        failed: 0,
    };
    let (pid, pidfd) = begin(&mut script, order.cgroup)?;
    if script.failed != 0 {
        // It has exited without executing a program, and we have to reap it.
        posix::wait_for(pid);
        return Err(io::Error::from_raw_os_error(script.failed));
    }
    Ok(Born { pid: pid.as_raw_nonzero().get().unsigned_abs(), pidfd })
}

/// `None` is "no limit".
fn raw(limit: Rlimit) -> libc::rlimit {
    let raw = |value: Option<u64>| value.unwrap_or(libc::RLIM_INFINITY);
    libc::rlimit { rlim_cur: raw(limit.current), rlim_max: raw(limit.maximum) }
}

/// Returns when the child has executed its program, or has failed to.
fn begin(script: &mut Script, cgroup: Option<BorrowedFd<'_>>) -> io::Result<(Pid, Option<OwnedFd>)> {
    let mut stack = vec![MaybeUninit::<u128>::uninit(); STACK / size_of::<u128>()];
    // A handler of ours that ran in the child would change our memory: a stop meant for the child would stop the hub.
    let ours = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let born = match clone3::begin(script, &mut stack, cgroup) {
        Some(born) => born,
        None => {
            script.has_no_handlers = false;
            script.enter = cgroup.map_or(-1, |cgroup| cgroup.as_raw_fd());
            begin_by_clone(script, &mut stack).map(|pid| (pid, None))
        }
    };
    ours.thread_set_mask()?;
    born
}

fn begin_by_clone(script: &mut Script, stack: &mut [MaybeUninit<u128>]) -> io::Result<Pid> {
    // SAFETY: clone(2). The stack grows down from its end, which is aligned for any value, and it and the script
    // outlive the child's use of them: with CLONE_VFORK this thread sleeps until the child has executed or ended.
    let pid = unsafe {
        let top = stack.as_mut_ptr_range().end.cast::<c_void>();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        libc::clone(child, top, flags, ptr::from_mut(script).cast::<c_void>())
    };
    let refused = io::Error::last_os_error();
    // `from_raw` takes no negative number.
    (pid > 0).then(|| Pid::from_raw(pid)).flatten().ok_or(refused)
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
    if script.has_no_handlers {
        reset(libc::SIGPIPE);
    } else {
        for signal in 1..=libc::SIGRTMAX() {
            reset(signal);
        }
    }
    // SAFETY: plain system calls on numbers, and on texts and arrays that the parent keeps until this returns.
    unsafe {
        let moved = |(to, from): (c_int, &c_int)| libc::dup2(*from, to) == to;
        let prepared = libc::setpgid(0, 0) == 0
            && (script.enter < 0 || enter(script.enter))
            && (script.cwd.is_null() || libc::chdir(script.cwd) == 0)
            && (0..).zip(&script.fds).all(moved)
            && (script.limit.is_null() || libc::setrlimit(libc::RLIMIT_NOFILE, script.limit) == 0);
        if prepared {
            let mut nothing = MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(nothing.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, nothing.as_ptr(), ptr::null_mut());
            libc::execve(script.program, script.argv, script.env);
        }
    }
    Errno::last_raw()
}

/// Moves this process into a cgroup: 0 stands for the writer (cgroups(7)).
fn enter(cgroup: c_int) -> bool {
    // SAFETY: plain system calls on a descriptor that the parent keeps open, and on constants.
    unsafe {
        let procs = libc::openat(cgroup, c"cgroup.procs".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        procs >= 0 && libc::write(procs, c"0".as_ptr().cast(), 1) == 1
    }
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

/// clone3(2), which no C library wraps: after the call two processes go on, and the child has to leave the function
/// that made it at once, on its own stack. Hence the few lines of assembly.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod clone3 {
    use super::{
        AsRawFd, AtomicBool, BorrowedFd, FromRawFd, MaybeUninit, Ordering, OwnedFd, Pid, Script, c_int,
        c_void, child, io, libc, ptr,
    };

    /// `struct clone_args` of linux/sched.h, up to the member that Linux 5.7 added.
    #[repr(C, align(8))]
    struct Arguments {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }

    /// linux/sched.h.
    const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
    const INTO_CGROUP: u64 = 0x2_0000_0000;

    /// It was refused once: by the kernel, by its age, or by a seccomp filter.
    static REFUSED: AtomicBool = AtomicBool::new(false);

    /// `None`: not possible here, and nothing was started.
    pub(super) fn begin(
        script: &mut Script,
        stack: &mut [MaybeUninit<u128>],
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Option<io::Result<(Pid, Option<OwnedFd>)>> {
        if REFUSED.load(Ordering::Relaxed) {
            return None;
        }
        script.has_no_handlers = true;
        let mut pidfd: c_int = -1;
        let flags = (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD).unsigned_abs();
        let into = cgroup.map_or(0, |_| INTO_CGROUP);
        let arguments = Arguments {
            flags: u64::from(flags) | CLEAR_SIGHAND | into,
            pidfd: address(&raw mut pidfd),
            child_tid: 0,
            parent_tid: 0,
            exit_signal: u64::from(libc::SIGCHLD.unsigned_abs()),
            stack: address(stack.as_mut_ptr()),
            stack_size: size_of_val(stack) as u64,
            tls: 0,
            set_tid: 0,
            set_tid_size: 0,
            cgroup: cgroup.map_or(0, |cgroup| u64::from(cgroup.as_raw_fd().unsigned_abs())),
        };
        // SAFETY: the child runs `child` on its own stack, with the script as its argument, and exits when that returns;
        // with CLONE_VFORK this thread sleeps until the child has executed or ended, so stack, script and arguments
        // outlive its use of them. The stack is aligned to 16 bytes at both ends, as both calling conventions want.
        let answer = unsafe { call(&raw const arguments, ptr::from_mut(script).cast()) };
        // `from_raw` takes no negative number.
        match i32::try_from(answer).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw) {
            Some(pid) => {
                // SAFETY: the kernel has just made this descriptor for us, and nothing else knows it.
                let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
                Some(Ok((pid, pidfd)))
            }
            None => {
                let errno = i32::try_from(-answer).unwrap_or(libc::EIO);
                if matches!(errno, libc::ENOSYS | libc::EPERM | libc::EINVAL | libc::E2BIG) {
                    REFUSED.store(true, Ordering::Relaxed);
                    return None;
                }
                Some(Err(io::Error::from_raw_os_error(errno)))
            }
        }
    }

    fn address<T>(pointer: *mut T) -> u64 {
        pointer.addr() as u64
    }

    /// The system call. Returns the child's pid, or a negative errno. In the child it does not return.
    #[cfg(target_arch = "x86_64")]
    unsafe fn call(arguments: *const Arguments, script: *mut c_void) -> isize {
        let answer: isize;
        // SAFETY: vouched for by the caller. Registers but rax, rcx and r11 are as before in both processes: syscall(2).
        unsafe {
            core::arch::asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "xor ebp, ebp",
                "mov rdi, r12",
                "call r13",
                "mov edi, eax",
                "mov eax, {exit}",
                "syscall",
                "ud2",
                "2:",
                exit = const libc::SYS_exit_group,
                inlateout("rax") libc::SYS_clone3 as isize => answer,
                in("rdi") arguments,
                in("rsi") size_of::<Arguments>(),
                in("r12") script,
                in("r13") child as extern "C" fn(*mut c_void) -> c_int,
                lateout("rcx") _,
                lateout("r11") _,
            );
        }
        answer
    }

    /// The same.
    #[cfg(target_arch = "aarch64")]
    unsafe fn call(arguments: *const Arguments, script: *mut c_void) -> isize {
        let answer: isize;
        // SAFETY: vouched for by the caller. All registers but x0 are as before in both processes: syscall(2).
        unsafe {
            core::arch::asm!(
                "svc 0",
                "cbnz x0, 2f",
                "mov x29, xzr",
                "mov x0, x20",
                "blr x21",
                "mov x8, {exit}",
                "svc 0",
                "brk 1",
                "2:",
                exit = const libc::SYS_exit_group,
                in("x8") libc::SYS_clone3,
                inlateout("x0") arguments => answer,
                in("x1") size_of::<Arguments>(),
                in("x20") script,
                in("x21") child as extern "C" fn(*mut c_void) -> c_int,
            );
        }
        answer
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_arguments_have_the_size_of_linux_5_7() {
            assert_eq!(size_of::<Arguments>(), 88); // CLONE_ARGS_SIZE_VER2
        }
    }
}

/// Other processors use clone(2).
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod clone3 {
    use super::{BorrowedFd, MaybeUninit, OwnedFd, Pid, Script, io};

    pub(super) fn begin(
        _script: &mut Script,
        _stack: &mut [MaybeUninit<u128>],
        _cgroup: Option<BorrowedFd<'_>>,
    ) -> Option<io::Result<(Pid, Option<OwnedFd>)>> {
        None
    }
}
