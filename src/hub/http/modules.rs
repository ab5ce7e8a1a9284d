//! The module routes: list, start, stop, restart, why, and the status of everything.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::api::wire::{ModuleList, OpReply, Status, Why};
use crate::home::fs;
use crate::hub::app::App;
use crate::hub::views;
use crate::module::failure::Failure as Report;
use crate::module::known;
use crate::module::name::Short;
use crate::module::problem::ProblemKind;
use crate::supervisor::effect::Outcome;
use crate::supervisor::handle::ModuleRequest;
use crate::supervisor::supervisor::Member;

use super::auth::{OnSocket, Operator};
use super::error::Failure;

/// A larger failure report is not ours.
const MAX_REPORT: u64 = 1024 * 1024;

/// How long to wait for a failure report that is being written: its lines take 0.2 s at most, a busy disk longer.
const WRITTEN: Duration = Duration::from_secs(5);

/// The `<short>` of a path, decoded.
#[derive(Debug)]
pub(crate) struct Name(pub String);

impl FromRequestParts<App> for Name {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        match Path::<String>::from_request_parts(parts, app).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => {
                let text = format!("{} is not a well-formed path", parts.uri.path());
                Err(Failure::new(StatusCode::BAD_REQUEST, "bad_request", text))
            }
        }
    }
}

/// The module that a request names, or why there is none.
pub(crate) fn member(app: &App, name: &str) -> Result<Member, Failure> {
    app.supervisor.find(name).ok_or_else(|| Failure::unknown_module(name))
}

/// Whether a module is in the known table but not installed here.
fn known_only(name: &str) -> bool {
    Short::new(name).is_ok_and(|short| known::by_short(short.as_str()).is_some())
}

/// Everything `parachute status` shows.
pub(crate) async fn status(_: Operator, State(app): State<App>) -> Result<Json<Status>, Failure> {
    views::status(&app).await.map(Json).ok_or_else(Failure::shutting_down)
}

/// The original's list, for every row.
pub(crate) async fn list(_: Operator, State(app): State<App>) -> Json<ModuleList> {
    Json(views::list(&app).await)
}

/// Starts a module and waits until it is ready or has failed.
pub(crate) async fn start(
    _: Operator,
    State(app): State<App>,
    Name(name): Name,
) -> Result<Json<OpReply>, Failure> {
    if app.supervisor.is_draining() {
        return Err(Failure::shutting_down());
    }
    let member = member(&app, &name).map_err(|unknown| {
        if known_only(&name) {
            let text = format!("{name} is not installed: services.json has no row for it");
            return Failure::new(StatusCode::BAD_REQUEST, "not_installed", text)
                .next(format!("parachute add {name} -- COMMAND"));
        }
        unknown
    })?;
    app.asked_for(&name);
    let reply = ask(&member, ModuleRequest::Start).await?;
    if let Some(problem) =
        reply.0.problem.as_ref().filter(|problem| problem.error_type == ProblemKind::NoStartCmd)
    {
        let text = problem.error_description.clone();
        let mut failure = Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "no_start_cmd", text);
        if let Some(next) = &problem.next {
            failure = failure.next(next.clone());
        }
        return Err(failure);
    }
    Ok(reply)
}

/// Stops a module and waits until its group is empty and its port free.
pub(crate) async fn stop(
    _: Operator,
    State(app): State<App>,
    Name(name): Name,
) -> Result<Json<OpReply>, Failure> {
    match app.supervisor.find(&name) {
        Some(member) => ask(&member, ModuleRequest::Stop).await,
        None if known_only(&name) => {
            Ok(Json(OpReply { short: name, ok: true, stopped: Some(false), state: None, problem: None }))
        }
        None => Err(Failure::unknown_module(&name)),
    }
}

/// Restarts a module and waits until it is ready or has failed.
pub(crate) async fn restart(
    _: Operator,
    State(app): State<App>,
    Name(name): Name,
) -> Result<Json<OpReply>, Failure> {
    if app.supervisor.is_draining() {
        return Err(Failure::shutting_down());
    }
    match app.supervisor.find(&name) {
        Some(member) => {
            app.asked_for(&name);
            ask(&member, ModuleRequest::Restart).await
        }
        None if known_only(&name) => Err(not_supervised(&name)),
        None => Err(Failure::unknown_module(&name)),
    }
}

/// 404: a known module without a row never ran here.
pub(crate) fn not_supervised(name: &str) -> Failure {
    let text = format!("{name} has never run under this hub: services.json has no row for it");
    Failure::new(StatusCode::NOT_FOUND, "not_supervised", text).next("parachute status")
}

/// The module for a read route: a known one without a row is `not_supervised`.
pub(crate) fn member_to_read(app: &App, name: &str) -> Result<Member, Failure> {
    app.supervisor
        .find(name)
        .ok_or_else(|| if known_only(name) { not_supervised(name) } else { Failure::unknown_module(name) })
}

async fn ask(member: &Member, ask: ModuleRequest) -> Result<Json<OpReply>, Failure> {
    let (outcome, snapshot) = member.ask(ask).await.ok_or_else(Failure::shutting_down)?;
    let state = Some(views::legacy(&snapshot));
    let reply =
        |ok, stopped, problem| OpReply { short: member.short.to_string(), ok, stopped, state, problem };
    Ok(Json(match outcome {
        Outcome::Ready => reply(true, None, None),
        Outcome::Stopped { had } => reply(true, Some(had), None),
        Outcome::Failed(problem) => reply(false, None, Some(problem)),
        Outcome::ShuttingDown => return Err(Failure::shutting_down()),
        Outcome::Superseded => {
            let text = format!(
                "a later request for the opposite took over: {} is {}",
                member.short, snapshot.detail
            );
            return Err(Failure::new(StatusCode::CONFLICT, "superseded", text).next("parachute status"));
        }
        Outcome::Busy => {
            let text = format!("too many requests are waiting for {}", member.short);
            return Err(Failure::new(StatusCode::TOO_MANY_REQUESTS, "busy", text).next("parachute status"));
        }
    }))
}

/// The last failure of a module.
pub(crate) async fn why(_: Operator, State(app): State<App>, Name(name): Name) -> Result<Json<Why>, Failure> {
    let member = member_to_read(&app, &name)?;
    let module = Some(views::one(&member));
    app.supervisor.failure_written(&member.short, WRITTEN).await;
    let path = app.home.last_failure(&member.short);
    let failure = match fs::read_if_there(&path, MAX_REPORT) {
        Ok(bytes) => bytes.and_then(|bytes| serde_json::from_slice::<Report>(&bytes).ok()),
        Err(error) => {
            let text = format!("the last failure of {} cannot be read: {error}", member.short);
            return Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", text));
        }
    };
    Ok(Json(Why { module, failure }))
}

/// Reads services.json now and returns what it found.
pub(crate) async fn reload(_: Operator, State(app): State<App>) -> Json<serde_json::Value> {
    app.supervisor.reload().await;
    let problems = views::file_problems(&app);
    Json(serde_json::json!({ "modules": app.supervisor.members().len(), "problems": problems }))
}

/// Makes the hub itself stop. The response is sent before it does.
pub(crate) async fn stop_hub(
    _: OnSocket,
    State(app): State<App>,
) -> Result<(StatusCode, Json<serde_json::Value>), Failure> {
    app.stop.try_send(()).or_else(|error| match error {
        // Another client asked a moment ago.
        tokio::sync::mpsc::error::TrySendError::Full(()) => Ok(()),
        tokio::sync::mpsc::error::TrySendError::Closed(()) => Err(Failure::shutting_down()),
    })?;
    Ok((StatusCode::ACCEPTED, Json(serde_json::json!({ "stopping": true }))))
}
