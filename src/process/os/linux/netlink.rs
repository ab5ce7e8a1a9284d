//! Asks the kernel for its listening TCP sockets over NETLINK_SOCK_DIAG (sock_diag(7)).
//!
//! Not by /proc/net/tcp: that file lists every connection, not only listeners, and costs milliseconds a read;
//! a dump filtered by state costs tens of microseconds. A question about one port lets the kernel filter by that, too:
//! otherwise each of a thousand modules that ask about their port would read a thousand listeners.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use crate::process::system::Listener;

// linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h; the layout is kernel ABI in native byte order.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const TCP_LISTEN: u32 = 10;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_BC_NOP: u8 = 0;
const INET_DIAG_BC_S_GE: u8 = 2;
const INET_DIAG_BC_S_LE: u8 = 3;

const HEADER: usize = 16;
/// `struct inet_diag_req_v2`: family, protocol, ext, pad, states, and an `inet_diag_sockid` of 48 bytes.
const REQUEST: usize = HEADER + 8 + 48;
/// `struct nlattr` and four `struct inet_diag_bc_op`.
const FILTER: usize = 4 + 4 * 4;
/// `struct inet_diag_msg`: state and timers 4, sockid 48, expires, rqueue, wqueue, uid, inode.
const MESSAGE: usize = 4 + 48 + 5 * 4;
/// The kernel fills at most 32 KiB at a time (netlink_dump in net/netlink/af_netlink.c).
const BUFFER: usize = 32 * 1024;

/// Why a dump cannot be used; the caller reads /proc/net instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// The listening TCP sockets of our network namespace: all, or those of one port.
pub(super) fn listeners(port: Option<u16>) -> Result<Vec<Listener>, Refused> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )
    .map_err(|_| Refused)?;
    let mut found = Vec::new();
    let mut buffer = vec![0; BUFFER];
    for (seq, family) in [(1, AF_INET), (2, AF_INET6)] {
        // Unconnected and unaddressed, a netlink message goes to the kernel: netlink(7), "nl_pid".
        rustix::net::send(&socket, &request(family, seq, port), SendFlags::empty()).map_err(|_| Refused)?;
        loop {
            // The reply is queued before `send` returns, and the next part as soon as one is read: never wait.
            let (len, whole) =
                rustix::net::recv(&socket, &mut buffer[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC)
                    .map_err(|_| Refused)?;
            if whole > BUFFER || len == 0 {
                return Err(Refused);
            }
            if let Part::Last = parse(&buffer[..len], seq, &mut found)? {
                break;
            }
        }
    }
    Ok(found)
}

fn request(family: u8, seq: u32, port: Option<u16>) -> Vec<u8> {
    let mut message = vec![0; REQUEST];
    message.extend(port.map(filter).into_iter().flatten());
    let length = message.len() as u32;
    message[0..4].copy_from_slice(&length.to_ne_bytes());
    message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    message[8..12].copy_from_slice(&seq.to_ne_bytes());
    message[HEADER] = family;
    message[HEADER + 1] = IPPROTO_TCP;
    message[HEADER + 4..HEADER + 8].copy_from_slice(&(1_u32 << TCP_LISTEN).to_ne_bytes());
    message
}

/// `sport >= port && sport <= port`, as ss(8) writes it: the operator for equality is newer than these two.
///
/// An operator (code, where to continue if it holds, where if not, both in bytes from itself) is followed by its
/// operand. The end of the program accepts; four bytes past it rejects (inet_diag_bc_run in net/ipv4/inet_diag.c).
fn filter(port: u16) -> [u8; FILTER] {
    let mut bytes = [0; FILTER];
    let operator = |code: u8, yes: u8, no: u16| {
        let [low, high] = no.to_ne_bytes();
        [code, yes, low, high]
    };
    bytes[0..2].copy_from_slice(&(FILTER as u16).to_ne_bytes());
    bytes[2..4].copy_from_slice(&INET_DIAG_REQ_BYTECODE.to_ne_bytes());
    bytes[4..8].copy_from_slice(&operator(INET_DIAG_BC_S_GE, 8, 16 + 4));
    bytes[8..12].copy_from_slice(&operator(INET_DIAG_BC_NOP, 0, port));
    bytes[12..16].copy_from_slice(&operator(INET_DIAG_BC_S_LE, 8, 8 + 4));
    bytes[16..20].copy_from_slice(&operator(INET_DIAG_BC_NOP, 0, port));
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    More,
    Last,
}

/// Reads one datagram of the dump `seq`. Pure.
fn parse(mut datagram: &[u8], seq: u32, found: &mut Vec<Listener>) -> Result<Part, Refused> {
    while datagram.len() >= HEADER {
        let length = u32_at(datagram, 0).and_then(|n| usize::try_from(n).ok()).ok_or(Refused)?;
        let message = datagram.get(..length).filter(|m| m.len() >= HEADER).ok_or(Refused)?;
        match (u16_at(message, 4).ok_or(Refused)?, u32_at(message, 8)) {
            (_, number) if number != Some(seq) => {} // the tail of an earlier dump
            (NLMSG_DONE, _) => return Ok(Part::Last),
            (NLMSG_ERROR, _) => return Err(Refused),
            (SOCK_DIAG_BY_FAMILY, _) => found.extend(listener(&message[HEADER..]).ok_or(Refused)?),
            _ => {}
        }
        // NLMSG_ALIGN: messages start at multiples of 4.
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(Part::More)
}

/// One `inet_diag_msg`. `Some(None)`: a socket that is not listening or of an unknown family.
fn listener(body: &[u8]) -> Option<Option<Listener>> {
    let body = body.get(..MESSAGE)?;
    let (family, state) = (body[0], body[1]);
    if u32::from(state) != TCP_LISTEN {
        return Some(None);
    }
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    let source: [u8; 16] = body.get(8..24)?.try_into().ok()?;
    let addr = match family {
        AF_INET => IpAddr::V4(Ipv4Addr::new(source[0], source[1], source[2], source[3])),
        AF_INET6 => IpAddr::V6(Ipv6Addr::from(source)),
        _ => return Some(None),
    };
    Some(Some(Listener { port, addr, uid: u32_at(body, 64)?, inode: u32_at(body, 68)?.into() }))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, seq: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(HEADER + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(2_u16.to_ne_bytes());
        bytes.extend(seq.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(body);
        bytes
    }

    fn body(family: u8, state: u8, port: u16, source: &[u8], uid: u32, inode: u32) -> Vec<u8> {
        let mut bytes = vec![0; MESSAGE];
        bytes[0] = family;
        bytes[1] = state;
        bytes[4..6].copy_from_slice(&port.to_be_bytes());
        bytes[8..8 + source.len()].copy_from_slice(source);
        bytes[64..68].copy_from_slice(&uid.to_ne_bytes());
        bytes[68..72].copy_from_slice(&inode.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_dump_in_two_datagrams() {
        let mut found = Vec::new();
        let mut first = message(SOCK_DIAG_BY_FAMILY, 7, &body(AF_INET, 10, 1940, &[127, 0, 0, 1], 1000, 55));
        first.extend(message(SOCK_DIAG_BY_FAMILY, 6, &body(AF_INET, 10, 1, &[], 0, 1))); // another dump
        first.extend(message(SOCK_DIAG_BY_FAMILY, 7, &body(AF_INET, 1, 2, &[], 0, 2))); // established
        assert_eq!(parse(&first, 7, &mut found), Ok(Part::More));
        let mut second = message(SOCK_DIAG_BY_FAMILY, 7, &body(AF_INET6, 10, 8080, &[0; 16], 0, 56));
        second.extend(message(NLMSG_DONE, 7, &[0; 4]));
        assert_eq!(parse(&second, 7, &mut found), Ok(Part::Last));
        let expected = [
            Listener { port: 1940, addr: Ipv4Addr::LOCALHOST.into(), inode: 55, uid: 1000 },
            Listener { port: 8080, addr: Ipv6Addr::UNSPECIFIED.into(), inode: 56, uid: 0 },
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn broken_dumps_are_refused() {
        let error = message(NLMSG_ERROR, 7, &[0xfe, 0xff, 0xff, 0xff]);
        assert_eq!(parse(&error, 7, &mut Vec::new()), Err(Refused));
        let short = message(SOCK_DIAG_BY_FAMILY, 7, &[0; MESSAGE - 1]);
        assert_eq!(parse(&short, 7, &mut Vec::new()), Err(Refused));
        let mut beyond = message(SOCK_DIAG_BY_FAMILY, 7, &[0; MESSAGE]);
        beyond.truncate(40);
        assert_eq!(parse(&beyond, 7, &mut Vec::new()), Err(Refused));
        assert_eq!(parse(&[0; HEADER], 0, &mut Vec::new()), Err(Refused), "length 0 would loop forever");
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>, seq: u32) {
            let _ = parse(&bytes, seq, &mut Vec::new());
        }
    }
}
