//! Watches whether a module is ready: its port accepts connections, *and* the listener is the module's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::process::group::ModuleRun;
use crate::process::ports;

/// Addresses on which a module may listen, in the order of the checks.
pub(super) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
/// Pauses between two checks: short at first, because most servers bind within milliseconds, then longer.
const CADENCE_MS: [u64; 12] = [1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100];
/// Longest wait for a connection. It takes longer only where packets are dropped, which loopback does not do.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// The pause after a minute without a listener.
const SLOW: Duration = Duration::from_secs(1);

/// Returns when a process of the run accepts connections on `port`. `members` looks up the pids of the run's processes.
/// Never gives up: the caller drops it when the run ends.
pub(super) async fn wait_until_bound(run: &ModuleRun, port: u16, members: impl Fn() -> Vec<u32>) {
    let mut waited = Duration::ZERO;
    let mut cadence = CADENCE_MS.iter().map(|ms| Duration::from_millis(*ms));
    loop {
        if accepts(port).await && is_own(run, port, &members) {
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

/// Whether a connection to the port succeeds, on either loopback address.
async fn accepts(port: u16) -> bool {
    for ip in LOOPBACK {
        let connect = TcpStream::connect(SocketAddr::new(ip, port));
        if matches!(tokio::time::timeout(CONNECT_WITHIN, connect).await, Ok(Ok(_))) {
            return true;
        }
    }
    false
}

/// Whether a process of the run has the listener. The leader is checked first: it nearly always has it, and its few
/// descriptors are cheap to read. If the system gives no answer, the next check tries again.
fn is_own(run: &ModuleRun, port: u16, members: impl Fn() -> Vec<u32>) -> bool {
    let owned_by = |pids: &[u32]| ports::owned_by(port, pids).unwrap_or(false);
    owned_by(&[run.leader.pid]) || owned_by(&members())
}
