//! "Did you mean": the nearest of the known words.

/// The edit distance of two words by insertions, deletions, substitutions and exchanges of neighbours (optimal string
/// alignment).
pub(super) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let differs = usize::from(a[i - 1] != b[j - 1]);
            next[j] = (row[j] + 1).min(next[j - 1] + 1).min(row[j - 1] + differs);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

/// The longest word to look for, since the distance costs the product of the lengths.
const WORD_MAX: usize = 64;

/// The nearest of `known` to `word`, if it is near enough to have been meant.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let length = word.chars().count();
    if length > WORD_MAX {
        return None;
    }
    let bound = (length / 3).max(1);
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter(|known| known.len().abs_diff(word.len()) <= 4 * bound)
        .map(|known| (distance(&lower, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= bound && *distance < length)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        assert_eq!(distance("tax", "tax"), 0);
        assert_eq!(distance("tax", "atx"), 1);
        assert_eq!(distance("queue", "queues"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("taxs", ["water", "tax", "buses"]), Some("tax"));
        assert_eq!(nearest("Korean", ["korean"]), Some("korean"));
        assert_eq!(nearest("water", ["tax", "buses"]), None);
        assert_eq!(nearest("b", ["a"]), None, "nothing of it is the same");
        assert_eq!(nearest("롷스", ["일반"]), None);
    }
}
