//! The headers of what sessions send, each kind written in one place (RFC 3261 8.1.1, 12.2.1.1, 13.2.1, 13.3.1; RFC 3327).
//!
//! Owns which headers stand in our INVITE, in our answers to one, in requests within a dialog and in the ACK to a 2xx. It decides nothing
//! about when they are sent. Via, Content-Type and Content-Length are the transaction layer's. The lone OPTIONS to a trunk, which belongs to
//! no session, is written where it is sent (`outside`).

use std::sync::Arc;

use super::event::Content;
use super::id::SessionId;
use super::proof::{Login, Written};
use super::way::ContactUri;
use crate::sip::dialog::Dialog;
use crate::sip::flow::Flow;
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::write::Writer;

/// The methods that we take.
pub const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REFER, NOTIFY, REGISTER";

/// The extensions that we know: proxies on the way to a phone (RFC 3327).
pub const SUPPORTED: &str = "path";

/// The bodies of INFO that we take: keys, in the two forms that phones use.
pub(super) const INFO_KINDS: &str = "application/dtmf-relay, application/dtmf";

/// A call of ours to be placed (RFC 3261 13.2.1).
#[derive(Clone, Debug)]
pub struct NewInvite<'a> {
    /// The way to the peer.
    pub flow: Flow,
    /// Whether the peer is reached by that flow alone, whatever Contact it names.
    pub behind_nat: bool,
    /// The Request-URI.
    pub uri: &'a str,
    /// The proxies on the way, as a Route value (a registration's Path, RFC 3327).
    pub route: Option<&'a str>,
    /// The value of From, without its tag.
    pub from: &'a str,
    /// The value of To.
    pub to: &'a str,
    /// How many hops the request may still take.
    pub max_forwards: u8,
    /// Further headers: Alert-Info, Call-Info, P-Asserted-Identity.
    pub headers: &'a [(Name, &'a str)],
    /// The offer.
    pub body: Content<'a>,
    /// What answers the challenges to any request of the session.
    pub credentials: Option<Arc<Login>>,
}

/// Our INVITE that begins a session: all but CSeq and credentials, which [`numbered`] adds.
pub(super) fn invite(writer: &mut Writer, new: &NewInvite<'_>, id: SessionId, call_id: &str, contact: &ContactUri) {
    if let Some(route) = new.route {
        writer.field(Name::Route, route);
    }
    writer.number(Name::MaxForwards, new.max_forwards);
    writer.parts(Name::From, &[new.from, ";tag=", &id.tag()]);
    writer.field(Name::To, new.to);
    writer.field(Name::CallId, call_id);
    describes(writer, contact);
    for (name, value) in new.headers {
        writer.field(*name, value);
    }
}

/// What distinguishes one try of our INVITE from the next: its number, and its answer to challenges.
pub(super) fn numbered(writer: &mut Writer, cseq: u32, credentials: &Written) {
    writer.cseq(cseq, "INVITE");
    credentials.write(writer);
}

/// What stands in every message of ours that describes the session: our INVITE, 183 and 2xx.
pub(super) fn describes(writer: &mut Writer, contact: &ContactUri) {
    reached_at(writer, contact);
    allow(writer);
    writer.field(Name::Supported, SUPPORTED);
}

/// Where further requests reach us.
pub(super) fn reached_at(writer: &mut Writer, contact: &ContactUri) {
    let [scheme, host, parameter, transport] = contact.parts();
    writer.parts(Name::Contact, &["<", scheme, host, parameter, transport, ">"]);
}

/// A request of ours within a dialog: a re-INVITE, UPDATE, BYE, OPTIONS, INFO or NOTIFY. Those that may move the peer's idea of where we are
/// carry a Contact.
pub(super) fn within(
    writer: &mut Writer,
    (dialog, method, cseq): (&Dialog, Method<'_>, u32),
    contact: &ContactUri,
    extra: &[(Name, &str)],
    credentials: &Written,
) {
    dialog.write(writer, method, cseq);
    match method {
        Method::Invite | Method::Update => describes(writer, contact),
        Method::Notify => {
            reached_at(writer, contact);
            allow(writer);
        }
        _ => {}
    }
    for (name, value) in extra {
        writer.field(*name, value);
    }
    credentials.write(writer);
}

/// The ACK to a 2xx: it carries the credentials of its INVITE (RFC 3261 13.2.2.4).
pub(super) fn ack(writer: &mut Writer, dialog: &Dialog, cseq: u32, credentials: &Written) {
    dialog.write(writer, Method::Ack, cseq);
    credentials.write(writer);
}

/// Says which methods we take (RFC 3261 20.5).
pub fn allow(writer: &mut Writer) {
    writer.field(Name::Allow, ALLOW);
}
