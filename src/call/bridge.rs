//! Who hears whom in a talk. A party that holds hears nothing of the other; the other hears the queue's music.

/// What a party hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hears {
    /// The other party.
    Other,
    /// Music: the other party has put it on hold.
    Music,
    /// Nothing: it has put the other on hold itself.
    Nothing,
}

/// What this party hears, given which of the two hold. Hold is answered locally: it is not passed on to the other
/// party.
#[must_use]
pub const fn hears(this_holds: bool, other_holds: bool) -> Hears {
    match (this_holds, other_holds) {
        (true, _) => Hears::Nothing,
        (false, true) => Hears::Music,
        (false, false) => Hears::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn music_is_for_the_one_who_is_held() {
        assert_eq!((hears(false, false), hears(false, true)), (Hears::Other, Hears::Music));
        assert_eq!((hears(true, false), hears(true, true)), (Hears::Nothing, Hears::Nothing));
    }
}
