//! The plan of a run: who calls, how often and how patiently; who answers, and how.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use super::account::Account;
use crate::base::span::{BadSpan, Share, Span, duration};
use crate::rtp::key::event_of;

/// Keys that a caller presses, each with its time after the call was answered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Keys(pub Vec<(Duration, char)>);

impl FromStr for Keys {
    type Err = BadSpan;

    /// `2s:1` or `2s:1,5s:0`.
    fn from_str(text: &str) -> Result<Self, BadSpan> {
        const HELP: BadSpan = BadSpan("write keys as 2s:1 or 2s:1,5s:0, each so long after the answer");
        let one = |part: &str| {
            let (after, key) = part.split_once(':').ok_or(HELP)?;
            let mut keys = key.chars();
            match (keys.next(), keys.next()) {
                (Some(key), None) if event_of(key).is_some() => Ok((duration(after)?, key)),
                _ => Err(HELP),
            }
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Keys)
    }
}

/// The callers.
#[derive(Clone, Debug)]
pub struct Callers {
    /// The numbers that they dial; each call draws one.
    pub numbers: Vec<String>,
    /// Calls a second.
    pub rate: f64,
    /// Whether calls come evenly rather than by chance (a Poisson process).
    pub steady: bool,
    /// How many calls are made; 0: none, `None`: no limit.
    pub calls: Option<u64>,
    /// How long calls are made; `None`: no limit.
    pub span: Option<Duration>,
    /// How long a caller waits for a person before hanging up.
    pub patience: Span,
    /// How long a talk lasts.
    pub talk: Span,
    /// The keys that callers press; each call draws one of these.
    pub keys: Vec<Keys>,
    /// The most calls at once. Calls beyond it are not made, and counted.
    pub calls_max: usize,
}

/// The agents.
#[derive(Clone, Debug)]
pub struct Agents {
    /// The accounts of those who register.
    pub accounts: Vec<Account>,
    /// The address of phones that never register: any call to it is answered.
    pub phones_at: Option<SocketAddr>,
    /// How long an agent lets it ring before answering.
    pub answer_after: Span,
    /// The share of calls that are refused.
    pub refuse: Share,
    /// The share of calls that are left ringing.
    pub ignore: Share,
    /// The share of talks that the agent ends, rather than the caller.
    pub hang_up_first: Share,
    /// The share of talks in which the caller is put on hold.
    pub hold: Share,
    /// The share of callers who are transferred.
    pub pass_on: Share,
    /// The targets of transfers; each draws one.
    pub pass_to: Vec<String>,
    /// The registration that is asked for.
    pub expires: Duration,
}

/// A plan: server, callers, agents.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub server: SocketAddr,
    /// The address that callers and agents have.
    pub local: IpAddr,
    /// The callers.
    pub callers: Callers,
    /// The agents.
    pub agents: Agents,
    /// The share of calls that carry RTP.
    pub rtp: Share,
    /// The seed of all random draws.
    pub seed: u64,
    /// How long calls may go on when no more are made; then they are cut off.
    pub wind_down: Duration,
    /// How often progress is reported.
    pub tell_every: Duration,
}

impl Plan {
    /// Callers to this number, one after the other, who wait, talk a while and hang up; no agents, without RTP.
    #[must_use]
    pub fn new(server: SocketAddr, number: &str) -> Plan {
        let local = if server.ip().is_loopback() { server.ip() } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
        Plan {
            server,
            local,
            callers: Callers {
                numbers: vec![number.to_owned()],
                rate: 1.0,
                steady: false,
                calls: Some(1),
                span: None,
                patience: Span::Exp(Duration::from_secs(60)),
                talk: Span::Exp(Duration::from_secs(20)),
                keys: Vec::new(),
                calls_max: 10_000,
            },
            agents: Agents {
                accounts: Vec::new(),
                phones_at: None,
                answer_after: Span::Exp(Duration::from_secs(2)),
                refuse: Share::NONE,
                ignore: Share::NONE,
                hang_up_first: Share::percent(30.0),
                hold: Share::NONE,
                pass_on: Share::NONE,
                pass_to: Vec::new(),
                expires: Duration::from_secs(600),
            },
            rtp: Share::NONE,
            seed: 1,
            wind_down: Duration::from_secs(60),
            tell_every: Duration::from_millis(200),
        }
    }

    /// Whether the plan has agents, so that an answer by the server alone is not yet a person's.
    pub(super) fn has_agents(&self) -> bool {
        !self.agents.accounts.is_empty() || self.agents.phones_at.is_some()
    }
}
