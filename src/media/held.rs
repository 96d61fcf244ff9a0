//! What a media thread that is far behind is still to be told: of each endpoint the newest of each kind, so that it can never be more than
//! there are endpoints.

use std::collections::BTreeMap;

use super::endpoint::KEYS_MAX;
use super::tap::TAPS_MAX;
use crate::base::EndpointId;
use crate::engine::media_port::{Feed, MediaCommand, PortLease, Remote, TapId, TapSide};

/// What an endpoint is to be told.
#[derive(Debug, Default)]
struct Newest {
    opens: Option<(PortLease, u64)>,
    remote: Option<Remote>,
    feed: Option<Feed>,
    keys: Vec<char>,
    /// Taps that end, and then those that begin.
    ended_taps: Vec<TapId>,
    taps: Vec<(TapId, TapSide)>,
    closes: bool,
}

/// What one thread is to be told.
#[derive(Debug, Default)]
pub(super) struct Held {
    endpoints: BTreeMap<EndpointId, Newest>,
    returned: Vec<PortLease>,
}

impl Held {
    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.endpoints.is_empty() && self.returned.is_empty()
    }

    /// Keeps a command, in place of what it makes needless. False if it was one key or one tap too many.
    pub(super) fn keep(&mut self, command: MediaCommand) -> bool {
        match command {
            MediaCommand::Open { endpoint, lease, cname } => self.newest(endpoint).opens = Some((lease, cname)),
            MediaCommand::Remote { endpoint, remote } => self.newest(endpoint).remote = Some(remote),
            MediaCommand::Feed { endpoint, feed } => self.newest(endpoint).feed = Some(feed),
            MediaCommand::SendDigit { endpoint, digit } => {
                let keys = &mut self.newest(endpoint).keys;
                if keys.len() >= KEYS_MAX {
                    return false;
                }
                keys.push(digit);
            }
            MediaCommand::Tap { endpoint, tap, side } => {
                let taps = &mut self.newest(endpoint).taps;
                if taps.len() >= TAPS_MAX {
                    return false;
                }
                taps.push((tap, side));
            }
            MediaCommand::Untap { endpoint, tap } => {
                let Newest { taps, ended_taps, .. } = self.newest(endpoint);
                match taps.iter().position(|(begins, _)| *begins == tap) {
                    Some(place) => drop(taps.remove(place)),
                    // No more than that has an endpoint.
                    None if ended_taps.len() < TAPS_MAX => ended_taps.push(tap),
                    None => return false,
                }
            }
            MediaCommand::Close { endpoint } => {
                let newest = self.newest(endpoint);
                *newest = Newest { opens: newest.opens.take(), closes: true, ..Newest::default() };
            }
            MediaCommand::Return { lease } => self.returned.push(lease),
        }
        true
    }

    fn newest(&mut self, endpoint: EndpointId) -> &mut Newest {
        self.endpoints.entry(endpoint).or_default()
    }

    /// Takes up to so many commands, in an order in which each finds what it needs: whom an endpoint hears is open before it is told so, and
    /// nobody hears what is closed.
    pub(super) fn take(&mut self, most: usize) -> Vec<MediaCommand> {
        let mut taken = Vec::new();
        let kinds: [fn(EndpointId, &mut Newest) -> Option<MediaCommand>; 4] = [
            |endpoint, newest| newest.opens.take().map(|(lease, cname)| MediaCommand::Open { endpoint, lease, cname }),
            |endpoint, newest| newest.remote.take().map(|remote| MediaCommand::Remote { endpoint, remote }),
            |endpoint, newest| newest.feed.take().map(|feed| MediaCommand::Feed { endpoint, feed }),
            |endpoint, newest| std::mem::take(&mut newest.closes).then_some(MediaCommand::Close { endpoint }),
        ];
        for (kind, next) in kinds.into_iter().enumerate() {
            for (endpoint, newest) in &mut self.endpoints {
                if taken.len() >= most {
                    return taken;
                }
                if kind == 3 {
                    let endpoint = *endpoint;
                    taken.extend(newest.ended_taps.drain(..).map(|tap| MediaCommand::Untap { endpoint, tap }));
                    taken.extend(newest.taps.drain(..).map(|(tap, side)| MediaCommand::Tap { endpoint, tap, side }));
                    taken.extend(newest.keys.drain(..).map(|digit| MediaCommand::SendDigit { endpoint, digit }));
                }
                taken.extend(next(*endpoint, newest));
            }
        }
        self.endpoints.clear();
        let left = self.returned.len().min(most - taken.len().min(most));
        taken.extend(self.returned.drain(..left).map(|lease| MediaCommand::Return { lease }));
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::media_port::MediaThread;

    const A: EndpointId = EndpointId(1);
    const B: EndpointId = EndpointId(2);

    fn lease(port: u16) -> PortLease {
        PortLease { thread: MediaThread(0), rtp: ([127, 0, 0, 1], port).into(), advertised: [127, 0, 0, 1].into() }
    }

    fn opens(endpoint: EndpointId, port: u16) -> MediaCommand {
        MediaCommand::Open { endpoint, lease: lease(port), cname: 1 }
    }

    fn feeds(endpoint: EndpointId, feed: Feed) -> MediaCommand {
        MediaCommand::Feed { endpoint, feed }
    }

    #[test]
    fn the_newest_of_each_kind_in_an_order_that_works() {
        let mut held = Held::default();
        assert!(held.is_empty() && held.take(10).is_empty());
        held.keep(opens(A, 4000));
        for _ in 0..1000 {
            held.keep(feeds(A, Feed::Music("m".into())));
            held.keep(feeds(A, Feed::peer(B)));
        }
        held.keep(opens(B, 4002));
        held.keep(MediaCommand::Return { lease: lease(4004) });
        assert_eq!(
            held.take(100),
            [opens(A, 4000), opens(B, 4002), feeds(A, Feed::peer(B)), MediaCommand::Return { lease: lease(4004) }]
        );
        assert!(held.is_empty());
    }

    #[test]
    fn who_is_closed_hears_nothing_more_and_keys_are_bounded() {
        let mut held = Held::default();
        held.keep(opens(A, 4000));
        let press = MediaCommand::SendDigit { endpoint: A, digit: '5' };
        assert_eq!((0..100).filter(|_| held.keep(press.clone())).count(), KEYS_MAX);
        held.keep(feeds(A, Feed::peer(B)));
        held.keep(MediaCommand::Close { endpoint: A });
        held.keep(MediaCommand::Close { endpoint: B });
        let closes = |endpoint| MediaCommand::Close { endpoint };
        // However little there is room for at a time.
        let mut taken = Vec::new();
        while !held.is_empty() {
            taken.extend(held.take(1));
        }
        assert_eq!(taken, [opens(A, 4000), closes(A), closes(B)]);
        held.keep(press.clone());
        held.keep(closes(B));
        assert_eq!(held.take(9), [press, closes(B)]);
    }
}
