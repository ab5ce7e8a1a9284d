//! A view and its template, as the text of one file.

use std::ffi::OsStr;

use serde::Serialize;
use tera::{Context, Tera};

use super::embedded;
use super::name::UnitName;
use super::token::Refused;

/// One file of a manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rendered {
    /// Which unit it defines.
    pub unit: UnitName,
    /// Its text.
    pub text: String,
}

/// The file of a unit, by a template of ours.
pub(super) fn file(unit: &UnitName, template: &str, view: &impl Serialize) -> Result<Rendered, Refused> {
    let text = fill(template, view).map_err(|error| {
        // A mistake of ours, which the tests of every template would find first.
        Refused::new(template, OsStr::new(&error.to_string()), "internal error: the template is invalid")
    })?;
    Ok(Rendered { unit: unit.clone(), text })
}

fn fill(template: &str, view: &impl Serialize) -> tera::TeraResult<String> {
    let mut tera = Tera::new();
    // No escaping by Tera: it knows HTML only, and every value is a token that has been escaped for its place.
    tera.autoescape_on(Vec::<&str>::new());
    tera.add_raw_templates(embedded::TEMPLATES)?;
    tera.render(template, &Context::from_serialize(view)?)
}

/// A token as a template writes it.
pub(super) fn written<T: Serialize>(token: &T) -> Option<String> {
    serde_json::to_value(token).ok()?.as_str().map(ToOwned::to_owned)
}
