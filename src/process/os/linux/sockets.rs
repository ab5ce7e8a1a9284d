//! Which sockets listen, and which processes have them open.
#![expect(clippy::disallowed_methods, reason = "edge: reads /proc/net where netlink is refused")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;

use super::{netlink, proc, tcp_table};
use crate::process::system::Listener;
use crate::process::unknown::Unknown;

/// The listening TCP sockets of our network namespace, of all users: all, or those of one port.
pub(in crate::process) fn listeners(port: Option<u16>) -> Result<Vec<Listener>, Unknown> {
    netlink::listeners(port).or_else(|netlink::Refused| from_proc(port))
}

/// The same from /proc/net. A missing tcp6 means IPv6 is off.
fn from_proc(port: Option<u16>) -> Result<Vec<Listener>, Unknown> {
    let mut found = Vec::new();
    for (path, may_lack) in [("/proc/net/tcp", false), ("/proc/net/tcp6", true)] {
        match std::fs::read(path) {
            Ok(table) => found.extend(tcp_table::parse(&table)),
            Err(error) if may_lack && error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Unknown { errno: error.raw_os_error().unwrap_or_default() }),
        }
    }
    found.retain(|listener| port.is_none_or(|port| listener.port == port));
    Ok(found)
}

/// The pids that have each of these sockets open, as far as this user may see.
pub(in crate::process) fn holders(inodes: &BTreeSet<u64>) -> Result<BTreeMap<u64, BTreeSet<u32>>, Unknown> {
    let mut held: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    for pid in proc::pids()? {
        proc::sockets_of(pid, |inode| {
            if inodes.contains(&inode) {
                held.entry(inode).or_default().insert(pid);
            }
            true
        })?;
    }
    Ok(held)
}

/// Whether one of these processes has one of these sockets open.
pub(in crate::process) fn holds(pids: &[u32], inodes: &BTreeSet<u64>) -> Result<bool, Unknown> {
    for pid in pids {
        let mut found = false;
        proc::sockets_of(*pid, |inode| {
            found = inodes.contains(&inode);
            !found
        })?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
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
        for found in [listeners(None).unwrap(), from_proc(None).unwrap()] {
            for addr in &ours {
                let hit = found.iter().find(|l| l.port == addr.port() && l.addr == addr.ip());
                let inode = hit.unwrap_or_else(|| panic!("{addr} is missing in {found:?}")).inode;
                assert_eq!(holds(&[std::process::id()], &BTreeSet::from([inode])), Ok(true), "{addr}");
            }
        }
        for addr in &ours {
            let port = Some(addr.port());
            let (all, one) = (netlink::listeners(None), netlink::listeners(port));
            assert_eq!(all.is_ok(), one.is_ok(), "the kernel refuses the filter");
            for found in [listeners(port).unwrap(), from_proc(port).unwrap()] {
                assert!(found.iter().any(|l| l.addr == addr.ip()), "{addr} is missing in {found:?}");
                assert!(found.iter().all(|l| l.port == addr.port()), "{found:?}");
            }
        }
    }
}
