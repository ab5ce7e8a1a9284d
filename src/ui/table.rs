//! Aligned columns. Pure.

/// A cell: its text, and its width without colours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    shown: String,
    width: usize,
}

impl Cell {
    /// A plain cell.
    #[must_use]
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let shown = text.into();
        let width = shown.chars().count();
        Self { shown, width }
    }

    /// The same text, painted.
    #[must_use]
    pub(crate) fn painted(text: &str, paint: impl FnOnce(&str) -> String) -> Self {
        Self { shown: paint(text), width: text.chars().count() }
    }
}

/// Rows of a table, each with the lines that belong below it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    rows: Vec<(Vec<Cell>, Vec<String>)>,
}

impl Table {
    /// Adds a row and the lines below it.
    pub(crate) fn row(&mut self, cells: Vec<Cell>, under: Vec<String>) {
        self.rows.push((cells, under));
    }

    /// The text: left-aligned, two blanks between columns, no blanks at line ends.
    #[must_use]
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(|(cells, _)| cells.len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|i| {
                self.rows
                    .iter()
                    .filter_map(|(cells, _)| cells.get(i))
                    .map(|cell| cell.width)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        for (cells, under) in &self.rows {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(&widths) {
                line.push_str(&cell.shown);
                line.push_str(&" ".repeat(width - cell.width + 2));
            }
            out.push_str(line.trim_end());
            out.push('\n');
            for text in under {
                out.push_str(text);
                out.push('\n');
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::style::Style;

    #[test]
    fn colours_do_not_shift_columns() {
        let mut table = Table::default();
        table.row(vec![Cell::new("NAME"), Cell::new("STATE"), Cell::new("PID")], vec![]);
        table.row(
            vec![Cell::new("vault"), Cell::painted("ready", |t| Style::COLOUR.good(t)), Cell::new("1")],
            vec!["  ! note".to_owned()],
        );
        assert_eq!(table.render(), "NAME   STATE  PID\nvault  \u{1b}[32mready\u{1b}[0m  1\n  ! note\n");
    }
}
