//! Two parties talk SIP to each other in memory: no network, no clock, no audio.
//!
//! `cargo run --example sessions` shows one call from its first message to its last. The caller places it, the called party rings and answers,
//! the caller puts it on hold and takes it back, the called party hangs up. Each line is the first line of one message.
//!
//! What to look at: a [`Sessions`] is fed messages and the time, and is asked for events and messages. Nothing else is needed to drive it.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::sync::Arc;
use std::time::Duration;

use hotline::base::Time;
use hotline::base::seed::Seed;
use hotline::base::words::Transport;
use hotline::sip::Message;
use hotline::sip::flow::{Flow, ListenerId};
use hotline::sip::session::{
    Admission, Body, Content, GoneWhy, NewInvite, OfferBy, Purpose, Routed, SessionEvent, SessionId, SessionMut, Sessions,
};
use hotline::sip::stack::ListenerName;

const HOSTS: [&str; 2] = ["192.0.2.1:5060", "192.0.2.2:5060"];
const NAMES: [&str; 2] = ["caller", "called"];

/// Descriptions are opaque to sessions. Real ones are written by `hotline::sdp`.
fn described(what: &'static str) -> Content<'static> {
    ("application/sdp", what.as_bytes())
}

/// The two parties, and what they say to each other.
struct Call {
    now: Time,
    parties: [Sessions; 2],
    /// Each party's side of the call, once there is one.
    ids: [Option<SessionId>; 2],
    /// The first lines of all messages, by who sent them.
    said: Vec<(usize, String)>,
    /// What was told to the owners of the sessions.
    told: Vec<(usize, SessionEvent)>,
}

impl Call {
    fn new() -> Self {
        let party = |host: &str, seed| {
            let listener = ListenerName { transport: Transport::Udp, sent_by: host.into() };
            Sessions::new(0, vec![listener], Seed::from_number(seed), Arc::default())
        };
        Call {
            now: Time::from_secs(1_800_000_000),
            parties: [party(HOSTS[0], 1), party(HOSTS[1], 2)],
            ids: [None, None],
            said: Vec::new(),
            told: Vec::new(),
        }
    }

    /// A flow to one of the parties. There is one listener, so it has the number 0.
    fn flow_to(party: usize) -> Flow {
        Flow::udp(ListenerId(0), HOSTS[party].parse().expect("an address"))
    }

    /// Carries messages to and fro until nobody has anything more to say.
    fn talk(&mut self) {
        loop {
            let mut quiet = true;
            for from in 0..2 {
                while let Some(transmit) = self.parties[from].poll_transmit() {
                    quiet = false;
                    self.carry(from, &transmit.bytes);
                }
                while let Some((_, event)) = self.parties[from].poll_event() {
                    quiet = false;
                    self.hear(from, event);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn carry(&mut self, from: usize, bytes: &[u8]) {
        let message = Message::read(bytes).expect("sessions write SIP that can be read");
        let first = String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned();
        println!("{} -> {}   {first}", NAMES[from], NAMES[1 - from]);
        self.said.push((from, first));
        let (to, flow) = (1 - from, Self::flow_to(from));
        // What belongs to no session is handed back: here it can only be the call itself, which is taken.
        if self.parties[to].handle_message(self.now, &flow, &message) == Routed::New {
            let id = self.parties[to].incoming(self.now, &flow, &message, &Admission::default());
            self.ids[to] = Some(id.expect("the call can be taken"));
        }
    }

    /// What a leg would do when it is told something: here only offers want an answer at once.
    fn hear(&mut self, party: usize, event: SessionEvent) {
        println!("          {} is told: {event:?}", NAMES[party]);
        if let SessionEvent::Offered { .. } = &event {
            self.session(party).answer_offer(described("answer"));
        }
        self.told.push((party, event));
    }

    /// A party's session, to be commanded.
    fn session(&mut self, party: usize) -> SessionMut<'_> {
        let id = self.ids[party].expect("there is a call");
        self.parties[party].session(self.now, id)
    }

    /// Time passes, and timers fire when they are due.
    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, party)) = self.next().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.parties[party].handle_timeout(self.now);
            self.talk();
        }
        self.now = end;
    }

    fn next(&self) -> Option<(Time, usize)> {
        let due = (0..2).filter_map(|party| Some((self.parties[party].next_deadline()?.0, party)));
        due.min_by_key(|(at, _)| *at)
    }
}

/// Plays the call; what was said and told.
fn play() -> Call {
    let mut call = Call::new();

    println!("\nThe caller places a call. The called party rings, and answers after three seconds.");
    let new = NewInvite {
        flow: Call::flow_to(1),
        behind_nat: false,
        uri: "sip:bob@192.0.2.2",
        route: None,
        from: "\"Alice\" <sip:alice@city.example>",
        to: "<sip:bob@city.example>",
        max_forwards: 70,
        headers: &[],
        body: described("offer"),
        credentials: None,
    };
    call.ids[0] = Some(call.parties[0].invite(call.now, &new));
    call.talk();
    call.session(1).ring();
    call.talk();
    call.wait(Duration::from_secs(3));
    call.session(1).accept(described("answer"));
    call.talk();

    println!("\nThe caller puts the call on hold, and takes it back a minute later.");
    for what in ["hold", "resume"] {
        call.session(0).offer(Purpose::Media, OfferBy::Invite, Body::sdp(what.as_bytes()));
        call.talk();
        call.wait(Duration::from_secs(60));
    }

    println!("\nThe called party hangs up.");
    call.session(1).hang_up();
    call.talk();
    call.wait(Duration::from_secs(60));
    call
}

fn main() {
    let call = play();
    check(&call);
    println!("\nNothing is left: both sessions are over, and so are their transactions.");
}

/// What must have come of it.
fn check(call: &Call) {
    let count = |start: &str| call.said.iter().filter(|(_, line)| line.starts_with(start)).count();
    assert_eq!((count("INVITE "), count("ACK "), count("BYE ")), (3, 3, 1));
    assert!(call.told.contains(&(0, SessionEvent::Gone { why: GoneWhy::HungUp })));
    let over = call.told.iter().filter(|(_, event)| *event == SessionEvent::Over).count();
    assert_eq!(over, 2, "each side is told once that it is over");
    assert!(call.parties.iter().all(|party| party.held().is_nothing()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_call_ends_as_it_should() {
        super::check(&super::play());
    }
}
