//! The demo's commentary: a line for each thing of note, in plain words, from the engine's facts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::words::{AgentState, BreakReason, EndedBy, OfferOutcome, QueueOutcome, Segment, TransferOutcome};
use crate::base::{AgentId, ContactId, EntryId, QueueId, SkillId, Time};
use crate::engine::Settings;
use crate::report::{Fact, FactKind};

/// What is known of a call while it lasts.
struct Call {
    number: u64,
    agent: Option<AgentId>,
    talked: Option<Duration>,
}

/// Writes the commentary.
pub(super) struct Narrator {
    calls: BTreeMap<ContactId, Call>,
    calls_ever: u64,
    began: Option<Time>,
    /// The agent whose changes of state are reported: the one that the user plays.
    guest: &'static str,
}

impl Narrator {
    pub(super) const fn new(guest: &'static str) -> Narrator {
        Narrator { calls: BTreeMap::new(), calls_ever: 0, began: None, guest }
    }

    /// The line for a fact, if it is of note.
    pub(super) fn tell(&mut self, fact: &Fact, settings: &Settings) -> Option<String> {
        let began = *self.began.get_or_insert(fact.at);
        let (who, text) = match fact.contact {
            Some(contact) => self.of_call(contact, fact, settings)?,
            None => ("      ".to_owned(), self.of_agent(fact, settings)?),
        };
        let seconds = fact.at.since(began).as_secs();
        Some(format!("{:02}:{:02}  {who}  {text}", seconds / 60, seconds % 60))
    }

    fn of_call(&mut self, contact: ContactId, fact: &Fact, settings: &Settings) -> Option<(String, String)> {
        if let FactKind::Arrived { .. } = fact.kind {
            self.calls_ever += 1;
            self.calls.insert(contact, Call { number: self.calls_ever, agent: None, talked: None });
        }
        let call = self.calls.get_mut(&contact)?;
        let who = format!("{:>6}", format!("#{}", call.number));
        let text = call.told(fact, settings);
        if let FactKind::Ended { .. } = fact.kind {
            self.calls.remove(&contact);
        }
        Some((who, text?))
    }

    /// The line for a change of the guest's state.
    fn of_agent(&self, fact: &Fact, settings: &Settings) -> Option<String> {
        let FactKind::Agent { agent, from, to, .. } = &fact.kind else { return None };
        if agent_name(settings, *agent) != self.guest {
            return None;
        }
        let what = match (from.0, to.0, to.1) {
            (AgentState::Offline, AgentState::Break, _) => "has signed in: dial *1 to take calls",
            (_, AgentState::Ready, _) => "is ready, and will be rung",
            (_, AgentState::Break, Some(BreakReason::Rona)) => "let it ring: dial *1 to take calls again",
            (_, AgentState::Break, _) => "takes a break: dial *1 to take calls again",
            (_, AgentState::Offline, _) => "has signed out",
            _ => return None,
        };
        Some(format!("{} (you) {what}", self.guest))
    }
}

impl Call {
    fn told(&mut self, fact: &Fact, settings: &Settings) -> Option<String> {
        let queue = |id: QueueId| settings.queue(id).map_or("?", |queue| &*queue.name);
        let agent = |id: AgentId| agent_name(settings, id);
        match &fact.kind {
            FactKind::Arrived { from, dialled, entry, trunk, .. } => {
                Some(arrived(from, dialled, *entry, trunk.is_some(), settings))
            }
            FactKind::Entered { queue: id, language, waiting, .. } => {
                let language = language.map_or(String::new(), |language| format!(", in {}", skill_name(settings, language)));
                Some(format!("stands {} in the queue for {}{language}", place(*waiting), queue(*id)))
            }
            FactKind::Offered { agent: rung, .. } => {
                self.agent = Some(*rung);
                Some(format!("rings {}", agent(*rung)))
            }
            FactKind::OfferEnded { agent: rung, outcome, .. } => {
                let what = match outcome {
                    OfferOutcome::Accepted => {
                        self.agent = Some(*rung);
                        return None;
                    }
                    OfferOutcome::Withdrawn => return None,
                    OfferOutcome::Refused => "refuses",
                    OfferOutcome::TimedOut => "lets it ring",
                    OfferOutcome::Busy => "is busy",
                    OfferOutcome::Unreachable => "cannot be reached",
                };
                Some(format!("{} {what}: the caller keeps the place", agent(*rung)))
            }
            FactKind::Left { queue: id, outcome, waited, .. } => {
                Some(left(*outcome, queue(*id), *waited, self.agent.map_or("an agent", agent)))
            }
            FactKind::TalkEnded { lasted, agent, .. } => {
                (self.talked, self.agent) = (Some(*lasted), agent.or(self.agent));
                None
            }
            FactKind::Transferred { to, outcome, .. } => {
                let to = to.and_then(|to| settings.agencies.get(to.index())).map_or("outside", |agency| &*agency.name);
                let by = self.agent.map_or("the agent", agent);
                Some(match outcome {
                    TransferOutcome::Completed => format!("{by} passes the caller on to {to}"),
                    TransferOutcome::Returned => format!("nobody at {to} takes it: back to {by}"),
                    TransferOutcome::Failed => format!("nobody at {to} takes it: back in the queue"),
                    TransferOutcome::Abandoned => format!("leaves while being passed on to {to}"),
                })
            }
            FactKind::Ended { by, segment, status, .. } => self.ended(*by, *segment, *status, settings),
            _ => None,
        }
    }

    fn ended(&self, by: EndedBy, segment: Segment, status: Option<u16>, settings: &Settings) -> Option<String> {
        if let Some(status) = status.filter(|_| by != EndedBy::Caller) {
            return Some(format!("is refused with {status}"));
        }
        let name = self.agent.map_or("the agent", |agent| agent_name(settings, agent));
        Some(match (by, segment, self.talked) {
            (EndedBy::Caller | EndedBy::Agent | EndedBy::Outside, Segment::Talk, Some(talked)) => {
                let who = match by {
                    EndedBy::Agent => name,
                    EndedBy::Outside => "the number outside",
                    _ => "the caller",
                };
                format!("{who} hangs up after a talk of {}", span(talked))
            }
            (EndedBy::Caller, Segment::Entry, _) => "hangs up during the greeting".to_owned(),
            // The line about leaving the queue said it already.
            (EndedBy::Caller, Segment::Queue, _) => return None,
            (EndedBy::Caller, ..) => "hangs up".to_owned(),
            (EndedBy::Agent, ..) => format!("{name} hangs up"),
            (EndedBy::Outside, ..) => "the number outside hangs up".to_owned(),
            (EndedBy::System, Segment::Entry, _) => "has heard what there is to hear".to_owned(),
            (EndedBy::Overflow, ..) => "is told to call again later".to_owned(),
            (EndedBy::Closed, ..) => "is told that nobody is there".to_owned(),
            (EndedBy::System | EndedBy::Fault | EndedBy::Crash, ..) => "is ended by the switchboard".to_owned(),
        })
    }
}

fn agent_name(settings: &Settings, agent: AgentId) -> &str {
    settings.directory.agents.get(agent.index()).and_then(Option::as_ref).map_or("somebody", |agent| &*agent.name)
}

fn skill_name(settings: &Settings, skill: SkillId) -> &str {
    settings.skills.get(skill.index()).map_or("?", |skill| &*skill.name)
}

fn arrived(from: &str, dialled: &Arc<str>, entry: Option<EntryId>, from_outside: bool, settings: &Settings) -> String {
    let hears = entry.and_then(|entry| settings.entry(entry)).map_or("", |_| ", and hears the greeting");
    if from_outside { format!("{from} calls {dialled}{hears}") } else { format!("{from} dials {dialled}") }
}

fn left(outcome: QueueOutcome, queue: &str, waited: Duration, agent: &str) -> String {
    match outcome {
        QueueOutcome::Answered => format!("talks to {agent}, after {} in the queue for {queue}", span(waited)),
        QueueOutcome::Abandoned | QueueOutcome::ShortAbandoned => {
            format!("gives up, after {} in the queue for {queue}", span(waited))
        }
        QueueOutcome::Overflowed => format!("the queue for {queue} is too long or too slow"),
        QueueOutcome::Moved | QueueOutcome::CalledBack => format!("leaves the queue for {queue}"),
        QueueOutcome::Closed => format!("nobody serves {queue} now"),
        QueueOutcome::Failed => format!("{queue} failed the caller"),
    }
}

/// First, second, third, 4th.
fn place(number: u32) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        n if n % 10 == 1 && n % 100 != 11 => format!("{n}st"),
        n if n % 10 == 2 && n % 100 != 12 => format!("{n}nd"),
        n if n % 10 == 3 && n % 100 != 13 => format!("{n}rd"),
        n => format!("{n}th"),
    }
}

fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}
