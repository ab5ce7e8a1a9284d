//! The screens of `parachute migrate`. Names come from the disk, so control characters in them are escaped. Pure.

use std::path::Path;

use crate::migrate::archive::{self, ArchiveMove, Label, Leftover};
use crate::plan::observed;
use crate::ui::style::Style;
use crate::ui::table::{Cell, Table};
use crate::ui::text::{bytes, printable};

use super::Report;

/// `--list`: the leftovers, and the archives.
pub(super) fn list(report: &Report, root: &Path, style: Style) -> String {
    let mut out = leftovers(&report.leftovers, root, style);
    if archive::movable(&report.leftovers).next().is_some() {
        out.push_str(&format!("{} parachute migrate --dry-run\n", style.good("hint:")));
    }
    if report.unfinished {
        let text = "an earlier `parachute migrate` was interrupted; the next one finishes it first";
        out.push_str(&format!("{} {text}\n", style.warn("note:")));
    }
    for archive in &report.archives {
        let things = count(archive.things);
        let size = bytes(archive.bytes);
        out.push_str(&format!("archive of {}: {things}, {size}\n", archive.day));
        out.push_str(&format!("  {} parachute migrate --unarchive {}\n", style.good("hint:"), archive.day));
    }
    out
}

/// The moves into the archive: before, or when they are done.
pub(super) fn away(report: &Report, root: &Path, style: Style) -> String {
    if !report.done {
        let mut out = leftovers(&report.leftovers, root, style);
        out.push_str(&moves(&report.moves, root));
        return out;
    }
    let name = report.archive.as_deref().and_then(Path::file_name).unwrap_or_default().display().to_string();
    let mut out = format!("{} {} moved into {name}\n", style.good("✓"), count(report.moves.len()));
    if let Some(day) = name.strip_prefix(".archive-") {
        out.push_str(&format!("  {} parachute migrate --unarchive {day}\n", style.good("hint:")));
    }
    out
}

/// The moves back: before, or when they are done.
pub(super) fn back(report: &Report, root: &Path, style: Style) -> String {
    let mut out = String::new();
    if report.done {
        out.push_str(&format!("{} {} moved back\n", style.good("✓"), count(report.moves.len())));
    } else {
        out.push_str(&moves(&report.moves, root));
    }
    for stay in &report.stays {
        out.push_str(&format!("{} {} stays: {}\n", style.warn("note:"), printable(&stay.name), stay.because));
    }
    if let Some(archive) = report.archive.as_ref().filter(|_| !report.stays.is_empty()) {
        out.push_str(&format!(
            "{} ls -la {}\n",
            style.good("hint:"),
            printable(&archive.display().to_string())
        ));
    }
    out
}

/// The databases among them, by name.
pub(super) fn databases(leftovers: &[Leftover]) -> String {
    let live = leftovers.iter().filter(|leftover| leftover.label == Label::LiveDb);
    live.map(|leftover| leftover.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn leftovers(all: &[Leftover], root: &Path, style: Style) -> String {
    let root = printable(&root.display().to_string());
    if all.is_empty() {
        return format!("{root} has no files of an older version\n");
    }
    let mut table = Table::default();
    table.row(["NAME", "KIND", "SIZE", "LABEL"].map(Cell::new).to_vec(), Vec::new());
    for leftover in all {
        let (size, label) = match leftover.label {
            Label::Safe => (bytes(leftover.bytes), Cell::painted("safe", |text| style.good(text))),
            Label::LiveDb => (bytes(leftover.bytes), Cell::painted("live-db", |text| style.warn(text))),
            Label::Unknown => {
                ("-".to_owned(), Cell::painted("unknown, left as it is", |text| style.dim(text)))
            }
        };
        let kind = match leftover.kind {
            observed::Kind::File => "file",
            observed::Kind::Dir => "directory",
            observed::Kind::Link => "link",
            observed::Kind::Special => "special",
        };
        let because = leftover.because.map(|because| format!("  {because}"));
        let cells = vec![Cell::new(printable(&leftover.name)), Cell::new(kind), Cell::new(size), label];
        table.row(cells, because.into_iter().collect());
    }
    let none = if archive::movable(all).next().is_none() { "nothing here would be moved\n" } else { "" };
    format!("in {root}, not used by this version:\n{}{none}", table.render())
}

fn moves(moves: &[ArchiveMove], root: &Path) -> String {
    let shown = |path: &Path| printable(&path.strip_prefix(root).unwrap_or(path).display().to_string());
    moves.iter().map(|step| format!("  {} → {}\n", shown(&step.from), shown(&step.to))).collect()
}

fn count(things: usize) -> String {
    if things == 1 { "1 thing".to_owned() } else { format!("{things} things") }
}
