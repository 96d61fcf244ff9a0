//! What the hub hands on, and whom that is for.

use super::between::{Between, ContactKey, ContactRef, DeskId, LegKey, Reason, ToContact, Want};
use super::contacts::Contacts;
use super::legs::Legs;
use super::media_port::MediaEvent;
use super::text_port::TextInput;
use super::texts::Texts;
use crate::acd::ContactSlot;
use crate::acd::command::{Command, Offer};
use crate::base::AgentId;
use crate::sip::session::{LoneEvent, LoneId, SessionEvent, SessionId};

/// What the hub hands on, one at a time.
pub(super) enum Delivery {
    /// From one owner to another.
    Message(Between),
    /// Something happened to a session.
    Session(SessionId, SessionEvent),
    /// What came of an OPTIONS to a trunk.
    Lone(LoneId, LoneEvent),
    /// Something happened to media.
    Media(MediaEvent),
    /// Something that a party does that writes.
    Text(LegKey, TextInput),
    /// A timer has come.
    Timer(Reason),
    /// The matcher has reserved an agent for one of a contact's slots, and the agent's owner has said whether that holds.
    Offered(Offer),
    /// The matcher does what a contact says.
    Command(ContactRef, Command),
    /// The matcher does what a desk wants by then.
    Settle(DeskId),
}

impl Delivery {
    /// Whom it is for.
    pub(super) fn addressee(&self, (legs, texts): (&Legs, &Texts), contacts: &Contacts) -> Addressee {
        let reports_to = |leg: LegKey| if leg.is_text() { texts.reports_to(leg) } else { legs.reports_to(leg) };
        let of_leg = |leg: Option<LegKey>| leg.and_then(reports_to);
        let contact = match self {
            Delivery::Message(Between::ToDesk(DeskId { agent, .. }, ..) | Between::Settled(DeskId { agent, .. }, _))
            | Delivery::Timer(Reason::Desk(agent, _))
            | Delivery::Settle(DeskId { agent, .. }) => return Addressee::Desk(*agent),
            Delivery::Message(Between::ToContact(key, ToContact::Taken(desk, want, _))) => {
                return Addressee::Taker(*key, desk.agent, *want);
            }
            Delivery::Message(Between::ToContact(key, ToContact::Joins(leg, _))) => return Addressee::Host(*key, *leg),
            Delivery::Message(Between::ToContact(key, _)) | Delivery::Timer(Reason::Contact(key, _)) => Some(*key),
            Delivery::Message(Between::ToLeg(leg, _)) | Delivery::Text(leg, _) => of_leg(Some(*leg)),
            Delivery::Message(Between::Call(call)) => Some(call.contact.key),
            Delivery::Message(Between::FromMatcher(contact, event)) => {
                return event.agent_slot().map_or(Addressee::Contact(contact.key), |slot| Addressee::Told(*contact, slot));
            }
            Delivery::Command(contact, command) => return Addressee::Commander(*contact, command.slot()),
            Delivery::Timer(Reason::Lease(leg)) => of_leg(Some(*leg)),
            Delivery::Session(session, _) => of_leg(legs.with_session(*session)),
            Delivery::Media(event) => of_leg(event.endpoint().and_then(|endpoint| legs.with_endpoint(endpoint))),
            Delivery::Offered(offer) => contacts.in_slot(offer.slot).map(|contact| contact.key),
            Delivery::Message(
                Between::ToContacts(_)
                | Between::TakenUp
                | Between::Devices(..)
                | Between::Served(..)
                | Between::TrunkUp(..)
                | Between::DeskLost(_),
            )
            | Delivery::Lone(..)
            | Delivery::Timer(Reason::Probe(_)) => None,
        };
        contact.map_or(Addressee::Nobody, Addressee::Contact)
    }
}

/// Whom a delivery is for, and so whom a panic in it costs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Addressee {
    /// Nobody in particular.
    #[default]
    Nobody,
    Contact(ContactKey),
    /// A contact that is told that an agent is its own.
    Taker(ContactKey, AgentId, Want),
    /// A contact that is told that a leg has come to it.
    Host(ContactKey, LegKey),
    /// A contact that commands the matcher, which may rely on this when it is gone: the slot that it is about.
    Commander(ContactRef, ContactSlot),
    /// A contact, gone or not, that is told by the matcher of this slot of an agent's.
    Told(ContactRef, AgentId),
    Desk(AgentId),
}
