//! Builds contact records (CDRs) from events: one for each contact, once it has ended and all its legs have.
//!
//! It owns what is known of contacts that are still open, and the names that records share. `take` an event, then
//! `poll` until there is no more. Events of contacts whose arrival was never seen are skipped and counted: a reader
//! that begins in the middle of the log meets some. Nothing here may change what happens to a contact. Recovery only
//! closes what the process that died left open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::contact::{ContactRecord, End, LegEnd, LegRecord, Name, OfferRecord, SegmentRecord};
use super::event::{Event, NextSegment, Text, What};
use crate::base::words::{Channel, EndedBy, QueueOutcome, Segment};
use crate::base::{ContactId, Time};

/// How long after its end a contact waits for the ends of its legs. Legs that were still ringing take the time of a
/// transaction.
const LEGS_MAX: Duration = Duration::from_secs(120);

/// Names, each kept once and shared.
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

/// A contact's stay in a queue.
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

/// A contact that is not a finished record yet.
#[derive(Debug)]
struct Open {
    record: ContactRecord,
    current: Current,
    in_queue: Option<InQueue>,
    over: bool,
}

/// The counts of a queue: entered = left + waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueueTally {
    /// Contacts that joined it.
    pub entered: u64,
    /// Contacts that left it.
    pub left: u64,
    /// Contacts that are in it.
    pub waiting: u64,
}

/// All contacts that are not finished records yet, and the counts of queues.
#[derive(Debug, Default)]
pub struct CdrBuilder {
    names: NameTable,
    /// Identifiers begin with the time of arrival: the first is the oldest.
    open: BTreeMap<ContactId, Open>,
    /// Contacts that have ended, with legs that have not.
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

    /// How many contacts have not ended.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.values().filter(|open| !open.over).count()
    }

    /// When the oldest unfinished contact arrived. A reader that reads the log again from there misses nothing.
    #[must_use]
    pub fn since(&self) -> Option<Time> {
        self.open.first_key_value().map(|(id, _)| id.arrived())
    }

    /// The counts of each queue.
    #[must_use]
    pub fn queues(&self) -> BTreeMap<Name, QueueTally> {
        let mut queues = self.queues.clone();
        for stay in self.open.values().filter_map(|open| open.in_queue.as_ref()) {
            queues.entry(stay.queue.clone()).or_default().waiting += 1;
        }
        queues
    }

    /// How many events were of contacts whose arrival was not seen.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// The missing events of every contact whose process died at `at`: it left its queue, its segment closed, and it
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
            // Its beginning was lost; that it existed is still worth a record.
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

    /// Nothing more happens to open contacts: they are dropped.
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

/// An invariant of contact records that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Broken {
    /// It has no segment.
    #[error("{0} has no segment")]
    NoSegment(ContactId),
    /// Its segments leave a gap, or overlap.
    #[error("{contact}: a segment begins at {began:?}, and the one before ended at {ended:?}")]
    NotTiled {
        /// The contact.
        contact: ContactId,
        /// When the segment before ended; for the first segment, when the contact arrived.
        ended: Time,
        /// When the next segment began; after the last segment, when the contact ended.
        began: Time,
    },
    /// The last segment is not the one that the contact's end names.
    #[error("{0} did not end in its last segment")]
    OtherSegment(ContactId),
}

/// Checks a record against the invariants of every contact: its segments tile its time, from its arrival to its end.
///
/// # Errors
/// The first invariant that does not hold.
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
