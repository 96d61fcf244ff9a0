//! One leg: what its party is doing, what was described to it and by it, and whether it is still there.
//!
//! A leg knows whom it reports to, its session and its endpoint. It knows no other leg.

use std::sync::Arc;

use super::media::{EndedLeg, Endpoints, LegMedia};
use crate::base::Codec;
use crate::base::deadline::DeadlineId;
use crate::call::leg::{LegState, Role};
use crate::engine::between::{ContactRef, LegEvent, LegKey, ToContact, ToLeg};
use crate::engine::context::Context;
use crate::engine::io::LegName;
use crate::engine::media_port::{Feed, MediaStats, MediaThread, SourceRule};
use crate::engine::sabotage::Rule;
use crate::sdp::{self, Agreement, Codecs, Description};
use crate::sip::session::{Body, OfferBy, Purpose, SessionId, SessionMut};
use crate::sip::write::reason_phrase;

/// What a phone hears that rang beside the one that answered, so that it does not count a call as missed (RFC 3326).
const ANSWERED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// The type of session descriptions (RFC 8866).
pub(super) const SDP: &str = "application/sdp";

/// What hotline relays or transcodes, in its own order.
const SPOKEN: [Codec; 3] = [Codec::Pcmu, Codec::Pcma, Codec::G722];

/// How far the asking of a party that has fallen silent has come.
///
/// A party of a talk that sends neither RTP nor RTCP for the silence limit is asked by OPTIONS; where that is answered, but the silence
/// lasts, or where no answer comes, by a re-INVITE that changes nothing: a proxy or a gateway may answer the first for a phone that is
/// long gone, and the second mends an address that one side has lost. Only 408, 481 (RFC 5057 5.1) and silence to the re-INVITE say that
/// nobody is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Asked {
    /// Not asked, or heard to be there.
    #[default]
    No,
    /// By OPTIONS; no answer yet.
    Options,
    /// By OPTIONS, which was answered; the next silence is answered by a re-INVITE.
    OptionsAnswered,
    /// By a re-INVITE; no answer yet.
    Invite,
    /// By a re-INVITE that has had no final answer for a whole silence limit: a provisional one stops its time-out (RFC 3261 17.1.1.2).
    InviteOverdue,
}

/// One party.
#[derive(Debug)]
pub(in crate::engine) struct Leg {
    pub(super) key: LegKey,
    /// Whom it reports to.
    pub(super) contact: ContactRef,
    /// Which of its contact's legs it is, from 1.
    pub(super) number: u32,
    pub(super) role: Role,
    pub(super) state: LegState,
    /// What it says and hears by SIP.
    pub(super) session: SessionId,
    /// Whether it sits behind a NAT, so that media comes from wherever it may.
    pub(super) behind_nat: bool,
    /// Whether it takes part in a talk.
    pub(super) talks: bool,
    /// What a caller offered as it arrived.
    pub(super) sdp_offer: Option<Box<Description>>,
    /// How its INVITE was answered.
    pub(super) status: Option<u16>,
    pub(super) media: Option<LegMedia>,
    /// Of a caller: the thread of the endpoints of its contact, but for guests', so that packets need not change threads; and how many legs that
    /// ever had.
    pub(super) thread: Option<MediaThread>,
    pub(super) legs_ever: u32,
    /// Whether it may be heard before it answers.
    heard_early: bool,
    /// Whether it ever had media: its record comes with the last count of packets then.
    had_media: bool,
    /// How far we have asked into its silence.
    asked: Asked,
    /// Whether it has come to its contact from another.
    pub(super) guest: bool,
    /// When it asks whether its contact, which is another shard's, has said that it is there; and whether that is the second time.
    pub(super) lease: Option<(DeadlineId, bool)>,
}

/// What a leg begins with.
pub(super) struct NewLeg {
    pub(super) key: LegKey,
    pub(super) contact: ContactRef,
    pub(super) number: u32,
    pub(super) role: Role,
    pub(super) session: SessionId,
    pub(super) behind_nat: bool,
    /// Whether it may be heard before it answers.
    pub(super) heard_early: bool,
    pub(super) sdp_offer: Option<Box<Description>>,
    pub(super) media: Option<LegMedia>,
}

/// What a message to a leg says of another, looked up: in whose codec a caller is answered, and what is heard.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) like: Option<Codec>,
    pub(super) feed: Option<Feed>,
}

impl Leg {
    pub(super) fn new(new: NewLeg) -> Self {
        let NewLeg { key, contact, number, role, session, behind_nat, heard_early, sdp_offer, media } = new;
        let state = match role {
            Role::Caller => LegState::Arriving { early: false },
            Role::Agent(_) | Role::External(_) => LegState::Calling { ringing: false },
        };
        Leg {
            key,
            contact,
            number,
            role,
            state,
            session,
            behind_nat,
            talks: false,
            sdp_offer,
            status: None,
            had_media: media.is_some(),
            media,
            thread: None,
            legs_ever: 1,
            heard_early,
            asked: Asked::No,
            guest: false,
            lease: None,
        }
    }

    /// What records call it.
    pub(super) const fn name(&self) -> LegName {
        LegName { contact: self.contact.id, number: self.number, role: self.role }
    }

    /// The codec in use.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.media.as_ref()?.agreement.as_ref().map(|agreement| agreement.codec)
    }

    /// Its session, to be commanded.
    pub(super) fn session<'c>(&self, cx: &'c mut Context<'_>) -> SessionMut<'c> {
        cx.sessions.session(cx.now, self.session)
    }

    /// Tells its contact something.
    pub(super) fn tell(&self, cx: &mut Context<'_>, event: LegEvent) {
        let told = if self.guest { ToContact::Guest(self.key, event) } else { ToContact::Leg(self.key, event) };
        cx.out.tell_contact(self.contact.key, told);
    }

    /// Takes a message; what it says of another leg is looked up already.
    pub(super) fn handle(&mut self, cx: &mut Context<'_>, endpoints: &mut Endpoints, message: &ToLeg, beside: Beside) {
        let Beside { like, feed } = beside;
        match message {
            ToLeg::Hear { talks, .. } => self.hear(cx, feed, *talks),
            ToLeg::Accept { talks, .. } => match self.accept(cx, endpoints, like) {
                Ok(()) => self.hear(cx, feed, *talks),
                Err(status) => self.tell(cx, LegEvent::Unanswerable(status)),
            },
            ToLeg::Progress { .. } => match self.progress(cx, endpoints, like) {
                Ok(()) => self.hear(cx, feed, false),
                Err(status) => self.tell(cx, LegEvent::Unanswerable(status)),
            },
            ToLeg::Ring => self.session(cx).ring(),
            ToLeg::RepeatProgress => self.session(cx).repeat_early(),
            ToLeg::SendKey(digit) => {
                if let Some(media) = &self.media {
                    media.send_key(cx, *digit);
                }
            }
            ToLeg::Cancel { elsewhere } => self.cancel(cx, elsewhere.then_some(ANSWERED_ELSEWHERE)),
            ToLeg::HangUp => self.hang_up(cx, endpoints),
            ToLeg::End(status) => self.end(cx, endpoints, *status),
            ToLeg::AnswerRefer(status) => self.session(cx).respond_refer(*status),
            ToLeg::Notify(status) => {
                let body = format!("SIP/2.0 {status} {}\r\n", reason_phrase(*status));
                let state = if *status < 200 { "active;expires=60" } else { "terminated;reason=noresource" };
                self.session(cx).notify("refer", state, ("message/sipfrag;version=2.0", body.as_bytes()));
            }
            ToLeg::Ask => self.session(cx).probe(),
            ToLeg::Moving(moving) => self.moves(cx, endpoints, *moving),
        }
    }

    /// What its party hears from now on, if it hears anything.
    fn hear(&mut self, cx: &mut Context<'_>, feed: Option<Feed>, talks: bool) {
        self.talks = talks;
        if let (Some(media), Some(feed)) = (&self.media, feed) {
            media.feed(cx, feed);
        }
    }

    // ---- how a caller is answered ----

    /// Answers a caller (200), unless that was done. In the codec `like`, where the caller offered it.
    ///
    /// # Errors
    /// The status that the caller is to be refused with when it cannot be answered. Nothing was sent then.
    fn accept(&mut self, cx: &mut Context<'_>, endpoints: &mut Endpoints, like: Option<Codec>) -> Result<(), u16> {
        if !matches!(self.state, LegState::Arriving { .. }) {
            return Ok(());
        }
        let body = self.describe(cx, endpoints, like)?;
        self.state = LegState::Answered { since: cx.now, holds: false };
        self.status = Some(200);
        self.session(cx).accept((SDP, &body));
        Ok(())
    }

    /// Lets a caller hear something before the call is answered (183).
    ///
    /// # Errors
    /// As [`Leg::accept`].
    fn progress(&mut self, cx: &mut Context<'_>, endpoints: &mut Endpoints, like: Option<Codec>) -> Result<(), u16> {
        if !matches!(self.state, LegState::Arriving { .. }) {
            return Ok(());
        }
        let body = self.describe(cx, endpoints, like)?;
        self.state = LegState::Arriving { early: true };
        self.session(cx).progress((SDP, &body));
        Ok(())
    }

    /// The SDP answer to the caller's offer: made once, and the same in a 183 and in the 200 after it.
    fn describe(&mut self, cx: &mut Context<'_>, endpoints: &mut Endpoints, like: Option<Codec>) -> Result<Arc<[u8]>, u16> {
        if let Some(described) = self.media.as_ref().and_then(|media| media.described.clone()) {
            return Ok(described);
        }
        let sdp_offer = self.sdp_offer.as_deref().ok_or(488u16)?;
        let wanted = like.filter(|codec| sdp::choose(sdp_offer, &[*codec]).is_some());
        let ipv6 = sdp_offer.audio.as_ref().is_some_and(|audio| audio.address.is_ipv6());
        let codec = wanted.or_else(|| sdp::choose(sdp_offer, &SPOKEN)).ok_or(488u16)?;
        let thread = self.thread.filter(|_| cx.holds(Rule::OneThread));
        let media = endpoints.open(cx, (self.key, self.role, self.contact.id), thread, ipv6).ok_or(503u16)?;
        self.had_media = true;
        self.thread.get_or_insert(media.thread());
        let media = self.media.insert(media);
        let Ok((body, agreement)) = sdp::answer(&media.local(), sdp_offer, codec) else { return Err(488) };
        let body: Arc<[u8]> = body.into();
        media.described = Some(body.clone());
        self.agree(cx, agreement);
        Ok(body)
    }

    /// Takes what both sides have agreed on.
    fn agree(&mut self, cx: &mut Context<'_>, agreement: Agreement) {
        let source = match cx.sessions.flow(self.session).map(|flow| flow.remote.ip()) {
            Some(ip) if self.behind_nat => SourceRule::DescribedOr(ip),
            _ => SourceRule::Described,
        };
        if let Some(media) = &mut self.media {
            media.agree(cx, agreement, source);
        }
    }

    /// Our offer to somebody who shall talk to this caller: what the caller speaks first, so that nothing need be transcoded. Opus only where
    /// the caller has had no description yet, since it is never transcoded.
    pub(super) fn offer_beside(&self, media: &mut LegMedia) -> Vec<u8> {
        let theirs = self.sdp_offer.as_deref();
        let codecs = match (self.codec(), theirs) {
            (Some(codec), _) => {
                let mut codecs: Codecs = [codec].into_iter().collect();
                codecs.extend(SPOKEN.into_iter().filter(|other| *other != codec && codec.transcodable()));
                codecs
            }
            (None, Some(theirs)) => sdp::ordered_for(theirs, &Codec::ALL),
            (None, None) => Codecs::from_slice(&SPOKEN),
        };
        let formats = theirs.map_or_else(|| sdp::formats(&codecs), |theirs| sdp::formats_like(&codecs, theirs));
        let body = sdp::offer(&media.local(), &formats);
        media.sdp_offered = Some(formats);
        body
    }

    // ---- how a call of ours goes ----

    /// The party called says that it rings, if the leg is still waited for. Whether it can be heard by now.
    pub(super) fn rings(&mut self, cx: &mut Context<'_>, body: &[u8]) -> Option<bool> {
        let LegState::Calling { ringing } = &mut self.state else { return None };
        *ringing = true;
        Some(self.described_early(cx, body))
    }

    /// An outside party that an agent calls may describe itself before it answers: an announcement, a ringing tone of its own. Whether it
    /// can be heard now. The first fork that does so is.
    fn described_early(&mut self, cx: &mut Context<'_>, body: &[u8]) -> bool {
        let Some(media) = self.media.as_ref().filter(|media| media.agreement.is_none()) else { return false };
        if body.is_empty() || !self.heard_early {
            return false;
        }
        let offered = media.sdp_offered.clone();
        let agreed = |offered| sdp::agreed(offered, &sdp::read(body).ok()?).ok();
        let Some(agreement) = offered.as_ref().and_then(agreed) else { return false };
        self.agree(cx, agreement);
        // The 200 may describe it again, or differently where another fork answers.
        if let Some(media) = &mut self.media {
            media.sdp_offered = offered;
        }
        true
    }

    /// The party called has answered. Whether its description can be used. What was described in a 183 need not be described again (RFC 3261
    /// 13.2.1).
    pub(super) fn answered(&mut self, cx: &mut Context<'_>, body: &[u8]) -> bool {
        self.status = Some(200);
        if self.state == LegState::Ending {
            // It was cancelled meanwhile, and is being hung up.
            return false;
        }
        self.state = LegState::Answered { since: cx.now, holds: false };
        let Some(media) = &mut self.media else { return false };
        let (offered, early) = (media.sdp_offered.take(), media.agreement.clone());
        let agreed = offered.and_then(|offered| sdp::agreed(&offered, &sdp::read(body).ok()?).ok());
        let Some(agreement) = agreed.or(early.filter(|_| body.is_empty())) else { return false };
        self.agree(cx, agreement);
        true
    }

    // ---- what is agreed on anew ----

    /// A party offers again: hold, resume, a new address. Answered locally, in the codec in use if it is still offered, else in another that
    /// can be transcoded. Whether it could be.
    pub(super) fn reoffered(&mut self, cx: &mut Context<'_>, sdp_offer: &[u8]) -> bool {
        let body = sdp::read(sdp_offer).ok().and_then(|sdp_offer| self.answer_within(cx, &sdp_offer));
        let Some(body) = body else {
            self.session(cx).refuse_offer(488);
            return false;
        };
        let mut session = self.session(cx);
        // Whoever offers is there: what asked about that, and waits, would offer what is no longer so.
        session.withdraw(Purpose::Alive);
        session.answer_offer((SDP, &body));
        self.asked = Asked::No;
        true
    }

    fn answer_within(&mut self, cx: &mut Context<'_>, sdp_offer: &Description) -> Option<Vec<u8>> {
        let kept = self.codec().filter(|codec| sdp::choose(sdp_offer, &[*codec]).is_some());
        let codec = kept.or_else(|| sdp::choose(sdp_offer, &SPOKEN))?;
        let (body, agreement) = sdp::answer(&self.media.as_mut()?.local(), sdp_offer, codec).ok()?;
        if let LegState::Answered { holds, .. } = &mut self.state {
            *holds = sdp_offer.audio.as_ref().is_some_and(sdp::Audio::holds);
        }
        self.agree(cx, agreement);
        Some(body)
    }

    /// An offer of ours within the session was accepted. Whether what is agreed on is new.
    pub(super) fn offer_answered(&mut self, cx: &mut Context<'_>, body: &[u8]) -> bool {
        self.asked = Asked::No;
        let offered = self.media.as_mut().and_then(|media| media.sdp_offered.take());
        let agreed = offered.and_then(|offered| sdp::agreed(&offered, &sdp::read(body).ok()?).ok());
        let Some(agreement) = agreed else { return false };
        self.agree(cx, agreement);
        true
    }

    /// An offer of ours within the session was refused: what was agreed before stands (RFC 3261 14.1). Somebody refuses, so somebody is there,
    /// but for 408 and 481: then this is false.
    pub(super) fn offer_refused(&mut self, status: u16) -> bool {
        self.asked = Asked::No;
        if let Some(media) = &mut self.media {
            media.sdp_offered = None;
        }
        !matches!(status, 408 | 481)
    }

    // ---- whether the party is there ----

    /// The party has been silent for the limit, or for as long again. Whether it is given up. Whoever is in no talk may be silent: a waiting
    /// caller is asked on the clock, for phones that detect voice send nothing while music plays.
    pub(super) fn silent(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.talks || !self.state.answered() || self.state.holds() {
            return false;
        }
        match self.asked {
            Asked::No => {
                self.asked = Asked::Options;
                self.session(cx).probe();
            }
            Asked::OptionsAnswered => self.ask_by_invite(cx),
            // The answer, or the end of its transaction, decides.
            Asked::Options => {}
            Asked::Invite => self.asked = Asked::InviteOverdue,
            Asked::InviteOverdue => return true,
        }
        false
    }

    /// An INVITE within the dialog that offers what is already agreed. While another offer is under way it waits.
    fn ask_by_invite(&mut self, cx: &mut Context<'_>) {
        let Some(media) = &mut self.media else { return };
        let Some(formats) = media.agreement.as_ref().map(Agreement::formats) else { return };
        let body = sdp::offer(&media.local(), &formats);
        media.sdp_offered = Some(formats);
        self.asked = Asked::Invite;
        self.session(cx).offer(Purpose::Alive, OfferBy::Invite, Body::sdp(body));
    }

    /// An OPTIONS was answered with this status, or not at all. What is to be told of that.
    pub(super) fn probed(&mut self, cx: &mut Context<'_>, status: Option<u16>) -> Option<LegEvent> {
        let nobody = matches!(status, None | Some(408 | 481));
        match (self.asked, status) {
            // The contact has asked.
            (asked, _) if asked != Asked::Options => nobody.then_some(LegEvent::NotThere),
            (_, None) if self.talks => {
                self.ask_by_invite(cx);
                None
            }
            _ if nobody => Some(LegEvent::Left),
            _ => {
                self.asked = Asked::OptionsAnswered;
                None
            }
        }
    }

    // ---- how a leg ends ----

    /// Stops a phone's ringing, which may tell the phone why. Its leg is gone once its INVITE has a final answer, or none comes.
    fn cancel(&mut self, cx: &mut Context<'_>, reason: Option<&'static str>) {
        if let LegState::Calling { .. } = self.state {
            self.state = LegState::Ending;
            if cx.holds(Rule::CancelRing) {
                self.session(cx).cancel(reason);
            }
        }
    }

    /// Hangs the party up, as soon as the ACK to our 2xx allows it.
    pub(super) fn hang_up(&mut self, cx: &mut Context<'_>, endpoints: &mut Endpoints) {
        self.state = LegState::Ending;
        // From here on it ends by itself, whatever its contact says.
        self.stop_lease(cx);
        self.close_media(cx, endpoints);
        self.session(cx).hang_up();
    }

    /// Ends the leg, by what its state allows. A caller who was never answered is refused with `status`.
    pub(super) fn end(&mut self, cx: &mut Context<'_>, endpoints: &mut Endpoints, status: u16) {
        match self.state {
            LegState::Arriving { .. } => {
                self.status = Some(status);
                self.state = LegState::Ending;
                self.session(cx).refuse(status, matches!(status, 503 | 480).then_some(30));
            }
            LegState::Calling { .. } => self.cancel(cx, None),
            LegState::Answered { .. } if matches!(self.role, Role::Agent(_)) && !cx.holds(Rule::ByeToAgent) => {}
            LegState::Answered { .. } => self.hang_up(cx, endpoints),
            LegState::Ending => {}
        }
    }

    /// Ends the leg's endpoint. Its record is written when the media thread has counted its packets.
    pub(super) fn close_media(&mut self, cx: &mut Context<'_>, endpoints: &mut Endpoints) {
        let ended = EndedLeg { contact: self.contact.id, number: self.number, role: self.role.word(), status: self.status };
        match self.media.take() {
            Some(media) => endpoints.close(cx, &media, ended),
            None if !self.had_media => ended.record(cx, &MediaStats::default()),
            None => {}
        }
    }
}
