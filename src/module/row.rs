//! One row of services.json, checked field by field.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::fields::{Fields, ROOTED, SOME_TEXT};
use super::known;
use super::name::{NameError, Short};

pub use super::fields::FieldError as RowError;

/// A valid row. Fields this program does not know stay in the file and are not kept here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Key of the row: `parachute-vault`, `acme-widget`.
    pub name: String,
    /// Port the module listens on; wins over everything else that names one.
    pub port: u16,
    /// Mounts; the first is the main one. May be empty, and not every one starts with `/`.
    pub paths: Vec<String>,
    /// Health path, starting with `/`.
    pub health: String,
    /// Version, may be empty.
    pub version: String,
    /// Display name.
    pub display_name: Option<String>,
    /// One line about it.
    pub tagline: Option<String>,
    /// Who may reach it. `None`: the module's default.
    pub exposure: Option<Exposure>,
    /// Where it is installed; also its working directory.
    pub install_dir: Option<PathBuf>,
    /// Whether a proxy strips the mount. `None`: the module's default.
    pub strip_prefix: Option<bool>,
    /// Sub-units in file order.
    pub uis: Vec<(String, SubUnit)>,
    /// The last start error as the original noted it. A malformed one is dropped, never an error.
    pub last_start_error: Option<Map<String, Value>>,
}

/// Who may reach a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Everyone who reaches the hub.
    Allowed,
    /// This machine only.
    Loopback,
    /// Everyone who is signed in.
    AuthRequired,
}

/// A user interface inside a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubUnit {
    /// Display name.
    pub display_name: String,
    /// Path, starting with `/`.
    pub path: String,
    /// One line about it.
    pub tagline: Option<String>,
    /// Its icon.
    pub icon_url: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its OAuth client.
    pub oauth_client_id: Option<String>,
    /// Its state: `active`, `pending`, `inactive` or `failing`; older spellings are normalised.
    pub status: Option<&'static str>,
}

impl Row {
    /// The fields that [`Row::check`] reads. All others belong to other programs.
    pub const FIELDS: [&'static str; 12] = [
        "name",
        "port",
        "paths",
        "health",
        "version",
        "displayName",
        "tagline",
        "publicExposure",
        "installDir",
        "stripPrefix",
        "uis",
        "lastStartError",
    ];

    /// Checks one element of `services`.
    ///
    /// # Errors
    /// The first field that breaks its rule; for a sub-unit with its key: `uis.board.path`.
    pub fn check(value: &Value) -> Result<Self, RowError> {
        let row = Fields::of(value, "row")?;
        Ok(Self {
            name: row.need_text("name", SOME_TEXT, |t| !t.is_empty())?,
            port: row.need_port("port")?,
            paths: row.texts("paths")?.ok_or_else(|| row.error("paths", super::fields::TEXTS))?,
            health: row.need_text("health", ROOTED, |t| t.starts_with('/'))?,
            version: row.need_text("version", super::fields::TEXT, |_| true)?,
            display_name: row.text("displayName")?,
            tagline: row.text("tagline")?,
            exposure: exposure(&row)?,
            install_dir: row
                // No system call accepts a path with a NUL byte.
                .text_if("installDir", "must be a non-empty path", |t| !t.is_empty() && !t.contains('\0'))?
                .map(PathBuf::from),
            strip_prefix: row.flag("stripPrefix")?,
            uis: uis(&row)?,
            last_start_error: row.get("lastStartError").and_then(last_start_error),
        })
    }

    /// Whether the row is a vault: only vaults may share a port. `parachute-vaultkeeper` is not one.
    #[must_use]
    pub fn is_vault(&self) -> bool {
        self.name == "parachute-vault" || self.name.starts_with("parachute-vault-")
    }
}

/// The short name of a row: the known table's, or else the row name itself, if it is plain.
///
/// # Errors
/// [`NameError`] for names that could be mistaken for a path, and for `hub`.
pub(crate) fn short_of(row_name: &str) -> Result<Short, NameError> {
    Short::new(known::by_row(row_name).map_or(row_name, |k| k.short))
}

fn exposure(row: &Fields<'_>) -> Result<Option<Exposure>, RowError> {
    const RULE: &str = "must be `allowed`, `loopback` or `auth-required`";
    match row.get("publicExposure") {
        None => Ok(None),
        Some(value) => match value.as_str() {
            Some("allowed") => Ok(Some(Exposure::Allowed)),
            Some("loopback") => Ok(Some(Exposure::Loopback)),
            Some("auth-required") => Ok(Some(Exposure::AuthRequired)),
            _ => Err(row.error("publicExposure", RULE)),
        },
    }
}

fn uis(row: &Fields<'_>) -> Result<Vec<(String, SubUnit)>, RowError> {
    let Some(all) = row.object("uis")? else { return Ok(Vec::new()) };
    all.keys()
        .map(|slug| {
            if slug.is_empty() {
                return Err(all.error(slug, "must have a non-empty key"));
            }
            let unit = all.object(slug)?.ok_or_else(|| all.error(slug, super::fields::OBJECT))?;
            Ok((slug.clone(), sub_unit(&unit)?))
        })
        .collect()
}

fn sub_unit(unit: &Fields<'_>) -> Result<SubUnit, RowError> {
    const STATUS: &str = "must be `active`, `pending`, `inactive` or `failing`";
    let status = match unit.get("status") {
        None => None,
        Some(value) => Some(match value.as_str() {
            Some("active") => "active",
            Some("pending" | "pending-oauth") => "pending",
            Some("inactive" | "disabled") => "inactive",
            Some("failing") => "failing",
            _ => return Err(unit.error("status", STATUS)),
        }),
    };
    Ok(SubUnit {
        display_name: unit.need_text("displayName", SOME_TEXT, |t| !t.is_empty())?,
        path: unit.need_text("path", ROOTED, |t| t.starts_with('/'))?,
        tagline: unit.text("tagline")?,
        icon_url: unit.text("iconUrl")?,
        version: unit.text("version")?,
        oauth_client_id: unit.text("oauthClientId")?,
        status,
    })
}

fn last_start_error(value: &Value) -> Option<Map<String, Value>> {
    let error = Fields::of(value, "lastStartError").ok()?;
    error.need_text("error_type", SOME_TEXT, |_| true).ok()?;
    error.need_text("error_description", SOME_TEXT, |_| true).ok()?;
    for key in ["binary", "sysadmin_hint", "at"] {
        error.text(key).ok()?;
    }
    for key in ["why", "docs_url"] {
        if !error.get(key).is_some_and(Value::is_null) {
            error.text(key).ok()?;
        }
    }
    if let Some(install) = error.object("install").ok()? {
        for key in ["darwin", "linux", "generic"] {
            install.text(key).ok()?;
        }
    }
    value.as_object().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({"name": "acme-widget", "port": 1944, "paths": ["/widget"], "health": "/widget/health",
            "version": "", "installDir": "/opt/acme", "stripPrefix": true, "publicExposure": "loopback",
            "uis": {"board": {"displayName": "Board", "path": "/widget/board", "status": "pending-oauth"},
                    "old": {"displayName": "Old", "path": "/o", "status": "disabled"}}, "mine": {"x": 1}})
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut row = good();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        row.pointer_mut(parent).unwrap()[key] = value;
        row
    }

    #[test]
    fn a_full_row_is_read_and_old_states_are_normalised() {
        let row = Row::check(&good()).unwrap();
        assert_eq!(
            (row.name.as_str(), row.port, row.exposure),
            ("acme-widget", 1944, Some(Exposure::Loopback))
        );
        let states: Vec<_> = row.uis.iter().map(|(k, u)| (k.as_str(), u.status)).collect();
        assert_eq!(states, [("board", Some("pending")), ("old", Some("inactive"))]);
        assert_eq!(Row::check(&with("/port", json!(1944.0))).unwrap().port, 1944);
    }

    #[test]
    fn the_error_names_the_field_and_the_sub_unit() {
        for (pointer, value, said) in [
            ("/name", json!(""), "`name` must be a non-empty string, found \"\""),
            ("/port", json!(0), "`port` must be an integer from 1 to 65535, found 0"),
            ("/port", json!(1.5), "`port` must be an integer from 1 to 65535, found 1.5"),
            ("/port", json!(70000), "`port` must be an integer from 1 to 65535, found 70000"),
            ("/port", json!("1940"), "`port` must be an integer from 1 to 65535, found \"1940\""),
            ("/paths", json!([1]), "`paths` must be an array of strings, found [1]"),
            ("/health", json!("x"), "`health` must be a string that starts with `/`, found \"x\""),
            ("/displayName", json!(null), "`displayName` must be a string, found null"),
            ("/installDir", json!(""), "`installDir` must be a non-empty path, found \"\""),
            ("/installDir", json!("a\0b"), "`installDir` must be a non-empty path, found \"a\\u0000b\""),
            ("/stripPrefix", json!(1), "`stripPrefix` must be true or false, found 1"),
            ("/uis", json!([]), "`uis` must be an object, found []"),
            (
                "/publicExposure",
                json!("x"),
                "`publicExposure` must be `allowed`, `loopback` or `auth-required`, found \"x\"",
            ),
            (
                "/uis/board/path",
                json!("b"),
                "`uis.board.path` must be a string that starts with `/`, found \"b\"",
            ),
            (
                "/uis/board/status",
                json!("gone"),
                "`uis.board.status` must be `active`, `pending`, `inactive` or `failing`, found \"gone\"",
            ),
        ] {
            assert_eq!(Row::check(&with(pointer, value)).unwrap_err().to_string(), said);
        }
        let mut without = good();
        without.as_object_mut().unwrap().remove("version");
        assert_eq!(
            Row::check(&without).unwrap_err().to_string(),
            "`version` must be a string, found nothing"
        );
        assert_eq!(Row::check(&json!(7)).unwrap_err().to_string(), "`row` must be an object, found 7");
    }

    #[test]
    fn a_malformed_last_start_error_is_dropped() {
        let kept =
            json!({"error_type": "t", "error_description": "d", "why": null, "install": {"linux": "x"}});
        assert!(Row::check(&with("/lastStartError", kept)).unwrap().last_start_error.is_some());
        for bad in
            [json!("x"), json!({"error_type": "t"}), json!({"error_type": 1, "error_description": "d"})]
        {
            assert_eq!(Row::check(&with("/lastStartError", bad)).unwrap().last_start_error, None);
        }
    }

    #[test]
    fn short_names_come_from_the_table_or_are_the_plain_row_name() {
        for (row, short) in [
            ("parachute-vault", "vault"),
            ("parachute-lens", "notes"),
            ("parachute-vault-work", "parachute-vault-work"),
            ("acme-widget", "acme-widget"),
        ] {
            assert_eq!(short_of(row).unwrap().as_str(), short);
        }
        assert!(matches!(short_of("../evil"), Err(NameError::NotPlain(_))));
        assert_eq!(short_of("hub"), Err(NameError::Reserved));
    }
}
