//! The modules this program knows by name. All others are found on disk.

/// What is known of one module before it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Short name.
    pub short: &'static str,
    /// npm package.
    pub package: &'static str,
    /// Name of its services.json row.
    pub row: &'static str,
    /// Display name.
    pub display_name: &'static str,
    /// Default port.
    pub port: u16,
    /// Mounts.
    pub paths: &'static [&'static str],
    /// Health path.
    pub health: &'static str,
    /// Whether a proxy strips the mount. `None`: not known.
    pub strip_prefix: Option<bool>,
    /// How it is started if its `module.json` has no start command. Empty: this program cannot start it.
    pub argv: &'static [&'static str],
    /// Whether it authenticates requests itself. `None`: not known.
    pub authenticates: Option<bool>,
    /// What follows the port in the address that `status` shows.
    address: Address,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    /// `http://127.0.0.1:<port>` only.
    Bare,
    /// The first mount.
    Mount,
    /// The first mount and this suffix.
    MountAnd(&'static str),
}

/// All of them, in the order in which they are listed.
pub(crate) const KNOWN: [Known; 6] = [
    Known {
        short: "notes",
        package: "@openparachute/notes",
        row: "parachute-notes",
        display_name: "Notes",
        port: 1942,
        paths: &["/notes"],
        health: "/notes/health",
        strip_prefix: None,
        argv: &[],
        authenticates: None,
        address: Address::Mount,
    },
    Known {
        short: "channel",
        package: "@openparachute/channel",
        row: "parachute-channel",
        display_name: "Channel",
        port: 1941,
        paths: &["/channel"],
        health: "/channel/health",
        strip_prefix: None,
        argv: &["parachute-channel", "daemon"],
        authenticates: Some(true),
        address: Address::Mount,
    },
    Known {
        short: "vault",
        package: "@openparachute/vault",
        row: "parachute-vault",
        display_name: "Vault",
        port: 1940,
        paths: &["/vault/default"],
        health: "/vault/default/health",
        strip_prefix: None,
        argv: &["parachute-vault", "serve"],
        authenticates: Some(true),
        address: Address::MountAnd("/mcp"),
    },
    Known {
        short: "scribe",
        package: "@openparachute/scribe",
        row: "parachute-scribe",
        display_name: "Scribe",
        port: 1943,
        paths: &["/scribe"],
        health: "/scribe/health",
        strip_prefix: Some(true),
        argv: &["parachute-scribe", "serve"],
        authenticates: Some(false),
        address: Address::Bare,
    },
    Known {
        short: "runner",
        package: "@openparachute/runner",
        row: "parachute-runner",
        display_name: "Runner",
        port: 1945,
        paths: &["/runner", "/.parachute"],
        health: "/runner/healthz",
        strip_prefix: Some(false),
        argv: &["parachute-runner", "serve"],
        authenticates: Some(true),
        address: Address::Mount,
    },
    Known {
        short: "surface",
        package: "@openparachute/surface",
        row: "parachute-surface",
        display_name: "Surface",
        port: 1946,
        paths: &["/surface", "/.parachute"],
        health: "/surface/healthz",
        strip_prefix: Some(false),
        argv: &["parachute-surface", "serve"],
        authenticates: Some(true),
        address: Address::Mount,
    },
];

/// Short names that come first in every list of modules, installed or not.
pub(crate) const CURATED: [&str; 2] = ["vault", "scribe"];

/// An old row name and its current name.
const ALIAS: (&str, &str) = ("parachute-lens", "parachute-notes");

/// The known module with this row name.
#[must_use]
pub(crate) fn by_row(row: &str) -> Option<&'static Known> {
    let row = if row == ALIAS.0 { ALIAS.1 } else { row };
    KNOWN.iter().find(|k| k.row == row)
}

/// The known module with this short name.
#[must_use]
pub(crate) fn by_short(short: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.short == short)
}

/// The address of a module on this machine, as `status` shows it.
#[must_use]
pub(crate) fn address(row: &str, port: u16, paths: &[String]) -> String {
    let mount = paths.first().map_or("", |p| p.trim_end_matches('/'));
    let slash = if mount.is_empty() || mount.starts_with('/') { "" } else { "/" };
    match by_row(row).map_or(Address::Mount, |k| k.address) {
        Address::Bare => format!("http://127.0.0.1:{port}"),
        Address::Mount => format!("http://127.0.0.1:{port}{slash}{mount}"),
        Address::MountAnd(more) => format!("http://127.0.0.1:{port}{slash}{mount}{more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::port::HUB;

    #[test]
    fn names_resolve_and_ports_are_distinct_and_in_range() {
        assert_eq!(by_row("parachute-lens").unwrap().short, "notes");
        assert_eq!(by_row("parachute-vault-work"), None);
        assert_eq!(by_row("vault"), None);
        assert_eq!(by_short("runner").unwrap().port, 1945);
        let mut ports: Vec<u16> = KNOWN.iter().map(|k| k.port).chain([HUB]).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports, (1939..=1943).chain([1945, 1946]).collect::<Vec<_>>());
        assert!(ports.iter().all(|p| (1939..=1949).contains(p)));
    }

    #[test]
    fn addresses_follow_the_table() {
        let paths = |p: &str| vec![p.to_owned()];
        assert_eq!(address("parachute-vault", 1940, &paths("/vault/a")), "http://127.0.0.1:1940/vault/a/mcp");
        assert_eq!(address("parachute-scribe", 1943, &paths("/scribe")), "http://127.0.0.1:1943");
        assert_eq!(address("acme", 1944, &paths("w/")), "http://127.0.0.1:1944/w");
        assert_eq!(address("acme", 1944, &[]), "http://127.0.0.1:1944");
    }
}
