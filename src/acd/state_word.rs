//! The atomic state word of a party: two bits of tag, twenty of index, twenty and twenty-two of generation.
//!
//! ```text
//! agent:   BUSY(ag)     READY(ag)           CLAIM(c,cg,ag)   HELD(c,cg,ag)
//! contact: GONE(cg)     WAITING(cg)         OFFERED(a,ag,cg) SERVED(cg)
//! ```
//!
//! A zeroed word is BUSY(0) or GONE(0): an unused slot.

/// How many slots the index of a state word can name.
pub(crate) const INDEX_LIMIT: u32 = 1 << 20;

const INDEX_MASK: u64 = (1 << 20) - 1;
const CONTACT_GENERATION_BITS: u32 = 20;
const AGENT_GENERATION_BITS: u32 = 22;

/// A generation of a contact's entry, modulo 2^20.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ContactGeneration(u32);

/// A generation of an agent's entry, modulo 2^22.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AgentGeneration(u32);

/// Whether `a` came after `b`, for counters that wrap around after `bits` bits.
fn after(a: u32, b: u32, bits: u32) -> bool {
    let ahead = a.wrapping_sub(b) & ((1 << bits) - 1);
    ahead != 0 && ahead < 1 << (bits - 1)
}

impl ContactGeneration {
    pub(crate) fn from_counter(counter: u32) -> Self {
        ContactGeneration(counter & ((1 << CONTACT_GENERATION_BITS) - 1))
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// Whether it came after `other`.
    pub(crate) fn after(self, other: Self) -> bool {
        after(self.0, other.0, CONTACT_GENERATION_BITS)
    }

    /// Which of a slot's two cells belongs to it.
    pub(crate) fn cell(self) -> usize {
        (self.0 & 1) as usize
    }
}

impl AgentGeneration {
    pub(crate) fn from_counter(counter: u32) -> Self {
        AgentGeneration(counter & ((1 << AGENT_GENERATION_BITS) - 1))
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// Whether it came after `other`.
    pub(crate) fn after(self, other: Self) -> bool {
        after(self.0, other.0, AGENT_GENERATION_BITS)
    }

    pub(crate) fn cell(self) -> usize {
        (self.0 & 1) as usize
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AgentStateWord {
    Busy(AgentGeneration),
    Ready(AgentGeneration),
    Claim { contact: u32, cg: ContactGeneration, ag: AgentGeneration },
    Held { contact: u32, cg: ContactGeneration, ag: AgentGeneration },
}

impl AgentStateWord {
    pub(crate) fn pack(self) -> u64 {
        let (tag, index, cg, ag) = match self {
            AgentStateWord::Busy(ag) => (0, 0, 0, ag),
            AgentStateWord::Ready(ag) => (1, 0, 0, ag),
            AgentStateWord::Claim { contact, cg, ag } => (2, contact, cg.0, ag),
            AgentStateWord::Held { contact, cg, ag } => (3, contact, cg.0, ag),
        };
        tag << 62 | u64::from(index) << 42 | u64::from(cg) << 22 | u64::from(ag.0)
    }

    pub(crate) fn unpack(word: u64) -> Self {
        let ag = AgentGeneration((word & ((1 << 22) - 1)) as u32);
        let cg = ContactGeneration((word >> 22 & ((1 << 20) - 1)) as u32);
        let contact = (word >> 42 & INDEX_MASK) as u32;
        match word >> 62 {
            0 => AgentStateWord::Busy(ag),
            1 => AgentStateWord::Ready(ag),
            2 => AgentStateWord::Claim { contact, cg, ag },
            _ => AgentStateWord::Held { contact, cg, ag },
        }
    }

    /// The claim that became this hold.
    pub(crate) fn as_claim(self) -> Self {
        match self {
            AgentStateWord::Held { contact, cg, ag } => AgentStateWord::Claim { contact, cg, ag },
            other => other,
        }
    }

    pub(crate) fn generation(self) -> AgentGeneration {
        match self {
            AgentStateWord::Busy(ag)
            | AgentStateWord::Ready(ag)
            | AgentStateWord::Claim { ag, .. }
            | AgentStateWord::Held { ag, .. } => ag,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ContactStateWord {
    Gone(ContactGeneration),
    Waiting(ContactGeneration),
    Offered { agent: u32, ag: AgentGeneration, cg: ContactGeneration },
    Served(ContactGeneration),
}

impl ContactStateWord {
    pub(crate) fn generation(self) -> ContactGeneration {
        match self {
            ContactStateWord::Gone(cg)
            | ContactStateWord::Waiting(cg)
            | ContactStateWord::Served(cg)
            | ContactStateWord::Offered { cg, .. } => cg,
        }
    }

    pub(crate) fn pack(self) -> u64 {
        let (tag, index, ag, cg) = match self {
            ContactStateWord::Gone(cg) => (0, 0, 0, cg),
            ContactStateWord::Waiting(cg) => (1, 0, 0, cg),
            ContactStateWord::Offered { agent, ag, cg } => (2, agent, ag.0, cg),
            ContactStateWord::Served(cg) => (3, 0, 0, cg),
        };
        tag << 62 | u64::from(index) << 42 | u64::from(ag) << 20 | u64::from(cg.0)
    }

    pub(crate) fn unpack(word: u64) -> Self {
        let cg = ContactGeneration((word & ((1 << 20) - 1)) as u32);
        let ag = AgentGeneration((word >> 20 & ((1 << 22) - 1)) as u32);
        let agent = (word >> 42 & INDEX_MASK) as u32;
        match word >> 62 {
            0 => ContactStateWord::Gone(cg),
            1 => ContactStateWord::Waiting(cg),
            2 => ContactStateWord::Offered { agent, ag, cg },
            _ => ContactStateWord::Served(cg),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_is_told_round_the_end_of_the_counter() {
        let of = ContactGeneration::from_counter;
        assert!(of(8).after(of(7)) && !of(7).after(of(8)) && !of(7).after(of(7)));
        assert!(of(1 << 20).after(of((1 << 20) - 1)));
        assert!(AgentGeneration::from_counter(1 << 22).after(AgentGeneration::from_counter((1 << 22) - 1)));
    }

    #[test]
    fn words_survive_packing_at_their_limits() {
        let cg = ContactGeneration::from_counter(u32::MAX);
        let ag = AgentGeneration::from_counter(u32::MAX);
        let top = INDEX_LIMIT - 1;
        for word in [
            AgentStateWord::Busy(ag),
            AgentStateWord::Ready(ag),
            AgentStateWord::Claim { contact: top, cg, ag },
            AgentStateWord::Held { contact: top, cg, ag },
        ] {
            assert_eq!(AgentStateWord::unpack(word.pack()), word);
        }
        for word in [
            ContactStateWord::Gone(cg),
            ContactStateWord::Waiting(cg),
            ContactStateWord::Offered { agent: top, ag, cg },
            ContactStateWord::Served(cg),
        ] {
            assert_eq!(ContactStateWord::unpack(word.pack()), word);
        }
        assert_eq!(AgentStateWord::unpack(0), AgentStateWord::Busy(AgentGeneration::from_counter(0)));
        assert_eq!(ContactStateWord::unpack(0), ContactStateWord::Gone(ContactGeneration::from_counter(0)));
    }
}
