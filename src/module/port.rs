//! Ports of modules and how a new one is chosen.

use std::collections::BTreeSet;

/// The hub's own default port.
pub(crate) const HUB: u16 = 1939;
/// Ports of the range reserved for the hub and its modules, 1939 to 1949, that no known module has, in the order in which they are assigned.
/// 1945 is left out because it belongs to runner.
const POOL: [u16; 4] = [1944, 1947, 1948, 1949];

/// Where an assigned port comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The module's default port.
    Canonical,
    /// The first free port of the pool.
    InRange,
    /// The pool is used up: the first free port from 1950.
    OutOfRange,
}

/// Chooses a port: the default one if free, else the first free one of the pool, else the first free one from 1950.
///
/// `None` only if every port up to 65535 is occupied.
#[must_use]
pub(crate) fn assign(canonical: Option<u16>, occupied: &BTreeSet<u16>) -> Option<(u16, Source)> {
    if let Some(port) = canonical.filter(|p| !occupied.contains(p)) {
        return Some((port, Source::Canonical));
    }
    if let Some(port) = POOL.into_iter().find(|p| !occupied.contains(p)) {
        return Some((port, Source::InRange));
    }
    (1950..=u16::MAX).find(|p| !occupied.contains(p)).map(|p| (p, Source::OutOfRange))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_then_pool_then_beyond() {
        let occupied = |ports: &[u16]| ports.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(assign(Some(1940), &occupied(&[])), Some((1940, Source::Canonical)));
        assert_eq!(assign(Some(1940), &occupied(&[1940])), Some((1944, Source::InRange)));
        assert_eq!(assign(Some(1940), &occupied(&[1940, 1944])), Some((1947, Source::InRange)));
        assert_eq!(assign(None, &occupied(&[1944, 1947, 1948, 1949])), Some((1950, Source::OutOfRange)));
        assert_eq!(assign(None, &(1..=u16::MAX).collect()), None);
    }
}
