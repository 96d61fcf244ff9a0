//! Texts: the owner of every party that writes. To contacts they are legs like others: they take the same messages, and tell the same.
//!
//! What was written while nobody read it is kept, up to a bound, for whoever comes: an agent sees what the contact has said so far.

use std::collections::VecDeque;
use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;

use super::between::{Call, CallFailed, ContactKey, ContactRef, Heard, LegEvent, LegKey, NotRung, Rung, ToContact, ToLeg, Whom};
use super::context::Context;
use super::legs::LegView;
use super::text_port::{NotTaken, TEXT_MAX, TextId, TextInput, TextOutput};
use crate::base::AgentId;
use crate::base::words::Limit;
use crate::call::leg::{LegState, Role};
use crate::report::FactKind;

/// What one party has written and nobody has read: so many messages, of which the oldest are forgotten.
const UNREAD_MAX: usize = 64;

/// A party that writes.
struct Text {
    key: LegKey,
    contact: ContactRef,
    number: u32,
    role: Role,
    state: LegState,
    /// Whose texts it is shown, and who is shown its own.
    reads: SmallVec<[LegKey; 2]>,
    read_by: SmallVec<[LegKey; 2]>,
    unread: VecDeque<Arc<str>>,
    /// How many sessions its contact ever had, if it is the contact's first.
    legs_ever: u32,
    /// Messages written and shown.
    counts: (u64, u64),
}

/// All parties of one shard that write.
#[derive(Default)]
pub(super) struct Texts {
    texts: Slab<Text>,
    /// How many of them are their contacts' first.
    callers: u32,
}

impl LegKey {
    /// Slots from here on are of parties that write.
    const TEXT: u32 = 1 << 31;

    /// Whether its party writes.
    pub(super) const fn is_text(self) -> bool {
        self.slot >= LegKey::TEXT
    }

    const fn index(self) -> usize {
        (self.slot & !LegKey::TEXT) as usize
    }

    /// What who carries text calls it.
    const fn text_id(self) -> TextId {
        TextId(self.endpoint().0)
    }
}

impl Texts {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// How many contacts write: they need no ports.
    pub(super) const fn callers(&self) -> u32 {
        self.callers
    }

    fn get(&self, key: LegKey) -> Option<&Text> {
        self.texts.get(key.index()).filter(|text| text.key == key)
    }

    fn find(&mut self, key: LegKey) -> Option<&mut Text> {
        self.texts.get_mut(key.index()).filter(|text| text.key == key)
    }

    /// The party of a session.
    pub(super) fn with_id(&self, session: TextId) -> Option<LegKey> {
        let slot = (session.0 >> 32 & 0xff_ffff) as usize;
        self.texts.get(slot).map(|text| text.key).filter(|key| key.text_id() == session)
    }

    /// The contact that a party reports to.
    pub(super) fn reports_to(&self, key: LegKey) -> Option<ContactKey> {
        self.get(key).map(|text| text.contact.key)
    }

    /// Every party, for the audit and after a fault.
    pub(super) fn views(&self) -> impl Iterator<Item = LegView> {
        self.texts.iter().map(|(_, text)| LegView {
            key: text.key,
            contact: text.contact.key,
            role: text.role,
            ending: false,
            guest: false,
        })
    }

    /// What the next party will be called.
    pub(super) fn next_key(&self, cx: &mut Context<'_>) -> LegKey {
        LegKey { shard: cx.shard, slot: self.texts.vacant_key() as u32 | LegKey::TEXT, token: cx.seed.next_u32() }
    }

    /// Somebody who writes has arrived.
    pub(super) fn arrive(&mut self, cx: &mut Context<'_>, key: LegKey, contact: ContactRef, origin: Arc<str>) {
        let state = LegState::Arriving { early: false };
        self.add(cx, key, contact, (1, Role::Caller, state), &origin);
        cx.out.text(TextOutput::Taken { origin, session: key.text_id() });
    }

    fn add(
        &mut self,
        cx: &mut Context<'_>,
        key: LegKey,
        contact: ContactRef,
        (number, role, state): (u32, Role, LegState),
        origin: &Arc<str>,
    ) {
        let agent = if let Role::Agent(agent) = role { Some(agent) } else { None };
        cx.fact(Some(contact.id), FactKind::LegBegan { leg: number, role: role.word(), agent, call_id: origin.clone() });
        let text = Text {
            key,
            contact,
            number,
            role,
            state,
            reads: SmallVec::new(),
            read_by: SmallVec::new(),
            unread: VecDeque::new(),
            legs_ever: 1,
            counts: (0, 0),
        };
        self.callers += u32::from(role == Role::Caller);
        let slot = self.texts.insert(text);
        assert!(!cfg!(test) || slot == key.index(), "a party takes the place that its name says");
    }

    /// Offers a contact to an agent. A number outside cannot be written to.
    pub(super) fn call(&mut self, cx: &mut Context<'_>, call: &Call) {
        let (role, rung) = match &call.whom {
            Whom::Number { trunk, .. } => (Role::External(*trunk), Err(NotRung::Unroutable)),
            Whom::Agent { agent, from } => (Role::Agent(*agent), self.offer(cx, call, *agent, from)),
        };
        cx.out.tell_contact(call.contact.key, ToContact::Rung(role, rung));
    }

    fn offer(&mut self, cx: &mut Context<'_>, call: &Call, agent: AgentId, from: &str) -> Rung {
        let key = self.next_key(cx);
        let caller = self.find(call.caller).ok_or(NotRung::Unroutable)?;
        caller.legs_ever += 1;
        let number = caller.legs_ever;
        let origin: Arc<str> = format!("{:016x}", key.text_id().0).into();
        self.add(cx, key, call.contact, (number, Role::Agent(agent), LegState::Calling { ringing: true }), &origin);
        cx.out.text(TextOutput::Offers { session: key.text_id(), agent, from: from.into() });
        Ok(SmallVec::from_iter([key]))
    }

    /// Takes a message. One to a party that is gone is quiet: the two may cross.
    pub(super) fn handle(&mut self, cx: &mut Context<'_>, key: LegKey, message: &ToLeg) {
        let now = cx.now;
        let Some(text) = self.find(key) else { return };
        match message {
            ToLeg::Accept { hears, .. } => {
                text.state = LegState::Answered { since: now, holds: false };
                self.hear(cx, key, hears.as_ref());
            }
            ToLeg::Progress { hears, .. } => self.hear(cx, key, Some(hears)),
            ToLeg::Hear { what, .. } => self.hear(cx, key, what.as_ref()),
            ToLeg::Cancel { .. } | ToLeg::HangUp | ToLeg::End(_) => {
                self.close(cx, key, LegEvent::Over);
            }
            // Of what only phones have nothing is said to who writes: the contact asks for none of it.
            ToLeg::Ring
            | ToLeg::RepeatProgress
            | ToLeg::SendKey(_)
            | ToLeg::AnswerRefer(_)
            | ToLeg::Notify(_)
            | ToLeg::Moving(_)
            | ToLeg::Ask => {}
        }
    }

    /// What a party is shown from now on.
    fn hear(&mut self, cx: &mut Context<'_>, key: LegKey, what: Option<&Heard>) {
        let (Some(text), Some(what)) = (self.find(key), what) else { return };
        let contact = text.contact.key;
        let reads = if let Heard::Legs(others) = what { others.clone() } else { SmallVec::new() };
        for before in std::mem::replace(&mut text.reads, reads.clone()) {
            if let Some(writer) = self.find(before) {
                writer.read_by.retain(|reader| *reader != key);
            }
        }
        for other in reads {
            let Some(writer) = self.find(other) else { continue };
            writer.read_by.push(key);
            let unread = std::mem::take(&mut writer.unread);
            unread.into_iter().for_each(|text| self.show(cx, key, other, text));
        }
        if let Heard::Prompts { names, token } = what {
            if !names.is_empty() {
                cx.out.text(TextOutput::Shows { session: key.text_id(), names: names.clone() });
            }
            // It is read at the reader's own pace.
            cx.out.tell_contact(contact, ToContact::Leg(key, LegEvent::Played(*token)));
        }
    }

    /// Shows a party what another has written.
    fn show(&mut self, cx: &mut Context<'_>, to: LegKey, by: LegKey, text: Arc<str>) {
        if let Some(reader) = self.find(to) {
            reader.counts.1 += 1;
            cx.out.text(TextOutput::Writes { session: to.text_id(), by: by.text_id(), text });
        }
    }

    /// Something that a party does; its [`TextInput::Arrives`] is the hub's.
    pub(super) fn input(&mut self, cx: &mut Context<'_>, key: LegKey, input: TextInput) {
        let now = cx.now;
        let Some(text) = self.find(key) else { return };
        let contact = text.contact.key;
        match input {
            TextInput::Arrives { .. } => cx.missing("the hub's own input"),
            TextInput::Writes { text: written, .. } => self.writes(cx, key, written),
            TextInput::Takes { .. } => {
                if let LegState::Calling { .. } = text.state {
                    text.state = LegState::Answered { since: now, holds: false };
                    cx.out.tell_contact(contact, ToContact::Leg(key, LegEvent::Answered));
                }
            }
            TextInput::TakesNot { why, .. } => {
                if let LegState::Calling { .. } = text.state {
                    let why = match why {
                        NotTaken::Declined => CallFailed::Refused(603),
                        NotTaken::Unreachable => CallFailed::Unanswered,
                    };
                    self.close(cx, key, LegEvent::Failed(why));
                }
            }
            TextInput::Leaves { .. } => {
                // Who leaves an offer does not take it.
                let offered = matches!(text.state, LegState::Calling { .. });
                self.close(cx, key, if offered { LegEvent::Failed(CallFailed::Unanswered) } else { LegEvent::Gone });
            }
        }
    }

    /// A party writes. What nobody reads is kept for whoever comes.
    fn writes(&mut self, cx: &mut Context<'_>, key: LegKey, written: Arc<str>) {
        let written = match (0..=TEXT_MAX).rev().find(|end| written.is_char_boundary(*end)) {
            Some(end) if written.len() > TEXT_MAX => written[..end].into(),
            _ => written,
        };
        let Some(text) = self.find(key) else { return };
        text.counts.0 += 1;
        let readers = text.read_by.clone();
        if readers.is_empty() {
            text.unread.push_back(written);
            if text.unread.len() > UNREAD_MAX {
                text.unread.pop_front();
                let contact = text.contact.id;
                cx.limit_hit(Some(contact), Limit::UnreadTexts);
            }
            return;
        }
        readers.into_iter().for_each(|reader| self.show(cx, reader, key, written.clone()));
    }

    /// A party is gone, which its contact is told.
    fn close(&mut self, cx: &mut Context<'_>, key: LegKey, told: LegEvent) {
        if self.get(key).is_none() {
            return;
        }
        self.hear(cx, key, Some(&Heard::Nothing));
        let Text { contact, number, role, state, counts: (written, shown), .. } = self.texts.remove(key.index());
        self.callers -= u32::from(role == Role::Caller);
        let status = state.answered().then_some(200);
        let (packets, jitter) = ((written, shown, 0), std::time::Duration::ZERO);
        cx.fact(Some(contact.id), FactKind::LegEnded { leg: number, role: role.word(), status, packets, jitter });
        cx.out.text(TextOutput::Closes { session: key.text_id() });
        cx.out.tell_contact(contact.key, ToContact::Leg(key, told));
    }
}
