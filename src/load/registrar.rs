//! Agents sign in and out (RFC 3261 10.2), and prove who they are.

use std::time::Duration;

use super::event::{Event, Stage};
use super::player::{Act, Player, Use};
use super::socket::AGENTS;
use crate::base::seed::Seed;
use crate::sip::digest::{Account, Challenge};
use crate::sip::flow::Flow;
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;

/// Agents sign in one after the other, so far apart.
const PACE: Duration = Duration::from_millis(2);
/// A challenge is answered so often before the password is taken to be wrong.
const TRIES_MAX: u32 = 3;
/// After a failure, so long until the next try.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// How far an agent's registration has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SignedIn {
    No,
    /// A REGISTER is under way.
    Asked,
    Yes,
}

/// An agent's registration.
pub(super) struct Registration {
    pub(super) state: SignedIn,
    call_id: u64,
    cseq: u32,
    tries: u32,
    /// Signing out, in order to sign in again.
    renewing: bool,
}

impl Registration {
    pub(super) fn new(unique: &mut Seed) -> Registration {
        Registration { state: SignedIn::No, call_id: unique.next_u64(), cseq: 0, tries: 0, renewing: false }
    }
}

impl Player<'_> {
    /// Everybody signs in.
    pub(super) fn register_all(&mut self) {
        for agent in 0..self.agents.len() as u32 {
            self.agents[agent as usize].registration.state = SignedIn::Asked;
            self.after(PACE * agent, Act::Register(agent));
        }
    }

    /// Everybody who is signed in signs out.
    pub(super) fn sign_out_all(&mut self) {
        for agent in 0..self.agents.len() as u32 {
            let registration = &mut self.agents[agent as usize].registration;
            if registration.state == SignedIn::Yes {
                registration.state = SignedIn::Asked;
                self.after(PACE * agent, Act::Register(agent));
            }
        }
    }

    /// How many have asked and were not yet answered.
    pub(super) fn registering(&self) -> usize {
        self.agents.iter().filter(|agent| agent.registration.state == SignedIn::Asked).count()
    }

    pub(super) fn register(&mut self, agent: u32) {
        let late = self.stage == Stage::SigningOut && self.agents[agent as usize].registration.state != SignedIn::Asked;
        if late {
            return;
        }
        self.agents[agent as usize].registration.tries = 0;
        self.send_register(agent, None);
    }

    /// An agent signs out, to sign in again.
    pub(super) fn renew(&mut self, agent: u32) {
        let registration = &mut self.agents[agent as usize].registration;
        if registration.state == SignedIn::Yes && self.stage != Stage::SigningOut {
            registration.renewing = true;
            self.register(agent);
        }
    }

    /// A REGISTER, with the answer to a challenge if there was one.
    fn send_register(&mut self, agent: u32, proof: Option<(Name, String)>) {
        let address = self.addresses[usize::from(AGENTS.0)];
        let tag = self.chances.tags.next_u64();
        let entry = &mut self.agents[agent as usize];
        let leaves = self.stage == Stage::SigningOut || entry.registration.renewing;
        let expires = if leaves { 0 } else { self.plan.agents.expires.as_secs() };
        let Some(account) = &entry.account else { return };
        entry.registration.cseq += 1;
        let (user, domain) = (&account.user, &account.domain);
        let (call_id, cseq) = (entry.registration.call_id, entry.registration.cseq);
        let flow = Flow::udp(AGENTS, self.plan.server);
        let uri = format!("sip:{domain}");
        self.stack.request(self.now, flow, (Method::Register, &uri), Use::Register(agent), None, |writer| {
            writer.field(Name::MaxForwards, "70");
            writer.fmt(Name::From, format_args!("<sip:{user}@{domain}>;tag={tag:016x}"));
            writer.fmt(Name::To, format_args!("<sip:{user}@{domain}>"));
            writer.fmt(Name::CallId, format_args!("{call_id:016x}@{}", address.ip()));
            writer.fmt(Name::CSeq, format_args!("{cseq} REGISTER"));
            writer.fmt(Name::Contact, format_args!("<sip:{user}@{address}>"));
            writer.fmt(Name::Expires, format_args!("{expires}"));
            if let Some((name, proof)) = proof {
                writer.field(name, proof);
            }
        });
    }

    /// The answer to a REGISTER; `None` when none came.
    pub(super) fn register_answered(&mut self, agent: u32, message: Option<&Message<'_>>) {
        let status = message.and_then(Message::status);
        match (status, message) {
            (Some(..200), _) => {}
            (Some(200..300), _) if self.stage == Stage::SigningOut => {
                self.agents[agent as usize].registration.state = SignedIn::No;
            }
            (Some(200..300), _) if self.agents[agent as usize].registration.renewing => {
                self.agents[agent as usize].registration.renewing = false;
                self.register(agent);
            }
            (Some(200..300), _) => {
                let registration = &mut self.agents[agent as usize].registration;
                self.tally.agents.registered += u32::from(registration.state != SignedIn::Yes);
                registration.state = SignedIn::Yes;
                self.after(self.plan.agents.expires / 2, Act::Register(agent));
            }
            (Some(status @ (401 | 407)), Some(message)) if self.agents[agent as usize].registration.tries < TRIES_MAX => {
                self.agents[agent as usize].registration.tries += 1;
                match self.proof(agent, status, message) {
                    Some(proof) => self.send_register(agent, Some(proof)),
                    None => self.not_registered(agent, Some(status)),
                }
            }
            _ => self.not_registered(agent, status),
        }
    }

    fn proof(&mut self, agent: u32, status: u16, message: &Message<'_>) -> Option<(Name, String)> {
        let (asks, answers) = match status {
            401 => (Name::WwwAuthenticate, Name::Authorization),
            _ => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
        };
        let challenge = Challenge::choose(message.all(asks))?;
        let account = self.agents[agent as usize].account.as_ref()?;
        let uri = format!("sip:{}", account.domain);
        let cnonce = format!("{:016x}", self.chances.tags.next_u64());
        let account = Account { user: &account.user, password: &account.password };
        Some((answers, challenge.answer(account, "REGISTER", &uri, 1, &cnonce)))
    }

    fn not_registered(&mut self, agent: u32, status: Option<u16>) {
        self.agents[agent as usize].registration.state = SignedIn::No;
        if self.stage == Stage::SigningOut {
            self.tally.loose_ends += 1;
            return;
        }
        self.tally.agents.not_registered += 1;
        self.after(RETRY_AFTER, Act::Register(agent));
        let name = self.agents[agent as usize].name.clone();
        self.say(Event::NotRegistered { agent: &name, status });
    }
}
