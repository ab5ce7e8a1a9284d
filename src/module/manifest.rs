//! `module.json`: a module's description of itself, and our own key `supervise`.
//!
//! Unknown keys, and `kind` of older files, are ignored; inside `supervise` an unknown key is an error, because
//! a misspelt setting must not be ignored silently.

use serde::Deserialize;
use serde_json::Value;

use super::config_schema;
use super::fields::{FieldError, Fields, OBJECT, ROOTED, SOME_TEXT, TEXTS};
use super::supervise::Supervise;

/// Key and value by which `remove` recognises a file that `add` wrote.
pub const ADDED_BY: (&str, &str) = ("addedBy", "parachute add");

/// A valid `module.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Short name as the module gives it: `[a-z][a-z0-9-]*`.
    pub name: String,
    /// Name of its services.json row.
    pub manifest_name: String,
    /// Preferred port.
    pub port: u16,
    /// Mounts.
    pub paths: Vec<String>,
    /// Health path, starting with `/`.
    pub health: String,
    /// Display name.
    pub display_name: Option<String>,
    /// One line about it.
    pub tagline: Option<String>,
    /// Program and arguments; never empty if present.
    pub start_cmd: Option<Vec<String>>,
    /// Where a user manages it: a path or an http(s) URL.
    pub management_url: Option<String>,
    /// Its user interface: a path or an http(s) URL.
    pub ui_url: Option<String>,
    /// Whether a proxy strips the mount.
    pub strip_prefix: Option<bool>,
    /// Its supervision settings.
    pub supervise: Supervise,
    /// Whether `parachute add` wrote the file.
    pub added: bool,
}

/// Why a `module.json` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or truncated.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// A field breaks its rule.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A key inside `supervise` is unknown or has a wrong value.
    #[error("in `supervise`: {0}")]
    Supervise(String),
}

impl Manifest {
    /// Reads and checks the bytes of a file.
    ///
    /// # Errors
    /// [`ManifestError`] with the first problem.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| ManifestError::Json(e.to_string()))?;
        Self::check(&value)
    }

    fn check(value: &Value) -> Result<Self, ManifestError> {
        let all = Fields::of(value, "module.json")?;
        let name = all.need_text("name", "must match ^[a-z][a-z0-9-]*$", is_name)?;
        scopes(&all, &name)?;
        dependencies(&all)?;
        config_schema::check(&all)?;
        let supervise = match all.get("supervise") {
            None => Supervise::default(),
            Some(value) => {
                Supervise::deserialize(value).map_err(|e| ManifestError::Supervise(e.to_string()))?
            }
        };
        Ok(Self {
            manifest_name: all.need_text("manifestName", SOME_TEXT, |t| !t.is_empty())?,
            port: all.need_port("port")?,
            paths: all.texts("paths")?.ok_or_else(|| all.error("paths", TEXTS))?,
            health: all.need_text("health", ROOTED, |t| t.starts_with('/'))?,
            display_name: all.text("displayName")?,
            tagline: all.text("tagline")?,
            start_cmd: start_cmd(&all)?,
            management_url: all.text_if("managementUrl", URL, is_url)?,
            ui_url: all.text_if("uiUrl", URL, is_url)?,
            strip_prefix: all.flag("stripPrefix")?,
            supervise,
            added: all.get(ADDED_BY.0).and_then(Value::as_str) == Some(ADDED_BY.1),
            name,
        })
    }
}

/// `^[a-z][a-z0-9-]*$`
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

const URL: &str = "must be a path that starts with one `/`, or an http(s) URL";

fn is_url(text: &str) -> bool {
    // Browsers take `//host` for a URL of another host.
    let path = text.starts_with('/') && !text.starts_with("//");
    path || ["http://", "https://"].iter().any(|scheme| {
        let head = text.get(..scheme.len()).unwrap_or_default();
        head.eq_ignore_ascii_case(scheme) && text.len() > scheme.len()
    })
}

fn start_cmd(all: &Fields<'_>) -> Result<Option<Vec<String>>, FieldError> {
    const RULE: &str = "must be a non-empty array of strings, the first one a program";
    let argv = all.texts("startCmd").map_err(|_| all.error("startCmd", RULE))?;
    match &argv {
        Some(argv) if argv.first().is_none_or(String::is_empty) => Err(all.error("startCmd", RULE)),
        // execve(2) takes C strings, which end at a NUL.
        Some(argv) if argv.iter().any(|a| a.contains('\0')) => {
            Err(all.error("startCmd", "must not contain NUL bytes"))
        }
        _ => Ok(argv),
    }
}

fn scopes(all: &Fields<'_>, name: &str) -> Result<(), FieldError> {
    let Some(scopes) = all.object("scopes")? else { return Ok(()) };
    let defined = scopes.texts("defines")?.unwrap_or_default();
    let own = |scope: &String| scope.split_once(':').is_some_and(|(space, _)| space == name);
    if defined.iter().all(own) {
        return Ok(());
    }
    Err(scopes.error("defines", "must hold scopes `<name>:<verb>` of this module's own name only"))
}

fn dependencies(all: &Fields<'_>) -> Result<(), FieldError> {
    let Some(wanted) = all.object("dependencies")? else { return Ok(()) };
    for key in wanted.keys() {
        let one = wanted.object(key)?.ok_or_else(|| wanted.error(key, OBJECT))?;
        one.flag("optional")?;
        one.texts("scopes")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({"name": "widget", "manifestName": "acme-widget", "port": 1944, "paths": ["/widget"],
            "health": "/widget/health", "startCmd": ["widgetd", "--foreground"], "kind": "tool", "new": [1],
            "scopes": {"defines": ["widget:read"]}, "dependencies": {"vault": {"optional": true}},
            "managementUrl": "/admin/", "stripPrefix": true, "supervise": {"listen": false}})
    }

    fn with(key: &str, value: Value) -> Result<Manifest, String> {
        let mut all = good();
        all[key] = value;
        Manifest::check(&all).map_err(|e| e.to_string())
    }

    #[test]
    fn unknown_keys_and_kind_are_ignored() {
        let manifest = Manifest::check(&good()).unwrap();
        assert_eq!(manifest.start_cmd.unwrap(), ["widgetd", "--foreground"]);
        assert_eq!((manifest.supervise.listen, manifest.added), (Some(false), false));
        assert!(with("addedBy", json!("parachute add")).unwrap().added);
    }

    #[test]
    fn each_fault_names_its_field() {
        for (key, value, said) in [
            ("name", json!("Widget"), "`name` must match ^[a-z][a-z0-9-]*$, found \"Widget\""),
            ("manifestName", json!(""), "`manifestName` must be a non-empty string, found \"\""),
            ("port", json!(0), "`port` must be an integer from 1 to 65535, found 0"),
            (
                "startCmd",
                json!([]),
                "`startCmd` must be a non-empty array of strings, the first one a program, found []",
            ),
            (
                "startCmd",
                json!("run"),
                "`startCmd` must be a non-empty array of strings, the first one a program, found \"run\"",
            ),
            ("startCmd", json!(["a\0"]), "`startCmd` must not contain NUL bytes, found [\"a\\u0000\"]"),
            (
                "scopes",
                json!({"defines": ["vault:read"]}),
                "`scopes.defines` must hold scopes `<name>:<verb>` of this module's own name only, found [\"vault:read\"]",
            ),
            (
                "dependencies",
                json!({"vault": {"optional": 1}}),
                "`dependencies.vault.optional` must be true or false, found 1",
            ),
            (
                "supervise",
                json!({"restarts": 3}),
                "in `supervise`: unknown field `restarts`, expected one of `cwd`, `listen`, `liveness`, `restart`, \
                 `kill_timeout`, `ready_within`, `log`",
            ),
        ] {
            assert_eq!(with(key, value).unwrap_err(), said);
        }
        assert_eq!(
            Manifest::check(&json!([])).unwrap_err().to_string(),
            "`module.json` must be an object, found []"
        );
        assert!(matches!(Manifest::parse(b"{\"name\":"), Err(ManifestError::Json(_))));
    }

    #[test]
    fn urls_cannot_lead_to_another_host_by_accident() {
        for key in ["managementUrl", "uiUrl"] {
            for url in ["/", "/admin/", "http://x", "HTTPS://x/y"] {
                assert!(with(key, json!(url)).is_ok(), "{key} {url}");
            }
            for url in ["//host", "", "admin", "ftp://x", "javascript:alert(1)", "http://"] {
                assert!(with(key, json!(url)).is_err(), "{key} {url}");
            }
        }
    }
}
