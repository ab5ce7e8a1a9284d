//! `-v`: each command that is given to a tool, on standard error; `-vv`: what it answered, too. `manager::runner` says it.

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{self, DefaultGuard};
use tracing::{Event, Metadata, Subscriber};

use crate::hub::diagnostics::Words;
use crate::manager::invocation::COMMAND;
use crate::plan::redact::redacted;
use crate::ui::terminal::Terminal;
use crate::ui::text::printable;

/// Shows it on this thread, which runs the whole verb, for as long as the value lives. `times`: how often `-v` was typed.
#[must_use]
pub(super) fn show(times: u8) -> Option<DefaultGuard> {
    let most = match times {
        0 => return None,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    Some(subscriber::set_default(Shown(most)))
}

struct Shown(LevelFilter);

impl Subscriber for Shown {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == COMMAND && *metadata.level() <= self.0
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        Terminal.err(&lines(&words.message));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Without secrets, and without anything that acts on the terminal.
fn lines(text: &str) -> String {
    redacted(text).lines().map(|line| printable(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_nothing_acts_on_the_terminal() {
        assert_eq!(
            lines("+ launchctl setenv MY_TOKEN=s3cret (1 ms, exit 0)"),
            "+ launchctl setenv MY_TOKEN=[hidden] (1 ms, exit 0)\n"
        );
        assert_eq!(
            lines("  | A_TOKEN => s3cret two\n  | Environment=A=1 B_PASSWORD=x\n  ! \u{1b}[2J"),
            "  | A_TOKEN => [hidden]\n  | Environment=A=1 B_PASSWORD=[hidden]\n  ! \\u{1b}[2J\n"
        );
        assert_eq!(lines(""), "");
    }
}
