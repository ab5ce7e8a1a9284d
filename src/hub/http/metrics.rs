//! Prometheus text format, version 0.0.4. Pure.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::api::wire::{ModuleView, Status};
use crate::hub::app::App;
use crate::hub::views;

use super::auth::Operator;
use super::error::Failure;

/// The numbers of [`Status`], for Prometheus.
pub(crate) async fn metrics(_: Operator, State(app): State<App>) -> Result<Response, Failure> {
    let status = views::status(&app).await.ok_or_else(Failure::shutting_down)?;
    let text = render(&status);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// One family of samples: name, type, help, and the value of one module.
type Family = (&'static str, &'static str, &'static str, fn(&ModuleView) -> Option<f64>);

const FAMILIES: [Family; 8] = [
    ("parachute_module_up", "gauge", "1 while the module's main process runs", |m| {
        Some(flag(m.pid.is_some()))
    }),
    ("parachute_module_ready", "gauge", "1 while the module is ready", |m| Some(flag(m.ready))),
    ("parachute_module_problem", "gauge", "1 while it has a problem", |m| Some(flag(m.problem.is_some()))),
    ("parachute_module_restarts_total", "counter", "automatic restarts since the hub started", |m| {
        Some(f64::from(m.restarts))
    }),
    ("parachute_module_crashes_in_window", "gauge", "crashes within the restart window", |m| {
        Some(f64::from(m.restarts_in_window))
    }),
    ("parachute_module_memory_bytes", "gauge", "resident memory of the module's processes", |m| {
        m.memory_bytes.map(number)
    }),
    ("parachute_module_uptime_seconds", "gauge", "seconds since its main process was started", |m| {
        m.uptime_ms.map(|ms| number(ms) / 1000.0)
    }),
    ("parachute_module_health_seconds", "gauge", "round trip of its last health check", |m| {
        m.health.as_ref().and_then(|h| h.latency_us).map(|us| number(us) / 1e6)
    }),
];

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// Prometheus knows only floats; a count past 2^53 may lose its last digits.
#[expect(clippy::cast_precision_loss, reason = "the format has only floats")]
fn number(value: u64) -> f64 {
    value as f64
}

/// Renders the text. Pure.
#[must_use]
pub(crate) fn render(status: &Status) -> String {
    let mut out = String::new();
    let hub = &status.hub;
    // Writing into a String cannot fail.
    let _ = writeln!(out, "# HELP parachute_hub_info the hub\n# TYPE parachute_hub_info gauge");
    let _ = writeln!(out, "parachute_hub_info{{version=\"{}\"}} 1", label(&hub.version));
    let _ = writeln!(out, "# HELP parachute_hub_uptime_seconds seconds since the hub was started");
    let _ = writeln!(out, "# TYPE parachute_hub_uptime_seconds gauge");
    let _ = writeln!(out, "parachute_hub_uptime_seconds {}", number(hub.uptime_ms) / 1000.0);
    if let Some(bytes) = hub.memory_bytes {
        let _ = writeln!(out, "# HELP parachute_hub_memory_bytes resident memory of the hub");
        let _ = writeln!(out, "# TYPE parachute_hub_memory_bytes gauge");
        let _ = writeln!(out, "parachute_hub_memory_bytes {bytes}");
    }
    let _ = writeln!(out, "# HELP parachute_home_problems files of the home that cannot be used as they are");
    let _ = writeln!(out, "# TYPE parachute_home_problems gauge");
    let _ = writeln!(out, "parachute_home_problems {}", status.problems.len());
    for (name, kind, help, value) in FAMILIES {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for module in &status.modules {
            if let Some(value) = value(module) {
                let _ = writeln!(out, "{name}{{module=\"{}\"}} {value}", label(&module.short));
            }
        }
    }
    out
}

/// Escapes a label value.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
