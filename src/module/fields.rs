//! Reads the fields of a JSON object one by one, so that an error can name the field.

use serde_json::{Map, Value};

/// One field that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {rule}, found {found}")]
pub struct FieldError {
    /// Where: `port`, `uis.board.path`.
    pub field: String,
    /// The rule, starting with `must`.
    pub rule: &'static str,
    /// The value found, as JSON cut at 60 characters, or `nothing`.
    pub found: String,
}

/// An object and its position in the document.
pub(super) struct Fields<'a> {
    place: String,
    map: &'a Map<String, Value>,
}

pub(super) const TEXT: &str = "must be a string";
pub(super) const SOME_TEXT: &str = "must be a non-empty string";
pub(super) const ROOTED: &str = "must be a string that starts with `/`";
pub(super) const FLAG: &str = "must be true or false";
pub(super) const OBJECT: &str = "must be an object";
pub(super) const TEXTS: &str = "must be an array of strings";
const PORT: &str = "must be an integer from 1 to 65535";

impl<'a> Fields<'a> {
    /// The fields of `value`; `whole` names it if it is not an object.
    pub(super) fn of(value: &'a Value, whole: &str) -> Result<Self, FieldError> {
        match value {
            Value::Object(map) => Ok(Self { place: String::new(), map }),
            other => Err(FieldError { field: whole.to_owned(), rule: OBJECT, found: shown(Some(other)) }),
        }
    }

    /// The object at `key`, if there is one.
    pub(super) fn object(&self, key: &str) -> Result<Option<Fields<'a>>, FieldError> {
        match self.map.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Fields { place: format!("{}{key}.", self.place), map })),
            Some(_) => Err(self.error(key, OBJECT)),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a String> {
        self.map.keys()
    }

    pub(super) fn error(&self, key: &str, rule: &'static str) -> FieldError {
        FieldError { field: format!("{}{key}", self.place), rule, found: shown(self.map.get(key)) }
    }

    /// A string if present; `null` is not one.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, FieldError> {
        self.text_if(key, TEXT, |_| true)
    }

    /// A string that passes `good`, if present.
    pub(super) fn text_if(
        &self,
        key: &str,
        rule: &'static str,
        good: fn(&str) -> bool,
    ) -> Result<Option<String>, FieldError> {
        match self.map.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if good(text) => Ok(Some(text.clone())),
            Some(_) => Err(self.error(key, rule)),
        }
    }

    /// A required string that passes `good`.
    pub(super) fn need_text(
        &self,
        key: &str,
        rule: &'static str,
        good: fn(&str) -> bool,
    ) -> Result<String, FieldError> {
        self.text_if(key, rule, good)?.ok_or_else(|| self.error(key, rule))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, FieldError> {
        match self.map.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.error(key, FLAG)),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, FieldError> {
        let Some(value) = self.map.get(key) else { return Ok(None) };
        value
            .as_array()
            .and_then(|all| all.iter().map(|v| v.as_str().map(str::to_owned)).collect())
            .map(Some)
            .ok_or_else(|| self.error(key, TEXTS))
    }

    pub(super) fn need_port(&self, key: &str) -> Result<u16, FieldError> {
        self.map.get(key).and_then(port).ok_or_else(|| self.error(key, PORT))
    }
}

/// A port as JSON may write it: `1940`, and like JavaScript also `1940.0`.
#[must_use]
pub(crate) fn port(value: &Value) -> Option<u16> {
    let whole = value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|f| f.fract() == 0.0 && (1.0..=65535.0).contains(f))?;
        format!("{float:.0}").parse().ok()
    })?;
    u16::try_from(whole).ok().filter(|p| *p != 0)
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(60) {
        None => text,
        Some((cut, _)) => format!("{}…", &text[..cut]),
    }
}
