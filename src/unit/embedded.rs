//! The files of `units/` and `templates/`, built into the program.

/// Plain name, and the descriptor's text.
pub const UNITS: [(&str, &str); 1] = [("hub", include_str!("../../units/hub.toml"))];

/// Name below `templates/`, and the template's text. No name ends in `.xml` or `.html`: Tera would escape those itself.
pub const TEMPLATES: [(&str, &str); 2] = [
    ("systemd/service.tera", include_str!("../../templates/systemd/service.tera")),
    ("launchd/job.plist.tera", include_str!("../../templates/launchd/job.plist.tera")),
];

/// The text of a descriptor.
#[must_use]
pub fn unit(name: &str) -> Option<&'static str> {
    UNITS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
