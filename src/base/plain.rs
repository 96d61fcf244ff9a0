//! Text from outside, for a terminal: without what would move its cursor or turn its lines around.

/// A line in which control characters, tabs apart, and marks of direction are replaced by U+FFFD.
#[must_use]
pub fn plain(line: &str) -> String {
    line.chars().map(|c| if c != '\t' && (c.is_control() || turns(c)) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Whether a character changes the direction of what follows it (Unicode Standard Annex 9).
const fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_moves_a_terminal_is_replaced_and_nothing_else() {
        assert_eq!(plain("a\tb ü 서울"), "a\tb ü 서울");
        assert_eq!(plain("\u{1b}[2J\r\u{9b}\u{202e}"), "\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}");
    }
}
