//! A phone's registration: asked for with proof, renewed in time or too late, made anew over a new connection.

use std::time::Duration;

use super::{Phone, Use};
use crate::base::Time;
use crate::base::seed::Seed;
use crate::dst::person::{Act, Person};
use crate::sip::digest::{self, Challenge};
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;

/// What the REGISTERs of a phone have in common.
pub(super) struct Registration {
    call_id: String,
    cseq: u32,
    /// Whether the one under way has answered a challenge.
    proven: bool,
}

impl Registration {
    pub(super) fn new(seed: &mut Seed) -> Self {
        Registration { call_id: format!("reg{:x}", seed.next_u64()), cseq: 0, proven: false }
    }
}

impl Phone {
    pub(super) fn register(&mut self, now: Time) {
        if !self.deaf {
            self.registration.proven = false;
            self.send_register(now, None);
        }
    }

    fn send_register(&mut self, now: Time, proof: Option<(Name, String)>) {
        let Some(account) = self.account.clone() else { return };
        let Some(expires) = account.expires else { return };
        self.registration.cseq += 1;
        let (cseq, call_id, flow) = (self.registration.cseq, self.registration.call_id.clone(), self.flow());
        let (uri, tag) = (format!("sip:{}", account.domain), format!("r{:x}", self.seed.next_u32()));
        let contact = self.contact();
        self.stack.request(now, flow, (Method::Register, &uri), Use::Register, None, |writer| {
            writer.field(Name::MaxForwards, "70");
            writer.fmt(Name::From, format_args!("<sip:{}@{}>;tag={tag}", account.user, account.domain));
            writer.fmt(Name::To, format_args!("<sip:{}@{}>", account.user, account.domain));
            writer.field(Name::CallId, &*call_id);
            writer.fmt(Name::CSeq, format_args!("{cseq} REGISTER"));
            writer.fmt(Name::Contact, format_args!("{contact};expires={}", expires.as_secs()));
            if let Some((header, value)) = proof {
                writer.field(header, value);
            }
        });
    }

    pub(super) fn register_answered(&mut self, now: Time, message: &Message<'_>) {
        let Some(account) = self.account.clone() else { return };
        match message.status().unwrap_or(0) {
            401 if !self.registration.proven => {
                let Some(challenge) = Challenge::choose(message.all(Name::WwwAuthenticate)) else { return };
                self.registration.proven = true;
                let login = digest::Account { user: &account.user, password: &account.password };
                let cnonce = format!("{:016x}", self.seed.next_u64());
                let proof = challenge.answer(login, "REGISTER", &format!("sip:{}", account.domain), 1, &cnonce);
                self.send_register(now, Some((Name::Authorization, proof)));
            }
            200 => {
                let expires = account.expires.unwrap_or(Duration::from_secs(60)).as_millis() as u64;
                match self.person {
                    // It has said where it is, and is never heard of again until it says so once more.
                    Person::Dead => {
                        self.after(now, 1, 100, Act::Die);
                        self.after(now, expires / 2, expires * 2, Act::ComeBack);
                    }
                    // Mostly in time, sometimes too late: the registration lapses, and comes back.
                    _ => self.after(now, expires / 2, expires * 5 / 4, Act::Register),
                }
            }
            _ => self.after(now, 2_000, 20_000, Act::Register),
        }
    }
}
