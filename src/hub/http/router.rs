//! The routes, in one table.
//!
//! | route | who | answer |
//! |---|---|---|
//! | any `/health` | local | [`wire::Health`](crate::api::wire::Health) |
//! | GET `/api/ready` | local | [`wire::Ready`](crate::api::wire::Ready) |
//! | GET `/api/status` | operator | [`wire::Status`](crate::api::wire::Status) |
//! | GET `/api/modules` | operator | [`wire::ModuleList`](crate::api::wire::ModuleList) |
//! | POST `/api/modules/<short>/start`, `stop`, `restart` | operator | [`wire::OpReply`](crate::api::wire::OpReply) |
//! | GET `/api/modules/<short>/why` | operator | [`wire::Why`](crate::api::wire::Why) |
//! | GET `/api/modules/<short>/logs` | operator | [`wire::LogReply`](crate::api::wire::LogReply), a text stream or SSE |
//! | GET `/api/events` | operator | SSE of [`wire::ModuleEvent`](crate::api::wire::ModuleEvent) |
//! | GET `/metrics` | operator | Prometheus text |
//! | POST `/api/reload` | operator | services.json is read now |
//! | POST `/api/hub/stop` | socket | ordered stop of a foreground hub |

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{any, get, post};

use crate::hub::app::App;

use super::error::Failure;
use super::{events, logs, metrics, modules, public};

/// Largest request body, bytes. Nothing here needs more than a few.
const BODY: usize = 64 * 1024;

/// Builds the router.
pub(crate) fn build(app: App) -> Router {
    Router::new()
        .route("/health", any(public::health))
        .route("/api/ready", get(public::ready))
        .route("/api/status", get(modules::status))
        .route("/api/modules", get(modules::list))
        .route("/api/modules/{name}/start", post(modules::start))
        .route("/api/modules/{name}/stop", post(modules::stop))
        .route("/api/modules/{name}/restart", post(modules::restart))
        .route("/api/modules/{name}/why", get(modules::why))
        .route("/api/modules/{name}/logs", get(logs::logs))
        .route("/api/events", get(events::events))
        .route("/metrics", get(metrics::metrics))
        .route("/api/reload", post(modules::reload))
        .route("/api/hub/stop", post(modules::stop_hub))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(app)
}

async fn not_found(uri: Uri) -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "not_found", format!("no route {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    let text = format!("{} does not answer {method}", uri.path());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
}
