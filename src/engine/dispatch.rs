//! Intake: what a received message is, whose it is, and which dialog or transaction of ours it belongs to.

use super::admission::{Who, hop_check, may_be_a_trunk};
use super::proof::Unproven;
use super::{Engine, lend};
use crate::base::Time;
use crate::sip::flow::Flow;
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::session::{Routed, SUPPORTED, allow};
use crate::sip::stack::counts::Rejected;
use crate::sip::write::Writer;

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
                        self.reply(flow, request, defect.status, |_| {});
                    }
                }
                return;
            }
        };
        if let Err(defect) = message.check() {
            self.counts.reject(Rejected::Malformed);
            if message.is_request() && message.method() != Some(Method::Ack) && self.known_source(flow) {
                self.reply(flow, &message, defect.status, |_| {});
            }
            return;
        }
        match self.sessions.handle_message(now, flow, &message) {
            Routed::Done(session) => self.heard = session,
            Routed::New => self.new_request(now, flow, &message),
        }
        self.follow_sessions(now);
    }

    /// Whether requests from there may be answered at all: strangers learn nothing.
    fn known_source(&self, flow: &Flow) -> bool {
        self.settings.trunk_at(flow.remote.ip()).is_some() || self.desks.devices().agent_on(flow).is_some()
    }

    fn new_request(&mut self, now: Time, flow: &Flow, message: &Message<'_>) {
        let Some(method) = message.method() else { return };
        if method == Method::Cancel {
            // For an INVITE that is unknown (RFC 3261 9.2).
            self.counts.reject(Rejected::NoDialog);
            if self.known_source(flow) {
                self.reply(flow, message, 481, |_| {});
            }
            return;
        }
        if method == Method::Register {
            return self.register(now, flow, message);
        }
        let who = self.identify(now, flow, message);
        if who == Who::Nobody {
            return self.counts.reject(Rejected::Stranger);
        }
        if let Some(status) = hop_check(&self.sessions.listeners(), message) {
            self.counts.reject(Rejected::Loop);
            return self.reply(flow, message, status, |_| {});
        }
        match method {
            Method::Invite => self.invite(now, flow, message, who),
            // Who has proved nothing is asked for proof of a call, and learns nothing else.
            _ if matches!(who, Who::Unproven(_)) => self.counts.reject(Rejected::Stranger),
            Method::Options => self.options(flow, message),
            Method::Other(_) => self.reply(flow, message, 501, allow),
            Method::Bye | Method::Notify | Method::Info | Method::Update | Method::Prack => {
                self.counts.reject(Rejected::NoDialog);
                self.reply(flow, message, 481, |_| {});
            }
            _ => self.reply(flow, message, 405, allow),
        }
    }

    fn options(&mut self, flow: &Flow, message: &Message<'_>) {
        let status = if self.draining { 503 } else { 200 };
        self.reply(flow, message, status, |writer| {
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
    fn identify(&mut self, now: Time, flow: &Flow, message: &Message<'_>) -> Who {
        let from = message.from().ok().and_then(|from| from.uri().ok().map(|uri| (uri.user.unwrap_or(""), uri.host)));
        if let (Some(agent), Some((user, _))) = (self.desks.devices().agent_on(flow), from)
            && self.settings.directory.agents[agent.index()].as_ref().is_some_and(|a| &*a.name == user)
        {
            return Who::Agent(agent);
        }
        let ours = from.is_some_and(|(_, host)| self.settings.is_ours(host));
        let mut unproven = Unproven::Wrong;
        if ours {
            match self.proof.of_agent(now, &self.settings, message, Name::ProxyAuthorization) {
                Ok(agent) => return Who::Agent(agent),
                Err(why) => unproven = why,
            }
        } else if let Some(trunk) = self.settings.trunk_at(flow.remote.ip()) {
            return Who::Trunk(trunk);
        }
        match self.proof.of_trunk(now, &self.settings, message) {
            Ok(trunk) => return Who::Trunk(trunk),
            Err(Unproven::Stale) => unproven = Unproven::Stale,
            Err(Unproven::Wrong) => {}
        }
        if ours || may_be_a_trunk(&self.settings, &self.sessions.listeners(), message) {
            Who::Unproven(unproven)
        } else {
            Who::Nobody
        }
    }

    /// A REGISTER: whoever has proved who they are may say where they are.
    fn register(&mut self, now: Time, flow: &Flow, message: &Message<'_>) {
        let Some(aor) = message.to().ok().and_then(|to| to.uri().ok()) else { return };
        if !self.settings.is_ours(aor.host) {
            return self.counts.reject(Rejected::Stranger);
        }
        match self.proof.of_agent(now, &self.settings, message, Name::Authorization) {
            // It was sent here before everybody knew the agent; it comes again.
            Ok(agent) if !lend!(self, now).owns(agent) && self.settings.agent_named(&aor.user_unescaped()) == Some(agent) => {
                self.reply(flow, message, 503, |writer| _ = writer.number(Name::RetryAfter, 1u8));
            }
            Ok(agent) => self.desks.register(&mut lend!(self, now), agent, flow, message),
            Err(why) => self.challenge(now, flow, message, 401, why),
        }
    }

    /// Asks for proof, without keeping anything: the same answer whether the user exists or not.
    pub(super) fn challenge(&mut self, now: Time, flow: &Flow, message: &Message<'_>, status: u16, why: Unproven) {
        self.counts.reject(Rejected::Unauthorized);
        let name = if status == 407 { Name::ProxyAuthenticate } else { Name::WwwAuthenticate };
        let challenges = self.proof.challenges(now, &self.settings, why);
        self.reply(flow, message, status, |writer| {
            for challenge in challenges {
                writer.field(name, challenge);
            }
        });
    }

    /// Answers a request without keeping anything of it.
    pub(super) fn reply(&mut self, flow: &Flow, message: &Message<'_>, status: u16, fill: impl FnOnce(&mut Writer)) {
        self.sessions.outside().reply_stateless(flow, message, status, fill);
    }
}
