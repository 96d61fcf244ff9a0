//! A call arrives: admitted at its trunk, given a contact, led to its entry; and how its caller is answered.

use std::sync::Arc;
use std::time::Duration;

use super::between::{Begin, ContactRef, ToContact};
use super::contact::{CallerHears, Contact, ContactKey, ContactTimer, Phase};
use super::dial::Purpose;
use super::dispatch::{Who, user_of};
use super::legs::{Leg, LegKey, NewCaller};
use super::proof::Unproven;
use super::sabotage::Rule;
use super::{Engine, lend};
use crate::base::words::{Channel, EndedBy, Limit};
use crate::base::{AgentId, Codec, ContactId, EntryId, Time, TrunkId};
use crate::call::contact::Timeline;
use crate::call::leg::LegState;
use crate::call::menu::Menu;
use crate::call::trunk::{self, DialledIn, NumberTarget, TrunkRules};
use crate::report::FactKind;
use crate::sdp::{self, Description};
use crate::sip::flow::{Flow, ListenerId};
use crate::sip::message::{Message, Start};
use crate::sip::name::Name;
use crate::sip::session::{Admission, Login, NotAdmitted};
use crate::sip::stack::counts::Rejected;

/// New calls are shed once input is older than this as it is taken up, and taken again below half of it.
const SHED_ABOVE: Duration = Duration::from_millis(100);
/// What was late is so for this long at the most where nothing more comes the same way.
const LATE_FOR: Duration = Duration::from_millis(500);
/// When a shed caller may try again.
const SHED_RETRY: Duration = Duration::from_secs(5);

/// An INVITE that is not taken: the status, and how it is counted.
#[derive(Clone, Copy)]
pub(super) struct Refusal {
    status: u16,
    why: Rejected,
    retry_after: Option<Duration>,
}

/// Where a call comes from and where it wants to go.
pub(super) struct Origin {
    pub(super) trunk: Option<TrunkId>,
    pub(super) own: Option<AgentId>,
    pub(super) entry: Option<EntryId>,
    pub(super) emergency: bool,
    pub(super) number: Arc<str>,
    pub(super) dialled: Arc<str>,
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
    fn note(&mut self, now: Time, listener: Option<ListenerId>, age: Duration) {
        let Some(ListenerId(listener)) = listener else { return self.connections.note(now, age) };
        let listener = usize::from(listener);
        if self.datagrams.len() <= listener {
            self.datagrams.resize(listener + 1, Lateness::default());
        }
        self.datagrams[listener].note(now, age);
    }

    /// Whether a new call that came this way is shed.
    fn sheds(&self, now: Time, datagram: bool) -> bool {
        self.datagrams.iter().any(|way| way.is_late(now)) || (!datagram && self.connections.is_late(now))
    }
}

pub(super) fn refuse(status: u16, why: Rejected) -> Refusal {
    Refusal { status, why, retry_after: None }
}

impl Engine {
    /// Notes how old input is: what is behind gets no further behind by taking new calls.
    pub(super) fn note_age(&mut self, now: Time, flow: &Flow, age: Duration) {
        let datagram = flow.transport.unreliable() || !self.holds(Rule::AgesApart);
        let listener = if self.holds(Rule::AgesApart) { flow.listener } else { ListenerId(0) };
        self.overload.note(now, datagram.then_some(listener), age);
    }

    /// An INVITE that begins a call.
    pub(super) fn invite(&mut self, now: Time, flow: &Flow, message: &Message<'_>, who: Who) {
        let request = self.refused.request(flow, message);
        let before = request.and_then(|request| self.refused.of(now, request)).filter(|_| self.holds(Rule::RefusedAgain));
        match (before, who) {
            (Some(Refusal { status: 407, .. }), Who::Unproven(why)) => return self.challenge(now, flow, message, 407, why),
            (Some(Refusal { status: 407, .. }), _) => return self.challenge(now, flow, message, 407, Unproven::Wrong),
            (Some(refusal), _) => return self.turn_away(flow, message, &refusal),
            (None, _) => {}
        }
        let taken = match who {
            Who::Trunk(trunk) => self.trunk_call(now, flow, message, trunk),
            Who::Agent(agent) => self.agent_call(now, flow, message, agent),
            Who::Unproven(_) => Err(refuse(407, Rejected::Unauthorized)),
            Who::Nobody => return,
        };
        let Err(refusal) = taken else { return };
        if let (Some(request), true) = (request, flow.transport.unreliable()) {
            self.refused.note(now, request, refusal);
        }
        match who {
            Who::Unproven(why) => self.challenge(now, flow, message, 407, why),
            _ => self.turn_away(flow, message, &refusal),
        }
    }

    fn turn_away(&mut self, flow: &Flow, message: &Message<'_>, refusal: &Refusal) {
        self.counts.reject(refusal.why);
        self.reply(flow, message, refusal.status, |writer| {
            if let Some(span) = refusal.retry_after {
                writer.fmt(Name::RetryAfter, format_args!("{}", span.as_secs().max(1)));
            }
            match refusal.status {
                415 => {
                    writer.field(Name::Accept, "application/sdp");
                }
                420 => {
                    for option in message.list(Name::Require) {
                        writer.field(Name::Unsupported, option);
                    }
                }
                _ => {}
            }
        });
    }

    fn trunk_call(&mut self, now: Time, flow: &Flow, message: &Message<'_>, trunk: TrunkId) -> Result<(), Refusal> {
        let settings = self.settings.clone();
        let rules = settings.trunk(trunk).ok_or_else(|| refuse(503, Rejected::Limit))?;
        // Shedding comes first and costs least.
        if self.draining {
            return Err(Refusal { retry_after: Some(Duration::from_secs(30)), ..refuse(503, Rejected::Shed) });
        }
        let dialled = dialled_number(message, rules);
        let target = rules.target(&dialled).ok_or_else(|| refuse(404, Rejected::NoDialog))?;
        let emergency = self.is_emergency(target);
        if self.overload.sheds(now, flow.transport.unreliable()) && !emergency {
            return Err(Refusal { retry_after: Some(SHED_RETRY), ..refuse(503, Rejected::Shed) });
        }
        if self.sessions.merged(message) {
            return Err(refuse(482, Rejected::Loop));
        }
        self.admit(now, flow, (trunk, rules), emergency)?;
        let sdp_offer = read_sdp_offer(message)?;
        let number: Arc<str> = caller_number(message, rules).into();
        let origin = Origin { trunk: Some(trunk), own: None, entry: target.entry(), emergency, number, dialled: dialled.into() };
        let key = self.new_contact(now, (flow, message), origin, sdp_offer)?;
        self.out.tell_contact(key, ToContact::Begin(Begin::Lead(target)));
        Ok(())
    }

    /// Whether a call to it is shed last.
    pub(super) fn is_emergency(&self, target: NumberTarget) -> bool {
        match target {
            NumberTarget::Entry(entry) => self.settings.entry(entry).is_some_and(|entry| entry.emergency),
            NumberTarget::Queue(queue) => self.settings.queue(queue).is_some_and(|queue| queue.emergency),
        }
    }

    /// A new contact begins.
    pub(super) fn begin(&mut self, now: Time, key: ContactKey, begin: Begin) {
        match begin {
            Begin::Lead(target) => self.lead(now, key, target),
            Begin::Dial(to) => self.dial(now, key, to, Purpose::Own),
            Begin::Confirm(prompt) => {
                if self.answer_caller(now, key, None) {
                    let prompt = self.prompt(key, prompt);
                    self.goodbye(now, key, EndedBy::System, vec![prompt]);
                }
            }
        }
    }

    /// Leads a new contact to what it dialled.
    fn lead(&mut self, now: Time, key: ContactKey, target: NumberTarget) {
        match target {
            NumberTarget::Entry(entry) => self.enter(now, key, entry),
            NumberTarget::Queue(queue) => self.join(now, key, queue, None),
        }
    }

    /// Whether one more contact can be kept.
    pub(super) fn room_for(&mut self, now: Time, flow: &Flow, emergency: bool) -> Result<(), Refusal> {
        let limits = self.settings.limits;
        let full = if emergency {
            self.contacts_up >= limits.contacts
        } else {
            self.contacts_up - self.emergencies_up >= limits.contacts - limits.emergency_contacts
        };
        let busy = self.sessions.held().servers >= limits.transactions as usize;
        if full || busy {
            let limit = match (busy, emergency) {
                (true, _) => Limit::Transactions,
                (false, true) => Limit::EmergencyContacts,
                (false, false) => Limit::Contacts,
            };
            self.limit_hit(now, None, limit);
            return Err(Refusal { retry_after: Some(Duration::from_secs(10)), ..refuse(503, Rejected::Limit) });
        }
        // Better refused now than answered or rung for without a port: that would be put down to the agent.
        let callers = if emergency { 0 } else { self.contacts_up };
        if !self.legs.bears(flow.remote.is_ipv6(), callers) {
            self.limit_hit(now, None, Limit::MediaPorts);
            return Err(Refusal { retry_after: Some(SHED_RETRY), ..refuse(503, Rejected::Limit) });
        }
        Ok(())
    }

    fn admit(&mut self, now: Time, flow: &Flow, (trunk, rules): (TrunkId, &TrunkRules), emergency: bool) -> Result<(), Refusal> {
        self.room_for(now, flow, emergency)?;
        if let Err(refusal) = self.trunks[trunk.index()].load.admit(rules, now, emergency) {
            let limit = match refusal {
                trunk::Refusal::Full => Limit::TrunkCalls,
                trunk::Refusal::TooFast => Limit::TrunkRate,
            };
            self.limit_hit(now, None, limit);
            return Err(Refusal { retry_after: Some(Duration::from_secs(1)), ..refuse(503, Rejected::Limit) });
        }
        Ok(())
    }

    /// A contact for a call that is taken, with its caller's leg.
    pub(super) fn new_contact(
        &mut self,
        now: Time,
        (flow, message): (&Flow, &Message<'_>),
        origin: Origin,
        sdp_offer: Description,
    ) -> Result<ContactKey, Refusal> {
        let Origin { trunk, own, entry, emergency, number, dialled } = origin;
        let credentials = trunk.and_then(|trunk| self.credentials(trunk));
        let admission = Admission { behind_nat: own.is_some(), credentials };
        let session = self.sessions.incoming(now, flow, message, &admission).map_err(|why| {
            let counted = if why == NotAdmitted::Merged { Rejected::Loop } else { Rejected::Malformed };
            refuse(why.status(), counted)
        })?;
        let key = ContactKey { shard: self.shard, slot: self.contacts.vacant_key() as u32, serial: self.next_serial() };
        let id = ContactId::new(now, &mut self.seed);
        let hops = message.max_forwards().ok().flatten().unwrap_or(70).saturating_sub(1);
        self.contacts.insert(Contact {
            key,
            id,
            arrived: now,
            emergency,
            trunk,
            number: number.clone(),
            language: None,
            caller: LegKey { shard: self.shard, slot: u32::MAX, token: 0 },
            legs: smallvec::SmallVec::new(),
            legs_ever: 0,
            phase: Phase::Entry(entry.unwrap_or(EntryId(u32::MAX)), Menu::Greeting),
            timeline: Timeline::begin(now),
            slot: None,
            further: smallvec::SmallVec::new(),
            ticket: None,
            place: None,
            last_queue: None,
            hears: CallerHears::Nothing,
            thread: None,
            max_forwards: hops,
            ever_answered: false,
            own,
            busies_owner: false,
            transfer: None,
            transfers: 0,
            timers: arrayvec::ArrayVec::new(),
        });
        self.contacts_up += 1;
        self.emergencies_up += u32::from(emergency);
        let call_id = self.sessions.call_id(session).unwrap_or_default().into();
        self.fact(now, Some(id), FactKind::Arrived { channel: Channel::Voice, trunk, entry, from: number, dialled, call_id });
        if let Some(trunk) = trunk {
            self.trunk_call_began(now, trunk);
        }
        let (contact, behind_nat) = (ContactRef { key, id }, own.is_some());
        let leg = self.legs.arrive(&mut lend!(self, now), NewCaller { contact, session, behind_nat, sdp_offer });
        if let Some(contact) = self.contact_mut(key) {
            (contact.caller, contact.legs_ever) = (leg, 1);
            contact.legs.push(leg);
        }
        Ok(key)
    }

    /// What answers a trunk's challenges.
    pub(super) fn credentials(&self, trunk: TrunkId) -> Option<Arc<Login>> {
        let login = self.settings.trunk(trunk)?.login.as_ref()?;
        Some(Arc::new(Login { user: login.user.clone(), password: login.password.clone() }))
    }

    /// Answers the caller (200), unless that was done. With `prefer` in that codec, where the caller offered it. When it cannot be
    /// answered the contact ends and this is false.
    pub(super) fn answer_caller(&mut self, now: Time, key: ContactKey, prefer: Option<Codec>) -> bool {
        let Some(contact) = self.contact(key) else { return false };
        let (leg, thread) = (contact.caller, contact.thread);
        match self.legs.get(leg).map(Leg::state) {
            Some(LegState::Answered { .. }) => return true,
            Some(LegState::Arriving { .. }) => {}
            _ => return false,
        }
        if let Err(status) = self.legs.accept(&mut lend!(self, now), leg, thread, prefer) {
            self.end_contact(now, key, EndedBy::System, Some(status));
            return false;
        }
        self.keep_thread(key, leg);
        if let Some(contact) = self.contact_mut(key) {
            contact.ever_answered = true;
        }
        for timer in [ContactTimer::EarlyMedia, ContactTimer::EarlyRepeat, ContactTimer::EarlyMax] {
            self.stop_timer(key, timer);
        }
        if let Some(every) = self.settings.probe_waiting {
            self.set_timer(key, ContactTimer::Alive, now + every);
        }
        true
    }

    /// Lets the caller hear something before the call is answered (183). With `prefer` in that codec, where the caller offered it. False
    /// when that cannot be.
    pub(super) fn answer_early(&mut self, now: Time, key: ContactKey, prefer: Option<Codec>) -> bool {
        let Some(contact) = self.contact(key) else { return false };
        let (leg, thread) = (contact.caller, contact.thread);
        if !matches!(self.legs.get(leg).map(Leg::state), Some(LegState::Arriving { early: false })) {
            return false;
        }
        if let Err(status) = self.legs.progress(&mut lend!(self, now), leg, thread, prefer) {
            self.end_contact(now, key, EndedBy::System, Some(status));
            return false;
        }
        self.keep_thread(key, leg);
        true
    }

    /// All further endpoints of the contact are of the leg's thread, so that its parties can hear each other.
    pub(super) fn keep_thread(&mut self, key: ContactKey, leg: LegKey) {
        let thread = self.legs.get(leg).and_then(Leg::thread);
        if let (Some(contact), Some(thread)) = (self.contact_mut(key), thread) {
            contact.thread = Some(thread);
        }
    }
}

/// The SDP offer of an INVITE.
pub(super) fn read_sdp_offer(message: &Message<'_>) -> Result<Description, Refusal> {
    if message.list(Name::Require).any(|option| !option.is_empty()) {
        return Err(refuse(420, Rejected::Malformed));
    }
    if message.get(Name::ContentEncoding).is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Err(refuse(415, Rejected::Malformed));
    }
    if message.body.is_empty() {
        return Err(refuse(488, Rejected::Malformed));
    }
    if message.content_type().is_some_and(|kind| !kind.is("application", "sdp")) {
        return Err(refuse(415, Rejected::Malformed));
    }
    let sdp_offer =
        sdp::read(message.body).map_err(|error| refuse(if error.malformed() { 400 } else { 488 }, Rejected::Malformed))?;
    let spoken = sdp::choose(&sdp_offer, &Codec::ALL).is_some();
    if spoken { Ok(sdp_offer) } else { Err(refuse(488, Rejected::Malformed)) }
}

/// The number dialled, from where this trunk writes it.
fn dialled_number(message: &Message<'_>, rules: &TrunkRules) -> String {
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
fn caller_number(message: &Message<'_>, rules: &TrunkRules) -> String {
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
