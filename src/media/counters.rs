//! What a media thread counts. Each counter has one writer, so that counting is a plain load and store; anyone may read.

use crate::base::sync::{AtomicU64, Ordering};

/// A counter (or gauge) with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The value now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// For the few that senders of commands write from several threads.
    pub(super) fn add_shared(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// One media thread's counters since its start.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)+
        }

        impl Counters {
            /// All of them with their names.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.get()),)+].into_iter()
            }
        }
    };
}

counters!(
    /// RTP packets taken from parties.
    packets_in,
    /// RTP packets sent.
    packets_out,
    /// RTP packets of parties that never came, counted each 5 s and at the end.
    lost_in,
    /// RTP packets of ours that parties say they never got (RFC 3550 6.4.1).
    lost_out,
    /// RTCP packets taken and sent.
    rtcp,
    /// Dropped: from elsewhere than the locked source.
    strangers,
    /// Dropped: not RTP or RTCP.
    malformed,
    /// Dropped: a payload type that was not agreed on.
    unknown_payload,
    /// Dropped: on a port that no endpoint uses, or before its description is known.
    unclaimed,
    /// Dropped: far out of order, or too late to be transcoded.
    disordered,
    /// Dropped: codecs that cannot be turned into each other.
    untranscodable,
    /// Packets that were transcoded.
    transcoded,
    /// Parties that were to be heard and were nowhere for 2 s.
    nowhere,
    /// Not passed to another thread, for that was far behind: a packet, or a word about one.
    passed_dropped,
    /// Packets that a tap had no room for.
    tap_dropped,
    /// Taps that nobody takes, or too many of one endpoint.
    taps_refused,
    /// Sends that the system refused.
    send_errors,
    /// Key presses heard.
    keys,
    /// Key presses dropped: the party cannot take them, or too many at once wait for it or for signalling.
    keys_dropped,
    /// Prompts asked for that are not in the library.
    unknown_prompts,
    /// Commands that made no sense: an endpoint or a pair that is not there.
    bad_commands,
    /// Times that a sender found the command queue full, and began to hold back all but the newest.
    queue_full,
    /// Commands lost because the thread has ended.
    commands_lost,
    /// Sweeps made.
    sweeps,
    /// Milliseconds of the schedule that were skipped because the thread was late by more than a packet.
    ticks_skipped,
    /// Endpoints open now.
    endpoints,
    /// Pairs of ports in use now: leased, open or resting.
    pairs_used,
    /// Pairs of ports that there are.
    pairs_max,
    /// Times that no pair could be leased although the stock was low.
    pairs_hits,
    /// Panics caught; each ended one endpoint.
    panics,
);
