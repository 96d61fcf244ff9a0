//! The matcher alone: two agents, two queues and a few contacts. It knows no SIP, no media and no call.
//!
//! `cargo run --example match_only` prints who is offered to whom. A contact and an agent are numbers to the matcher. Their owner says
//! that a contact arrives or leaves, and that an agent is ready or released. Matches show in [`Matcher::contact`] and [`Matcher::agent`]:
//! whoever was touched is named by [`Matcher::woken_contacts`] and [`Matcher::woken_agents`].

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::time::Duration;

use hotline::acd::ContactSlot;
use hotline::acd::claim::{AgentView, ContactView, Left};
use hotline::acd::matcher::{Matcher, Size};
use hotline::acd::queue::QueueRules;
use hotline::acd::routing_table::{AgentProfile, Directory, RoutingTable};
use hotline::base::{AgentId, PoolId, QueueId, SkillId, Time};

/// The queues. Anyone may serve the first; the second asks for level 5 in the skill `TAX`.
const GENERAL: QueueId = QueueId(0);
const TAXES: QueueId = QueueId(1);
const TAX: SkillId = SkillId(0);
/// The agents. Only Ben knows about taxes.
const ANNA: AgentId = AgentId(0);
const BEN: AgentId = AgentId(1);

fn directory() -> Directory {
    let queue = |name: &str, skills| QueueRules { name: name.into(), pools: vec![PoolId(0)], skills, ..QueueRules::default() };
    let agent =
        |name: &str, skills| AgentProfile { name: name.into(), pools: vec![PoolId(0)], skills, ..AgentProfile::default() };
    Directory {
        queues: vec![Some(queue("general", vec![])), Some(queue("taxes", vec![(TAX, 5)]))],
        agents: vec![Some(agent("anna", vec![])), Some(agent("ben", vec![(TAX, 8)]))],
        ..Directory::default()
    }
}

struct House {
    matcher: Matcher,
    now: Time,
}

impl House {
    /// A contact joins a queue, a second after whoever came before.
    fn arrives(&mut self, contact: u32, queue: QueueId) {
        self.now = self.now + Duration::from_secs(1);
        // The demand is what the contact asks for: here the queue's own skills and pools, in any language, not relaxed.
        let demand = self.matcher.routing_table().demand(queue, None, 0).expect("the directory has the queue");
        // The key is the place in the queue: who came first, goes first.
        let key = self.matcher.key(self.now, Duration::ZERO, false);
        let length_max = 100;
        self.matcher.arrive(ContactSlot(contact), queue, length_max, demand, key, self.now).expect("the queue is not full");
        println!("contact {contact} joins {queue:?}: {:?}", self.view(contact));
    }

    fn ready(&self, agent: AgentId) {
        assert!(self.matcher.ready(agent, self.now, Duration::ZERO), "the directory has the agent");
        println!("{agent:?} is ready: {:?}", self.matcher.agent(agent));
    }

    fn view(&self, contact: u32) -> ContactView {
        self.matcher.contact(ContactSlot(contact))
    }

    /// Whom something has happened to, as their owner learns of it.
    fn woken(&self) -> (Vec<u32>, Vec<AgentId>) {
        let (mut contacts, mut agents) = (Vec::new(), Vec::new());
        self.matcher.woken_contacts(0, |contact| contacts.push(contact.0));
        self.matcher.woken_agents(0, |agent| agents.push(agent));
        println!("woken: contacts {contacts:?}, agents {agents:?}");
        (contacts, agents)
    }
}

fn main() {
    let size = Size { shards: 1, contacts_per_shard: 10, agents: 2, queues: 2, agencies: 1 };
    let matcher = Matcher::new(size, RoutingTable::new(&directory(), 1), |_| 0);
    let mut house = House { matcher, now: Time::from_secs(1_800_000_000) };

    println!("\nTwo agents are ready. A contact arrives with a question about taxes: only Ben will do.");
    house.ready(ANNA);
    house.ready(BEN);
    house.arrives(0, TAXES);
    assert_eq!(house.view(0), ContactView::Offered(BEN));
    assert_eq!(house.woken(), (vec![0], vec![BEN]));

    println!("\nBen answers, and so he is the contact's.");
    assert_eq!(house.matcher.accept(ContactSlot(0)), Some(BEN));
    assert_eq!(house.view(0), ContactView::Served);

    println!("\nTwo more with taxes wait for him, though Anna is free. One with another question gets her.");
    house.arrives(1, TAXES);
    house.arrives(2, TAXES);
    assert_eq!((house.view(1), house.matcher.waiting(TAXES)), (ContactView::Waiting, 2));
    house.arrives(3, GENERAL);
    assert_eq!(house.view(3), ContactView::Offered(ANNA));

    println!("\nThe first of the two gives up. So when Ben has finished, the second is offered to him.");
    assert_eq!(house.matcher.leave(ContactSlot(1)), Left::Waited);
    house.matcher.release(BEN);
    house.ready(BEN);
    assert_eq!((house.view(1), house.view(2)), (ContactView::Gone, ContactView::Offered(BEN)));

    println!("\nContact 2 hangs up while Ben's phone rings. Ben is held until his owner releases him: the phone may still ring.");
    assert_eq!(house.matcher.leave(ContactSlot(2)), Left::WasOffered(BEN));
    assert_eq!(house.matcher.agent(BEN), AgentView::Held { contact: ContactSlot(2), offered: false });
    assert!(house.matcher.release(BEN));
    house.ready(BEN);
    assert_eq!(house.matcher.agent(BEN), AgentView::Ready);
    assert_eq!(house.matcher.waiting(TAXES), 0);
}

#[cfg(test)]
mod tests {
    #[test]
    fn agents_and_contacts_find_each_other() {
        super::main();
    }
}
