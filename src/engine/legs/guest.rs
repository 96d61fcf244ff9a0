//! How a leg goes from one contact to another, be that of this shard or of another: its session and its endpoint stay where they are.
//!
//! A leg belongs to one contact at any time, and it alone says when that changes: it tells the one that it has gone, and the other that it has
//! come. Whoever commands it from another shard says each ten seconds that it is there.

use std::time::Duration;

use super::media::Endpoints;
use super::{Leg, Legs, find};
use crate::base::words::Repair;
use crate::call::conversation::Place;
use crate::call::leg::{LegState, Role};
use crate::engine::between::{ContactRef, Guest, LegEvent, LegKey, Moving, Reason, ToContact, ToDesk, ToLeg};
use crate::engine::context::Context;
use crate::report::FactKind;

/// A leg whose contact, of another shard, says nothing for the first span, and then nothing for the second, ends by itself. The second is for
/// what has come while the leg's own shard stood still.
const LEASE: [Duration; 2] = [Duration::from_secs(28), Duration::from_secs(2)];

impl Leg {
    /// Takes what is said to a leg that goes from contact to contact.
    pub(super) fn moves(&mut self, cx: &mut Context<'_>, endpoints: &mut Endpoints, message: Moving) {
        match message {
            Moving::GoOver { to, role, place } => self.go_over(cx, endpoints, (to, role, place)),
            Moving::EndIfYours(of, status) if self.contact.key == of => self.end(cx, endpoints, status),
            Moving::EndIfYours(of, _) => cx.out.tell_contact(of, ToContact::Guest(self.key, LegEvent::Moved)),
            Moving::Orphaned(of) if self.contact.key == of && self.state.answered() => self.hang_up(cx, endpoints),
            Moving::Orphaned(_) => {}
            Moving::Renew => self.renew(cx),
            Moving::Numbers(guest) => {
                self.legs_ever += 1;
                cx.out.tell_leg(guest, ToLeg::Moving(Moving::IsNumber(self.contact.key, self.legs_ever)));
            }
            Moving::IsNumber(of, number) if self.contact.key == of => self.is_number(cx, number),
            // It has gone on to another contact since.
            Moving::IsNumber(..) => {}
        }
    }

    /// It goes over to another contact, unless it is ending.
    fn go_over(&mut self, cx: &mut Context<'_>, endpoints: &mut Endpoints, (to, role, place): (ContactRef, Role, Place)) {
        let LegState::Answered { holds, .. } = self.state else { return };
        cx.fact(Some(self.contact.id), FactKind::LegMoved { leg: self.number, to: to.id });
        if self.role == Role::Caller {
            endpoints.is_no_caller(self.media.is_some());
        }
        if let (Role::Agent(agent), false) = (role, self.guest) {
            // Before the desk hears that the contact which it leaves has done with the agent: whoever still talks is not to be rung.
            cx.tell_desk(agent, ToDesk::OwnCall);
        }
        self.tell(cx, LegEvent::Moved);
        (self.contact, self.role, self.number, self.guest) = (to, role, 0, true);
        self.stop_lease(cx);
        self.renew(cx);
        cx.out.tell_contact(to.key, ToContact::Joins(self.key, Guest { role, place, holds }));
    }

    /// Its contact has numbered it.
    fn is_number(&mut self, cx: &mut Context<'_>, number: u32) {
        if !self.state.answered() {
            // It has ended before, without a number.
            return;
        }
        self.number = number;
        let agent = if let Role::Agent(agent) = self.role { Some(agent) } else { None };
        let call_id = cx.sessions.call_id(self.session).unwrap_or_default().into();
        cx.fact(Some(self.contact.id), FactKind::LegBegan { leg: number, role: self.role.word(), agent, call_id });
    }

    /// Its contact is there. One of this shard cannot be gone without a word.
    fn renew(&mut self, cx: &mut Context<'_>) {
        self.stop_lease(cx);
        // One that is ending ends by itself.
        if self.contact.key.shard != cx.shard && self.state.answered() {
            self.expect_word(cx, false);
        }
    }

    /// It waits for a word of its contact, for the first time or once more.
    fn expect_word(&mut self, cx: &mut Context<'_>, again: bool) {
        let span = LEASE[usize::from(again)];
        self.lease = Some((cx.timers.set(cx.now + span, Reason::Lease(self.key)), again));
    }

    /// It is gone.
    pub(super) fn guest_over(&mut self, cx: &mut Context<'_>) {
        self.stop_lease(cx);
        if let (Role::Agent(agent), true) = (self.role, self.guest) {
            cx.tell_desk(agent, ToDesk::OwnCallOver);
        }
    }

    /// It waits for no word of its contact.
    pub(super) fn stop_lease(&mut self, cx: &mut Context<'_>) {
        if let Some((lease, _)) = self.lease.take() {
            cx.timers.cancel(lease);
        }
    }
}

impl Legs {
    /// A leg has not heard from its contact, which is another shard's, for too long.
    pub(in crate::engine) fn lease_over(&mut self, cx: &mut Context<'_>, key: LegKey) {
        let Some(leg) = find(&mut self.legs, key) else { return cx.missing("the leg of a lease") };
        if let Some((_, false)) = leg.lease.take() {
            return leg.expect_word(cx, true);
        }
        cx.fact(Some(leg.contact.id), FactKind::Repaired { kind: Repair::Forsaken });
        if leg.state.answered() {
            leg.hang_up(cx, &mut self.endpoints);
            leg.tell(cx, LegEvent::Left);
        }
    }
}
