//! Whether a call is taken: what its INVITE says, and why it may be refused. Functions of a message and of settings.

use std::time::Duration;

use super::agent_command::AgentCommand;
use super::proof::Unproven;
use super::settings::Settings;
use crate::base::words::{BreakReason, Limit};
use crate::base::{AgentId, Codec, Time, TrunkId};
use crate::call::trunk::{self, DialledIn, NumberTarget, TrunkRules};
use crate::sdp::{self, Description};
use crate::sip::flow::Flow;
use crate::sip::message::{Message, Start};
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::session::Listeners;
use crate::sip::stack::counts::Rejected;
use crate::sip::uri::{Scheme, Uri};
use crate::sip::write::Writer;

/// New calls are shed once input is older than this as it is taken up, and taken again below half of it.
const SHED_ABOVE: Duration = Duration::from_millis(100);
/// What was late is so for this long at the most where nothing more comes the same way.
const LATE_FOR: Duration = Duration::from_millis(500);
/// When a shed caller may try again.
const SHED_RETRY: Duration = Duration::from_secs(5);

/// Whose a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Who {
    /// An agent's phone, by its registered flow or by digest.
    Agent(AgentId),
    /// Somebody who says to be of one of our domains, without proof.
    Unproven(Unproven),
    /// A trunk, by its address or by digest.
    Trunk(TrunkId),
    /// Nobody we know.
    Nobody,
}

/// An INVITE that is not taken: the status, how it is counted, and when it may be tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) why: Rejected,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// No new calls are taken any more.
    pub(super) const DRAINING: Refusal = Refusal::new(503, Rejected::Shed).retry_after(Duration::from_secs(30));
    /// What waits to be taken up is too old for new calls.
    pub(super) const SHED: Refusal = Refusal::new(503, Rejected::Shed).retry_after(SHED_RETRY);
    /// The same call is here already, by another way (RFC 3261 8.2.2.2).
    pub(super) const MERGED: Refusal = Refusal::new(482, Rejected::Loop);
    /// Nobody has that number.
    pub(super) const UNKNOWN: Refusal = Refusal::new(404, Rejected::NoDialog);
    /// Who sends it has proved nothing.
    pub(super) const UNPROVEN: Refusal = Refusal::new(407, Rejected::Unauthorized);

    pub(super) const fn new(status: u16, why: Rejected) -> Self {
        Refusal { status, why, retry_after: None }
    }

    const fn retry_after(self, span: Duration) -> Self {
        Refusal { retry_after: Some(span), ..self }
    }

    /// There is no room, by this limit.
    pub(super) fn at(limit: Limit) -> Self {
        let retry = match limit {
            Limit::MediaPorts => SHED_RETRY,
            Limit::TrunkCalls | Limit::TrunkRate => Duration::from_secs(1),
            _ => Duration::from_secs(10),
        };
        Refusal::new(503, Rejected::Limit).retry_after(retry)
    }

    /// The headers that say so.
    pub(super) fn write(&self, writer: &mut Writer, request: &Message<'_>) {
        if let Some(span) = self.retry_after {
            writer.fmt(Name::RetryAfter, format_args!("{}", span.as_secs().max(1)));
        }
        match self.status {
            415 => {
                writer.field(Name::Accept, "application/sdp");
            }
            420 => {
                for option in request.list(Name::Require) {
                    writer.field(Name::Unsupported, option);
                }
            }
            _ => {}
        }
    }
}

/// The limit of a trunk that a call is beyond.
pub(super) const fn trunk_limit(refusal: trunk::Refusal) -> Limit {
    match refusal {
        trunk::Refusal::Full => Limit::TrunkCalls,
        trunk::Refusal::TooFast => Limit::TrunkRate,
    }
}

/// Whether input is too old for new calls. Each socket of datagrams and all connections together wait in a queue of their own, so that a
/// fresh message of one says nothing of another. All are worked off by one thread: late datagrams, which the kernel has measured, shed
/// every new call. Late connections shed calls over connections alone: anybody can fill their queue.
#[derive(Default)]
pub(super) struct Overload {
    /// By listener.
    datagrams: Vec<Lateness>,
    connections: Lateness,
}

/// Whether what came one way was late, and when that was last found.
#[derive(Clone, Copy, Default)]
struct Lateness {
    late_at: Option<Time>,
}

impl Lateness {
    fn note(&mut self, now: Time, age: Duration) {
        let above = if self.late_at.is_some() { SHED_ABOVE / 2 } else { SHED_ABOVE };
        self.late_at = (age > above).then_some(now);
    }

    fn is_late(self, now: Time) -> bool {
        self.late_at.is_some_and(|at| now.since(at) < LATE_FOR)
    }
}

impl Overload {
    /// Notes how old input is that came by a flow: what is behind gets no further behind by taking new calls. Datagrams and connections are
    /// kept apart, but where a test wants to see what would come of it.
    pub(super) fn note(&mut self, now: Time, flow: &Flow, age: Duration, apart: bool) {
        if apart && !flow.transport.unreliable() {
            return self.connections.note(now, age);
        }
        let listener = if apart { usize::from(flow.listener.0) } else { 0 };
        if self.datagrams.len() <= listener {
            self.datagrams.resize(listener + 1, Lateness::default());
        }
        self.datagrams[listener].note(now, age);
    }

    /// Whether a new call that came this way is shed.
    pub(super) fn sheds(&self, now: Time, datagram: bool) -> bool {
        self.datagrams.iter().any(|way| way.is_late(now)) || (!datagram && self.connections.is_late(now))
    }
}

/// What an agent dials.
pub(super) enum Dialled {
    /// A feature code: what it does, and the recording that confirms it.
    Code(AgentCommand, &'static str),
    /// A colleague.
    Colleague(AgentId),
    /// A number that callers dial, or a queue by its name: the agent waits in the queue like anybody.
    Here(NumberTarget),
    /// A number outside, as hotline keeps it.
    Outside(std::sync::Arc<str>),
}

impl Dialled {
    /// What `user` means where this agent dials it.
    pub(super) fn by(settings: &Settings, agent: AgentId, user: &str) -> Option<Self> {
        match user {
            "*1" => return Some(Dialled::Code(AgentCommand::Ready, "ready")),
            "*2" => return Some(Dialled::Code(AgentCommand::Break(BreakReason::Asked), "break")),
            "*3" => return Some(Dialled::Code(AgentCommand::EndWrapUp, "wrap-up")),
            _ => {}
        }
        let colleague = settings.agent_named(user).filter(|colleague| *colleague != agent).map(Dialled::Colleague);
        let here = || settings.number_here(user).map(Dialled::Here);
        colleague.or_else(here).or_else(|| settings.dialable(agent, user).map(Dialled::Outside))
    }
}

/// The SDP offer of an INVITE.
///
/// # Errors
/// Why there is none that could be answered.
pub(super) fn read_sdp_offer(message: &Message<'_>) -> Result<Description, Refusal> {
    let refuse = |status| Err(Refusal::new(status, Rejected::Malformed));
    if message.list(Name::Require).any(|option| !option.is_empty()) {
        return refuse(420);
    }
    if message.get(Name::ContentEncoding).is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return refuse(415);
    }
    if message.body.is_empty() {
        return refuse(488);
    }
    if message.content_type().is_some_and(|kind| !kind.is("application", "sdp")) {
        return refuse(415);
    }
    match sdp::read(message.body) {
        Ok(sdp_offer) if sdp::choose(&sdp_offer, &Codec::ALL).is_some() => Ok(sdp_offer),
        Ok(_) => refuse(488),
        Err(error) => refuse(if error.malformed() { 400 } else { 488 }),
    }
}

/// The number dialled, from where this trunk writes it.
pub(super) fn dialled_number(message: &Message<'_>, rules: &TrunkRules) -> String {
    let from_header = |name: Name| {
        let address = message.addresses(name).next()?.ok()?;
        user_of(address.raw_uri()).map(|(user, _)| user)
    };
    let from_request = || match message.start {
        Start::Request { uri, .. } => user_of(uri).map(|(user, _)| user),
        Start::Status { .. } => None,
    };
    let written = match rules.dialled_in {
        DialledIn::RequestUri => None,
        DialledIn::To => from_header(Name::To),
        DialledIn::Diversion => from_header(Name::Diversion),
        DialledIn::HistoryInfo => from_header(Name::HistoryInfo),
    };
    rules.plan.normalise(&written.or_else(from_request).unwrap_or_default())
}

/// Who calls: asserted by a trusted trunk (RFC 3325), else as From says; nobody when privacy is asked for.
pub(super) fn caller_number(message: &Message<'_>, rules: &TrunkRules) -> String {
    let private = message.text(Name::Privacy).is_some_and(|value| {
        value.split([';', ',']).any(|kind| matches!(kind.trim().to_ascii_lowercase().as_str(), "id" | "user" | "header"))
    });
    if private {
        return "anonymous".to_owned();
    }
    let asserted = rules.trusted.then(|| message.addresses(Name::PAssertedIdentity).next()?.ok()).flatten();
    let address = asserted.or_else(|| message.from().ok());
    let user = address.and_then(|address| user_of(address.raw_uri())).map(|(user, _)| user);
    rules.plan.normalise(&user.unwrap_or_default())
}

/// The user part and host of a URI in a header value, if it is a SIP or tel URI.
pub(super) fn user_of(uri: &str) -> Option<(String, String)> {
    let uri = Uri::parse(uri).ok()?;
    match uri.scheme {
        Scheme::Tel => Some((uri.user_unescaped().into_owned(), String::new())),
        Scheme::Sip | Scheme::Sips => Some((uri.user_unescaped().into_owned(), uri.host.to_owned())),
        Scheme::Other(_) => None,
    }
}

/// 483 when the request has come too far, 482 when it has come through us before.
pub(super) fn hop_check(listeners: &Listeners<'_>, message: &Message<'_>) -> Option<u16> {
    if message.max_forwards() == Ok(Some(0)) && message.method() != Some(Method::Options) {
        return Some(483);
    }
    let ours = |via: crate::sip::Via<'_>| listeners.is_ours(via.host, via.port.unwrap_or(5060));
    message.vias().filter_map(Result::ok).any(ours).then_some(482)
}

/// Whether a request from an address that we do not know may be a trunk's that proves itself by digest alone: there is one, and the request
/// is for us. It is asked for proof then, whoever it says to be.
pub(super) fn may_be_a_trunk(settings: &Settings, listeners: &Listeners<'_>, message: &Message<'_>) -> bool {
    let roams = |trunk: &TrunkRules| trunk.login.is_some() && trunk.from.is_empty();
    let Start::Request { uri, .. } = message.start else { return false };
    let for_us = || Uri::parse(uri).is_ok_and(|uri| settings.is_ours(uri.host) || listeners.listens_at(uri.host));
    settings.trunks.iter().flatten().any(roams) && for_us()
}
