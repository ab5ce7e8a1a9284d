//! Every response that is not 2xx: a code, a sentence, and the next command.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::api::wire::ApiError;

/// An error response.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    status: StatusCode,
    body: ApiError,
}

impl Failure {
    /// A response with this status, code and sentence.
    pub(crate) fn new(status: StatusCode, error: &str, description: impl Into<String>) -> Self {
        let body = ApiError { error: error.to_owned(), error_description: description.into(), next: None };
        Self { status, body }
    }

    /// Adds the next command.
    #[must_use]
    pub(crate) fn next(mut self, command: impl Into<String>) -> Self {
        self.body.next = Some(command.into());
        self
    }

    /// 404: neither a row nor a known module.
    #[must_use]
    pub(crate) fn unknown_module(name: &str) -> Self {
        let text = format!("no module named {name:?}: services.json has no such row");
        Self::new(StatusCode::NOT_FOUND, "unknown_module", text).next("parachute status")
    }

    /// 503: the hub is stopping.
    #[must_use]
    pub(crate) fn shutting_down() -> Self {
        let text = "the hub is stopping: nothing is started any more";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", text).next("parachute serve")
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
