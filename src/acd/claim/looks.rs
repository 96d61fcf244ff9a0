//! Looks that move nobody: who is wanted, who might be lent, which two are free, how many go before.

use super::super::lane::Seen;
use super::super::map::{BenchId, LineId, Map, Served};
use super::super::shelf::{Mask, Order};
use super::super::word::{AgentWord, ContactGeneration, ContactWord};
use super::{ContactSlot, Kernel, Key, Waiting};
use crate::base::sync::Ordering;

impl Kernel {
    /// Whether the agent is ready, and somebody waits whom it could serve on `bench`.
    pub(crate) fn is_wanted(&self, map: &Map, slot: u32, bench: BenchId) -> bool {
        matches!(self.agent(slot), AgentWord::Ready(_)) && self.look(map, (slot, bench), None).is_some()
    }

    /// One who is ready on one of `benches`, and whom somebody waits for whom it could serve on the bench it is lent as.
    pub(crate) fn wanted_of(&self, map: &Map, benches: &[Mask]) -> Option<u32> {
        Mask::places(benches).map(BenchId).find_map(|bench| {
            self.look_in(map.lines_of(map.lent_as(bench)?), None)?;
            let mut ready = None;
            self.benches.scan(
                &[Mask::one(bench.0)],
                Order::ByKey,
                &mut ready,
                |_| u64::MAX,
                |ready, _, _, entry| match self.look_at_agent(bench, entry) {
                    Ok((AgentWord::Ready(_), _)) => {
                        *ready = Some(entry.slot());
                        Seen::Stop
                    }
                    Ok(_) => Seen::Pass,
                    Err(seen) => seen,
                },
            );
            ready
        })
    }

    /// The best agent for a contact that waits of those who would have to be lent to it, on benches that `may_lend`.
    pub(crate) fn to_borrow(&self, map: &Map, slot: u32, may_lend: impl Fn(BenchId) -> bool) -> Option<u32> {
        let waiting = self.waiting(slot)?;
        let benches = map.benches_to_borrow(waiting.line);
        if benches.is_empty() {
            return None;
        }
        let served = |bench| map.to_borrow(bench, waiting.line).filter(|_| may_lend(bench));
        self.ready_for(map, &waiting, benches, served, None)
    }

    /// The best agent for `waiting` of those on `benches` who are ready, as far as they are `served`, but not this one.
    fn ready_for(
        &self,
        map: &Map,
        waiting: &Waiting,
        benches: &[Mask],
        served: impl Fn(BenchId) -> Option<Served>,
        but: Option<u32>,
    ) -> Option<u32> {
        loop {
            let free = self.choose(map, waiting, benches, &served, but)?;
            match free.word {
                AgentWord::Ready(_) => return Some(free.slot),
                word => self.settle(free.slot, word),
            }
        }
    }

    /// Two agents who are ready, one for each line, for a contact with this key. Two hands of one agent are two here: the lines must be such
    /// that nobody has two hands for them.
    pub(crate) fn free_pair(&self, map: &Map, lines: [LineId; 2], key: Key) -> Option<[u32; 2]> {
        let ready = |line: LineId, but: Option<u32>| {
            // Of a contact that is filed nowhere the choice needs only its line and its key.
            let waiting = Waiting { slot: u32::MAX, cg: ContactGeneration::from_counter(0), line, key };
            self.ready_for(map, &waiting, map.benches_of(line), |bench| map.served(bench, line), but)
        };
        let first = ready(lines[0], None)?;
        if let Some(second) = ready(lines[1], Some(first)) {
            return Some([first, second]);
        }
        // The only one for the second is the best for the first.
        let second = ready(lines[1], None)?;
        Some([ready(lines[0], Some(second))?, second])
    }

    /// Where a contact is filed, in line or offered, and with what key.
    fn filed(&self, slot: u32) -> Option<(LineId, Key)> {
        loop {
            let word = self.contact(slot);
            let (ContactWord::Waiting(cg) | ContactWord::Offered { cg, .. }) = word else { return None };
            let cell = &self.contacts[slot as usize].cells[cg.cell()];
            let filed = (LineId(cell.place.load(Ordering::Acquire)), Key(cell.key.load(Ordering::Acquire)));
            if self.contact(slot).generation() == cg {
                return Some(filed);
            }
        }
    }

    /// The line in which the contact is filed, in line or offered.
    pub(crate) fn line_in_which(&self, slot: u32) -> Option<LineId> {
        self.filed(slot).map(|(line, _)| line)
    }

    /// The key of a contact, in line or offered.
    pub(crate) fn key_of(&self, slot: u32) -> Option<Key> {
        self.filed(slot).map(|(_, key)| key)
    }

    /// The agent that a contact is offered to, and the word by which that one is held for it.
    pub(crate) fn offer(&self, slot: u32) -> Option<(u32, AgentWord)> {
        let ContactWord::Offered { agent, ag, cg } = self.contact(slot) else { return None };
        Some((agent, AgentWord::Held { contact: slot, cg, ag }))
    }

    /// The contact that an agent is held for, and the word that says so.
    pub(crate) fn held(&self, slot: u32) -> Option<(u32, AgentWord)> {
        let word = self.agent(slot);
        let AgentWord::Held { contact, .. } = word else { return None };
        Some((contact, word))
    }

    /// The key of who would come first to the agent, if it were ready on `bench`; `None`: nobody waits for it.
    pub(crate) fn first_for(&self, map: &Map, slot: u32, bench: BenchId) -> Option<Key> {
        self.look(map, (slot, bench), None).map(|first| first.key)
    }

    /// Whether more than so many wait in `lines`.
    pub(crate) fn more_wait_than(&self, lines: &[Mask], bound: u32) -> bool {
        let mut count = 0;
        self.lines.scan(
            lines,
            Order::ByKey,
            &mut count,
            |count| if *count > bound { 0 } else { u64::MAX },
            |count, _, _, entry| {
                let (slot, filed) = (entry.slot(), ContactGeneration::from_counter(entry.generation()));
                *count += u32::from(self.contact(slot) == ContactWord::Waiting(filed));
                if *count > bound { Seen::Stop } else { Seen::Pass }
            },
        );
        count > bound
    }

    pub(crate) fn owner_of_agent(&self, slot: u32) -> u16 {
        self.agent_owner[slot as usize]
    }

    /// The line that a waiting contact is in.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn line_of_waiting(&self, slot: u32) -> Option<LineId> {
        self.waiting(slot).map(|waiting| waiting.line)
    }

    /// Whether a claim of the agent is unfinished. Unlike [`Self::view_agent`] this does not finish it.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn is_claimed(&self, slot: u32) -> bool {
        matches!(self.agent(slot), AgentWord::Claim { .. })
    }

    /// The bench that a ready agent sits on.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn bench_of_ready(&self, slot: u32) -> Option<BenchId> {
        let AgentWord::Ready(ag) = self.agent(slot) else { return None };
        Some(BenchId(self.agents[slot as usize].cells[ag.cell()].place.load(Ordering::Acquire)))
    }

    /// The line of a contact that is offered, and the bench that its agent was taken from.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn offered_from(&self, slot: u32) -> Option<(LineId, BenchId)> {
        let ContactWord::Offered { agent, ag, cg } = self.contact(slot) else { return None };
        let line = self.contacts[slot as usize].cells[cg.cell()].place.load(Ordering::Acquire);
        let bench = self.agents[agent as usize].cells[ag.cell()].place.load(Ordering::Acquire);
        Some((LineId(line), BenchId(bench)))
    }

    /// How many wait in `lines`, by this predicate, before `key`; those who are offered to an agent just now are not among them.
    pub(crate) fn count_before(&self, lines: &[Mask], key: Key, mut counts: impl FnMut(ContactSlot) -> bool) -> u32 {
        let mut count = 0;
        self.lines.scan(
            lines,
            Order::ByKey,
            &mut count,
            |_| key.0,
            |count, _, at, entry| {
                if Key(at) >= key {
                    return Seen::Stop;
                }
                let (slot, filed) = (entry.slot(), ContactGeneration::from_counter(entry.generation()));
                *count += u32::from(self.contact(slot) == ContactWord::Waiting(filed) && counts(ContactSlot(slot)));
                Seen::Pass
            },
        );
        count
    }
}
