//! Progress, one line per step: `✓ unit written`. In a terminal the running step has a spinner; elsewhere each
//! line appears when its step ends. Goes to standard error, because it is not data.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::style::Style;
use super::terminal::Terminal;
use super::text::printable;

/// Time between two frames of the spinner.
const TICK: Duration = Duration::from_millis(100);

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Done,
    Failed,
}

/// The steps. Dropped in the middle of one, it removes the spinner.
#[derive(Debug)]
pub(crate) struct Progress {
    style: Style,
    /// Whether the terminal can redraw a line.
    live: bool,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    text: String,
    spinner: Option<ProgressBar>,
}

impl Progress {
    /// `live`: standard error is a terminal (a dumb one still gets plain lines).
    #[must_use]
    pub(crate) fn new(style: Style, live: bool) -> Self {
        Self { style, live, running: None }
    }

    /// Begins a step. A step that was still running is forgotten.
    pub(crate) fn begin(&mut self, text: &str) {
        self.clear();
        let text = printable(text);
        let spinner = self.live.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar.set_message(text.clone());
            bar.enable_steady_tick(TICK);
            bar
        });
        self.running = Some(Running { text, spinner });
    }

    /// Ends the step; `note` adds a detail. Does nothing if no step is running.
    pub(crate) fn end(&mut self, mark: Mark, note: Option<&str>) {
        if let Some(running) = self.running.take() {
            running.clear();
            Terminal.err(&line(mark, &running.text, note, self.style));
        }
    }

    fn clear(&mut self) {
        if let Some(running) = self.running.take() {
            running.clear();
        }
    }
}

impl Running {
    fn clear(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The line of an ended step, with its newline. Pure.
#[must_use]
pub(crate) fn line(mark: Mark, text: &str, note: Option<&str>, style: Style) -> String {
    let sign = match mark {
        Mark::Done => style.good("✓"),
        Mark::Failed => style.bad("✗"),
    };
    let note = match (mark, note) {
        (_, Some(note)) => style.dim(&format!(" ({})", printable(note))),
        (_, None) => String::new(),
    };
    format!("{sign} {}{note}\n", printable(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_and_words_never_a_colour_alone() {
        let plain = |mark, note| line(mark, "write the unit", note, Style::PLAIN);
        assert_eq!(plain(Mark::Done, None), "✓ write the unit\n");
        assert_eq!(
            plain(Mark::Failed, Some("no space left\u{7}")),
            "✗ write the unit (no space left\\u{7})\n"
        );
        assert_eq!(line(Mark::Done, "x", None, Style::COLOUR), "\u{1b}[32m✓\u{1b}[0m x\n");
    }

    #[test]
    fn ending_no_step_prints_nothing() {
        let mut progress = Progress::new(Style::PLAIN, false);
        progress.begin("one");
        assert!(progress.running.as_ref().is_some_and(|running| running.spinner.is_none()));
        progress.begin("two");
        drop(progress);
        Progress::new(Style::PLAIN, false).end(Mark::Done, None);
    }
}
