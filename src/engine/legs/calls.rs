//! How legs begin, are answered, and end.

use std::sync::Arc;

use super::media::LegMedia;
use super::{LegKey, Legs, NewLeg, SDP, SPOKEN};
use crate::base::Codec;
use crate::call::leg::{LegState, Role};
use crate::engine::between::ContactRef;
use crate::engine::context::Context;
use crate::engine::media_port::MediaThread;
use crate::engine::sabotage::Rule;
use crate::sdp::{self, Codecs, Description};
use crate::sip::session::{NewInvite, Purpose, SessionId};

/// A caller's leg to be.
pub(in crate::engine) struct NewCaller {
    /// Whom it reports to.
    pub(in crate::engine) contact: ContactRef,
    pub(in crate::engine) session: SessionId,
    pub(in crate::engine) behind_nat: bool,
    /// What the caller offers.
    pub(in crate::engine) sdp_offer: Description,
}

/// A call to somebody who shall talk to a contact's caller.
pub(in crate::engine) struct NewCall<'a> {
    /// Whom it reports to.
    pub(in crate::engine) contact: ContactRef,
    /// Which of its contact's legs it is, from 1.
    pub(in crate::engine) number: u32,
    pub(in crate::engine) role: Role,
    /// Whom the called shall talk to.
    pub(in crate::engine) caller: LegKey,
    /// The thread of the contact's media, if it has any.
    pub(in crate::engine) thread: Option<MediaThread>,
    /// The INVITE, but for its description.
    pub(in crate::engine) invite: NewInvite<'a>,
}

impl Legs {
    /// A caller has arrived.
    pub(in crate::engine) fn arrive(&mut self, cx: &mut Context<'_>, new: NewCaller) -> LegKey {
        let NewCaller { contact, session, behind_nat, sdp_offer } = new;
        let (state, sdp_offer) = (LegState::Arriving { early: false }, Some(Box::new(sdp_offer)));
        let (number, role, media) = (1, Role::Caller, None);
        self.add(cx, NewLeg { contact, number, role, state, session, behind_nat, sdp_offer, media })
    }

    /// Calls somebody. `None` when no ports are left: nothing was sent then.
    pub(in crate::engine) fn call(&mut self, cx: &mut Context<'_>, new: NewCall<'_>) -> Option<LegKey> {
        let NewCall { contact, number, role, caller, thread, invite } = new;
        let ipv6 = invite.flow.remote.is_ipv6();
        if !self.has_ports(cx, contact.id, thread, ipv6) {
            return None;
        }
        let thread = thread.filter(|_| cx.holds(Rule::OneThread));
        let mut media = self.open_endpoint(cx, role, thread, ipv6)?;
        let body = self.offer_beside(caller, &mut media);
        let session = cx.sessions.invite(cx.now, &NewInvite { body: (SDP, &body), ..invite.clone() });
        let state = LegState::Calling { ringing: false };
        let (behind_nat, media) = (invite.behind_nat, Some(media));
        Some(self.add(cx, NewLeg { contact, number, role, state, session, behind_nat, sdp_offer: None, media }))
    }

    /// Our offer to somebody who shall talk to `caller`: what that one speaks first, so that nothing need be transcoded. Opus only where the
    /// caller has had no description yet, since it is never transcoded.
    fn offer_beside(&self, caller: LegKey, media: &mut LegMedia) -> Vec<u8> {
        let caller = self.get(caller);
        let theirs = caller.and_then(|leg| leg.sdp_offer.as_deref());
        let codecs = match (caller.and_then(super::Leg::codec), theirs) {
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

    /// Answers a caller (200), unless that was done. With `prefer` in that codec, where the caller offered it.
    ///
    /// # Errors
    /// The status that the caller is to be refused with when it cannot be answered. Nothing was sent then.
    pub(in crate::engine) fn accept(
        &mut self,
        cx: &mut Context<'_>,
        key: LegKey,
        thread: Option<MediaThread>,
        prefer: Option<Codec>,
    ) -> Result<(), u16> {
        let body = self.describe(cx, key, thread, prefer)?;
        let Some(leg) = self.leg_mut(key) else { return Ok(()) };
        leg.state = LegState::Answered { since: cx.now, holds: false };
        leg.status = Some(200);
        let id = leg.session;
        cx.sessions.session(cx.now, id).accept((SDP, &body));
        Ok(())
    }

    /// Lets a caller hear something before the call is answered (183).
    ///
    /// # Errors
    /// As [`Legs::accept`].
    pub(in crate::engine) fn progress(
        &mut self,
        cx: &mut Context<'_>,
        key: LegKey,
        thread: Option<MediaThread>,
        prefer: Option<Codec>,
    ) -> Result<(), u16> {
        let body = self.describe(cx, key, thread, prefer)?;
        let Some(leg) = self.leg_mut(key) else { return Ok(()) };
        leg.state = LegState::Arriving { early: true };
        let id = leg.session;
        cx.sessions.session(cx.now, id).progress((SDP, &body));
        Ok(())
    }

    /// The SDP answer to the caller's offer: made once, and the same in a 183 and in the 200 after it.
    fn describe(
        &mut self,
        cx: &mut Context<'_>,
        key: LegKey,
        thread: Option<MediaThread>,
        prefer: Option<Codec>,
    ) -> Result<Arc<[u8]>, u16> {
        let leg = self.leg_mut(key).ok_or(480u16)?;
        if let Some(described) = leg.media.as_ref().and_then(|media| media.described.clone()) {
            return Ok(described);
        }
        let role = leg.role;
        let sdp_offer = leg.sdp_offer.take().ok_or(488u16)?;
        let wanted = prefer.filter(|codec| sdp::choose(&sdp_offer, &[*codec]).is_some());
        let ipv6 = sdp_offer.audio.as_ref().is_some_and(|audio| audio.address.is_ipv6());
        let codec = wanted.or_else(|| sdp::choose(&sdp_offer, &SPOKEN)).ok_or(488u16)?;
        let thread = thread.filter(|_| cx.holds(Rule::OneThread));
        let mut media = self.open_endpoint(cx, role, thread, ipv6).ok_or(503u16)?;
        let answered = sdp::answer(&media.local(), &sdp_offer, codec);
        self.endpoints.insert(media.endpoint.0, super::EndpointOwner::Leg(key));
        let Some(leg) = self.leg_mut(key) else { return Err(480) };
        leg.sdp_offer = Some(sdp_offer);
        (leg.had_media, leg.media) = (true, Some(media));
        let Ok((body, agreement)) = answered else { return Err(488) };
        self.agree(cx, key, agreement);
        let body: Arc<[u8]> = body.into();
        if let Some(media) = self.leg_mut(key).and_then(|leg| leg.media.as_mut()) {
            media.described = Some(body.clone());
        }
        Ok(body)
    }

    /// The party called says that it rings. Whether the leg is still waited for.
    pub(in crate::engine) fn rings(&mut self, key: LegKey) -> bool {
        let Some(LegState::Calling { ringing }) = self.leg_mut(key).map(|leg| &mut leg.state) else { return false };
        *ringing = true;
        true
    }

    /// The party called describes itself before it answers. The codec agreed on, if it can be used.
    pub(in crate::engine) fn described_early(&mut self, cx: &mut Context<'_>, key: LegKey, body: &[u8]) -> Option<Codec> {
        let offered = self.get(key)?.media.as_ref()?.sdp_offered.clone()?;
        let agreement = sdp::agreed(&offered, &sdp::read(body).ok()?).ok()?;
        let codec = agreement.codec;
        self.agree(cx, key, agreement);
        // The 200 may describe it again, or differently where another fork answers.
        self.leg_mut(key)?.media.as_mut()?.sdp_offered = Some(offered);
        Some(codec)
    }

    /// The party called has answered. The codec agreed on; `None` where its description cannot be used. What was described in a 183 need not
    /// be described again (RFC 3261 13.2.1).
    pub(in crate::engine) fn answered(&mut self, cx: &mut Context<'_>, key: LegKey, body: &[u8]) -> Option<Codec> {
        let leg = self.leg_mut(key)?;
        leg.status = Some(200);
        if leg.state == LegState::Ending {
            // It was cancelled meanwhile, and is being hung up.
            return None;
        }
        leg.state = LegState::Answered { since: cx.now, holds: false };
        let media = leg.media.as_mut()?;
        let (offered, early) = (media.sdp_offered.take(), media.agreement.clone());
        let agreed = offered.and_then(|offered| sdp::agreed(&offered, &sdp::read(body).ok()?).ok());
        let agreement = agreed.or(early.filter(|_| body.is_empty()))?;
        let codec = agreement.codec;
        self.agree(cx, key, agreement);
        Some(codec)
    }

    /// The party called has answered although it was cancelled. It is being hung up.
    pub(in crate::engine) fn answered_late(&mut self, cx: &mut Context<'_>, key: LegKey) {
        self.failed(key, 200);
        self.close_media(cx, key);
    }

    /// A party offers again: hold, resume, a new address. Answered locally, in the codec in use if it is still offered, else in another that
    /// can be transcoded. Whether it could be.
    pub(in crate::engine) fn reoffered(&mut self, cx: &mut Context<'_>, key: LegKey, sdp_offer: &[u8]) -> bool {
        let body = sdp::read(sdp_offer).ok().and_then(|sdp_offer| self.answer_within(cx, key, &sdp_offer));
        let Some(mut session) = self.session(cx, key) else { return false };
        match &body {
            Some(body) => {
                // Whoever offers is there: what asked about that, and waits, would offer what is no longer so.
                session.withdraw(Purpose::Alive);
                session.answer_offer((SDP, body));
            }
            None => session.refuse_offer(488),
        }
        if body.is_some() {
            self.is_there(key);
        }
        body.is_some()
    }

    fn answer_within(&mut self, cx: &mut Context<'_>, key: LegKey, sdp_offer: &Description) -> Option<Vec<u8>> {
        let leg = self.leg_mut(key)?;
        let kept = leg.codec().filter(|codec| sdp::choose(sdp_offer, &[*codec]).is_some());
        let codec = kept.or_else(|| sdp::choose(sdp_offer, &SPOKEN))?;
        let (body, agreement) = sdp::answer(&leg.media.as_mut()?.local(), sdp_offer, codec).ok()?;
        if let LegState::Answered { holds, .. } = &mut leg.state {
            *holds = sdp_offer.audio.as_ref().is_some_and(sdp::Audio::holds);
        }
        self.agree(cx, key, agreement);
        Some(body)
    }

    /// Stops a phone's ringing, which may tell the phone why. Its leg is gone once its INVITE has a final answer, or none comes.
    pub(in crate::engine) fn cancel(&mut self, cx: &mut Context<'_>, key: LegKey, reason: Option<&'static str>) {
        let Some(leg) = self.leg_mut(key) else { return };
        if let LegState::Calling { .. } = leg.state {
            leg.state = LegState::Ending;
            let id = leg.session;
            if cx.holds(Rule::CancelRing) {
                cx.sessions.session(cx.now, id).cancel(reason);
            }
        }
    }

    /// Hangs a leg up, as soon as the ACK to our 2xx allows it.
    pub(in crate::engine) fn hang_up(&mut self, cx: &mut Context<'_>, key: LegKey) {
        let Some(leg) = self.leg_mut(key) else { return };
        leg.state = LegState::Ending;
        let id = leg.session;
        self.close_media(cx, key);
        cx.sessions.session(cx.now, id).hang_up();
    }

    /// Ends a leg, by what its state allows. A caller who was never answered is refused with `status`.
    pub(in crate::engine) fn end(&mut self, cx: &mut Context<'_>, key: LegKey, status: u16) {
        let Some(leg) = self.leg_mut(key) else { return };
        match leg.state {
            LegState::Arriving { .. } => {
                leg.status = Some(status);
                leg.state = LegState::Ending;
                let id = leg.session;
                cx.sessions.session(cx.now, id).refuse(status, matches!(status, 503 | 480).then_some(30));
            }
            LegState::Calling { .. } => self.cancel(cx, key, None),
            LegState::Answered { .. } if matches!(leg.role, Role::Agent(_)) && !cx.holds(Rule::ByeToAgent) => {}
            LegState::Answered { .. } => self.hang_up(cx, key),
            LegState::Ending => {}
        }
    }

    /// A call of ours has failed for good.
    pub(in crate::engine) fn failed(&mut self, key: LegKey, status: u16) {
        if let Some(leg) = self.leg_mut(key) {
            leg.status = Some(status);
        }
    }

    /// A leg is gone: nothing more is sent for it. Whose it was, and whom it reported to.
    pub(in crate::engine) fn remove(&mut self, cx: &mut Context<'_>, key: LegKey) -> Option<(Role, ContactRef)> {
        self.get(key)?;
        self.close_media(cx, key);
        let leg = self.legs.remove(key.slot as usize);
        Some((leg.role, leg.contact))
    }
}
