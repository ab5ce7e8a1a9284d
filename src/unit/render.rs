//! A unit as text, for one manager. Every value is escaped, or refused by name.

use std::ffi::OsStr;

use serde::Serialize;
use tera::{Context, Tera};

use super::bind::Unit;
use super::name::UnitName;
use super::target::Target;
use super::token::Refused;
use super::{embedded, view_launchd, view_systemd};

/// One file of a manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rendered {
    /// Which unit it defines.
    pub unit: UnitName,
    /// Its text.
    pub text: String,
}

/// Every file of the unit: for systemd the service, and its socket if it has one; for launchd one property list.
///
/// # Errors
/// [`Refused`] names the value that the format cannot express.
pub fn render(unit: &Unit, target: &Target) -> Result<Vec<Rendered>, Refused> {
    match *target {
        Target::Systemd { scope, version } => {
            let service = view_systemd::service(unit, scope, version)?;
            let mut files = vec![file(&unit.name, "systemd/service.tera", &service)?];
            if let Some(socket) = view_systemd::socket(unit)? {
                files.push(file(&unit.name.socket(), "systemd/socket.tera", &socket)?);
            }
            Ok(files)
        }
        Target::Launchd { kind } => {
            Ok(vec![file(&unit.name, "launchd/job.plist.tera", &view_launchd::job(unit, kind)?)?])
        }
    }
}

fn file(unit: &UnitName, template: &str, view: &impl Serialize) -> Result<Rendered, Refused> {
    let text = fill(template, view).map_err(|error| {
        // A mistake of ours, which the tests of every template would find first.
        Refused::new(template, OsStr::new(&error.to_string()), "internal error: the template is invalid")
    })?;
    Ok(Rendered { unit: unit.clone(), text })
}

fn fill(template: &str, view: &impl Serialize) -> tera::TeraResult<String> {
    let mut tera = Tera::new();
    // No escaping by Tera: it knows HTML only, and every value is a token that is already escaped for its place.
    tera.autoescape_on(Vec::<&str>::new());
    tera.add_raw_templates(embedded::TEMPLATES)?;
    tera.render(template, &Context::from_serialize(view)?)
}
