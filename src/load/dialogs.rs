//! What both parties of a call have in common: requests and answers within its dialog, its description, its voice, its
//! end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::call::{Call, CallId, Party, State};
use super::event::Outcome;
use super::player::{Act, Player, Use};
use super::socket::{AGENTS, CALLERS, for_voice};
use super::sound::Side;
use super::talk::VoicePath;
use super::voice::Command;
use crate::base::Codec;
use crate::rtp::g711::Law;
use crate::sdp::{self, Agreement, Description, Direction, Formats, Local};
use crate::sip::flow::{Flow, ListenerId};
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::stack::ServerTx;
use crate::sip::transaction::T1_64;
use crate::sip::uri::Uri;
use crate::sip::write::Writer;

const SDP: &str = "application/sdp";
/// The codecs of both sides, the preferred first.
const CODECS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

/// What a request within a dialog carries.
pub(super) enum Within<'a> {
    Bye,
    /// A new description.
    Reinvite(&'a [u8]),
    /// A key, for servers without RTP.
    Key(char),
    /// A transfer, to this URI.
    Refer(&'a str),
}

impl Player<'_> {
    pub(super) const fn listener_of(side: Side) -> ListenerId {
        match side {
            Side::Caller => CALLERS,
            Side::Agent => AGENTS,
        }
    }

    pub(super) fn contact_of(&self, call: &Call) -> String {
        let address = self.addresses[usize::from(Self::listener_of(call.side()).0)];
        match call.party {
            Party::Caller(number) => format!("<sip:{}@{address}>", super::callers::number_text(number)),
            Party::Agent(agent) => format!("<sip:{}@{address}>", self.agents[agent as usize].name),
        }
    }

    /// Sends a request in a call's dialog, to where its next hop is, as far as that is an address.
    pub(super) fn within(&mut self, id: CallId, what: &Within<'_>) {
        let server = self.plan.server;
        let Some(call) = self.calls.get_mut(id) else { return };
        let listener = Self::listener_of(call.side());
        let Some(dialog) = &mut call.dialog else { return };
        let cseq = dialog.next_cseq();
        let dialog = dialog.clone();
        let flow = Flow::udp(listener, next_hop(dialog.next_hop()).unwrap_or(server));
        if matches!(what, Within::Reinvite(_)) {
            call.reinvite = Some(cseq);
        }
        let key;
        let (method, user, body): (_, _, Option<(&str, &[u8])>) = match what {
            Within::Bye => (Method::Bye, Use::Bye(id), None),
            Within::Reinvite(body) => (Method::Invite, Use::Within(id), Some((SDP, *body))),
            Within::Key(digit) => {
                key = format!("Signal={digit}\r\nDuration=100\r\n");
                (Method::Info, Use::Within(id), Some(("application/dtmf-relay", key.as_bytes())))
            }
            Within::Refer(_) => (Method::Refer, Use::Within(id), None),
        };
        let contact = self.calls.get(id).map(|call| self.contact_of(call)).unwrap_or_default();
        self.stack.request(self.now, flow, (method, dialog.request_uri()), user, body, |writer| {
            dialog.write(writer, method, cseq);
            if method != Method::Bye {
                writer.field(Name::Contact, &contact);
            }
            if let Within::Refer(to) = what {
                writer.fmt(Name::ReferTo, format_args!("<{to}>"));
            }
        });
    }

    /// Acknowledges a 2xx to an INVITE of ours.
    pub(super) fn acknowledge(&mut self, id: CallId, cseq: u32) -> Option<Arc<[u8]>> {
        let call = self.calls.get(id)?;
        let dialog = call.dialog.as_ref()?;
        let flow = Flow::udp(Self::listener_of(call.side()), next_hop(dialog.next_hop()).unwrap_or(self.plan.server));
        let mut writer = self.stack.outside(&flow, (Method::Ack, dialog.request_uri()));
        dialog.write(&mut writer, Method::Ack, cseq);
        let ack: Arc<[u8]> = writer.finish(None).into();
        self.stack.send(flow, ack.clone(), None);
        Some(ack)
    }

    /// Answers a request of a dialog, with the tag that it has or gets.
    pub(super) fn respond(&mut self, tx: ServerTx, status: u16, id: CallId, body: Option<&[u8]>) {
        let Some(call) = self.calls.get(id) else { return };
        let (contact, tag) = (self.contact_of(call), call.tag.clone());
        let body = body.map(|body| (SDP, body));
        self.stack.respond(self.now, tx, status, Some(&tag), body, |writer: &mut Writer| {
            if status < 300 {
                writer.field(Name::Contact, &contact);
            }
        });
    }

    /// Gives a call a voice, or none, and so a port.
    pub(super) fn open_voice(&mut self, id: CallId, speaks: bool) {
        let socket = speaks.then(|| for_voice(self.local).ok()).flatten();
        let deaf_port = self.deaf_port();
        let Some(call) = self.calls.get_mut(id) else { return };
        let port = socket.as_ref().and_then(|socket| socket.local_addr().ok()).map(|address| address.port());
        call.port = port.unwrap_or(deaf_port);
        call.voice = socket.map(|socket| self.voices.open(id, socket, call.side()));
    }

    fn local(&self, call: &Call) -> Local {
        let (session_id, version) = (call.began.micros(), call.session_version);
        Local { address: self.local, port: call.port, session_id, version, direction: call.direction }
    }

    /// Our SDP offer.
    pub(super) fn offer(&self, id: CallId) -> Vec<u8> {
        self.calls.get(id).map_or_else(Vec::new, |call| sdp::offer(&self.local(call), &formats()))
    }

    /// Our SDP answer to their offer, which then decides what the voice sends. `None`: they offer nothing that we can.
    pub(super) fn take_offer(&mut self, id: CallId, body: &[u8]) -> Option<Vec<u8>> {
        let offer = sdp::read(body).ok()?;
        let codec = sdp::choose(&offer, &CODECS)?;
        let local = self.local(self.calls.get(id)?);
        let (text, agreement) = sdp::answer(&local, &offer, codec).ok()?;
        self.speak_by(id, &agreement);
        Some(text)
    }

    /// Takes their SDP answer to our offer.
    pub(super) fn take_answer(&mut self, id: CallId, body: &[u8]) {
        let agreed = sdp::read(body).and_then(|answer: Description| sdp::agreed(&formats(), &answer));
        if let Ok(agreement) = agreed {
            self.speak_by(id, &agreement);
        }
    }

    fn speak_by(&mut self, id: CallId, agreed: &Agreement) {
        let Some(call) = self.calls.get(id) else { return };
        let Some(voice) = call.voice else { return };
        let path = VoicePath {
            to: agreed.rtp,
            law: if agreed.codec == Codec::Pcma { Law::A } else { Law::Mu },
            payload_type: agreed.send_payload_type,
            key_type: agreed.telephone_event.map(|(send, _)| send),
            // A party that puts the other on hold stops speaking.
            speaks: agreed.may_send && call.direction == Direction::SendRecv,
        };
        self.voices.send(Command::Speak(voice, Some(path)));
    }

    /// A person hangs up: a call that is up, or one that waits.
    pub(super) fn hang_up(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(id) else { return };
        call.ending = None;
        match call.state {
            State::Calling => {
                call.state = State::Cancelled;
                if let Some(tx) = call.invite_out {
                    self.stack.cancel(self.now, tx, None);
                }
            }
            State::Up => {
                self.tally.agents.hung_up_first += u64::from(call.side() == Side::Agent && !call.passed_on);
                self.leave(id);
            }
            State::Cancelled | State::Ringing | State::Leaving | State::Over => {}
        }
    }

    /// Sends BYE.
    pub(super) fn leave(&mut self, id: CallId) {
        self.within(id, &Within::Bye);
        self.fall_silent(id);
        if let Some(call) = self.calls.get_mut(id) {
            call.state = State::Leaving;
        }
    }

    /// Ends the voice, and what the person was about to do.
    fn fall_silent(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if let Some(voice) = call.voice.take() {
            self.voices.close(voice, call.can_be_judged(self.now));
        }
        if let Some(ending) = call.ending.take() {
            self.acts.cancel(ending);
        }
    }

    /// A call is over. `outcome` is what became of it, unless its caller talked to a person.
    pub(super) fn over(&mut self, id: CallId, outcome: Outcome) {
        self.fall_silent(id);
        let Some(call) = self.calls.get_mut(id).filter(|call| call.state != State::Over) else { return };
        call.state = State::Over;
        let (party, talked, partner) = (call.party, call.talk_since.is_some(), call.partner.take());
        self.after(T1_64, Act::Forget(id));
        match party {
            Party::Caller(number) => {
                let answered = talked && outcome != Outcome::CutOff;
                self.caller_is_gone(id, number, if answered { Outcome::Answered } else { outcome });
            }
            Party::Agent(agent) => self.agent_is_free(id, agent, partner),
        }
    }

    /// The other side has sent BYE.
    pub(super) fn bye(&mut self, tx: ServerTx, id: CallId) {
        self.stack.respond(self.now, tx, 200, None, None, |_| {});
        let gave_up = self.calls.get(id).is_some_and(|call| matches!(call.state, State::Cancelled | State::Leaving));
        self.over(id, if gave_up { Outcome::Abandoned } else { Outcome::LetGo });
    }

    /// Sends a key: as RTP where the call has a voice, else by INFO.
    pub(super) fn press(&mut self, id: CallId, key: char) {
        let Some(call) = self.calls.get(id).filter(|call| call.state == State::Up) else { return };
        match call.voice {
            Some(voice) => self.voices.send(Command::Press(voice, key)),
            None => self.within(id, &Within::Key(key)),
        }
    }

    /// The player ends: a call that is up is hung up, one that does not end even so is given up.
    pub(super) fn end_now(&mut self, id: CallId, expected: bool) {
        let Some(call) = self.calls.get(id) else { return };
        let outcome = if expected { Outcome::Abandoned } else { Outcome::CutOff };
        match call.state {
            State::Calling if expected => self.hang_up(id),
            State::Up if expected => self.leave(id),
            State::Calling => {
                if let Some(tx) = call.invite_out {
                    self.stack.cancel(self.now, tx, None);
                }
                self.over(id, outcome);
            }
            State::Up => {
                self.leave(id);
                self.over(id, outcome);
            }
            State::Ringing => self.refuse(id, 480),
            State::Cancelled | State::Leaving if expected => {}
            State::Cancelled | State::Leaving | State::Over => self.over(id, outcome),
        }
    }
}

/// The formats of our offer.
fn formats() -> Formats {
    sdp::formats(&CODECS)
}

/// The address of a URI whose host is one.
fn next_hop(uri: &str) -> Option<SocketAddr> {
    let uri = Uri::parse(uri).ok()?;
    let host: IpAddr = uri.host.trim_matches(['[', ']']).parse().ok()?;
    Some(SocketAddr::new(host, uri.port.unwrap_or(5060)))
}
