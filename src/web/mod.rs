//! HTTP: metrics, health, and a small API. It shows what others know and passes on what people ask for. It knows no
//! engine and no SIP.
//!
//! `/metrics`, `/healthz`, `/readyz`; under `/api/v1` the agents and queues. Requests that change something need the
//! token. Errors are problem+json (RFC 9457).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use crate::base::ContactId;
use crate::base::limits::LimitBoard;

mod gate;
mod trace;

pub use trace::{Traced, Watch, WatchOutcome, Watching};

use gate::{CONNECTIONS_MAX, Gate};

/// The HTTP server's settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebSettings {
    /// The address to listen on.
    pub bind: SocketAddr,
    /// The bearer token of requests that change something; `None`: nothing can be changed.
    pub token: Option<Arc<str>>,
}

/// An agent as the API shows one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AgentStatus {
    /// The name.
    pub name: String,
    /// The home agency.
    pub agency: String,
    /// The state.
    pub state: &'static str,
    /// The reason of a break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Seconds since the Unix epoch when the state began.
    pub since: u64,
}

/// A queue as the API shows one.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct QueueStatus {
    /// The name.
    pub name: String,
    /// The owner.
    pub agency: String,
    /// Contacts in the queue.
    pub waiting: u32,
    /// The time in seconds since the longest waiting contact joined.
    pub longest_wait_seconds: f64,
    /// How long a contact may expect to wait that joins now; absent while nothing is known.
    pub expected_wait_seconds: Option<ExpectedWait>,
}

/// The range that holds eight of ten waits, in seconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct ExpectedWait {
    /// One wait in ten is shorter.
    pub low: f64,
    /// As many waits are shorter as longer.
    pub likely: f64,
    /// One wait in ten is longer.
    pub high: f64,
}

/// The state that the API asks of an agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WantedState {
    /// Ready.
    Ready,
    /// On break.
    Break,
    /// Out of wrap-up.
    EndWrapUp,
    /// Signed out.
    Offline,
}

/// What became of a request for another state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// Passed on.
    Yes,
    /// There is no such agent.
    NoSuchAgent,
    /// Too many commands wait already.
    Busy,
}

/// The ledger of a contact's wait.
#[derive(Clone, PartialEq, Debug)]
pub enum Ledger {
    /// The answer, as JSON.
    Known(serde_json::Value),
    /// The contact was in no queue, as far as the log goes back.
    NoSuchContact,
    /// No log is kept.
    NoLog,
    /// The log could not be read.
    Unreadable(String),
}

/// Where the pages get their contents; the app implements it.
pub trait Backend: Send + Sync + 'static {
    /// The metrics in Prometheus's text format.
    fn metrics(&self) -> String;
    /// Why the process should get no new calls, if it should not.
    fn not_ready(&self) -> Option<&'static str>;
    /// All agents.
    fn agents(&self) -> Vec<AgentStatus>;
    /// All queues.
    fn queues(&self) -> Vec<QueueStatus>;
    /// Why the contact waited. It reads files, and is called where that holds up nobody.
    fn ledger(&self, contact: ContactId) -> Ledger;
    /// The recent SIP of a contact. It waits for signalling, and is called where that holds up nobody.
    fn trace(&self, contact: ContactId) -> Traced;
    /// Has the messages of somebody logged for so many seconds.
    fn watch(&self, watch: Watch, seconds: u32) -> WatchOutcome;
    /// Whose messages are logged.
    fn watches(&self) -> Vec<Watching>;
    /// Nobody is watched any more, but for contacts that are up. False if too many commands wait already.
    fn end_watches(&self) -> bool;
    /// Asks for another state of an agent.
    fn set_agent(&self, name: &str, wanted: WantedState) -> Accepted;
}

struct Shared<B> {
    backend: B,
    token: Option<Arc<str>>,
}

/// The routes.
pub fn router<B: Backend>(backend: B, token: Option<Arc<str>>) -> Router {
    let shared = Arc::new(Shared { backend, token });
    Router::new()
        .route("/metrics", get(metrics::<B>))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready::<B>))
        .route("/api/v1/agents", get(agents::<B>))
        .route("/api/v1/agents/{name}/state", post(set_agent::<B>))
        .route("/api/v1/queues", get(queues::<B>))
        .route("/api/v1/contacts/{id}/ledger", get(ledger::<B>))
        .route("/api/v1/contacts/{id}/trace", get(trace::trace::<B>))
        .route("/api/v1/watches", get(trace::watches::<B>).post(trace::watch::<B>).delete(trace::end_watches::<B>))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "There is nothing at this path.") })
        .with_state(shared)
}

async fn metrics<B: Backend>(State(shared): State<Arc<Shared<B>>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.backend.metrics()).into_response()
}

async fn ready<B: Backend>(State(shared): State<Arc<Shared<B>>>) -> Response {
    match shared.backend.not_ready() {
        None => "ready\n".into_response(),
        Some(why) => problem(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn agents<B: Backend>(State(shared): State<Arc<Shared<B>>>) -> Response {
    axum::Json(shared.backend.agents()).into_response()
}

async fn queues<B: Backend>(State(shared): State<Arc<Shared<B>>>) -> Response {
    axum::Json(shared.backend.queues()).into_response()
}

async fn ledger<B: Backend>(State(shared): State<Arc<Shared<B>>>, Path(id): Path<String>) -> Response {
    let Ok(contact) = id.parse::<ContactId>() else {
        return problem(StatusCode::BAD_REQUEST, "This is no contact's id: take one from the logs or the store.");
    };
    let found = tokio::task::spawn_blocking(move || shared.backend.ledger(contact)).await;
    match found {
        Ok(Ledger::Known(answer)) => axum::Json(answer).into_response(),
        Ok(Ledger::NoSuchContact) => {
            problem(StatusCode::NOT_FOUND, "No such contact was in a queue, as far as the event log goes back.")
        }
        Ok(Ledger::NoLog) => problem(StatusCode::NOT_FOUND, "No event log is kept: set [events] directory in the configuration."),
        Ok(Ledger::Unreadable(error)) => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("The event log cannot be read: {error}."))
        }
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "The event log could not be read."),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateChange {
    state: WantedState,
}

async fn set_agent<B: Backend>(
    State(shared): State<Arc<Shared<B>>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if !authorised(shared.token.as_deref(), &headers) {
        return unauthorised();
    }
    let change: StateChange = match serde_json::from_str(&body) {
        Ok(change) => change,
        Err(error) => {
            let wanted = r#"Send {"state": "ready"}, or "break", "end_wrap_up", "offline" instead of "ready""#;
            return problem(StatusCode::BAD_REQUEST, &format!("{wanted}: {error}."));
        }
    };
    match shared.backend.set_agent(&name, change.state) {
        Accepted::Yes => StatusCode::ACCEPTED.into_response(),
        Accepted::NoSuchAgent => problem(StatusCode::NOT_FOUND, "There is no agent of this name."),
        Accepted::Busy => problem(StatusCode::SERVICE_UNAVAILABLE, "Too much waits already; try again."),
    }
}

fn authorised(token: Option<&str>, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    let (Some(token), Some(given)) = (token, given) else { return false };
    // Every byte is compared, whatever the first difference.
    token.len() == given.len() && token.bytes().zip(given.bytes()).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

fn unauthorised() -> Response {
    problem(StatusCode::UNAUTHORIZED, "Send the token of [http] in the configuration as `Authorization: Bearer TOKEN`.")
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
    });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

/// Serves until the process ends. `limits`: where it is noted how many connections are up.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: std::net::TcpListener, router: Router, limits: Arc<LimitBoard>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(Gate::new(listener, CONNECTIONS_MAX, limits), router).await
}
