//! The two kernel structures of macOS that no crate decodes. Pure, so they are tested on every system.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Splits the answer of `sysctl(KERN_PROCARGS2)` into arguments and the environment block.
///
/// `argc` (a native `int`), the path that was executed, NUL padding, `argc` arguments, the environment; each text ends
/// with NUL, and an empty one ends the environment (XNU, bsd/kern/kern_sysctl.c, sysctl_procargsx).
pub(super) fn procargs(answer: &[u8]) -> Option<(Vec<&[u8]>, Vec<u8>)> {
    let argc = i32::from_ne_bytes(answer.get(..4)?.try_into().ok()?);
    let mut rest = answer.get(4..)?;
    rest = &rest[rest.iter().position(|b| *b == 0)?..];
    rest = &rest[rest.iter().position(|b| *b != 0).unwrap_or(rest.len())..];
    let mut words = rest.split(|b| *b == 0);
    let arguments: Vec<&[u8]> = words.by_ref().take(usize::try_from(argc).ok()?).collect();
    let mut environ = Vec::new();
    for entry in words.take_while(|entry| !entry.is_empty()) {
        environ.extend_from_slice(entry);
        environ.push(0);
    }
    Some((arguments, environ))
}

/// `sizeof(struct socket_fdinfo)` of <sys/proc_info.h>.
pub(super) const SOCKET_FDINFO: usize = 792;

/// A listening socket in a `struct socket_fdinfo`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) handle: u64,
    pub(super) addr: IpAddr,
    pub(super) port: u16,
}

// Offsets in `struct socket_fdinfo`: proc_fileinfo 24, then socket_info: vinfo_stat 136, soi_so and soi_pcb 8 each,
// … soi_kind at 232, soi_proto at 240. In tcp_sockinfo: in_sockinfo 80, then tcpsi_state.
const SOI_SO: usize = 24 + 136;
const SOI_KIND: usize = 24 + 232;
const TCP: usize = 24 + 240;
const INSI_LPORT: usize = TCP + 4;
const INSI_VFLAG: usize = TCP + 24;
const INSI_LADDR: usize = TCP + 48;
const TCPSI_STATE: usize = TCP + 80;
const SOCKINFO_TCP: i32 = 2;
const TSI_S_LISTEN: i32 = 1;
const INI_IPV4: u8 = 1;

/// `None` for anything but a listening TCP socket.
pub(super) fn listening(info: &[u8]) -> Option<Socket> {
    let int = |at: usize| Some(i32::from_ne_bytes(info.get(at..at + 4)?.try_into().ok()?));
    if int(SOI_KIND)? != SOCKINFO_TCP || int(TCPSI_STATE)? != TSI_S_LISTEN {
        return None;
    }
    let address: [u8; 16] = info.get(INSI_LADDR..INSI_LADDR + 16)?.try_into().ok()?;
    // An IPv4 address stands in the last four bytes (struct in4in6_addr); a `::` socket that takes both has both flags
    // and zeros everywhere.
    let addr = if info.get(INSI_VFLAG)? == &INI_IPV4 {
        IpAddr::V4(Ipv4Addr::new(address[12], address[13], address[14], address[15]))
    } else {
        IpAddr::V6(Ipv6Addr::from(address))
    };
    Some(Socket {
        handle: u64::from_ne_bytes(info.get(SOI_SO..SOI_SO + 8)?.try_into().ok()?),
        addr,
        // An int that holds 16 bits in network order, in its first two bytes on macOS's little-endian machines.
        port: u16::from_be_bytes(info.get(INSI_LPORT..INSI_LPORT + 2)?.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn arguments_and_environment() {
        let mut answer = 2_i32.to_ne_bytes().to_vec();
        answer.extend(b"/usr/bin/node\0\0\0\0node\0\0PATH=/bin\0A=\0\0executable_path=x\0");
        let (arguments, environ) = procargs(&answer).unwrap();
        assert_eq!(arguments, [&b"node"[..], b""]);
        assert_eq!(environ, b"PATH=/bin\0A=\0");
        assert_eq!(procargs(b"\0\0"), None);
    }

    #[test]
    fn a_listener_and_nothing_else() {
        let mut info = vec![0; SOCKET_FDINFO];
        info[SOI_SO..SOI_SO + 8].copy_from_slice(&77_u64.to_ne_bytes());
        info[SOI_KIND..SOI_KIND + 4].copy_from_slice(&SOCKINFO_TCP.to_ne_bytes());
        info[INSI_LPORT..INSI_LPORT + 2].copy_from_slice(&1940_u16.to_be_bytes());
        info[INSI_VFLAG] = INI_IPV4;
        info[INSI_LADDR + 12..INSI_LADDR + 16].copy_from_slice(&[127, 0, 0, 1]);
        assert_eq!(listening(&info), None, "closed");
        info[TCPSI_STATE..TCPSI_STATE + 4].copy_from_slice(&TSI_S_LISTEN.to_ne_bytes());
        let expected = Socket { handle: 77, addr: Ipv4Addr::LOCALHOST.into(), port: 1940 };
        assert_eq!(listening(&info), Some(expected));
        assert_eq!(listening(&info[..300]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>) {
            let _ = procargs(&bytes);
            let _ = listening(&bytes);
        }
    }
}
