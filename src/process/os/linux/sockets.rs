//! Which sockets listen, and which processes have them open.
#![expect(clippy::disallowed_methods, reason = "edge: reads /proc/net where netlink is refused")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::BorrowedFd;

use super::{netlink, proc, tcp_table};
use crate::process::ports::Listener;

/// Every listening TCP socket of our network namespace, whoever owns it.
pub(in crate::process) fn listeners() -> Vec<Listener> {
    netlink::listeners().unwrap_or_else(|netlink::Refused| from_proc())
}

/// The same from /proc/net. A missing tcp6 means IPv6 is off.
fn from_proc() -> Vec<Listener> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| std::fs::read(path).ok())
        .flat_map(|table| tcp_table::parse(&table))
        .collect()
}

/// The pids that have each of these sockets open, as far as this user may look.
pub(in crate::process) fn holders(inodes: &BTreeSet<u64>) -> BTreeMap<u64, BTreeSet<u32>> {
    let mut held: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    for pid in proc::pids() {
        proc::sockets_of(pid, |inode| {
            if inodes.contains(&inode) {
                held.entry(inode).or_default().insert(pid);
            }
            true
        });
    }
    held
}

/// Whether one of these processes has one of these sockets open.
pub(in crate::process) fn holds(pids: &[u32], inodes: &BTreeSet<u64>) -> bool {
    pids.iter().any(|pid| {
        let mut found = false;
        proc::sockets_of(*pid, |inode| {
            found = inodes.contains(&inode);
            !found
        });
        found
    })
}

/// Whether listen(2) was called on it: `SO_ACCEPTCONN` of socket(7).
pub(in crate::process) fn listens(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_acceptconn(fd)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netlink_and_proc_agree_about_our_own_sockets() {
        let v4 = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let wild = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let mut ours = vec![v4.local_addr().unwrap(), wild.local_addr().unwrap()];
        let v6 = std::net::TcpListener::bind("[::1]:0").ok(); // no IPv6 in some containers
        ours.extend(v6.as_ref().map(|l| l.local_addr().unwrap()));
        for found in [netlink::listeners().unwrap_or_else(|_| from_proc()), from_proc()] {
            for addr in &ours {
                let hit = found.iter().find(|l| l.port == addr.port() && l.addr == addr.ip());
                let inode = hit.unwrap_or_else(|| panic!("{addr} is missing in {found:?}")).inode;
                assert!(holds(&[std::process::id()], &BTreeSet::from([inode])), "{addr}");
            }
        }
    }
}
