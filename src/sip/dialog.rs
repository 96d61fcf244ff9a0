//! Dialogs (RFC 3261 12): the peer-to-peer relation that a call's requests travel in. Tags, sequence numbers, route set, remote target.
//!
//! A dialog sends nothing: it writes the headers of the requests that are sent in it, and says whether one that came is in order.

use super::message::Message;
use super::method::Method;
use super::name::Name;
use super::name_addr::ContactHeader;
use super::uri::Uri;
use super::write::Writer;

/// Why no dialog can be made of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotADialog {
    /// From, To or Call-ID is missing or unreadable.
    #[error("From, To or Call-ID cannot be used")]
    Identity,
    /// There is no Contact to send requests to, or not exactly one.
    #[error("there is not exactly one Contact")]
    Contact,
}

/// Whether a request in a dialog comes in order (RFC 3261 12.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// It does: its CSeq is higher than the last.
    Next,
    /// Its CSeq is not higher than the last: 500.
    Old,
}

/// A dialog, early or confirmed.
#[derive(Clone, Debug)]
pub struct Dialog {
    call_id: Box<str>,
    local_tag: Box<str>,
    remote_tag: Box<str>,
    /// The values of From and To in our requests, tags included.
    local: Box<str>,
    remote: Box<str>,
    target: Box<str>,
    routes: Vec<Box<str>>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
}

fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}

/// A header value on one line: folding (RFC 3261 7.3.1) becomes a space.
fn unfolded(value: &[u8]) -> Option<Box<str>> {
    let text = text(value)?;
    if text.contains(['\r', '\n']) {
        return Some(
            text.split(['\r', '\n']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ").into(),
        );
    }
    Some(text.into())
}

fn single_contact(message: &Message<'_>) -> Result<Box<str>, NotADialog> {
    let mut contacts = message.contacts();
    match (contacts.next(), contacts.next()) {
        (Some(Ok(ContactHeader::Addr(contact))), None) => Ok(contact.raw_uri().into()),
        _ => Err(NotADialog::Contact),
    }
}

impl Dialog {
    /// The dialog that our answer with `local_tag` to `request` makes (RFC 3261 12.1.1).
    ///
    /// # Errors
    /// When the request lacks what a dialog is made of.
    pub fn from_request(request: &Message<'_>, local_tag: &str) -> Result<Self, NotADialog> {
        let from = request.from().map_err(|_| NotADialog::Identity)?;
        let from_value = request.get(Name::From).and_then(unfolded).ok_or(NotADialog::Identity)?;
        let to_value = request.get(Name::To).and_then(unfolded).ok_or(NotADialog::Identity)?;
        Ok(Dialog {
            call_id: request.call_id().ok().and_then(text).ok_or(NotADialog::Identity)?.into(),
            local_tag: local_tag.into(),
            remote_tag: from.tag().unwrap_or("").into(),
            local: format!("{to_value};tag={local_tag}").into(),
            remote: from_value,
            target: single_contact(request)?,
            routes: request.list(Name::RecordRoute).filter_map(unfolded).collect(),
            local_cseq: 0,
            remote_cseq: request.cseq().ok().map(|cseq| cseq.number),
        })
    }

    /// The dialog that `response` makes of a request of ours (RFC 3261 12.1.2), whose From value was `local` and CSeq `local_cseq`.
    ///
    /// # Errors
    /// When the response lacks what a dialog is made of.
    pub fn from_response(response: &Message<'_>, local_cseq: u32) -> Result<Self, NotADialog> {
        let from = response.from().map_err(|_| NotADialog::Identity)?;
        let to = response.to().map_err(|_| NotADialog::Identity)?;
        let mut routes: Vec<Box<str>> = response.list(Name::RecordRoute).filter_map(unfolded).collect();
        routes.reverse();
        Ok(Dialog {
            call_id: response.call_id().ok().and_then(text).ok_or(NotADialog::Identity)?.into(),
            local_tag: from.tag().ok_or(NotADialog::Identity)?.into(),
            remote_tag: to.tag().unwrap_or("").into(),
            local: response.get(Name::From).and_then(unfolded).ok_or(NotADialog::Identity)?,
            remote: response.get(Name::To).and_then(unfolded).ok_or(NotADialog::Identity)?,
            target: single_contact(response)?,
            routes,
            local_cseq,
            remote_cseq: None,
        })
    }

    /// The Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// The peer's tag.
    #[must_use]
    pub fn remote_tag(&self) -> &str {
        &self.remote_tag
    }

    /// The URI of the peer's Contact.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Whether a message of the peer's belongs to this dialog: a request by its tags, seen from us.
    #[must_use]
    pub fn owns(&self, request: &Message<'_>) -> bool {
        request.call_id().is_ok_and(|id| id == self.call_id.as_bytes())
            && request.from().is_ok_and(|from| from.tag().unwrap_or("") == &*self.remote_tag)
            && request.to().is_ok_and(|to| to.tag() == Some(&*self.local_tag))
    }

    /// Whether a response with this To tag belongs to this dialog, rather than to another fork.
    #[must_use]
    pub fn same_fork(&self, response: &Message<'_>) -> bool {
        response.to().is_ok_and(|to| to.tag().unwrap_or("") == &*self.remote_tag)
    }

    /// Takes a request's sequence number.
    pub fn take_cseq(&mut self, number: u32) -> Order {
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return Order::Old;
        }
        self.remote_cseq = Some(number);
        Order::Next
    }

    /// Takes a new remote target from a re-INVITE or UPDATE or its 2xx (RFC 3261 12.2.1.2, 12.2.2).
    pub fn refresh(&mut self, message: &Message<'_>) {
        if let Ok(target) = single_contact(message) {
            self.target = target;
        }
    }

    /// Takes the route set of the 2xx, which replaces that of an early dialog (RFC 3261 13.2.2.4).
    pub fn confirm(&mut self, response: &Message<'_>) {
        self.refresh(response);
        self.routes = response.list(Name::RecordRoute).filter_map(unfolded).collect();
        self.routes.reverse();
    }

    /// The next sequence number of ours.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq += 1;
        self.local_cseq
    }

    /// The Request-URI of our requests, and the URI of the next hop: the first route or the target (RFC 3261 12.2.1.1).
    #[must_use]
    pub fn request_uri(&self) -> &str {
        match self.routes.first() {
            Some(first) if !is_loose(first) => inner_uri(first),
            _ => &self.target,
        }
    }

    /// Where our requests go: the first route, or the target.
    #[must_use]
    pub fn next_hop(&self) -> &str {
        self.routes.first().map_or(&*self.target, |first| inner_uri(first))
    }

    /// Writes Route, Max-Forwards, From, To, Call-ID and CSeq of a request of ours.
    pub fn write(&self, writer: &mut Writer, method: Method<'_>, cseq: u32) {
        let strict = self.routes.first().is_some_and(|first| !is_loose(first));
        for route in self.routes.iter().skip(usize::from(strict)) {
            writer.field(Name::Route, &**route);
        }
        if strict {
            writer.parts(Name::Route, &["<", &self.target, ">"]);
        }
        writer.field(Name::MaxForwards, "70");
        writer.field(Name::From, &*self.local);
        writer.field(Name::To, &*self.remote);
        writer.field(Name::CallId, &*self.call_id);
        writer.cseq(cseq, method.as_str());
    }
}

/// The URI between the angle brackets.
fn inner_uri(route: &str) -> &str {
    route.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(route, |(uri, _)| uri)
}

fn is_loose(route: &str) -> bool {
    Uri::parse(inner_uri(route)).is_ok_and(|uri| uri.params.get("lr").is_some())
}

#[cfg(test)]
#[path = "dialog_tests.rs"]
mod tests;
