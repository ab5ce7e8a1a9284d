//! Routes for any client on this machine: whether the hub runs, and whether the modules are ready.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::api::wire::Health;
use crate::hub::app::App;
use crate::hub::views;

use super::auth::Local;

const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// Liveness of the hub. Says nothing about modules; degraded when a file of the home is broken, and in
/// safe mode.
pub(crate) async fn health(_: Local, State(app): State<App>) -> Response {
    let problems: Vec<String> = views::file_problems(&app).into_iter().map(|p| p.message).collect();
    let status = if problems.is_empty() { "ok" } else { "degraded" };
    let body = Health {
        status: status.to_owned(),
        service: "parachute-hub".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: app.identity.instance.clone(),
        problems,
    };
    (NO_STORE, Json(body)).into_response()
}

/// Readiness of the modules.
pub(crate) async fn ready(_: Local, State(app): State<App>) -> Response {
    let snapshots: Vec<_> = app.supervisor.members().iter().map(|member| member.snapshot()).collect();
    (NO_STORE, Json(views::ready(&snapshots, app.boots.safe().is_some()))).into_response()
}
