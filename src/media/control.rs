//! What is done for an endpoint now and then: RTCP both ways, silences, the lock that opens again.

use std::net::SocketAddr;
use std::time::Duration;

use super::endpoint::Feeding;
use super::thread::Thread;
use crate::engine::media_port::MediaEvent;
use crate::rtp::reception::Block;
use crate::rtp::rtcp;

/// A lock opens again after so long without RTP from its source.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// An endpoint is looked after each half second; it reports each 5 s.
pub(super) const REPORT_VISITS: u8 = 10;

impl Thread {
    /// Looks after an endpoint.
    pub(super) fn look_after(&mut self, slot: u32) {
        self.current = Some(slot);
        let now = self.now;
        let endpoint = &mut self.endpoints[slot as usize];
        let Some((remote, source)) = &mut endpoint.party else { return };
        let silent = now.since(endpoint.rtp_at) >= LOCK_PATIENCE;
        let forsaken = silent && source.closed();
        // Who hears music and says nothing is sent to more cheaply; who is behind NAT may yet come from elsewhere.
        let listening = silent && !source.closed() && !source.follows() && matches!(endpoint.feeding, Feeding::Music);
        if forsaken {
            source.reopen();
        }
        if remote.expects && now.since(endpoint.heard_at) >= self.silence && now.since(endpoint.silence_at) >= self.silence {
            endpoint.silence_at = now;
            let (endpoint, silent_for) = (endpoint.id, now.since(endpoint.heard_at));
            // One that is not told now is told after another such time.
            let _ = self.tell_of_party(slot, MediaEvent::Silent { endpoint, silent_for });
        }
        if self.endpoints[slot as usize].control.visits == 0 {
            self.endpoints[slot as usize].control.visits = REPORT_VISITS;
            self.report_to(slot);
            self.count_losses(slot);
        }
        self.endpoints[slot as usize].control.visits -= 1;
        if forsaken {
            self.disconnect(slot);
        } else if listening {
            self.connect(slot);
        }
    }

    /// Sends a sender report if something was sent since the last, a receiver report if something was received; else nothing.
    fn report_to(&mut self, slot: u32) {
        let now = self.now;
        let endpoint = &mut self.endpoints[slot as usize];
        let Some((remote, source)) = &endpoint.party else { return };
        let control = &mut endpoint.control;
        let received = endpoint.reception.received_total();
        let (sends, receives) = (endpoint.sent != control.sent_at_report, received != control.received_at_report);
        if !remote.may_send && !remote.expects || !sends && !receives {
            return;
        }
        control.sent_at_report = endpoint.sent;
        control.received_at_report = received;
        let sender = sends.then(|| rtcp::Sender {
            ntp: rtcp::ntp(now),
            timestamp: endpoint.stream.timestamp_at(now),
            packets: endpoint.sent as u32,
            bytes: endpoint.sent_bytes as u32,
        });
        let block = receives.then(|| endpoint.reception.report()).flatten().map(|block| match control.last_sr {
            Some((last_sr, at)) => Block { last_sr, delay_since_last_sr: rtcp::units(now.since(at)), ..block },
            None => block,
        });
        rtcp::write(&mut self.report, endpoint.stream.ssrc(), sender.as_ref(), block.as_ref(), endpoint.cname);
        let pair = &self.ports.pairs[endpoint.pair as usize];
        let sent = match remote.rtcp {
            None if endpoint.connected => pair.rtp.send(&self.report),
            None => pair.rtp.send_to(&self.report, source.target()),
            Some(described) => {
                let target = source.target();
                // Behind NAT: where its RTCP comes from, else beside its RTP.
                let beside = SocketAddr::new(target.ip(), target.port().saturating_add(1));
                let moved = source.follows() && target.ip() != described.ip();
                let to = control.seen_at.unwrap_or(if moved { beside } else { described });
                pair.rtcp.send_to(&self.report, to)
            }
        };
        match sent {
            Ok(_) => self.mailbox.counters.rtcp.add(1),
            Err(_) => self.mailbox.counters.send_errors.add(1),
        }
    }

    /// Takes a party's RTCP, which stands in the buffer.
    pub(super) fn take_report(&mut self, slot: u32, len: usize, from: SocketAddr) {
        let counters = &self.mailbox.counters;
        let endpoint = &mut self.endpoints[slot as usize];
        let Some((remote, source)) = &endpoint.party else { return counters.unclaimed.add(1) };
        let described = remote.rtcp.is_some_and(|rtcp| rtcp.ip() == from.ip());
        if !described && !source.admits_control(from.ip()) {
            endpoint.strangers += 1;
            return counters.strangers.add(1);
        }
        let Some(heard) = rtcp::read(&self.buffer[..len], endpoint.stream.ssrc()) else { return counters.malformed.add(1) };
        counters.rtcp.add(1);
        endpoint.heard_at = self.now;
        if source.follows() && remote.rtcp.is_some() {
            endpoint.control.seen_at = Some(from);
        }
        if let Some((ssrc, sender)) = heard.sender
            && endpoint.reception.ssrc().is_none_or(|known| known == ssrc)
        {
            endpoint.control.last_sr = Some((rtcp::middle(sender.ntp), self.now));
        }
        if let Some(block) = heard.about_us {
            endpoint.control.fraction_lost = Some(block.fraction_lost);
            let more = block.lost.saturating_sub(endpoint.control.lost_out).max(0);
            // No more than was sent, whatever is claimed.
            counters.lost_out.add(u64::from(more.unsigned_abs()).min(endpoint.sent));
            endpoint.control.lost_out = block.lost.max(endpoint.control.lost_out);
        }
    }

    /// Adds what was lost since it was last counted to the thread's counter.
    pub(super) fn count_losses(&mut self, slot: u32) {
        let endpoint = &mut self.endpoints[slot as usize];
        let lost = endpoint.reception.lost_total();
        self.mailbox.counters.lost_in.add(lost.saturating_sub(endpoint.lost_in));
        endpoint.lost_in = endpoint.lost_in.max(lost);
    }
}
