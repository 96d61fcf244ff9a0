//! Agents who may have several contacts at once, by one channel or several.
//!
//! Such an agent has a *hand* for each: a number, a bench and a word of its own, so that the matcher knows nothing new. What may run beside
//! what is for the agent's owner to keep: a hand that could not take anything beside what the others have is not seated, and of several
//! that are free the one is seated first for which somebody waits who goes first. Where two were claimed between two looks for what does not
//! go together, the contact that goes first stays, and the other is *declined*: its owner puts it back at its place. So whoever owns a
//! contact that is offered to a hand rings nobody before the agent's owner has [agreed](Matcher::verdict).
//!
//! An agent whose chats never end all at once would never be free for a call. So an agent *drains*, which is to say that it takes nothing
//! more of what it has: while somebody waits for whom only that stands in the way, and who goes before everybody whom the agent could still
//! take. It begins when the owner next looks, so that one more may have come meanwhile; and of those who sit on one bench no more drain
//! than wait for it.

use std::time::Duration;

use super::agent::{Agent, State};
use super::claim::{AgentView, ContactSlot, Key};
use super::map::{AgentProfile, BenchId, Directory, LineId, Map};
use super::matcher::{Matcher, Standing};
use super::shelf::Mask;
use super::step::{Step, does};
use super::word::AgentWord;
use crate::base::sync::Ordering;
use crate::base::words::Channel;
use crate::base::{AgentId, Time};

/// How many contacts, by [`Channel::index`].
pub type Load = [u8; Channel::ALL.len()];

/// How often the owner of an agent who drains [looks](Matcher::settle_hands) whether there is still a reason.
pub const DRAIN_LOOK: Duration = Duration::from_secs(2);

/// What an agent may have at once: as much as one of these mixtures, or a part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capacity(Vec<Load>);

/// A call at a time.
impl Default for Capacity {
    fn default() -> Self {
        Capacity::of([Capacity::load(&[(Channel::Voice, 1)])])
    }
}

impl Capacity {
    /// Any of these mixtures.
    pub fn of(mixtures: impl IntoIterator<Item = Load>) -> Self {
        Capacity(mixtures.into_iter().collect())
    }

    /// A mixture.
    #[must_use]
    pub fn load(parts: &[(Channel, u8)]) -> Load {
        let mut load = Load::default();
        for (channel, count) in parts {
            load[channel.index()] += count;
        }
        load
    }

    /// Whether all of this may be had at once.
    #[must_use]
    pub fn holds(&self, load: &Load) -> bool {
        self.0.iter().any(|mixture| load.iter().zip(mixture).all(|(has, most)| has <= most))
    }

    /// How many of a channel there may be when there is nothing else.
    #[must_use]
    pub fn most(&self, channel: Channel) -> u8 {
        self.0.iter().map(|mixture| mixture[channel.index()]).max().unwrap_or(0)
    }

    /// How many hands it takes.
    #[must_use]
    pub fn hands(&self) -> u32 {
        Channel::ALL.iter().map(|channel| u32::from(self.most(*channel))).sum()
    }
}

impl Directory {
    /// The [directory with hands](Self::with_hands) of a house that is never reloaded: their numbers follow the agents' own.
    #[must_use]
    pub fn with_first_hands(&self) -> (Directory, Vec<Vec<AgentId>>) {
        self.with_hands(self.agents.len() as u32, &[])
    }

    /// The directory with a number for each hand of each agent, and those numbers by agent: first its own, which is that of its first hand.
    /// Further hands have numbers from `first` on, beyond all that agents can ever have for themselves. Whoever had a number `before` keeps
    /// it, used or not, for its words are those of its owner; `before` is empty at first.
    #[must_use]
    pub fn with_hands(&self, first: u32, before: &[Vec<AgentId>]) -> (Directory, Vec<Vec<AgentId>>) {
        let mut directory = Directory { hands_from: Some(first), ..self.clone() };
        let mut next = before.iter().flatten().map(|hand| hand.0 + 1).max().map_or(first, |next| next.max(first));
        directory.agents.resize(next as usize, None);
        let mut hands = Vec::with_capacity(self.agents.len());
        for (agent, profile) in (0..).zip(&self.agents) {
            let mut of_agent = before.get(agent as usize).cloned().unwrap_or_else(|| vec![AgentId(agent)]);
            let most = |channel: &Channel| profile.as_ref().map_or(0, |profile| profile.capacity.most(*channel));
            let channels = Channel::ALL.iter().flat_map(|channel| (0..most(channel)).map(|_| *channel));
            for (place, channel) in channels.enumerate() {
                if place == of_agent.len() {
                    of_agent.push(AgentId(next));
                    directory.agents.push(None);
                    next += 1;
                }
                let hand = profile.as_ref().map(|profile| AgentProfile { channel, ..profile.clone() });
                directory.agents[of_agent[place].index()] = hand;
            }
            hands.push(of_agent);
        }
        (directory, hands)
    }
}

/// What the owner of an agent says to a contact that is offered to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The agent is reserved: it may be rung.
    Agreed,
    /// It does not go with what the agent has: the contact is to be put back.
    Declined,
}

#[derive(Debug)]
struct Hand {
    id: AgentId,
    channel: Channel,
    agent: Agent,
}

/// All that an agent may have at once, kept by its owner, who [settles](Matcher::settle_hands) them whenever one was nudged or has changed,
/// and every [`DRAIN_LOOK`] while the agent drains; [given up](Matcher::give_up_hands) when the agent is.
#[derive(Debug)]
pub struct Hands {
    hands: Vec<Hand>,
    capacity: Capacity,
    drains_for: Option<BenchId>,
}

impl Hands {
    /// Those of an agent of this directory, which has [numbers](Directory::with_hands) for them. Nobody is signed in.
    #[must_use]
    pub fn new(directory: &Directory, ids: &[AgentId], now: Time) -> Self {
        let profile = |id: &AgentId| directory.agents.get(id.index()).and_then(Option::as_ref);
        let hand = |id| {
            let channel = profile(&id).map_or_else(Channel::default, |profile| profile.channel);
            Hand { id, channel, agent: Agent::new(now) }
        };
        let capacity = ids.first().and_then(profile).map_or_else(Capacity::default, |profile| profile.capacity.clone());
        Hands { hands: ids.iter().copied().map(hand).collect(), capacity, drains_for: None }
    }

    /// Their numbers.
    pub fn ids(&self) -> impl Iterator<Item = AgentId> + '_ {
        self.hands.iter().map(|hand| hand.id)
    }

    /// What one of them does.
    #[must_use]
    pub fn state(&self, id: AgentId) -> Option<&State> {
        self.hands.iter().find(|hand| hand.id == id).map(|hand| hand.agent.state())
    }

    /// One of them, to be told what happened; to be settled afterwards.
    pub fn hand(&mut self, id: AgentId) -> Option<&mut Agent> {
        self.hands.iter_mut().find(|hand| hand.id == id).map(|hand| &mut hand.agent)
    }

    /// All of them, to be told what the agent wants; to be settled afterwards.
    pub fn each(&mut self, mut tell: impl FnMut(&mut Agent)) {
        self.hands.iter_mut().for_each(|hand| tell(&mut hand.agent));
    }

    /// What the agent does as a whole; `None`: it is not signed in.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let any = |standing| self.hands.iter().any(|hand| hand.agent.state().standing() == Some(standing));
        [Standing::Busy, Standing::Free, Standing::Break].into_iter().find(|standing| any(*standing))
    }

    /// Whether the agent takes no more of what it has, to become free for something else.
    #[must_use]
    pub const fn drains(&self) -> bool {
        self.drains_for.is_some()
    }

    /// What the agent has.
    #[must_use]
    pub fn load(&self) -> Load {
        let mut load = Load::default();
        for hand in &self.hands {
            load[hand.channel.index()] += u8::from(hand.agent.state().standing() == Some(Standing::Busy));
        }
        load
    }

    /// Whether one more of this channel goes with what the agent has.
    pub(crate) fn has_room_for(&self, channel: Channel) -> bool {
        let mut load = self.load();
        load[channel.index()] += 1;
        self.capacity.holds(&load) || !does(Step::KeepCapacity)
    }

    /// How the others should count a hand.
    fn standing_of(&self, hand: &Hand) -> Option<Standing> {
        match hand.agent.state().standing() {
            Some(Standing::Free) if self.drains() || !self.has_room_for(hand.channel) => Some(Standing::Busy),
            standing => standing,
        }
    }
}

/// A hand that is free, and not seated.
#[derive(Clone, Copy)]
struct FreeHand {
    index: usize,
    bench: BenchId,
    /// Of those whom it could serve there, who goes first; `None`: nobody waits.
    first: Option<Key>,
}

impl FreeHand {
    /// Whether somebody waits for it, and goes before everybody who waits for the other.
    fn goes_before(&self, other: Option<&FreeHand>) -> bool {
        self.first.is_some_and(|key| other.and_then(|other| other.first).is_none_or(|first| key < first))
    }
}

/// What is next to be done for an agent that has a hand free.
enum Next {
    Seat(usize),
    Drain(BenchId),
    Nothing,
}

impl Matcher {
    /// *Owner.* Takes or declines what the hands were claimed for, lets go whom they are not offered to any more, seats those that may take
    /// something, and no others.
    pub fn settle_hands(&self, hands: &mut Hands, now: Time) {
        let drained_for = hands.drains_for.take();
        loop {
            self.take_claims(hands, now);
            if self.unseat(hands, |hand, hands| !hand.agent.wants_seat() || !hands.has_room_for(hand.channel)) {
                continue;
            }
            for hand in &hands.hands {
                let over = hand.agent.state().contact().is_none();
                if over && matches!(self.agent(hand.id), AgentView::Held { offered: false, .. }) {
                    self.release(hand.id);
                }
            }
            match self.next_to_seat(hands, drained_for) {
                Next::Nothing => break,
                Next::Seat(hand) => {
                    let Hand { id, agent, .. } = &hands.hands[hand];
                    self.set_standing(*id, Some(Standing::Free));
                    if !self.ready(*id, now, agent.occupied()) {
                        break;
                    }
                }
                Next::Drain(bench) => {
                    if !self.unseat(hands, |_, _| true) {
                        hands.drains_for = Some(bench);
                        break;
                    }
                    // A hand was claimed meanwhile: what the agent has is not what it was.
                    if drained_for != Some(bench) {
                        self.draining[bench.0 as usize].fetch_sub(1, Ordering::AcqRel);
                    }
                }
            }
        }
        if let Some(bench) = drained_for.filter(|bench| hands.drains_for != Some(*bench)) {
            self.draining[bench.0 as usize].fetch_sub(1, Ordering::AcqRel);
        }
        for hand in &hands.hands {
            // A loan ends with what it was for, whatever else the agent has.
            let busy = hand.agent.state().standing() == Some(Standing::Busy);
            if !busy && !matches!(self.agent(hand.id), AgentView::Held { offered: true, .. }) {
                self.loan_over(hand.id);
            }
            self.set_standing(hand.id, hands.standing_of(hand));
        }
    }

    /// *Owner.* The agent, who has nothing any more, is gone from the directory: nothing of its hands is counted any longer.
    pub fn give_up_hands(&self, mut hands: Hands, now: Time) {
        hands.each(|hand| hand.sign_out(now));
        self.settle_hands(&mut hands, now);
    }

    /// What the owner of the agent says of the offer of a contact; `None`: nothing yet, or there is no offer.
    #[must_use]
    pub fn verdict(&self, slot: ContactSlot) -> Option<Verdict> {
        let (agent, held) = self.kernel.offer(slot.0)?;
        match AgentWord::unpack(self.verdicts[agent as usize].load(Ordering::Acquire)) {
            word if word == held => Some(Verdict::Agreed),
            word if word == held.as_claim() => Some(Verdict::Declined),
            _ => None,
        }
    }

    /// Reserves hands for the contacts they are held for, those that go first first, and declines what does not go with it.
    fn take_claims(&self, hands: &mut Hands, now: Time) {
        let mut claims: Vec<(Key, usize, ContactSlot)> = Vec::new();
        for (index, hand) in hands.hands.iter().enumerate() {
            if let AgentView::Held { contact, offered: true } = self.agent(hand.id)
                && hand.agent.state().contact() != Some(contact)
                && let Some(key) = self.kernel.key_of(contact.0)
            {
                claims.push((key, index, contact));
            }
        }
        claims.sort_unstable();
        let mut taken = false;
        for (_, index, contact) in claims {
            let room = hands.has_room_for(hands.hands[index].channel);
            let hand = &mut hands.hands[index];
            let agrees = room && hand.agent.reserve(now, contact);
            if agrees || does(Step::SayDeclined) {
                self.say(hand.id, if agrees { Verdict::Agreed } else { Verdict::Declined });
            }
            taken |= agrees;
        }
        if taken {
            // All hands are idle from now on only: whoever has got something goes behind the others.
            self.unseat(hands, |_, _| true);
        }
    }

    /// Takes some of the hands off their benches; whether one turned out to be claimed.
    fn unseat(&self, hands: &Hands, which: impl Fn(&Hand, &Hands) -> bool) -> bool {
        let seated = |hand: &&Hand| self.agent(hand.id) == AgentView::Ready && which(hand, hands);
        hands.hands.iter().filter(seated).fold(false, |claimed, hand| claimed | (self.pause(hand.id) != AgentView::Busy))
    }

    fn say(&self, hand: AgentId, verdict: Verdict) {
        let Some((contact, held)) = self.kernel.held(hand.0) else { return };
        let word = if verdict == Verdict::Agreed { held } else { held.as_claim() };
        if self.verdicts[hand.index()].swap(word.pack(), Ordering::AcqRel) != word.pack() {
            self.kernel.nudge_contact(contact);
        }
    }

    fn next_to_seat(&self, hands: &Hands, drained_for: Option<BenchId>) -> Next {
        let map = self.kernel.map();
        let has_one_hand = hands.hands.len() == 1;
        let mut takes_more = false;
        let mut with_room: Option<FreeHand> = None;
        let mut without_room: Option<FreeHand> = None;
        for (index, hand) in hands.hands.iter().enumerate() {
            let Some(bench) = map.bench(hand.id).filter(|_| hand.agent.wants_seat()) else { continue };
            let room = hands.has_room_for(hand.channel);
            takes_more |= room;
            if self.agent(hand.id) != AgentView::Busy {
                continue;
            }
            let first = if has_one_hand { None } else { self.kernel.first_for(&map, hand.id.0, bench) };
            let free = FreeHand { index, bench, first };
            let best = if room { &mut with_room } else { &mut without_room };
            if best.is_none() || free.goes_before(best.as_ref()) {
                *best = Some(free);
            }
        }
        if let Some(FreeHand { index, bench, .. }) =
            without_room.filter(|free| takes_more && free.goes_before(with_room.as_ref()))
            && self.may_drain(&map, (hands.hands[index].id, bench), drained_for)
        {
            return Next::Drain(bench);
        }
        with_room.map_or(Next::Nothing, |free| Next::Seat(free.index))
    }

    /// Whether one more may drain for those who wait for a hand on its bench, of whom one has been `drained_for` that bench already; if so
    /// it is counted.
    fn may_drain(&self, map: &Map, (hand, bench): (AgentId, BenchId), drained_for: Option<BenchId>) -> bool {
        let draining = &self.draining[bench.0 as usize];
        let counted = drained_for == Some(bench);
        let all = draining.load(Ordering::Acquire);
        let own_line = [Mask::one(LineId::of_agent(hand).0)];
        let others = all - u32::from(counted);
        (self.kernel.more_wait_than(map.lines_of(bench), others) || self.kernel.more_wait_than(&own_line, 0))
            && (counted || draining.compare_exchange(all, all + 1, Ordering::AcqRel, Ordering::Acquire).is_ok())
    }

    /// How many drain.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn draining(&self) -> u32 {
        self.draining.iter().map(|bench| bench.load(Ordering::Acquire)).sum()
    }
}

#[cfg(test)]
#[path = "hands_tests.rs"]
mod tests;
