//! Requests of ours within dialogs, and what comes of them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::leg::LegKey;
use super::{Engine, TxUser};
use crate::base::Time;
use crate::base::words::{OfferOutcome, Transport};
use crate::call::leg::LegState;
use crate::sip::dialog::Dialog;
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::stack::{ClientTx, TxEvent};
use crate::sip::uri::Uri;

impl Engine {
    /// The way to `uri` for a party that was last heard of on `last`. Behind a NAT, and where a name would have to be looked up, that is
    /// where it came from.
    pub(super) fn flow_to(&self, uri: &str, last: &Flow, behind_nat: bool) -> Flow {
        if behind_nat {
            return *last;
        }
        let Ok(uri) = Uri::parse(uri) else { return *last };
        let Ok(host) = uri.host.parse::<IpAddr>() else { return *last };
        let transport = match uri.params.value("transport").map(str::to_ascii_lowercase).as_deref() {
            Some("tcp") => Transport::Tcp,
            Some("udp") => Transport::Udp,
            _ => last.transport,
        };
        let remote = SocketAddr::new(host, uri.port.unwrap_or(5060));
        if transport == last.transport && remote.is_ipv6() == last.remote.is_ipv6() {
            return Flow { remote, ..*last };
        }
        match self.stack.listener_for(transport, remote) {
            Some(listener) => Flow { transport, listener, remote, connection: None },
            None => *last,
        }
    }

    /// Sends a request in the leg's dialog.
    pub(super) fn in_dialog(
        &mut self,
        now: Time,
        leg: LegKey,
        method: Method<'_>,
        user: TxUser,
        body: Option<(&str, &[u8])>,
    ) -> Option<ClientTx> {
        self.in_dialog_with(now, leg, method, user, body, &[])
    }

    /// The same, with further headers.
    pub(super) fn in_dialog_with(
        &mut self,
        now: Time,
        leg: LegKey,
        method: Method<'_>,
        user: TxUser,
        body: Option<(&str, &[u8])>,
        extra: &[(Name, &str)],
    ) -> Option<ClientTx> {
        let entry = self.leg_mut(leg)?;
        let (last, nat) = (entry.flow, entry.behind_nat);
        let dialog = entry.dialog.as_mut()?;
        let cseq = dialog.next_cseq();
        let dialog = dialog.clone();
        let flow = self.flow_to(dialog.next_hop(), &last, nat);
        let targets = matches!(method, Method::Invite | Method::Update | Method::Notify);
        let contact = targets.then(|| self.contact_uri(&flow));
        let tx = self.stack.request(now, flow, (method, dialog.request_uri()), user, body, |writer| {
            dialog.write(writer, method, cseq);
            if let Some(contact) = contact {
                writer.fmt(Name::Contact, format_args!("<{contact}>"));
                writer.field(Name::Allow, super::dispatch::ALLOW);
            }
            for (name, value) in extra {
                writer.field(*name, value);
            }
        });
        Some(tx)
    }

    /// Acknowledges the 2xx to an INVITE of ours, and keeps the ACK for when the 2xx comes again.
    pub(super) fn acknowledge(&mut self, leg: LegKey, cseq: u32) {
        let Some(entry) = self.leg(leg) else { return };
        let Some(dialog) = entry.dialog.clone() else { return };
        let flow = self.flow_to(dialog.next_hop(), &entry.flow, entry.behind_nat);
        let ack = self.ack_in(&dialog, &flow, cseq);
        if let Some(entry) = self.leg_mut(leg) {
            entry.ack = Some((flow, ack.clone()));
        }
        self.stack.send(flow, ack);
    }

    fn ack_in(&mut self, dialog: &Dialog, flow: &Flow, cseq: u32) -> Arc<[u8]> {
        let mut writer = self.stack.outside(flow, (Method::Ack, dialog.request_uri()));
        dialog.write(&mut writer, Method::Ack, cseq);
        writer.finish(None).into()
    }

    /// A second phone behind one contact answered, too (a forking proxy): it is acknowledged and hung up.
    pub(super) fn end_fork(&mut self, now: Time, leg: LegKey, message: &Message<'_>) {
        let Some(entry) = self.leg(leg) else { return };
        let (last, nat) = (entry.flow, entry.behind_nat);
        let cseq = entry.invite_cseq;
        let Ok(mut dialog) = Dialog::from_response(message, cseq) else { return };
        let flow = self.flow_to(dialog.next_hop(), &last, nat);
        let ack = self.ack_in(&dialog, &flow, cseq);
        self.stack.send(flow, ack);
        let cseq = dialog.next_cseq();
        self.stack.request(now, flow, (Method::Bye, dialog.request_uri()), TxUser::Fork, None, |writer| {
            dialog.write(writer, Method::Bye, cseq);
        });
    }

    /// An answer to a request of ours.
    pub(super) fn response(&mut self, now: Time, user: TxUser, message: &Message<'_>) {
        let status = message.status().unwrap_or(0);
        if let Some(leg) = user.leg().and_then(|leg| self.leg(leg)) {
            self.current = Some(leg.contact);
        }
        match user {
            TxUser::Invite(leg) => self.ring_response(now, leg, message),
            TxUser::Bye(leg) if status >= 200 => self.leg_gone(now, leg),
            TxUser::Reinvite(leg) => self.reinvite_answered(now, leg, message),
            TxUser::Alive(leg) if status >= 200 => self.options_answered(now, leg, status),
            TxUser::Bye(_) | TxUser::Notify(_) | TxUser::Alive(_) | TxUser::Fork => {}
            TxUser::Probe(trunk) => self.probe_answered(now, trunk),
        }
    }

    /// What the transaction layer tells by itself.
    pub(super) fn told(&mut self, now: Time) {
        while let Some(event) = self.stack.poll_event() {
            let (user, answered) = match event {
                TxEvent::Timeout { user } | TxEvent::Broken { user } => (user, false),
                TxEvent::Unacknowledged { user } => (user, true),
            };
            if let Some(leg) = user.leg().and_then(|leg| self.leg(leg)) {
                self.current = Some(leg.contact);
            }
            match user {
                TxUser::Invite(leg) | TxUser::Reinvite(leg) if answered => self.never_acknowledged(now, leg),
                TxUser::Invite(leg) => {
                    let Some(key) = self.leg(leg).map(|leg| leg.contact) else { continue };
                    self.leg_failed(now, key, leg, OfferOutcome::Unreachable, 408);
                }
                TxUser::Bye(leg) => self.leg_gone(now, leg),
                TxUser::Alive(leg) => self.options_unanswered(now, leg),
                TxUser::Reinvite(leg) => self.reinvite_unanswered(now, leg),
                TxUser::Notify(_) | TxUser::Fork => {}
                TxUser::Probe(trunk) => self.probe_failed(now, trunk),
            }
        }
    }

    /// Our final answer to an INVITE was never acknowledged: a call that was accepted is ended by BYE (RFC 3261 13.3.1.4), a refused one is
    /// simply gone.
    fn never_acknowledged(&mut self, now: Time, leg: LegKey) {
        let Some(entry) = self.leg_mut(leg) else { return };
        entry.acknowledged = true;
        match entry.state {
            LegState::Answered { .. } => self.leg_vanished(now, leg),
            LegState::Ending if entry.dialog.is_some() => self.hang_up(now, leg),
            _ => self.leg_gone(now, leg),
        }
    }

    /// A connection is gone, or none could be had.
    pub(super) fn broken(&mut self, now: Time, connection: Option<ConnectionId>, transport: Transport, remote: SocketAddr) {
        self.stack.broken(now, connection, transport, remote);
        self.told(now);
        if let Some(connection) = connection {
            self.flow_broken(now, connection);
        }
    }
}
