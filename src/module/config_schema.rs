//! `configSchema` of a `module.json`: only checked, so that a file is valid here exactly when it is
//! valid for its other readers.

use serde_json::Value;

use super::fields::{FieldError, Fields, OBJECT};

/// Checks the key `configSchema`, if there is one.
pub(super) fn check(all: &Fields<'_>) -> Result<(), FieldError> {
    const REQUIRED: &str = "must name declared properties only";
    let Some(schema) = all.object("configSchema")? else { return Ok(()) };
    schema.need_text("type", "must be \"object\"", |t| t == "object")?;
    let properties = schema.object("properties")?.ok_or_else(|| schema.error("properties", OBJECT))?;
    for key in properties.keys() {
        property(&properties.object(key)?.ok_or_else(|| properties.error(key, OBJECT))?)?;
    }
    let required = schema.texts("required")?.unwrap_or_default();
    if required.iter().all(|key| properties.get(key).is_some()) {
        return Ok(());
    }
    Err(schema.error("required", REQUIRED))
}

fn property(property: &Fields<'_>) -> Result<(), FieldError> {
    const TYPE: &str = "must be `string`, `number`, `integer` or `boolean`";
    const DEFAULT: &str = "must be a string, a number, true or false";
    const ENUM: &str = "must be a non-empty array of values of the property's type, and none for a boolean";
    let kind =
        property.need_text("type", TYPE, |t| matches!(t, "string" | "number" | "integer" | "boolean"))?;
    property.text("description")?;
    let plain = |v: &Value| v.is_string() || v.is_number() || v.is_boolean();
    if property.get("default").is_some_and(|v| !plain(v)) {
        return Err(property.error("default", DEFAULT));
    }
    let fits = |v: &Value| match kind.as_str() {
        "string" => v.is_string(),
        "number" => v.is_number(),
        "integer" => v.as_f64().is_some_and(|f| f.fract() == 0.0),
        _ => false,
    };
    match property.get("enum") {
        None => Ok(()),
        Some(Value::Array(all)) if !all.is_empty() && all.iter().all(fits) => Ok(()),
        Some(_) => Err(property.error("enum", ENUM)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(properties: Value, required: Value) -> Result<(), String> {
        let whole =
            json!({"configSchema": {"type": "object", "properties": properties, "required": required}});
        check(&Fields::of(&whole, "module.json").unwrap()).map_err(|e| e.field)
    }

    #[test]
    fn types_enums_and_required() {
        let good = json!({"model": {"type": "string", "enum": ["a"], "default": 3},
            "n": {"type": "integer", "enum": [1, 2.0]}, "on": {"type": "boolean", "default": true}});
        assert_eq!(checked(good, json!(["model"])), Ok(()));
        for (property, field) in [
            (json!({"type": "text"}), "type"),
            (json!({"type": "string", "enum": []}), "enum"),
            (json!({"type": "integer", "enum": [1.5]}), "enum"),
            (json!({"type": "boolean", "enum": [true]}), "enum"),
            (json!({"type": "string", "default": null}), "default"),
            (json!({"type": "string", "description": 1}), "description"),
        ] {
            let place = format!("configSchema.properties.p.{field}");
            assert_eq!(checked(json!({"p": property}), json!([])), Err(place));
        }
        assert_eq!(checked(json!({}), json!(["p"])), Err("configSchema.required".to_owned()));
    }
}
