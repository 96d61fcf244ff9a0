//! The projection: events become contact records, one for each contact, once it has ended and its legs have.
//!
//! Owns what is known of contacts that are still open, and the names that records share. `take` an event, then `poll` until there is no
//! more. Events of contacts whose arrival was never seen are passed over and counted: whoever begins to read in the middle meets some.
//! Nothing here may change what happens to a contact: recovery only closes what nobody is there to close any more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::contact::{ContactRecord, End, LegEnd, LegRecord, Name, OfferRecord, SegmentRecord};
use super::event::{Event, NextSegment, Text, What};
use crate::base::words::{Channel, EndedBy, QueueOutcome, Segment};
use crate::base::{ContactId, Time};

/// So long after its end a contact waits for its legs' ends: those that were still ringing take a transaction's time.
const LEGS_MAX: Duration = Duration::from_secs(120);

/// Names, each kept once.
#[derive(Debug, Default)]
struct NameTable(BTreeSet<Name>);

impl NameTable {
    fn name(&mut self, text: &str) -> Name {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let new: Name = text.into();
        self.0.insert(new.clone());
        new
    }

    fn some(&mut self, text: Option<&Text<'_>>) -> Option<Name> {
        text.map(|text| self.name(text))
    }
}

/// A line that a contact stands in.
#[derive(Debug)]
struct InQueue {
    queue: Name,
    language: Option<Name>,
    since: Time,
}

/// The segment that a contact is in.
#[derive(Debug)]
struct Current {
    segment: Segment,
    queue: Option<Name>,
    agent: Option<Name>,
    began: Time,
}

/// A contact that is not yet a record.
#[derive(Debug)]
struct Open {
    record: ContactRecord,
    current: Current,
    in_queue: Option<InQueue>,
    over: bool,
}

/// How a line stands: entered = left + waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueueTally {
    /// Joined it.
    pub entered: u64,
    /// Left it.
    pub left: u64,
    /// Are in it.
    pub waiting: u64,
}

/// What events have told so far.
#[derive(Debug, Default)]
pub struct CdrBuilder {
    names: NameTable,
    /// Identifiers begin with the time of arrival: the first is the eldest.
    open: BTreeMap<ContactId, Open>,
    /// Ended, with legs that have not.
    over: VecDeque<(Time, ContactId)>,
    done: VecDeque<ContactRecord>,
    queues: BTreeMap<Name, QueueTally>,
    strays: u64,
}

impl CdrBuilder {
    /// Takes the next event.
    pub fn take(&mut self, event: &Event<'_>) {
        while let Some((at, id)) = self.over.front().copied()
            && at + LEGS_MAX <= event.at
        {
            self.over.pop_front();
            self.finish(id);
        }
        if let What::Started = event.what {
            return self.settle();
        }
        let Some(id) = event.contact else { return };
        match &event.what {
            What::Arrived { .. } => self.arrived(event.at, id, &event.what),
            What::Ended { .. } => self.ended(event.at, id, &event.what),
            // The agent's wrap-up may outlast the contact that it follows; no record depends on it.
            What::Agent { .. } => {}
            what => {
                let Some(open) = self.open.get_mut(&id) else {
                    self.strays += 1;
                    return;
                };
                open.tell(event.at, what, &mut self.names, &mut self.queues);
                if open.over && open.record.legs.iter().all(|leg| leg.end.is_some()) {
                    self.finish(id);
                }
            }
        }
    }

    /// The next finished record.
    pub fn poll(&mut self) -> Option<ContactRecord> {
        self.done.pop_front()
    }

    /// How many contacts have no end yet.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.values().filter(|open| !open.over).count()
    }

    /// When the eldest contact arrived that is no record yet: whoever reads the log again from there misses nothing.
    #[must_use]
    pub fn since(&self) -> Option<Time> {
        self.open.first_key_value().map(|(id, _)| id.arrived())
    }

    /// How each line stands.
    #[must_use]
    pub fn queues(&self) -> BTreeMap<Name, QueueTally> {
        let mut queues = self.queues.clone();
        for stay in self.open.values().filter_map(|open| open.in_queue.as_ref()) {
            queues.entry(stay.queue.clone()).or_default().waiting += 1;
        }
        queues
    }

    /// Events of contacts whose arrival was not seen.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// The truth about every contact whose process died at `at`, as the events that are missing: it left its line, its segment closed, it
    /// ended.
    pub fn close_all(&self, at: Time, mut tell: impl FnMut(&Event<'_>)) {
        for (id, open) in self.open.iter().filter(|(_, open)| !open.over) {
            let mut tell = |what| tell(&Event { at, contact: Some(*id), what });
            let current = &open.current;
            if let Some(stay) = &open.in_queue {
                tell(What::Left {
                    queue: Text::Borrowed(&stay.queue),
                    language: stay.language.as_deref().map(Text::Borrowed),
                    outcome: QueueOutcome::Failed,
                    waited: at.since(stay.since),
                    in_target: false,
                    estimated: None,
                });
            }
            let (queue, agent) = (current.queue.as_deref(), current.agent.as_deref());
            let (queue, agent) = (queue.map(Text::Borrowed), agent.map(Text::Borrowed));
            let (segment, began) = (current.segment, current.began);
            tell(What::SegmentEnded { segment, queue: queue.clone(), agent: agent.clone(), began, next: None });
            if segment == Segment::Talk {
                tell(What::TalkEnded { queue, agent, lasted: at.since(began) });
            }
            let queue = open.record.queue.as_deref().map(Text::Borrowed);
            tell(What::Ended { by: EndedBy::Crash, segment, queue, arrived: open.record.arrived, status: None });
        }
    }

    fn arrived(&mut self, at: Time, id: ContactId, what: &What<'_>) {
        let What::Arrived { channel, trunk, entry, from, dialled, .. } = what else { return };
        let names = &mut self.names;
        let (trunk, entry) = (names.some(trunk.as_ref()), names.some(entry.as_ref()));
        let record = ContactRecord {
            entry,
            trunk,
            from: from.as_ref().into(),
            dialled: dialled.as_ref().into(),
            ..ContactRecord::new(id, *channel, at)
        };
        let current = Current { segment: Segment::Entry, queue: None, agent: None, began: at };
        self.open.entry(id).or_insert(Open { record, current, in_queue: None, over: false });
    }

    fn ended(&mut self, at: Time, id: ContactId, what: &What<'_>) {
        let What::Ended { by, segment, queue, arrived, status } = what else { return };
        let end = End { at, by: *by, segment: *segment, status: *status };
        let queue = self.names.some(queue.as_ref());
        let Some(open) = self.open.get_mut(&id) else {
            // Its beginning was lost. That it was there is still worth a record.
            self.strays += 1;
            let record = ContactRecord::new(id, Channel::Voice, *arrived);
            self.done.push_back(ContactRecord { whole: false, end, queue, ..record });
            return;
        };
        if open.over {
            return;
        }
        (open.record.end, open.over) = (end, true);
        open.record.queue = queue.or(open.record.queue.take());
        if *by == EndedBy::Crash || open.record.legs.iter().all(|leg| leg.end.is_some()) {
            self.finish(id);
        } else {
            self.over.push_back((at, id));
        }
    }

    fn finish(&mut self, id: ContactId) {
        if let Some(open) = self.open.remove(&id) {
            self.done.push_back(open.record);
        }
    }

    /// Nothing more comes of what is open.
    fn settle(&mut self) {
        self.over.clear();
        for (_, open) in std::mem::take(&mut self.open) {
            if open.over {
                self.done.push_back(open.record);
            } else {
                self.strays += 1;
            }
        }
    }
}

impl Open {
    fn tell(&mut self, at: Time, what: &What<'_>, names: &mut NameTable, queues: &mut BTreeMap<Name, QueueTally>) {
        let record = &mut self.record;
        match what {
            What::SegmentEnded { segment, queue, agent, began, next } => {
                let (queue, agent) = (names.some(queue.as_ref()), names.some(agent.as_ref()));
                if *segment == Segment::Talk {
                    record.talked += at.since(*began);
                }
                record.segments.push(SegmentRecord { segment: *segment, queue, agent, began: *began, ended: at });
                self.current = match next {
                    Some(NextSegment { segment, queue, agent }) => {
                        let (queue, agent) = (names.some(queue.as_ref()), names.some(agent.as_ref()));
                        Current { segment: *segment, queue, agent, began: at }
                    }
                    None => Current { segment: *segment, queue: None, agent: None, began: at },
                };
            }
            What::Entered { queue, language, .. } => {
                let (queue, language) = (names.name(queue), names.some(language.as_ref()));
                queues.entry(queue.clone()).or_default().entered += 1;
                record.queue = Some(queue.clone());
                record.language.clone_from(&language);
                self.in_queue = Some(InQueue { queue, language, since: at });
            }
            What::Left { queue, waited, .. } => {
                queues.entry(names.name(queue)).or_default().left += 1;
                record.waited += *waited;
                self.in_queue = None;
            }
            What::Offered { queue, agent, .. } => {
                let (queue, agent) = (names.name(queue), names.name(agent));
                record.offers.push(OfferRecord { queue, agent, offered: at, end: None });
            }
            What::OfferEnded { agent, outcome, .. } => {
                let offer = record.offers.iter_mut().rev().find(|offer| *offer.agent == **agent && offer.end.is_none());
                if let Some(offer) = offer {
                    offer.end = Some((at, *outcome));
                }
            }
            What::LegBegan { leg, role, agent, call_id } => {
                let (role, agent) = (names.name(role), names.some(agent.as_ref()));
                let call_id = call_id.as_ref().into();
                record.legs.push(LegRecord { number: *leg, role, agent, call_id, began: at, end: None });
            }
            What::LegEnded { leg, status, packets: (received, sent, lost), jitter, .. } => {
                if let Some(leg) = record.legs.iter_mut().find(|known| known.number == *leg) {
                    let (received, sent, lost) = (*received, *sent, *lost);
                    leg.end = Some(LegEnd { at, status: *status, received, sent, lost, jitter: *jitter });
                }
            }
            What::Transferred { .. } => record.transfers += 1,
            _ => {}
        }
    }
}

/// What must not be, of a record.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Broken {
    /// It has no segment.
    #[error("{0} has no segment")]
    NoSegment(ContactId),
    /// Its segments leave a gap, or overlap.
    #[error("{contact}: a segment begins at {began:?}, and the one before ended at {ended:?}")]
    NotTiled {
        /// Whose.
        contact: ContactId,
        /// When the one before ended; for the first, when the contact arrived.
        ended: Time,
        /// When the next began; after the last, when the contact ended.
        began: Time,
    },
    /// The last segment is not the one that it is said to have ended in.
    #[error("{0} did not end in its last segment")]
    OtherSegment(ContactId),
}

/// Holds a record against what must be true of every contact: its segments tile it, from its arrival to its end.
///
/// # Errors
/// What is not true.
pub fn check(record: &ContactRecord) -> Result<(), Broken> {
    let contact = record.id;
    let last = record.segments.last().ok_or(Broken::NoSegment(contact))?;
    if last.segment != record.end.segment {
        return Err(Broken::OtherSegment(contact));
    }
    let begins = record.segments.iter().map(|segment| segment.began).chain([record.end.at]);
    let ends = [record.arrived].into_iter().chain(record.segments.iter().map(|segment| segment.ended));
    match begins.zip(ends).find(|(began, ended)| began != ended) {
        Some((began, ended)) => Err(Broken::NotTiled { contact, ended, began }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "cdr_builder_tests.rs"]
mod tests;
