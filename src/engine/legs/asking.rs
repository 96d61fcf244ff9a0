//! Whether a party that has fallen silent is still there.
//!
//! A party of a talk that sends neither RTP nor RTCP for the silence limit is asked by OPTIONS; where that is answered, but the silence
//! lasts, or where no answer comes, by a re-INVITE that changes nothing: a proxy or a gateway may answer the first for a phone that is
//! long gone, and the second mends an address that one side has lost. Only 408, 481 (RFC 5057 5.1) and silence to the re-INVITE say that
//! nobody is there.

use super::{LegKey, Legs};
use crate::engine::context::Context;
use crate::sdp;
use crate::sip::session::{Body, OfferBy, Purpose};

/// How far the asking of a silent party has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Asked {
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

impl Legs {
    /// Whether the OPTIONS that is under way asks into a silence.
    pub(in crate::engine) fn asks_into_silence(&self, key: LegKey) -> bool {
        self.get(key).is_some_and(|leg| leg.asked == Asked::Options)
    }

    /// A party of a talk has been silent for the limit, or for as long again. Whether it is given up.
    pub(in crate::engine) fn silent(&mut self, cx: &mut Context<'_>, key: LegKey) -> bool {
        let Some(leg) = self.leg_mut(key).filter(|leg| leg.state.answered() && !leg.state.holds()) else { return false };
        match leg.asked {
            Asked::No => {
                leg.asked = Asked::Options;
                let id = leg.session;
                cx.sessions.session(cx.now, id).probe();
            }
            Asked::OptionsAnswered => self.ask_by_invite(cx, key),
            // The answer, or the end of its transaction, decides.
            Asked::Options => {}
            Asked::Invite => leg.asked = Asked::InviteOverdue,
            Asked::InviteOverdue => return true,
        }
        false
    }

    /// An INVITE within the dialog that offers what is already agreed. While another offer is under way it waits.
    pub(in crate::engine) fn ask_by_invite(&mut self, cx: &mut Context<'_>, key: LegKey) {
        let Some(leg) = self.leg_mut(key) else { return };
        let Some(media) = &mut leg.media else { return };
        let Some(formats) = media.agreement.as_ref().map(sdp::Agreement::formats) else { return };
        let body = sdp::offer(&media.local(), &formats);
        media.sdp_offered = Some(formats);
        leg.asked = Asked::Invite;
        let id = leg.session;
        cx.sessions.session(cx.now, id).offer(Purpose::Alive, OfferBy::Invite, Body::sdp(body));
    }

    /// An OPTIONS that asked into a silence was answered: somebody may be there.
    pub(in crate::engine) fn options_answered(&mut self, key: LegKey) {
        if let Some(leg) = self.leg_mut(key).filter(|leg| leg.asked == Asked::Options) {
            leg.asked = Asked::OptionsAnswered;
        }
    }

    /// An offer of ours within the session was accepted. Whether what is agreed on is new.
    pub(in crate::engine) fn offer_answered(&mut self, cx: &mut Context<'_>, key: LegKey, body: &[u8]) -> bool {
        let Some(leg) = self.leg_mut(key) else { return false };
        leg.asked = Asked::No;
        let offered = leg.media.as_mut().and_then(|media| media.sdp_offered.take());
        let agreed = offered.and_then(|offered| sdp::agreed(&offered, &sdp::read(body).ok()?).ok());
        let Some(agreement) = agreed else { return false };
        self.agree(cx, key, agreement);
        true
    }

    /// The party has shown by itself that it is there.
    pub(super) fn is_there(&mut self, key: LegKey) {
        if let Some(leg) = self.leg_mut(key) {
            leg.asked = Asked::No;
        }
    }

    /// An offer of ours within the session was refused: what was agreed before stands (RFC 3261 14.1).
    pub(in crate::engine) fn offer_refused(&mut self, key: LegKey) {
        let Some(leg) = self.leg_mut(key) else { return };
        leg.asked = Asked::No;
        if let Some(media) = &mut leg.media {
            media.sdp_offered = None;
        }
    }
}
