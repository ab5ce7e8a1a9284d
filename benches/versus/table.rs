//! The results as Markdown, JSON and a chart. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::rows::Cell;

/// Row → manager → its cells, one per round.
pub type Results = Vec<(String, BTreeMap<String, Vec<Cell>>)>;

/// The median cell of all rounds.
fn middle(cells: &[Cell]) -> Option<&Cell> {
    let mut sorted: Vec<&Cell> = cells.iter().collect();
    sorted.sort_by(|one, other| one.value.total_cmp(&other.value));
    sorted.get(sorted.len() / 2).copied()
}

/// The smallest value of a row.
fn best(row: &BTreeMap<String, Vec<Cell>>) -> f64 {
    row.values().filter_map(|cells| middle(cells)).map(|cell| cell.value).fold(f64::MAX, f64::min)
}

/// A row per figure, a column per manager; the best in bold, ours with its ratio to the best of the others.
pub fn markdown(results: &Results, peers: &[String]) -> String {
    let mut out =
        format!("| | {} | ours : best other |\n|---|{}---|\n", peers.join(" | "), "---|".repeat(peers.len()));
    for (name, row) in results {
        let least = best(row);
        let cells: Vec<String> = peers
            .iter()
            .map(|peer| match row.get(peer).and_then(|cells| middle(cells)) {
                None => "–".to_owned(),
                Some(cell) if cell.value <= least * 1.000_001 => format!("**{}**", cell.text),
                Some(cell) => cell.text.clone(),
            })
            .collect();
        out.push_str(&format!("| {name} | {} | {} |\n", cells.join(" | "), ratio(row)));
    }
    out
}

fn ratio(row: &BTreeMap<String, Vec<Cell>>) -> String {
    let ours = row.get("parachute").and_then(|cells| middle(cells)).map(|cell| cell.value);
    let others = row.iter().filter(|(name, _)| *name != "parachute");
    let other = others.filter_map(|(_, cells)| middle(cells)).map(|cell| cell.value).fold(f64::MAX, f64::min);
    match ours {
        Some(ours) if other < f64::MAX && other > 0.0 => {
            let ratio = ours / other;
            if ratio <= 1.0 { format!("**{ratio:.2}**") } else { format!("{ratio:.2}") }
        }
        _ => "–".to_owned(),
    }
}

/// All results of all rounds.
pub fn as_json(results: &Results, about: &Value) -> Value {
    let rows: Vec<Value> = results
        .iter()
        .map(|(name, row)| {
            let peers: BTreeMap<&String, Vec<Value>> = row
                .iter()
                .map(|(peer, cells)| {
                    (peer, cells.iter().map(|c| json!({ "value": c.value, "text": c.text })).collect())
                })
                .collect();
            json!({ "row": name, "managers": peers })
        })
        .collect();
    json!({ "about": about, "rows": rows })
}

/// Parses the output of [`as_json`]; with the measured managers, in the order of `known`.
pub fn from_json(text: &Value) -> Results {
    let rows = text["rows"].as_array().into_iter().flatten();
    rows.map(|row| {
        let managers = row["managers"].as_object().into_iter().flatten().map(|(peer, cells)| {
            let cells = cells.as_array().into_iter().flatten().map(|cell| Cell {
                // Not a number, or infinite.
                value: cell["value"].as_f64().unwrap_or(f64::NAN),
                text: cell["text"].as_str().unwrap_or("?").to_owned(),
            });
            (peer.clone(), cells.collect())
        });
        (row["row"].as_str().unwrap_or("?").to_owned(), managers.collect())
    })
    .collect()
}

/// Adds the results of another run, row by row.
pub fn join(results: &mut Results, more: Results) {
    for (row, managers) in more {
        match results.iter_mut().find(|(known, _)| *known == row) {
            Some((_, known)) => known.extend(managers),
            None => results.push((row, managers)),
        }
    }
}

/// Bars of these rows, on a logarithmic scale.
pub fn svg(results: &Results, peers: &[String], rows: &[&str]) -> String {
    const LEFT: f64 = 120.0;
    const WIDTH: f64 = 520.0;
    const BAR: f64 = 18.0;
    let mut body = String::new();
    let mut y = 20.0;
    for wanted in rows {
        let Some((name, row)) = results.iter().find(|(name, _)| name == wanted) else { continue };
        let bars: Vec<(&str, &Cell)> =
            peers.iter().filter_map(|peer| Some((peer.as_str(), middle(row.get(peer)?)?))).collect();
        let (least, most) = bars
            .iter()
            .map(|(_, cell)| cell.value)
            // Zero has no place on a logarithmic scale: it is drawn as the smallest value.
            .filter(|value| value.is_finite() && *value > 0.0)
            .fold((f64::MAX, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        y += 14.0;
        body.push_str(&format!(
            "<text x=\"10\" y=\"{y:.0}\" font-weight=\"bold\">{}</text>\n",
            escaped(name)
        ));
        y += 8.0;
        for (peer, cell) in bars {
            // The shortest bar is still visible; each factor of ten has the same length.
            let part = (cell.value / least).log10() / (most / least).log10().max(0.1);
            let width = 20.0 + part.clamp(0.0, 1.0) * (WIDTH - 20.0);
            let colour = if peer == "parachute" { "#1769aa" } else { "#b0bec5" };
            body.push_str(&format!(
                "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{peer}</text><rect x=\"{LEFT}\" y=\"{y:.0}\" \
                 width=\"{width:.0}\" height=\"{:.0}\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{:.0}\">{}</text>\n",
                LEFT - 8.0,
                y + BAR - 5.0,
                BAR - 4.0,
                LEFT + width + 6.0,
                y + BAR - 5.0,
                escaped(&cell.text),
            ));
            y += BAR;
        }
        y += 16.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {y:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"10\" y=\"18\" fill=\"#666\">\
         less is better; the scale is logarithmic</text>\n{body}</svg>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
