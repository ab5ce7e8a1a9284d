//! Which process listens on which TCP port. Needs neither lsof nor ps, nor any other program.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::IpAddr;

use super::id::ProcessId;
use super::system::Listener;
use super::unknown::Unknown;
use super::{os, table};
use crate::module::problem::Holder;

/// Longest command line on a screen, in characters.
const COMMAND_CHARS: usize = 200;

/// The ports that are in use, on any address: on Linux in all of our network namespace, on macOS by processes
/// that this user may inspect.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn occupied() -> Result<BTreeSet<u16>, Unknown> {
    Ok(os::listeners(None)?.into_iter().map(|l| l.port).collect())
}

/// The holder of this port, and all of [`holders`], as far as this user may see them. `None`: the port is free.
///
/// Any address counts: a module may bind the wildcard, which a socket on any one address prevents. If several sockets
/// share the port, the one that a client of 127.0.0.1 would reach is named; if several processes share the socket, the
/// oldest.
///
/// # Errors
/// [`Unknown`]: the port may be free or not.
pub(crate) fn holding(port: u16) -> Result<Option<(Holder, Vec<ProcessId>)>, Unknown> {
    let sockets = sockets(port)?;
    let Some(uid) = sockets.first().map(|socket| socket.uid) else { return Ok(None) };
    // A holder may be invisible: a further socket is used only to name a process.
    let all = processes(&sockets)?;
    let oldest = all.first();
    let command = oldest.and_then(|id| table::command_line(id.pid));
    let holder = Holder {
        port,
        pid: oldest.map(|id| id.pid),
        uid: Some(uid),
        command: command.map(|argv| printable(&argv)).unwrap_or_default(),
    };
    Ok(Some((holder, all)))
}

/// All processes that have a listening socket of this port open, nearest socket and oldest process first. Workers of a
/// pre-forking server share their parent's socket: to free the port, all of them must end.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn holders(port: u16) -> Result<Vec<ProcessId>, Unknown> {
    processes(&sockets(port)?)
}

/// The listening sockets of a port, nearest first.
fn sockets(port: u16) -> Result<Vec<Listener>, Unknown> {
    let mut sockets = os::listeners(Some(port))?;
    sockets.sort_by_key(|l| distance(l.addr));
    Ok(sockets)
}

fn processes(sockets: &[Listener]) -> Result<Vec<ProcessId>, Unknown> {
    let inodes: BTreeSet<u64> = sockets.iter().map(|l| l.inode).collect();
    if inodes.is_empty() {
        return Ok(Vec::new());
    }
    let held = os::holders(&inodes)?;
    let mut found: Vec<ProcessId> = Vec::new();
    for socket in sockets {
        let mut ids = Vec::new();
        for pid in held.get(&socket.inode).into_iter().flatten() {
            ids.extend(table::identify(*pid)?);
        }
        ids.sort_by_key(|id| (id.started, id.pid));
        ids.retain(|id| !found.contains(id));
        found.append(&mut ids);
    }
    Ok(found)
}

/// Whether one of these processes holds a listening socket of this port that a client of the loopback reaches.
/// Reads only the descriptors of these processes.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn owned_by(port: u16, pids: &[u32]) -> Result<bool, Unknown> {
    let inodes = reachable(port, &os::listeners(Some(port))?);
    Ok(!inodes.is_empty() && os::holds(pids, &inodes)?)
}

/// Whether one of these processes holds a listening socket of this port, on any address.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn held_by(port: u16, pids: &[u32]) -> Result<bool, Unknown> {
    let inodes: BTreeSet<u64> = os::listeners(Some(port))?.iter().map(|l| l.inode).collect();
    Ok(!inodes.is_empty() && os::holds(pids, &inodes)?)
}

/// The addresses of this port, if it is in use and no client of the loopback reaches them.
///
/// # Errors
/// [`Unknown`].
pub(crate) fn elsewhere(port: u16) -> Result<Vec<IpAddr>, Unknown> {
    Ok(unreachable(port, &os::listeners(Some(port))?))
}

fn unreachable(port: u16, listeners: &[Listener]) -> Vec<IpAddr> {
    if !reachable(port, listeners).is_empty() {
        return Vec::new();
    }
    let all: BTreeSet<IpAddr> = listeners.iter().filter(|l| l.port == port).map(|l| l.addr).collect();
    all.into_iter().collect()
}

/// The sockets of this port that a client of the loopback may reach.
fn reachable(port: u16, listeners: &[Listener]) -> BTreeSet<u64> {
    listeners.iter().filter(|l| l.port == port && distance(l.addr) < ELSEWHERE).map(|l| l.inode).collect()
}

/// An address that no client of the loopback reaches.
const ELSEWHERE: u8 = 4;

/// How near a listener is to a client that connects to 127.0.0.1: the kernel prefers the exact address, and a `::`
/// listener takes IPv4 too unless IPV6_V6ONLY is set (ipv6(7)).
fn distance(addr: IpAddr) -> u8 {
    match addr.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() => 0,
        IpAddr::V4(v4) if v4.is_unspecified() => 1,
        IpAddr::V6(v6) if v6.is_unspecified() => 2,
        IpAddr::V6(v6) if v6.is_loopback() => 3,
        IpAddr::V4(_) | IpAddr::V6(_) => ELSEWHERE,
    }
}

/// Arguments joined by a blank, cut, and safe to print: a process chooses its own name, and no control character or
/// bidirectional override in it may reach the terminal.
#[must_use]
pub(crate) fn printable(argv: &[OsString]) -> String {
    let joined = argv.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = joined.chars().map(|c| if hidden(c) { char::REPLACEMENT_CHARACTER } else { c });
    let mut text: String = shown.by_ref().take(COMMAND_CHARS).collect();
    if shown.next().is_some() {
        text.pop();
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn nearest_address_first() {
        let order = ["127.0.0.1", "0.0.0.0", "::", "::1", "192.168.1.5"];
        let distances: Vec<u8> = order.iter().map(|a| distance(a.parse().unwrap())).collect();
        assert_eq!(distances, [0, 1, 2, 3, 4]);
        assert_eq!(distance("::ffff:127.0.0.1".parse().unwrap()), 0);
        assert_eq!(distance("fe80::1".parse().unwrap()), ELSEWHERE);
        let listener = |(inode, addr): (u64, &&str)| {
            let port = if inode == 1 { 2 } else { 1 };
            Listener { port, addr: addr.parse().unwrap(), inode, uid: 0 }
        };
        let all: Vec<Listener> = (0..).zip(&order).map(listener).collect();
        assert_eq!(reachable(1, &all), BTreeSet::from([0, 2, 3]));
        assert_eq!(unreachable(1, &all), [] as [IpAddr; 0]);
        let (near, far): (Vec<_>, Vec<_>) = all.into_iter().partition(|l| distance(l.addr) < ELSEWHERE);
        assert_eq!(unreachable(1, &far), ["192.168.1.5".parse::<IpAddr>().unwrap()]);
        assert_eq!((unreachable(2, &far), unreachable(2, &near)), (Vec::new(), Vec::new()));
    }

    #[test]
    fn command_lines_are_cut_and_made_printable() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(printable(&words(&["node", "a b", "\u{1b}[2J\n"])), "node a b \u{fffd}[2J\u{fffd}");
        assert_eq!(printable(&words(&["x\u{202e}gpj"])), "x\u{fffd}gpj");
        let long = printable(&words(&["ä".repeat(201).as_str()]));
        assert_eq!(long.chars().count(), COMMAND_CHARS);
        assert!(long.ends_with('…'));
        assert_eq!(printable(&words(&["ä".repeat(200).as_str()])), "ä".repeat(200));
    }

    #[test]
    fn our_own_listener_is_found_and_named() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let (holder, all) = holding(port).unwrap().unwrap();
        assert_eq!(holder.pid, Some(table::own_pid()));
        assert_eq!(holder.uid, Some(table::own_uid()));
        assert!(holder.command.contains("parachute"), "{holder:?}");
        assert_eq!(all.first(), table::identify(table::own_pid()).unwrap().as_ref());
        assert_eq!(holders(port).unwrap(), all);
        assert_eq!(owned_by(port, &[1, table::own_pid()]), Ok(true));
        assert_eq!(owned_by(port, &[]), Ok(false));
        assert!(occupied().unwrap().contains(&port));
    }

    #[test]
    fn a_free_port_has_no_holder() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // Another test may have taken it meanwhile; then it is in use.
        assert!(holding(port).unwrap().is_none() || occupied().unwrap().contains(&port));
        assert_eq!(holders(0), Ok(Vec::new()));
    }
}
