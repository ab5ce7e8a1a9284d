//! The text of /proc/net/tcp and /proc/net/tcp6 (proc_pid_net(5)). Pure. Used where netlink is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::stat::number;
use crate::process::system::Listener;

/// State column of a listening socket, `TCP_LISTEN` in hex.
const LISTEN: &[u8] = b"0A";

/// Listening sockets of one table. Lines that cannot be parsed are skipped, as is the header.
pub(super) fn parse(table: &[u8]) -> Vec<Listener> {
    table.split(|b| *b == b'\n').filter_map(line).collect()
}

/// ```text
/// sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt   uid  timeout inode
///  0: 0100007F:0794 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 55 …
/// ```
fn line(line: &[u8]) -> Option<Listener> {
    let mut columns = line.split(|b| *b == b' ').filter(|c| !c.is_empty()).skip(1);
    let local = columns.next()?;
    if columns.nth(1)? != LISTEN {
        return None;
    }
    let uid = number(columns.nth(3)?)?;
    let inode = number(columns.nth(1)?)?;
    let colon = memchr::memchr(b':', local)?;
    let port = u16::try_from(hex(local.get(colon + 1..)?)?).ok()?;
    Some(Listener { port, addr: address(&local[..colon])?, inode, uid })
}

/// 8 or 32 hex digits: words of 32 bits, each printed as a number in the machine's byte order.
fn address(text: &[u8]) -> Option<IpAddr> {
    let mut words = text.chunks(8).map(|word| hex(word).map(u32::to_ne_bytes));
    match text.len() {
        8 => Some(Ipv4Addr::from(words.next()??).into()),
        32 => {
            let mut bytes = [0; 16];
            for (target, word) in bytes.chunks_mut(4).zip(words) {
                target.copy_from_slice(&word?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

fn hex(text: &[u8]) -> Option<u32> {
    let digits = text.iter().all(u8::is_ascii_hexdigit) && !text.is_empty();
    u32::from_str_radix(std::str::from_utf8(text).ok().filter(|_| digits)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn both_families() {
        let v4 = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:0794 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 55 1 0 100\n\
            \x20  1: 0100007F:0795 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 56 1 0 100\n";
        let expected = Listener { port: 1940, addr: Ipv4Addr::LOCALHOST.into(), inode: 55, uid: 1000 };
        assert_eq!(parse(v4), [expected]);
        let v6 = b"   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A \
            00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0 0 10 0\n";
        let expected = Listener { port: 8080, addr: Ipv6Addr::LOCALHOST.into(), inode: 77, uid: 0 };
        assert_eq!(parse(v6), [expected]);
        assert_eq!(parse(b" 0: 0100007F 0:0 0A 0 0 0 1 0 5\n 0: +100007F:0794 0 0A 0 0 0 1 0 5\n"), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
