//! Receives every `tracing` event of a hub, and gives it to the logs as a line. The one place where the hub's own words
//! get their shape.
//!
//! ```text
//! info!(…)                      [hub] the message                                 a sentence with all its facts
//! info!(target: MODULE, …)      [supervisor] web: the message                     field `module` says whose
//! debug!(…)                     [hub] debug parachute::hub::http: the message method=GET ms=3
//! ```
//!
//! At `info` and above the message says everything; its fields are written too once [`LogFilter`] asks for more than
//! `info`. Events of before [`start`] are lost, so what is found before is kept as notes until then. Nothing here waits:
//! the logs thread writes.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::logs::collector::LogCollector;
use crate::logs::priority::Priority;
use crate::supervisor::MODULE;

use super::log_filter::LogFilter;

/// Gives the events of this process to the logs, from now on and until it ends.
pub(crate) fn start(filter: LogFilter, logs: LogCollector) {
    // A process is one hub, once: it cannot be set already.
    let _ = tracing::subscriber::set_global_default(HubEvents { filter, logs });
}

/// The receiver. It knows no spans: what belongs together has the same `module`.
struct HubEvents {
    filter: LogFilter,
    logs: LogCollector,
}

impl Subscriber for HubEvents {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Not only events: `enabled!` asks too.
        !metadata.is_span() && self.filter.targets.would_enable(metadata.target(), metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter.most)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let priority = priority(event.metadata().level());
        let line = words.line(event.metadata(), self.filter.most > LevelFilter::INFO);
        match words.module.filter(|_| event.metadata().target() == MODULE) {
            Some(module) => self.logs.module_line(priority, &module, &line),
            None => self.logs.hub_line(priority, &line),
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn priority(level: &Level) -> Priority {
    match *level {
        Level::ERROR => Priority::Error,
        Level::WARN => Priority::Warning,
        Level::INFO => Priority::Info,
        Level::DEBUG | Level::TRACE => Priority::Debug,
    }
}

/// An event as text.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// The sentence.
    pub message: String,
    /// The field `module`.
    pub module: Option<String>,
    /// ` key=value` for each other field.
    pub fields: String,
}

impl Words {
    fn line(&self, metadata: &Metadata<'_>, with_fields: bool) -> String {
        let detail = if *metadata.level() > Level::INFO {
            format!("{} {}: ", metadata.level().as_str().to_lowercase(), metadata.target())
        } else {
            String::new()
        };
        let mut line = detail + &self.message;
        if with_fields {
            // The line of a module begins with its name.
            if let Some(module) = self.module.as_ref().filter(|_| metadata.target() != MODULE) {
                line.push_str(&format!(" module={}", quoted(module)));
            }
            line.push_str(&self.fields);
        }
        line
    }

    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            "module" => self.module = Some(value),
            name => self.fields.push_str(&format!(" {name}={}", quoted(&value))),
        }
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// A value that comes from elsewhere stays one word of one line.
fn quoted(value: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"';
    if !value.is_empty() && value.chars().all(plain) { value.to_owned() } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use tracing::{debug, error, info, warn};

    use super::*;
    use crate::logs::stdout::StdoutSink;

    /// What is on standard output after these events.
    async fn written(filter: &str, in_journal: bool, say: impl FnOnce()) -> String {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let logs = LogCollector::start(StdoutSink::new(writer.into()).in_journal(in_journal)).unwrap();
        let events = HubEvents { filter: LogFilter::parse(filter).unwrap(), logs: logs.clone() };
        tracing::subscriber::with_default(events, say);
        assert!(logs.shutdown(Duration::from_secs(60)).await);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    fn events() {
        info!(home = "/h", "listening on 127.0.0.1:1939");
        warn!(target: MODULE, module = "web", pid = 7, "did not end\nin time");
        error!(error = "disk full", "the ledger cannot be written");
        debug!(target: "parachute::hub::http", path = "/a b\n", status = 200, "answered");
        tracing::info_span!("unused").in_scope(|| tracing::trace!("small"));
    }

    #[tokio::test]
    async fn by_default_only_the_sentences_are_written() {
        assert_eq!(
            written("", false, events).await,
            "[hub] listening on 127.0.0.1:1939\n[supervisor] web: did not end\n[supervisor] web: in time\n\
             [hub] the ledger cannot be written\n"
        );
        assert_eq!(written("off", false, events).await, "");
        assert_eq!(written("error", false, events).await, "[hub] the ledger cannot be written\n");
    }

    #[tokio::test]
    async fn fields_are_shown_from_debug_on() {
        assert_eq!(
            written("debug", false, events).await,
            "[hub] listening on 127.0.0.1:1939 home=/h\n[supervisor] web: did not end\n\
             [supervisor] web: in time pid=7\n[hub] the ledger cannot be written error=\"disk full\"\n\
             [hub] debug parachute::hub::http: answered path=\"/a b\\n\" status=200\n"
        );
    }

    #[tokio::test]
    async fn the_journal_gets_priorities() {
        assert_eq!(
            written("debug,parachute::hub::http=debug", true, events)
                .await
                .lines()
                .map(|l| &l[..9])
                .collect::<Vec<_>>(),
            ["<6>[hub] ", "<4>[super", "<4>[super", "<3>[hub] ", "<7>[hub] "]
        );
    }
}
