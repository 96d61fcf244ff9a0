//! What is played: who calls, how often and how patiently; who answers, and how.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use super::account::Account;
use crate::base::span::{BadSpan, Share, Span, duration};
use crate::rtp::key::event_of;

/// Keys that a caller presses, each so long after the call was answered.
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

/// Who calls.
#[derive(Clone, Debug)]
pub struct Callers {
    /// What they dial: each call one of these, by chance.
    pub numbers: Vec<String>,
    /// Calls a second.
    pub rate: f64,
    /// Whether calls come evenly rather than by chance (a Poisson process).
    pub steady: bool,
    /// After so many no more are made; 0: nobody calls.
    pub calls: Option<u64>,
    /// After so long no more are made.
    pub span: Option<Duration>,
    /// How long they wait for a person before they hang up.
    pub patience: Span,
    /// How long they talk.
    pub talk: Span,
    /// What they press: each call one of these, by chance.
    pub keys: Vec<Keys>,
    /// More than this are never up at once; calls beyond it are not made, and counted.
    pub calls_max: usize,
}

/// Who answers.
#[derive(Clone, Debug)]
pub struct Agents {
    /// Those who register.
    pub accounts: Vec<Account>,
    /// Where phones that never register are rung: whoever is called there answers.
    pub phones_at: Option<SocketAddr>,
    /// How long they let it ring.
    pub answer_after: Span,
    /// How many calls they refuse.
    pub refuse: Share,
    /// How many calls they let ring.
    pub ignore: Share,
    /// How many talks they end, rather than the caller.
    pub hang_up_first: Share,
    /// How many talks they interrupt by putting the caller on hold.
    pub hold: Share,
    /// How many callers they pass on.
    pub pass_on: Share,
    /// Whom to: each time one of these, by chance.
    pub pass_to: Vec<String>,
    /// The registration that is asked for.
    pub expires: Duration,
}

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub server: SocketAddr,
    /// The address that callers and agents have.
    pub local: IpAddr,
    /// Who calls.
    pub callers: Callers,
    /// Who answers.
    pub agents: Agents,
    /// How many calls carry RTP.
    pub rtp: Share,
    /// What chance begins with.
    pub seed: u64,
    /// How long calls may go on when no more are made; then they are cut off.
    pub wind_down: Duration,
    /// How often progress is told.
    pub tell_every: Duration,
}

impl Plan {
    /// One caller after the other for this number, who wait, talk a while and hang up; nobody answers, without RTP.
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

    /// Whether anybody here can be reached, so that an answer by the server alone is not yet a person's.
    pub(super) fn has_agents(&self) -> bool {
        !self.agents.accounts.is_empty() || self.agents.phones_at.is_some()
    }
}
