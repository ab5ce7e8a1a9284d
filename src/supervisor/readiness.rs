//! Watches for readiness: the port accepts *and* the listener belongs to the module.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::process::group::Life;
use crate::process::ports;

/// Where a module may listen, in the order in which it is looked for.
pub(super) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
/// Waits between two looks: quick at first, because most servers bind within milliseconds, slow later.
const CADENCE_MS: [u64; 12] = [1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100];
/// A look that takes longer has found a host that drops packets, which loopback does not.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// After a minute without a bind, once a second is often enough.
const SLOW: Duration = Duration::from_secs(1);

/// Returns when the module's own processes (`members`: their pids, looked up when asked) accept on `port`. Runs for as long as the life does; the caller drops it.
pub async fn wait_until_bound(life: &Life, port: u16, members: impl Fn() -> Vec<u32>) {
    let mut waited = Duration::ZERO;
    let mut cadence = CADENCE_MS.iter().map(|ms| Duration::from_millis(*ms));
    loop {
        if accepts(port).await && is_ours(life, port, &members) {
            return;
        }
        let pause = match cadence.next() {
            Some(pause) => pause,
            None if waited < Duration::from_secs(60) => Duration::from_millis(100),
            None => SLOW,
        };
        waited += pause;
        tokio::time::sleep(pause).await;
    }
}

/// Whether anybody accepts on the port, on either loopback address.
async fn accepts(port: u16) -> bool {
    for ip in LOOPBACK {
        let connect = TcpStream::connect(SocketAddr::new(ip, port));
        if matches!(tokio::time::timeout(CONNECT_WITHIN, connect).await, Ok(Ok(_))) {
            return true;
        }
    }
    false
}

/// The leader is asked first: nearly always it is the one, and its few descriptors are cheap to read. What cannot be
/// told now is looked at again.
fn is_ours(life: &Life, port: u16, members: impl Fn() -> Vec<u32>) -> bool {
    let owned_by = |pids: &[u32]| ports::owned_by(port, pids).unwrap_or(false);
    owned_by(&[life.leader.pid]) || owned_by(&members())
}
