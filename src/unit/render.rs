//! A unit as text, for one manager. Every value is escaped, or refused by name.

use super::bind::Unit;
use super::target::Target;
use super::token::Refused;

pub use super::template::Rendered;

/// Every file of the unit, the service first.
///
/// # Errors
/// [`Refused`] names the value that the format cannot express.
pub fn render(unit: &Unit, target: &Target) -> Result<Vec<Rendered>, Refused> {
    target.render(unit)
}
