//! Listening sockets by libproc(3): there is no list of all of them, only each process's own descriptors.
#![expect(unsafe_code, reason = "libproc fills buffers that the caller describes")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_int;
use std::io;
use std::os::fd::BorrowedFd;

use nix::libc;

use super::layout::{SOCKET_FDINFO, Socket, listening};
use super::proc::{look, pids};
use crate::process::system::Listener;
use crate::process::unknown::Unknown;

/// `PROC_PIDFDSOCKETINFO` of <sys/proc_info.h>.
const PROC_PIDFDSOCKETINFO: c_int = 3;

fn descriptors(pid: c_int) -> Vec<libc::proc_fdinfo> {
    let item = size_of::<libc::proc_fdinfo>();
    let mut room = 256;
    loop {
        let mut fds: Vec<libc::proc_fdinfo> = Vec::with_capacity(room);
        let Ok(bytes) = c_int::try_from(room * item) else { return Vec::new() };
        // SAFETY: the buffer has room for `bytes` bytes.
        let filled =
            unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDLISTFDS, 0, fds.as_mut_ptr().cast(), bytes) };
        let count = usize::try_from(filled).unwrap_or(0) / item;
        if count < room {
            // SAFETY: the kernel has filled this many whole items.
            unsafe { fds.set_len(count) };
            return fds;
        }
        room *= 2;
    }
}

/// The listening sockets that a process has open; none if this user may not see them.
fn sockets_of(pid: u32) -> Vec<Socket> {
    let Ok(pid) = c_int::try_from(pid) else { return Vec::new() };
    let is_socket = |fd: &libc::proc_fdinfo| i64::from(fd.proc_fdtype) == i64::from(libc::PROX_FDTYPE_SOCKET);
    descriptors(pid)
        .into_iter()
        .filter(is_socket)
        .filter_map(|fd| {
            let mut answer = [0_u8; SOCKET_FDINFO];
            let size = c_int::try_from(SOCKET_FDINFO).ok()?;
            // SAFETY: the buffer is as long as said; the kernel needs no alignment of it (it copies out bytes).
            let filled = unsafe {
                libc::proc_pidfdinfo(pid, fd.proc_fd, PROC_PIDFDSOCKETINFO, answer.as_mut_ptr().cast(), size)
            };
            (filled == size).then(|| listening(&answer)).flatten()
        })
        .collect()
}

pub(in crate::process) fn listeners(port: Option<u16>) -> Result<Vec<Listener>, Unknown> {
    let mut found = BTreeMap::new();
    for pid in pids() {
        for Socket { handle, addr, port } in sockets_of(pid) {
            let uid = || look(pid).map_or(u32::MAX, |p| p.uid);
            found.entry(handle).or_insert_with(|| Listener { port, addr, inode: handle, uid: uid() });
        }
    }
    Ok(found.into_values().filter(|l| port.is_none_or(|port| l.port == port)).collect())
}

pub(in crate::process) fn holders(handles: &BTreeSet<u64>) -> Result<BTreeMap<u64, BTreeSet<u32>>, Unknown> {
    let mut held: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    for pid in pids() {
        for socket in sockets_of(pid).iter().filter(|socket| handles.contains(&socket.handle)) {
            held.entry(socket.handle).or_default().insert(pid);
        }
    }
    Ok(held)
}

pub(in crate::process) fn holds(pids: &[u32], handles: &BTreeSet<u64>) -> Result<bool, Unknown> {
    Ok(pids.iter().any(|pid| sockets_of(*pid).iter().any(|socket| handles.contains(&socket.handle))))
}

/// macOS declares `SO_ACCEPTCONN` and does not report it. Nothing there passes sockets in systemd's way either;
/// on one that does not listen the first accept(2) fails.
#[expect(clippy::unnecessary_wraps, reason = "as on Linux, where it may fail")]
pub(in crate::process) fn listens(_: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(true)
}
