//! services.json as raw JSON, edited row by row.
//!
//! Other programs write this file too, so everything that is not edited is kept byte for byte: unknown fields, bad
//! rows, other root keys, large numbers, duplicate keys. Pure.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::module::fields;
use crate::module::name::Short;
use crate::module::row::{Row, RowError, short_of};

const ROWS: &str = "services";

/// Largest file that is read. Ten thousand rows are below one MiB.
pub const LIMIT: u64 = 16 * 1024 * 1024;

/// The whole file.
#[derive(Debug, Clone)]
pub struct Document {
    /// Root entries in order; the one at `rows_at` is written from `rows`.
    root: Vec<(String, Box<RawValue>)>,
    rows_at: usize,
    rows: Vec<Box<RawValue>>,
}

/// Why the text is not a services file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Truncated, empty, or not JSON.
    #[error("it is not valid JSON ({0})")]
    Json(String),
    /// JSON, but not an object with an array `services`.
    #[error("it is not an object with an array `services`")]
    Shape,
}

impl Default for Document {
    /// A file without rows.
    fn default() -> Self {
        Self { root: vec![(ROWS.to_owned(), raw("[]".to_owned()))], rows_at: 0, rows: Vec::new() }
    }
}

impl Document {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`DocumentError`]; bad rows are not an error here.
    pub fn parse(text: &[u8]) -> Result<Self, DocumentError> {
        let json = |e: serde_json::Error| DocumentError::Json(e.to_string());
        let whole: &RawValue = serde_json::from_slice(text).map_err(json)?;
        let Entries(root) = serde_json::from_str(whole.get()).map_err(|_| DocumentError::Shape)?;
        // Of duplicate keys the last one counts, as for all readers of this file.
        let rows_at = root.iter().rposition(|(key, _)| key == ROWS).ok_or(DocumentError::Shape)?;
        let rows = serde_json::from_str(root[rows_at].1.get()).map_err(|_| DocumentError::Shape)?;
        Ok(Self { root, rows_at, rows })
    }

    /// The text to write.
    #[must_use]
    pub fn text(&self) -> String {
        let entry = |(i, (key, value)): (usize, &(String, Box<RawValue>))| {
            let value = if i == self.rows_at { array(&self.rows) } else { value.get().to_owned() };
            format!("  {}: {value}", quoted(key))
        };
        let entries: Vec<String> = self.root.iter().enumerate().map(entry).collect();
        format!("{{\n{}\n}}\n", entries.join(",\n"))
    }

    /// Every element of `services`, checked, in file order; an error comes with a name for the element.
    pub fn rows(&self) -> impl Iterator<Item = Result<Row, (String, RowError)>> {
        self.rows.iter().enumerate().map(|(i, row)| {
            let value = known_fields(row);
            Row::check(&value).map_err(|error| (label(i, &value), error))
        })
    }

    /// The name and port of every element that has them, bad rows included: a bad row's port is taken as well.
    pub fn names_and_ports(&self) -> impl Iterator<Item = (Option<String>, Option<u16>)> {
        self.rows.iter().map(|row| {
            let value = known_fields(row);
            (name_of(&value), value.get("port").and_then(fields::port))
        })
    }

    /// Name and port of the row of module `short`: the row with exactly this name, else the first one with this short
    /// name.
    #[must_use]
    pub fn row_of(&self, short: &Short) -> Option<(String, Option<u16>)> {
        let named: Vec<_> = self.names_and_ports().filter_map(|(n, p)| n.map(|n| (n, p))).collect();
        let exact = named.iter().find(|(name, _)| name == short.as_str());
        exact.or_else(|| named.iter().find(|(name, _)| short_of(name).as_ref() == Ok(short))).cloned()
    }

    /// The name of the row that the user means: the row with exactly this name, else the row of the module with this
    /// short name.
    #[must_use]
    pub fn named(&self, typed: &str) -> Option<String> {
        let exact = self.names_and_ports().find_map(|(name, _)| name.filter(|name| name == typed));
        exact.or_else(|| self.row_of(&short_of(typed).ok()?).map(|(name, _)| name))
    }

    /// Sets fields of the first row called `name`, or appends such a row. Its other fields stay.
    ///
    /// # Errors
    /// [`RowError`] if the row would not be valid; the document is then unchanged.
    pub fn upsert(&mut self, name: &str, fields: &Map<String, Value>) -> Result<(), RowError> {
        let found = self.rows.iter().position(|row| is_called(row, name));
        let mut entries = match found {
            Some(i) => entries(&self.rows[i]),
            None => vec![("name".to_owned(), raw(quoted(name)))],
        };
        for (key, value) in fields {
            let new = raw(indented(value));
            match entries.iter().rposition(|(k, _)| k == key) {
                Some(last) => entries[last].1 = new,
                None => entries.push((key.clone(), new)),
            }
        }
        let row = raw(object(&entries));
        Row::check(&known_fields(&row))?;
        match found {
            Some(i) => self.rows[i] = row,
            None => self.rows.push(row),
        }
        Ok(())
    }

    /// Removes every row called `name`; returns how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        let before = self.rows.len();
        self.rows.retain(|row| !is_called(row, name));
        before - self.rows.len()
    }
}

/// The entries of an object as written, duplicates included.
struct Entries(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Entries(all))
            }
        }
        d.deserialize_map(Object)
    }
}

fn entries(row: &RawValue) -> Vec<(String, Box<RawValue>)> {
    serde_json::from_str(row.get()).map_or_else(|_| Vec::new(), |Entries(all)| all)
}

/// The row with the fields that [`Row::check`] reads. Other fields may hold what no [`Value`] can hold (a number like
/// `1e999`), and must not make the row bad.
fn known_fields(row: &RawValue) -> Value {
    if !row.get().starts_with('{') {
        return serde_json::from_str(row.get()).unwrap_or(Value::Null);
    }
    let known = entries(row).into_iter().filter(|(key, _)| Row::FIELDS.contains(&key.as_str()));
    // A value that cannot be parsed becomes null, which no field accepts.
    known.map(|(key, value)| (key, serde_json::from_str(value.get()).unwrap_or(Value::Null))).collect()
}

fn name_of(row: &Value) -> Option<String> {
    row.get("name").and_then(Value::as_str).map(str::to_owned)
}

fn is_called(row: &RawValue, name: &str) -> bool {
    name_of(&known_fields(row)).is_some_and(|n| n == name)
}

fn label(index: usize, row: &Value) -> String {
    name_of(row).filter(|n| !n.is_empty()).unwrap_or_else(|| format!("row {}", index + 1))
}

/// Rows keep their own line breaks; we write only those between them. Indentation is that of the original.
fn array(rows: &[Box<RawValue>]) -> String {
    if rows.is_empty() {
        return "[]".to_owned();
    }
    let rows: Vec<String> = rows.iter().map(|row| format!("    {}", row.get())).collect();
    format!("[\n{}\n  ]", rows.join(",\n"))
}

fn object(entries: &[(String, Box<RawValue>)]) -> String {
    let lines: Vec<String> =
        entries.iter().map(|(key, value)| format!("      {}: {}", quoted(key), value.get())).collect();
    format!("{{\n{}\n    }}", lines.join(",\n"))
}

fn indented(value: &Value) -> String {
    // A line break inside a string is written `\n`, so every literal one is layout.
    format!("{value:#}").replace('\n', "\n      ")
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn raw(json: String) -> Box<RawValue> {
    // Built by this file from values and from parsed JSON, so it is JSON.
    RawValue::from_string(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn unedited_parts_are_kept_byte_for_byte() {
        let text = r#"{
  "v": 1e400,
  "services": [
    { "name": "a", "port": 1940, "x": 12345678901234567890123, "x": 0.10, "s": "\u00e4\/" },
    "junk",
    {"name":"b","port":0},
    {"port": 9, "deep": [1,
       2]}
  ],
  "v": {"b":[ ]}
}
"#;
        let mut document = read(text);
        assert_eq!(document.text(), text);
        let row = json!({"port": 1944, "paths": ["/w"], "health": "/h", "version": "1"});
        document.upsert("new", &map(row)).unwrap();
        assert_eq!(document.remove("new"), 1);
        assert_eq!(document.text(), text);
        let good = map(json!({"port": 1941, "paths": [], "health": "/h", "version": ""}));
        document.upsert("b", &good).unwrap();
        let edited = text.replace(
            r#"{"name":"b","port":0}"#,
            "{\n      \"name\": \"b\",\n      \"port\": 1941,\n      \"paths\": [],\n      \"health\": \"/h\",\n      \
             \"version\": \"\"\n    }",
        );
        assert_eq!(document.text(), edited);
        document.upsert("a", &good).unwrap();
        assert!(
            document.text().contains("\"x\": 12345678901234567890123,\n      \"x\": 0.10,"),
            "{}",
            document.text()
        );
        assert!(document.text().contains(r#""\u00e4\/""#));
    }

    #[test]
    fn an_edit_that_makes_a_bad_row_changes_nothing() {
        let mut document =
            read(r#"{"services":[{"name":"a","port":1940,"paths":[],"health":"/h","version":""}]}"#);
        let before = document.text();
        let error = document.upsert("a", &map(json!({"port": 0}))).unwrap_err();
        assert_eq!(error.to_string(), "`port` must be an integer from 1 to 65535, found 0");
        assert!(document.upsert("b", &map(json!({"port": 1}))).is_err());
        assert_eq!(document.text(), before);
    }

    #[test]
    fn bad_rows_are_named_and_unknown_fields_are_ignored() {
        let document = read(
            r#"{"services":[7,{"name":"a","port":0},{"name":"b","port":1,"paths":[],"health":"/h","version":"",
            "mine":1e999,"lastStartError":1e999}]}"#,
        );
        let rows: Vec<_> =
            document.rows().map(|r| r.map(|r| r.name).map_err(|(name, e)| (name, e.field))).collect();
        assert_eq!(
            rows,
            [
                Err(("row 1".to_owned(), "row".to_owned())),
                Err(("a".to_owned(), "port".to_owned())),
                Ok("b".to_owned()),
            ]
        );
        assert_eq!(document.names_and_ports().filter_map(|(_, port)| port).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn other_files_are_refused() {
        for text in
            ["", "{", "\0\0\0", r#"{"services":[{"name":"a"}"#, r#"{"services":[]} x"#, "{\"a\":\"\u{0}\"}"]
        {
            let error = Document::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, DocumentError::Json(_)), "{text:?}: {error:?}");
        }
        for text in ["null", "[]", "7", "{}", r#"{"services":{}}"#, r#"{"services":null}"#] {
            assert_eq!(Document::parse(text.as_bytes()).unwrap_err(), DocumentError::Shape, "{text:?}");
        }
        assert_eq!(
            Document::parse(Document::default().text().as_bytes()).unwrap().text(),
            "{\n  \"services\": []\n}\n"
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let text = "[a-c\"\\\\\n\u{e9}/]{0,4}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec(
                    (prop_oneof![Just("name".to_owned()), Just("port".to_owned()), text], inner),
                    0..4
                )
                .prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_file_survives_edits_of_another_row(
            rows in proptest::collection::vec(any_json(), 0..6),
            others in proptest::collection::vec(("[a-d]{1,3}", any_json()), 0..3),
            pretty in any::<bool>(),
        ) {
            let mut whole: Map<String, Value> = others.into_iter().collect();
            whole.insert("services".to_owned(), Value::from(rows));
            let whole = Value::Object(whole);
            let text = if pretty { format!("{whole:#}") } else { whole.to_string() };
            // Serialised once before, because that rounds the last digit of some floats.
            let whole: Value = serde_json::from_str(&text).unwrap();
            let mut document = read(&text);
            let fields = map(json!({"port": 1944, "paths": ["/w\n"], "health": "/h", "version": "1", "more": {"k": [1]}}));
            document.upsert("zz-mine", &fields).unwrap();

            let after: Value = serde_json::from_str(&document.text()).unwrap();
            let mut expected = whole.clone();
            let mut row = fields.clone();
            row.insert("name".to_owned(), "zz-mine".into());
            expected["services"].as_array_mut().unwrap().push(Value::Object(row));
            prop_assert_eq!(after, expected);

            let mut document = read(&document.text());
            prop_assert_eq!(document.remove("zz-mine"), 1);
            prop_assert_eq!(serde_json::from_str::<Value>(&document.text()).unwrap(), whole);
        }
    }
}
