//! The entry: what a caller meets first. Opening hours, a greeting, at most one choice by key, then a queue.

use std::sync::Arc;
use std::time::Duration;

use super::hours::Hours;
use crate::base::{QueueId, SkillId};

/// Where a choice leads: to a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Destination {
    /// The queue.
    pub queue: QueueId,
    /// The caller's language from here on.
    pub language: Option<SkillId>,
}

/// One choice by key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// The prompts of the question; a key interrupts them.
    pub prompts: Vec<Arc<str>>,
    /// Where each key leads.
    pub keys: Vec<(char, Destination)>,
    /// How long to wait for a key after the prompts.
    pub timeout: Duration,
    /// How often the question is asked.
    pub tries: u8,
    /// Where a caller goes who chooses nothing.
    pub default: Destination,
}

/// What happens to a caller outside of opening hours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WhenClosed {
    /// The prompts; then goodbye, unless there is a queue.
    pub prompts: Vec<Arc<str>>,
    /// A queue for such hours.
    pub queue: Option<Destination>,
}

/// What follows the greeting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Then {
    /// A choice.
    Ask(Choice),
    /// A queue.
    Go(Destination),
}

/// An entry's rules.
#[derive(Clone, Debug)]
pub struct EntryRules {
    /// Its name in the configuration, in metrics and in logs.
    pub name: Arc<str>,
    /// Calls of this entry are shed last.
    pub emergency: bool,
    /// When it is open; `None`: always.
    pub hours: Option<Hours>,
    /// What happens outside of these hours.
    pub when_closed: WhenClosed,
    /// The prompts of the greeting; empty: none.
    pub greeting: Vec<Arc<str>>,
    /// What follows the greeting.
    pub then: Then,
}

impl EntryRules {
    /// Whether the caller has to be answered first, because there is something to hear or to choose.
    #[must_use]
    pub fn speaks(&self) -> bool {
        !self.greeting.is_empty() || matches!(self.then, Then::Ask(_))
    }
}

/// Where in an entry a caller is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Menu {
    /// Hears the greeting.
    Greeting,
    /// Hears the question for the nth time (from 1).
    Asking(u8),
    /// Has heard it for the nth time; a key is awaited.
    Waiting(u8),
    /// Hears that it is closed.
    Closed,
}

/// What happens next in an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Play the prompts of this place ([`Menu::prompts`]).
    Play(Menu),
    /// Wait so long for a key.
    Wait(Menu, Duration),
    /// Go into a queue.
    Go(Destination),
    /// Say goodbye: it is closed.
    End,
    /// Nothing changes.
    Stay,
}

/// What happened to a caller in an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The prompts have been played.
    Played,
    /// A key was pressed.
    Key(char),
    /// No key came in time.
    TimedOut,
}

impl Menu {
    /// The first step of a caller who has just arrived; `open` says whether the entry is open.
    #[must_use]
    pub fn begin(rules: &EntryRules, open: bool) -> Step {
        if !open {
            return match rules.when_closed.queue {
                Some(queue) if rules.when_closed.prompts.is_empty() => Step::Go(queue),
                _ => Step::Play(Menu::Closed),
            };
        }
        if rules.greeting.is_empty() { after_greeting(rules) } else { Step::Play(Menu::Greeting) }
    }

    /// The prompts that are heard here.
    #[must_use]
    pub fn prompts<'a>(&self, rules: &'a EntryRules) -> &'a [Arc<str>] {
        match (self, &rules.then) {
            (Menu::Greeting, _) => &rules.greeting,
            (Menu::Closed, _) => &rules.when_closed.prompts,
            (Menu::Asking(_) | Menu::Waiting(_), Then::Ask(choice)) => &choice.prompts,
            (Menu::Asking(_) | Menu::Waiting(_), Then::Go(_)) => &[],
        }
    }

    /// The next step after an event. A key that is pressed during the greeting counts already, because regular callers
    /// know their way.
    #[must_use]
    pub fn on(self, rules: &EntryRules, event: Event) -> Step {
        let choice = match &rules.then {
            Then::Ask(choice) => Some(choice),
            Then::Go(_) => None,
        };
        match (self, event) {
            (Menu::Closed, Event::Played) => rules.when_closed.queue.map_or(Step::End, Step::Go),
            (Menu::Closed, _) => Step::Stay,
            (_, Event::Key(key)) => match choice.and_then(|c| c.keys.iter().find(|(known, _)| *known == key)) {
                Some((_, destination)) => Step::Go(*destination),
                None => Step::Stay,
            },
            (Menu::Greeting, Event::Played) => after_greeting(rules),
            (Menu::Asking(n), Event::Played) => choice.map_or(Step::Stay, |c| Step::Wait(Menu::Waiting(n), c.timeout)),
            (Menu::Waiting(n), Event::TimedOut) => match choice {
                Some(choice) if n < choice.tries => Step::Play(Menu::Asking(n + 1)),
                Some(choice) => Step::Go(choice.default),
                None => Step::Stay,
            },
            (Menu::Greeting | Menu::Asking(_), Event::TimedOut) | (Menu::Waiting(_), Event::Played) => Step::Stay,
        }
    }
}

fn after_greeting(rules: &EntryRules) -> Step {
    match &rules.then {
        Then::Go(destination) => Step::Go(*destination),
        Then::Ask(_) => Step::Play(Menu::Asking(1)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const KOREAN: Destination = Destination { queue: QueueId(0), language: Some(SkillId(0)) };
    const ENGLISH: Destination = Destination { queue: QueueId(1), language: Some(SkillId(1)) };

    pub(crate) fn straight_to(queue: QueueId) -> EntryRules {
        EntryRules {
            name: "main".into(),
            emergency: false,
            hours: None,
            when_closed: WhenClosed { prompts: vec!["en/closed".into()], queue: None },
            greeting: Vec::new(),
            then: Then::Go(Destination { queue, language: None }),
        }
    }

    fn asks() -> EntryRules {
        EntryRules {
            greeting: vec!["en/greeting".into()],
            then: Then::Ask(Choice {
                prompts: vec!["en/choose".into()],
                keys: vec![('1', KOREAN), ('2', ENGLISH)],
                timeout: Duration::from_secs(5),
                tries: 2,
                default: KOREAN,
            }),
            ..straight_to(QueueId(0))
        }
    }

    #[test]
    fn one_who_chooses_goes_there_even_during_the_greeting() {
        let rules = asks();
        assert_eq!(Menu::begin(&rules, true), Step::Play(Menu::Greeting));
        assert_eq!(Menu::Greeting.on(&rules, Event::Key('2')), Step::Go(ENGLISH));
        assert_eq!(Menu::Greeting.on(&rules, Event::Key('9')), Step::Stay);
        assert_eq!(Menu::Greeting.on(&rules, Event::Played), Step::Play(Menu::Asking(1)));
        assert_eq!(Menu::Asking(1).on(&rules, Event::Key('1')), Step::Go(KOREAN));
    }

    #[test]
    fn one_who_does_not_is_asked_again_and_then_goes_by_default() {
        let rules = asks();
        assert_eq!(Menu::Asking(1).on(&rules, Event::Played), Step::Wait(Menu::Waiting(1), Duration::from_secs(5)));
        assert_eq!(Menu::Waiting(1).on(&rules, Event::TimedOut), Step::Play(Menu::Asking(2)));
        assert_eq!(Menu::Waiting(2).on(&rules, Event::TimedOut), Step::Go(KOREAN));
    }

    #[test]
    fn closed_says_so_or_leads_elsewhere() {
        let mut rules = asks();
        assert_eq!(Menu::begin(&rules, false), Step::Play(Menu::Closed));
        assert_eq!(Menu::Closed.on(&rules, Event::Key('1')), Step::Stay);
        assert_eq!(Menu::Closed.on(&rules, Event::Played), Step::End);
        rules.when_closed = WhenClosed { prompts: Vec::new(), queue: Some(ENGLISH) };
        assert_eq!(Menu::begin(&rules, false), Step::Go(ENGLISH));
    }

    #[test]
    fn an_entry_that_says_nothing_leads_straight_on() {
        let rules = straight_to(QueueId(3));
        assert!(!rules.speaks());
        assert_eq!(Menu::begin(&rules, true), Step::Go(Destination { queue: QueueId(3), language: None }));
    }
}
