//! What was meant by a name that is not known.

/// So many names are offered at most.
const OFFERED: usize = 3;

/// The known names that differ from `typed` in few letters, or begin with it; the closest first.
pub(crate) fn similar<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    // A third of the letters may be wrong, two in a short name.
    let tolerated = (typed.chars().count() / 3).clamp(1, 4);
    let begins = |name: &str| typed.len() > 2 && name.starts_with(typed);
    let mut close: Vec<(usize, &str)> = known
        .map(|name| (if begins(name) { 0 } else { apart(typed, name) }, name))
        .filter(|(distance, _)| *distance <= tolerated)
        .collect();
    close.sort_unstable();
    // What is much farther than the best is not meant.
    let best = close.first().map_or(0, |(distance, _)| *distance);
    close
        .into_iter()
        .filter(|(distance, _)| *distance <= best + 1)
        .map(|(_, name)| name)
        .take(OFFERED)
        .collect()
}

/// How far two names are apart; that the same words stand in another order counts as one letter.
fn apart(one: &str, other: &str) -> usize {
    let sorted = |name: &str| {
        let mut words: Vec<&str> = name.split('-').collect();
        words.sort_unstable();
        words.join("-")
    };
    let ordered = distance(one, other);
    ordered.min(distance(&sorted(one), &sorted(other)).saturating_add(1))
}

/// Letters to insert, delete or replace (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, a) in (1..).zip(one.chars()) {
        let mut diagonal = std::mem::replace(&mut row[0], above);
        for (place, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["syn-lost", "syn-ack-lost", "rst-lost", "packet-loss", "capture-loss"];

    #[test]
    fn few_wrong_letters_are_understood() {
        let table: [(&str, &[&str]); 8] = [
            ("lost-syn-ack", &["syn-ack-lost"]),
            ("synack-lost", &["syn-ack-lost"]),
            ("syn-los", &["syn-lost"]),
            ("syn_lost", &["syn-lost"]),
            ("packetloss", &["packet-loss"]),
            ("packet", &["packet-loss"]),
            ("syn", &["syn-ack-lost", "syn-lost"]),
            ("zero-window", &[]),
        ];
        for (typed, meant) in table {
            assert_eq!(similar(typed, KNOWN.into_iter()), meant, "{typed}");
        }
    }

    #[test]
    fn the_distance_counts_letters() {
        for (one, other, letters) in [
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("abc", "axc", 1),
            ("ab", "xaby", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((distance(one, other), distance(other, one)), (letters, letters));
        }
    }
}
