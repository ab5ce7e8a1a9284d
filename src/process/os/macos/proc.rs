//! Processes by libproc(3) and sysctl(3). Not by the `libproc` crate: it runs bindgen, and so needs clang and an SDK
//! to build, for structures that the `libc` crate has.
#![expect(unsafe_code, reason = "libproc and sysctl fill buffers that the caller describes")]
#![expect(clippy::disallowed_methods, reason = "edge: asks libproc and sysctl")]

use std::ffi::{CStr, OsStr, OsString, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::libc;
use rustix::process::Pid;

use super::layout;
use crate::process::id::{BootId, ProcessId, Started};
use crate::process::system::ProcInfo;
use crate::process::unknown::Unknown;

/// `PROC_PIDTBSDINFO` finds zombies too if its argument is not 0 (XNU, bsd/kern/proc_info.c, proc_pidinfo).
const WITH_ZOMBIES: u64 = 1;
/// ARG_MAX of macOS: arguments and environment together (execve(2)).
const ARG_BYTES: usize = 1 << 20;

fn boot() -> &'static BootId {
    static BOOT: OnceLock<BootId> = OnceLock::new();
    BOOT.get_or_init(|| {
        let mut text = [0_u8; 64];
        let mut len = text.len();
        // SAFETY: `len` is the size of `text`, and the name ends with NUL.
        let done = unsafe {
            let old = text.as_mut_ptr().cast::<c_void>();
            libc::sysctlbyname(c"kern.bootsessionuuid".as_ptr(), old, &raw mut len, ptr::null_mut(), 0)
        };
        let text = text.get(..len).filter(|_| done == 0).unwrap_or_default();
        BootId(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
    })
}

/// Whether it has a file below this directory open. libproc reports one descriptor at a time, and no caller needs it
/// yet: working directory, program and environment must do.
pub(in crate::process) fn has_open_below(_pid: u32, _dir: &Path) -> bool {
    false
}

/// The current time on the scale of `ProcessId::started`.
pub(in crate::process) fn now() -> Started {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Started(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// One fixed-size answer of `proc_pidinfo`.
///
/// # Safety
/// `T` is the structure this flavor fills, and any bytes make a valid `T`.
unsafe fn pidinfo<T>(pid: u32, flavor: c_int, argument: u64) -> Option<T> {
    let mut answer = MaybeUninit::<T>::zeroed();
    let size = c_int::try_from(size_of::<T>()).ok()?;
    let pid = c_int::try_from(pid).ok()?;
    // SAFETY: the buffer is as long as said.
    let filled = unsafe { libc::proc_pidinfo(pid, flavor, argument, answer.as_mut_ptr().cast(), size) };
    // SAFETY: zeroed before, filled to the end now, and valid for any bytes by this function's own contract.
    (filled == size).then(|| unsafe { answer.assume_init() })
}

pub(super) fn pids() -> Vec<u32> {
    let mut pids: Vec<c_int> = vec![0; 4096];
    loop {
        let bytes = c_int::try_from(size_of_val(&pids[..])).unwrap_or(c_int::MAX);
        // SAFETY: the buffer is as long as said.
        let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), bytes) };
        let count = usize::try_from(count).unwrap_or(0);
        if count < pids.len() {
            pids.truncate(count);
            return pids.into_iter().filter_map(|pid| u32::try_from(pid).ok()).collect();
        }
        pids.resize(pids.len() * 2, 0);
    }
}

/// All processes that this user may see.
pub(in crate::process) fn all() -> Result<Vec<ProcInfo>, Unknown> {
    Ok(pids().into_iter().filter_map(look).collect())
}

/// One process. Nothing here needs a descriptor, so the result is always known.
pub(in crate::process) fn info(pid: u32) -> Result<Option<ProcInfo>, Unknown> {
    Ok(look(pid))
}

pub(super) fn look(pid: u32) -> Option<ProcInfo> {
    // SAFETY: PROC_PIDTBSDINFO fills a `proc_bsdinfo`, which is numbers only.
    let bsd: libc::proc_bsdinfo = unsafe { pidinfo(pid, libc::PROC_PIDTBSDINFO, WITH_ZOMBIES) }?;
    let session = rustix::process::getsid(i32::try_from(pid).ok().and_then(Pid::from_raw));
    let name: Vec<u8> = bsd.pbi_comm.iter().take_while(|c| **c != 0).map(|c| c.cast_unsigned()).collect();
    Some(ProcInfo {
        id: ProcessId {
            pid,
            started: Started(
                bsd.pbi_start_tvsec.saturating_mul(1_000_000).saturating_add(bsd.pbi_start_tvusec),
            ),
            boot: boot().clone(),
        },
        ppid: bsd.pbi_ppid,
        pgrp: bsd.pbi_pgid,
        session: session.map_or(0, |sid| sid.as_raw_nonzero().get().unsigned_abs()),
        uid: bsd.pbi_uid,
        zombie: bsd.pbi_status == libc::SZOMB,
        name: String::from_utf8_lossy(&name).into_owned(),
    })
}

/// Arguments and environment, of our user's processes only.
fn procargs(pid: u32) -> Option<Vec<u8>> {
    let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, c_int::try_from(pid).ok()?];
    let mut answer = vec![0_u8; ARG_BYTES];
    let mut len = answer.len();
    // SAFETY: `name` has three elements and `len` is the size of `answer`.
    let done = unsafe {
        libc::sysctl(name.as_mut_ptr(), 3, answer.as_mut_ptr().cast(), &raw mut len, ptr::null_mut(), 0)
    };
    answer.truncate(len);
    (done == 0).then_some(answer)
}

pub(in crate::process) fn command_line(pid: u32) -> Option<Vec<OsString>> {
    let answer = procargs(pid)?;
    let (words, _) = layout::procargs(&answer)?;
    (!words.is_empty()).then(|| words.into_iter().map(|word| OsStr::from_bytes(word).to_owned()).collect())
}

pub(in crate::process) fn environ(pid: u32) -> Result<Option<Vec<u8>>, Unknown> {
    Ok(procargs(pid).and_then(|answer| layout::procargs(&answer).map(|(_, environ)| environ)))
}

pub(in crate::process) fn cwd(pid: u32) -> Option<PathBuf> {
    // SAFETY: PROC_PIDVNODEPATHINFO fills a `proc_vnodepathinfo`, which is numbers and characters only.
    let paths: libc::proc_vnodepathinfo = unsafe { pidinfo(pid, libc::PROC_PIDVNODEPATHINFO, 0) }?;
    let path: Vec<u8> = paths
        .pvi_cdir
        .vip_path
        .iter()
        .flatten()
        .take_while(|c| **c != 0)
        .map(|c| c.cast_unsigned())
        .collect();
    (!path.is_empty()).then(|| OsStr::from_bytes(&path).into())
}

pub(in crate::process) fn exe(pid: u32) -> Option<PathBuf> {
    let mut path = [0_u8; 4096]; // PROC_PIDPATHINFO_MAXSIZE
    let pid = c_int::try_from(pid).ok()?;
    // SAFETY: the buffer is as long as said.
    let len = unsafe { libc::proc_pidpath(pid, path.as_mut_ptr().cast(), 4096) };
    let path = CStr::from_bytes_until_nul(&path).ok().filter(|_| len > 0)?;
    Some(OsStr::from_bytes(path.to_bytes()).into())
}

fn usage(pid: u32) -> Option<libc::rusage_info_v0> {
    const RUSAGE_INFO_V0: c_int = 0;
    let mut usage = MaybeUninit::<libc::rusage_info_v0>::zeroed();
    let pid = c_int::try_from(pid).ok()?;
    // SAFETY: flavor 0 fills a `rusage_info_v0`; the pointer's odd type is the one of the header.
    let done = unsafe { libc::proc_pid_rusage(pid, RUSAGE_INFO_V0, usage.as_mut_ptr().cast()) };
    // SAFETY: zeroed before and filled now; numbers only.
    (done == 0).then(|| unsafe { usage.assume_init() })
}

pub(in crate::process) fn resident(pid: u32) -> Option<u64> {
    usage(pid).map(|usage| usage.ri_resident_size)
}

/// Not read here: a census costs one system call.
pub(in crate::process) fn children(_pid: u32) -> Option<Vec<u32>> {
    None
}

/// None: launchd adopts orphans here, never this process.
pub(in crate::process) fn possible_orphans(_hub: u32) -> Option<Vec<u32>> {
    Some(Vec::new())
}

/// macOS has no subreaper; marks find processes that left their group.
pub(in crate::process) fn become_subreaper() -> std::io::Result<()> {
    Ok(())
}
