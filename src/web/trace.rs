//! The SIP of calls over HTTP: the recent messages of a contact, and whose messages are logged. Both need the token.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{Backend, Shared, authorised, problem, unauthorised};
use crate::base::ContactId;

/// How long a watch may last, in seconds.
const WATCH_SECONDS_MAX: u32 = 86_400;
/// The longest number or name.
const NAME_BYTES_MAX: usize = 128;

/// The recent SIP of a contact.
#[derive(Clone, PartialEq, Debug)]
pub enum Traced {
    /// The answer, as JSON.
    Known(String),
    /// No message of it is kept.
    Nothing,
    /// No messages are kept at all.
    Off,
    /// Signalling has too much to do.
    Busy,
}

/// Whose messages are to be logged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Watch {
    /// Calls from this number or to it.
    Number(String),
    /// Calls by this trunk.
    Trunk(String),
    /// Calls of this agent.
    Agent(String),
}

/// A watch, and until when it lasts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Watching {
    /// Whose messages.
    #[serde(flatten)]
    pub watch: Watch,
    /// Seconds since the Unix epoch.
    pub until: u64,
}

/// What became of a request to watch somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WatchOutcome {
    /// It is watched.
    Watching(Watching),
    /// There is no such trunk or agent.
    Unknown,
    /// As many are watched as may be at once.
    TooMany,
    /// Too many commands wait already.
    Busy,
}

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WatchRequest {
    number: Option<String>,
    trunk: Option<String>,
    agent: Option<String>,
    seconds: u32,
}

impl WatchRequest {
    /// Whom to watch, if that is one, and no name is too long.
    fn watch(self) -> Option<Watch> {
        let watch = match (self.number, self.trunk, self.agent) {
            (Some(number), None, None) => Watch::Number(number),
            (None, Some(trunk), None) => Watch::Trunk(trunk),
            (None, None, Some(agent)) => Watch::Agent(agent),
            _ => return None,
        };
        let (Watch::Number(name) | Watch::Trunk(name) | Watch::Agent(name)) = &watch;
        (1..=NAME_BYTES_MAX).contains(&name.len()).then_some(watch)
    }
}

pub(super) async fn trace<B: Backend>(
    State(shared): State<Arc<Shared<B>>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !authorised(shared.token.as_deref(), &headers) {
        return unauthorised();
    }
    let Ok(contact) = id.parse::<ContactId>() else {
        return problem(StatusCode::BAD_REQUEST, "This is no contact's id: take one from the logs or the store.");
    };
    match tokio::task::spawn_blocking(move || shared.backend.trace(contact)).await {
        Ok(Traced::Known(answer)) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        Ok(Traced::Nothing) => problem(
            StatusCode::NOT_FOUND,
            "No message of this contact is kept any more: the newest take the place of the oldest.",
        ),
        Ok(Traced::Off) => problem(StatusCode::NOT_FOUND, "No messages are kept: set [log] recent_sip_mb in the configuration."),
        Ok(Traced::Busy) | Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "Signalling has too much to do; try again."),
    }
}

pub(super) async fn watch<B: Backend>(State(shared): State<Arc<Shared<B>>>, headers: HeaderMap, body: String) -> Response {
    if !authorised(shared.token.as_deref(), &headers) {
        return unauthorised();
    }
    let wanted = r#"Send {"number": "...", "seconds": 600}, or "trunk" or "agent" instead of "number""#;
    let asked = match serde_json::from_str::<WatchRequest>(&body) {
        Ok(asked) => asked,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("{wanted}: {error}.")),
    };
    let seconds = asked.seconds;
    if !(1..=WATCH_SECONDS_MAX).contains(&seconds) {
        return problem(StatusCode::BAD_REQUEST, &format!("seconds must be from 1 to {WATCH_SECONDS_MAX}."));
    }
    let Some(watch) = asked.watch() else { return problem(StatusCode::BAD_REQUEST, &format!("{wanted}; one of the three.")) };
    match shared.backend.watch(watch, seconds) {
        WatchOutcome::Watching(watching) => (StatusCode::CREATED, axum::Json(watching)).into_response(),
        WatchOutcome::Unknown => problem(StatusCode::NOT_FOUND, "There is no trunk or agent of this name."),
        WatchOutcome::TooMany => {
            problem(StatusCode::CONFLICT, "As many are watched as may be at once: wait, or DELETE /api/v1/watches to end all.")
        }
        WatchOutcome::Busy => problem(StatusCode::SERVICE_UNAVAILABLE, "Too much waits already; try again."),
    }
}

pub(super) async fn watches<B: Backend>(State(shared): State<Arc<Shared<B>>>, headers: HeaderMap) -> Response {
    if authorised(shared.token.as_deref(), &headers) {
        axum::Json(shared.backend.watches()).into_response()
    } else {
        unauthorised()
    }
}

pub(super) async fn end_watches<B: Backend>(State(shared): State<Arc<Shared<B>>>, headers: HeaderMap) -> Response {
    if !authorised(shared.token.as_deref(), &headers) {
        return unauthorised();
    }
    if shared.backend.end_watches() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        problem(StatusCode::SERVICE_UNAVAILABLE, "Too much waits already; try again.")
    }
}
