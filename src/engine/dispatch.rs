//! Intake: what a received message is, whose it is, and which dialog or transaction of ours it belongs to.

use super::leg::LegKey;
use super::{Engine, TxUser};
use crate::base::words::EndedBy;
use crate::base::{AgentId, Time, TrunkId};
use crate::call::leg::LegState;
use crate::sip::dialog::Order;
use crate::sip::flow::Flow;
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::stack::Routed;
use crate::sip::stack::counts::Rejected;
use crate::sip::uri::Uri;
use crate::sip::write::Writer;

/// The methods that we take.
pub(super) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REFER, NOTIFY, REGISTER";

/// The extensions that we know: proxies on the way to a phone (RFC 3327).
pub(super) const SUPPORTED: &str = "path";

/// Whose a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Who {
    /// An agent's phone, by its registered flow or by digest.
    Agent(AgentId),
    /// Somebody who says to be of one of our domains, without proof; `stale` when the proof was good but its nonce is old.
    Unproven { stale: bool },
    /// A trunk, by its address or by digest.
    Trunk(TrunkId),
    /// Nobody we know.
    Nobody,
}

impl Engine {
    /// Takes a message from the wire.
    pub(super) fn receive(&mut self, now: Time, flow: &Flow, bytes: &[u8]) {
        let message = match Message::read(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.counts.reject(Rejected::Unreadable);
                if let Some(request) = error.request().filter(|request| request.method() != Some(Method::Ack)) {
                    let defect = error.defect();
                    if self.known_source(flow) {
                        self.stack.reply_stateless(flow, request, defect.status, |_| {});
                    }
                }
                return;
            }
        };
        if let Err(defect) = message.check() {
            self.counts.reject(Rejected::Malformed);
            if message.is_request() && message.method() != Some(Method::Ack) && self.known_source(flow) {
                self.stack.reply_stateless(flow, &message, defect.status, |_| {});
            }
            return;
        }
        match self.stack.route(now, flow, &message) {
            Routed::Absorbed => {}
            Routed::Stray => self.counts.reject(Rejected::StrayResponse),
            Routed::Ack => self.ack(now, &message),
            Routed::Response { user, .. } => self.response(now, user, &message),
            Routed::New => self.new_request(now, flow, &message),
        }
    }

    /// Whether requests from there may be answered at all: strangers learn nothing.
    fn known_source(&self, flow: &Flow) -> bool {
        self.trunk_at(flow.remote.ip()).is_some() || self.agent_on(flow).is_some()
    }

    fn new_request(&mut self, now: Time, flow: &Flow, message: &Message<'_>) {
        let Some(method) = message.method() else { return };
        if method == Method::Cancel {
            return self.cancelled(now, flow, message);
        }
        let in_dialog = message.to().ok().and_then(|to| to.tag()).is_some();
        if in_dialog {
            return self.request_in_dialog(now, flow, message, method);
        }
        if method == Method::Register {
            return self.register(now, flow, message);
        }
        let who = self.identify(now, flow, message);
        if who == Who::Nobody {
            return self.counts.reject(Rejected::Stranger);
        }
        if let Some(status) = self.hop_check(message) {
            self.counts.reject(Rejected::Loop);
            return self.stack.reply_stateless(flow, message, status, |_| {});
        }
        match method {
            Method::Invite => self.invite(now, flow, message, who),
            // Who has proved nothing is asked for proof of a call, and learns nothing else.
            _ if matches!(who, Who::Unproven { .. }) => self.counts.reject(Rejected::Stranger),
            Method::Options => self.options(flow, message),
            Method::Other(_) => self.stack.reply_stateless(flow, message, 501, allow),
            Method::Bye | Method::Notify | Method::Info | Method::Update | Method::Prack => {
                self.counts.reject(Rejected::NoDialog);
                self.stack.reply_stateless(flow, message, 481, |_| {});
            }
            _ => self.stack.reply_stateless(flow, message, 405, allow),
        }
    }

    /// 483 when the request has come too far, 482 when it has come through us before.
    fn hop_check(&self, message: &Message<'_>) -> Option<u16> {
        if message.max_forwards() == Ok(Some(0)) && message.method() != Some(Method::Options) {
            return Some(483);
        }
        let ours = |via: crate::sip::Via<'_>| self.stack.is_ours(via.host, via.port.unwrap_or(5060));
        message.vias().filter_map(Result::ok).any(ours).then_some(482)
    }

    fn options(&mut self, flow: &Flow, message: &Message<'_>) {
        let status = if self.draining { 503 } else { 200 };
        self.stack.reply_stateless(flow, message, status, |writer| {
            allow(writer);
            writer.field(Name::Accept, "application/sdp");
            writer.field(Name::AcceptEncoding, "identity");
            writer.field(Name::Supported, SUPPORTED);
            if status == 503 {
                writer.field(Name::RetryAfter, "30");
            }
        });
    }

    /// Whose request it is, in this order: a flow that a REGISTER proved, digest for our domains, trunks by address, trunks by digest.
    pub(super) fn identify(&mut self, now: Time, flow: &Flow, message: &Message<'_>) -> Who {
        let from = message.from().ok().and_then(|from| from.uri().ok().map(|uri| (uri.user.unwrap_or(""), uri.host)));
        if let (Some(agent), Some((user, _))) = (self.agent_on(flow), from)
            && self.settings.directory.agents[agent.index()].as_ref().is_some_and(|a| &*a.name == user)
        {
            return Who::Agent(agent);
        }
        let ours = from.is_some_and(|(_, host)| self.settings.is_ours(host));
        let mut stale = false;
        if ours {
            match self.prove_agent(now, message, Name::ProxyAuthorization) {
                Ok(agent) => return Who::Agent(agent),
                Err(was_stale) => stale |= was_stale,
            }
        } else if let Some(trunk) = self.trunk_at(flow.remote.ip()) {
            return Who::Trunk(trunk);
        }
        match self.prove_trunk(now, message) {
            Ok(trunk) => return Who::Trunk(trunk),
            Err(was_stale) => stale |= was_stale,
        }
        if ours || self.may_be_a_trunk(message) { Who::Unproven { stale } } else { Who::Nobody }
    }

    /// The leg that a message of a dialog names by our tag.
    fn leg_of(&self, message: &Message<'_>) -> Option<LegKey> {
        let to = message.to().ok()?;
        let key = LegKey::from_tag(self.shard, to.tag()?)?;
        let leg = self.leg(key)?;
        leg.dialog.as_ref().is_some_and(|dialog| dialog.owns(message)).then_some(key)
    }

    fn request_in_dialog(&mut self, now: Time, flow: &Flow, message: &Message<'_>, method: Method<'_>) {
        let Some(leg) = self.leg_of(message) else {
            self.counts.reject(Rejected::NoDialog);
            return self.stack.reply_stateless(flow, message, 481, |_| {});
        };
        let Ok(cseq) = message.cseq() else { return };
        let Some(tx) = self.stack.begin(now, flow, message, None) else { return };
        let Some(entry) = self.leg_mut(leg) else { return };
        if entry.behind_nat {
            // A phone that moved is reached where it now is.
            entry.flow = *flow;
        }
        let (key, state) = (entry.contact, entry.state);
        let order = entry.dialog.as_mut().map(|dialog| dialog.take_cseq(cseq.number));
        self.current = Some(key);
        if order == Some(Order::Old) {
            return self.stack.respond(now, tx, 500, None, None, |writer| {
                writer.field(Name::RetryAfter, "1");
            });
        }
        match method {
            Method::Bye => self.bye(now, leg, tx),
            Method::Invite | Method::Update if state == LegState::Ending => self.stack.respond(now, tx, 481, None, None, |_| {}),
            Method::Invite | Method::Update => self.reoffered(now, leg, tx, message),
            Method::Info => self.info(now, leg, tx, message),
            Method::Refer => self.refer(now, leg, tx, message),
            Method::Options => self.stack.respond(now, tx, 200, None, None, allow),
            Method::Notify => self.stack.respond(now, tx, 200, None, None, |_| {}),
            Method::Other(_) => self.stack.respond(now, tx, 501, None, None, allow),
            _ => self.stack.respond(now, tx, 405, None, None, allow),
        }
    }

    /// The ACK to a 2xx of ours.
    fn ack(&mut self, now: Time, message: &Message<'_>) {
        let Some(leg) = self.leg_of(message) else { return };
        let Some(entry) = self.leg_mut(leg) else { return };
        let (Some((tx, number)), Ok(cseq)) = (entry.invite_in, message.cseq()) else { return };
        if cseq.number != number {
            return;
        }
        entry.acknowledged = true;
        let (ending, key) = (entry.state == LegState::Ending, entry.contact);
        self.current = Some(key);
        self.stack.acknowledged(now, tx);
        if ending {
            self.hang_up(now, leg);
        }
    }

    /// CANCEL (RFC 3261 9.2): answered 200 if the INVITE is known, whatever has become of that; the INVITE is answered 487 if it still can be.
    fn cancelled(&mut self, now: Time, flow: &Flow, message: &Message<'_>) {
        let Some((invite, user)) = self.stack.invite_of(message, flow) else {
            self.counts.reject(Rejected::NoDialog);
            if self.known_source(flow) {
                self.stack.reply_stateless(flow, message, 481, |_| {});
            }
            return;
        };
        let tag = user.and_then(TxUser::leg).map(|leg| leg.tag(self.shard));
        if let Some(tx) = self.stack.begin(now, flow, message, None) {
            self.stack.respond(now, tx, 200, tag.as_deref(), None, |_| {});
        }
        let Some(TxUser::Invite(leg)) = user.filter(|_| self.stack.unanswered(invite)) else { return };
        let Some(key) = self.leg(leg).map(|leg| leg.contact) else { return };
        self.current = Some(key);
        self.end_contact(now, key, EndedBy::Caller, Some(487));
    }
}

/// Says which methods we take.
fn allow(writer: &mut Writer) {
    writer.field(Name::Allow, ALLOW);
}

/// The user part and host of a URI in a header value, if it is a SIP or tel URI.
pub(super) fn user_of(uri: &str) -> Option<(String, String)> {
    let uri = Uri::parse(uri).ok()?;
    match uri.scheme {
        crate::sip::Scheme::Tel => Some((uri.user_unescaped().into_owned(), String::new())),
        crate::sip::Scheme::Sip | crate::sip::Scheme::Sips => Some((uri.user_unescaped().into_owned(), uri.host.to_owned())),
        crate::sip::Scheme::Other(_) => None,
    }
}
