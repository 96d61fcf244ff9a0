//! Who hears whom in a conversation of any number of parties: a function of what each of them is and does, and of nothing else.
//!
//! A party that holds hears nothing of the others, and they do not hear it. Parties that have stepped aside hear each other alone. Whoever is
//! left with nobody to hear, though somebody is there, hears music.

use smallvec::SmallVec;

use serde::{Deserialize, Serialize};

use super::leg::Role;

/// The most parties of one conversation.
pub const PARTIES_MAX: usize = 16;

/// By whom a party is heard.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub enum HeardBy {
    /// By all.
    #[default]
    All,
    /// By agents alone: somebody whispers to them.
    Agents,
    /// By nobody: somebody listens.
    Nobody,
}

/// Where a party stands in a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Place {
    /// By whom it is heard.
    pub heard_by: HeardBy,
    /// Whether it has stepped aside, to consult others who have.
    pub aside: bool,
}

/// A party as the others find it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Party {
    /// Who it is.
    pub role: Role,
    /// Whether it has put the others on hold.
    pub holds: bool,
    /// Where it stands.
    pub place: Place,
}

/// What a party hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hears {
    /// These parties, by their numbers.
    Parties(SmallVec<[usize; 2]>),
    /// Music: those whom it would hear hold, or have stepped aside.
    Music,
    /// Nothing: it holds, or there is nobody.
    Nothing,
}

/// What party number `of` hears. Hold is answered locally: it is not passed on to the others.
#[must_use]
pub fn hears(parties: &[Party], of: usize) -> Hears {
    let Some(listener) = parties.get(of).filter(|party| !party.holds) else { return Hears::Nothing };
    let others = || parties.iter().enumerate().filter(|(number, _)| *number != of);
    let may_be_heard = |party: &Party| match party.place.heard_by {
        HeardBy::All => true,
        HeardBy::Agents => matches!(listener.role, Role::Agent(_)),
        HeardBy::Nobody => false,
    };
    let audible = |party: &Party| may_be_heard(party) && !party.holds && party.place.aside == listener.place.aside;
    let heard: SmallVec<[usize; 2]> = others().filter(|(_, party)| audible(party)).map(|(number, _)| number).collect();
    if !heard.is_empty() {
        Hears::Parties(heard)
    } else if others().any(|(_, party)| may_be_heard(party)) {
        Hears::Music
    } else {
        Hears::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{AgentId, TrunkId};

    const CALLER: Role = Role::Caller;
    const AGENT: Role = Role::Agent(AgentId(1));
    const SUPERVISOR: Role = Role::Agent(AgentId(2));
    const OUTSIDE: Role = Role::External(TrunkId(1));

    fn party(role: Role) -> Party {
        Party { role, holds: false, place: Place::default() }
    }

    fn heard_by(role: Role, heard_by: HeardBy) -> Party {
        Party { place: Place { heard_by, aside: false }, ..party(role) }
    }

    fn aside(role: Role) -> Party {
        Party { place: Place { aside: true, ..Place::default() }, ..party(role) }
    }

    fn holds(party: Party) -> Party {
        Party { holds: true, ..party }
    }

    fn all(parties: &[Party]) -> Vec<Hears> {
        (0..parties.len()).map(|of| hears(parties, of)).collect()
    }

    fn these<const N: usize>(parties: [usize; N]) -> Hears {
        Hears::Parties(parties.into_iter().collect())
    }

    #[test]
    fn of_two_each_hears_the_other_and_music_is_for_the_one_who_is_held() {
        let (caller, agent) = (party(CALLER), party(AGENT));
        assert_eq!(all(&[caller, agent]), [these([1]), these([0])]);
        assert_eq!(all(&[caller, holds(agent)]), [Hears::Music, Hears::Nothing]);
        assert_eq!(all(&[holds(caller), agent]), [Hears::Nothing, Hears::Music]);
        assert_eq!(all(&[holds(caller), holds(agent)]), [Hears::Nothing, Hears::Nothing]);
        assert_eq!(all(&[caller]), [Hears::Nothing]);
    }

    #[test]
    fn of_three_each_hears_the_others_who_do_not_hold() {
        let three = [party(CALLER), party(AGENT), party(OUTSIDE)];
        assert_eq!(all(&three), [these([1, 2]), these([0, 2]), these([0, 1])]);
        let one_holds = [party(CALLER), holds(party(AGENT)), party(OUTSIDE)];
        assert_eq!(all(&one_holds), [these([2]), Hears::Nothing, these([0])]);
    }

    #[test]
    fn who_listens_or_whispers_hears_all_and_is_heard_by_some() {
        let whispers = [party(CALLER), party(AGENT), heard_by(SUPERVISOR, HeardBy::Agents)];
        assert_eq!(all(&whispers), [these([1]), these([0, 2]), these([0, 1])]);
        let listens = [party(CALLER), party(AGENT), heard_by(SUPERVISOR, HeardBy::Nobody)];
        assert_eq!(all(&listens), [these([1]), these([0]), these([0, 1])]);
        // Nobody would miss them.
        assert_eq!(hears(&[party(CALLER), heard_by(SUPERVISOR, HeardBy::Nobody)], 0), Hears::Nothing);
    }

    #[test]
    fn who_has_stepped_aside_is_missed_with_music() {
        let consults = [party(CALLER), aside(AGENT), aside(OUTSIDE)];
        assert_eq!(all(&consults), [Hears::Music, these([2]), these([1])]);
        let four = [party(CALLER), aside(AGENT), aside(OUTSIDE), party(SUPERVISOR)];
        assert_eq!(all(&four), [these([3]), these([2]), these([1]), these([0])]);
    }

    /// Whatever the parties are: nobody hears itself, one who holds, or one across; and who is heard by all is heard both ways.
    #[test]
    fn what_holds_of_all_conversations() {
        let one_of = |n: usize| Party {
            role: [CALLER, AGENT, OUTSIDE][n % 3],
            holds: n / 3 % 2 == 1,
            place: Place { heard_by: [HeardBy::All, HeardBy::Agents, HeardBy::Nobody][n / 6 % 3], aside: n / 18 % 2 == 1 },
        };
        for n in 0..36usize.pow(3) {
            let parties = [one_of(n), one_of(n / 36), one_of(n / 36 / 36)];
            for of in 0..3 {
                let Hears::Parties(heard) = hears(&parties, of) else { continue };
                assert!(!heard.is_empty() && !parties[of].holds);
                for other in heard {
                    let party = parties[other];
                    assert!(other != of && !party.holds && party.place.aside == parties[of].place.aside);
                    if parties[of].place.heard_by == HeardBy::All {
                        assert!(matches!(hears(&parties, other), Hears::Parties(back) if back.contains(&of)));
                    }
                }
            }
        }
    }
}
