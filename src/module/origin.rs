//! The public origin of the hub, resolved in one place for every spawn.

use std::ffi::OsStr;

use serde_json::Value;

use super::env::Env;

/// The inputs: the environment, a file and the hub's port.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    /// The hub's own environment.
    pub hub_env: &'a Env,
    /// Bytes of `expose-state.json`, if it exists. A corrupt one counts as absent: it must not stop a module.
    pub expose_state: Option<&'a [u8]>,
    /// TCP port of the hub.
    pub hub_port: u16,
}

/// The origin given to modules as `PARACHUTE_HUB_ORIGIN`, without trailing slashes. The first that is set and not
/// empty: `PARACHUTE_HUB_ORIGIN`, `RENDER_EXTERNAL_URL`, `FLY_APP_NAME`, the stored exposure, loopback.
#[must_use]
pub(crate) fn resolve(sources: &Sources<'_>) -> String {
    let env = |key: &str| {
        let value = sources.hub_env.get(OsStr::new(key))?.to_str()?;
        Some(value.trim().trim_end_matches('/').to_owned()).filter(|v| !v.is_empty())
    };
    env("PARACHUTE_HUB_ORIGIN")
        .or_else(|| env("RENDER_EXTERNAL_URL"))
        .or_else(|| {
            let app = env("FLY_APP_NAME").filter(|app| !app.contains('/'))?;
            Some(format!("https://{app}.fly.dev"))
        })
        .or_else(|| sources.expose_state.and_then(exposed))
        .unwrap_or_else(|| format!("http://127.0.0.1:{}", sources.hub_port))
}

fn exposed(bytes: &[u8]) -> Option<String> {
    let state: Value = serde_json::from_slice(bytes).ok()?;
    let text = |key: &str| {
        let value = state.get(key)?.as_str()?.trim().trim_end_matches('/');
        (!value.is_empty()).then(|| value.to_owned())
    };
    // A stored loopback origin may name the port of a previous hub; the current port is known.
    text("hubOrigin")
        .filter(|origin| !is_loopback(origin))
        .or_else(|| text("canonicalFqdn").map(|name| format!("https://{name}")))
}

fn is_loopback(origin: &str) -> bool {
    let host = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    host.starts_with("127.") || host.starts_with("[::1]") || {
        let name = host.split([':', '/']).next().unwrap_or_default();
        name.eq_ignore_ascii_case("localhost")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(env: &[(&str, &str)], state: Option<&str>) -> String {
        let hub_env = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        resolve(&Sources { hub_env: &hub_env, expose_state: state.map(str::as_bytes), hub_port: 2000 })
    }

    #[test]
    fn order_and_slashes() {
        let all = [
            ("PARACHUTE_HUB_ORIGIN", "https://a.example//"),
            ("RENDER_EXTERNAL_URL", "https://b.example"),
            ("FLY_APP_NAME", "c"),
        ];
        let state = Some(r#"{"hubOrigin":"https://d.example/","canonicalFqdn":"e.example"}"#);
        assert_eq!(origin(&all, state), "https://a.example");
        assert_eq!(origin(&all[1..], state), "https://b.example");
        assert_eq!(origin(&all[2..], state), "https://c.fly.dev");
        assert_eq!(origin(&[("FLY_APP_NAME", "a/b")], state), "https://d.example");
        assert_eq!(origin(&[("PARACHUTE_HUB_ORIGIN", "/")], state), "https://d.example");
        assert_eq!(origin(&[], Some(r#"{"canonicalFqdn":"e.example"}"#)), "https://e.example");
        let pinned = Some(r#"{"hubOrigin":"http://localhost:1939","canonicalFqdn":"e.example"}"#);
        assert_eq!(origin(&[], pinned), "https://e.example");
        for state in [None, Some("{"), Some("[]"), Some(r#"{"hubOrigin":7}"#)] {
            assert_eq!(origin(&[], state), "http://127.0.0.1:2000");
        }
    }
}
