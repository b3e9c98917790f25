//! What comes on the standard error of `ssh`: the far end's beats, tcpdump's counts, and words for people.

use correlate_proto::{Local, Timestamp};
use std::collections::VecDeque;

/// Words kept for an error; the last one mostly says it.
const KEPT_LINES: usize = 20;
/// Longest line that is kept, in characters.
const KEPT_CHARACTERS: usize = 400;

/// The far end lives: its time, and the frames that its captured interfaces have carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beat {
    pub(super) at: Timestamp<Local>,
    /// Absent where the system does not tell.
    pub(super) frames: Option<u64>,
}

/// All that was said so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The latest beat.
    pub(super) beat: Option<Beat>,
    /// tcpdump listens.
    listening: bool,
    /// A beat came since; it may have been begun before.
    first_after: bool,
    /// The first beat that was surely begun while tcpdump listened.
    pub(super) began: Option<Beat>,
    /// The last beat before tcpdump was told to end: what was captured until then has come.
    pub(super) ended: Option<Beat>,
    /// What tcpdump counted as dropped by the kernel, at its end.
    pub(super) dropped: Option<u64>,
    /// tcpdump runs as root, and nobody there may end it: the next packet will.
    pub(super) left: bool,
    /// What was said to people, the last of it.
    words: VecDeque<String>,
}

impl Said {
    /// Takes in a line. Gives it back if it is meant for people.
    pub(super) fn line<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let line = line.trim_end();
        if let Some(ours) = line.strip_prefix("correlate: ") {
            if self.ours(ours) {
                return None;
            }
        } else if self.tcpdump(line) || line.is_empty() {
            return None;
        }
        if self.words.len() == KEPT_LINES {
            self.words.pop_front();
        }
        self.words.push_back(line.chars().take(KEPT_CHARACTERS).collect());
        Some(line)
    }

    /// The last line for people; absent if there was none.
    pub(super) fn last_words(&self) -> Option<&str> {
        self.words.back().map(String::as_str)
    }

    /// A line of `capture.sh`; false for a line of a correlate there.
    fn ours(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            [kind @ ("beat" | "end"), at, frames] => {
                let Some(at) = instant(at) else { return false };
                self.beat(Beat { at, frames: frames.parse().ok() }, kind == "end");
            }
            ["left"] => self.left = true,
            ["exit", _] => {}
            _ => return false,
        }
        true
    }

    fn beat(&mut self, beat: Beat, is_end: bool) {
        self.beat = Some(beat);
        if is_end {
            self.ended = Some(beat);
        }
        if self.first_after {
            self.began.get_or_insert(beat);
        }
        self.first_after |= self.listening;
    }

    /// A line of tcpdump that needs no reader.
    fn tcpdump(&mut self, line: &str) -> bool {
        if let Some((count, _)) = line
            .split_once(" packets dropped by kernel")
            .or_else(|| line.split_once(" packet dropped by kernel"))
        {
            self.dropped = count.trim().parse().ok();
            return true;
        }
        let counts = [" captured", " received by filter", " dropped by interface"];
        if counts.iter().any(|end| line.ends_with(end)) && line.starts_with(|c: char| c.is_ascii_digit()) {
            return true;
        }
        let Some(words) = line.strip_prefix("tcpdump: ") else {
            return line.starts_with("dropped privs to ");
        };
        // With `-v` and without, on Linux and elsewhere, it is said at the same moment: the capture runs.
        self.listening |= words.starts_with("listening on ");
        ["listening on ", "data link type ", "verbose output suppressed"]
            .iter()
            .any(|start| words.starts_with(start))
    }
}

/// `date +%s.%N`, or what it gives where it knows no nanoseconds.
pub(super) fn instant(text: &str) -> Option<Timestamp<Local>> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().ok()?;
    let is_fraction = fraction.len() == 9 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    let nanoseconds: i64 = if is_fraction { fraction.parse().ok()? } else { 0 };
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds).map(Timestamp::from_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&str]) -> (Said, Vec<String>) {
        let mut said = Said::default();
        let people = lines.iter().filter_map(|line| said.line(line).map(str::to_owned)).collect();
        (said, people)
    }

    fn beat(seconds: i64, frames: Option<u64>) -> Beat {
        Beat { at: Timestamp::from_ns(seconds * 1_000_000_000), frames }
    }

    #[test]
    fn the_capture_began_at_the_second_beat_after_tcpdump_listens() {
        let (said, people) = after(&[
            "correlate: beat 10.000000000 5",
            "tcpdump: data link type LINUX_SLL2",
            "tcpdump: listening on any, link-type LINUX_SLL2 (Linux cooked v2), snapshot length 192 bytes",
            "correlate: beat 11.000000000 6",
        ]);
        assert_eq!((said.began, said.beat), (None, Some(beat(11, Some(6)))));
        assert!(people.is_empty());
        let (said, _) = after(&[
            "tcpdump: listening on en0, link-type EN10MB",
            "correlate: beat 11 -",
            "correlate: beat 12.N -",
            "correlate: end 13.N 7",
        ]);
        assert_eq!((said.began, said.ended), (Some(beat(12, None)), Some(beat(13, Some(7)))));
    }

    #[test]
    fn the_last_lines_of_tcpdump_are_counts_and_the_rest_is_for_people() {
        let (said, people) = after(&[
            "dropped privs to tcpdump",
            "12 packets captured",
            "15 packets received by filter",
            "3 packets dropped by kernel",
            "0 packets dropped by interface",
            "correlate: exit 0",
            "correlate: left",
            "",
            "tcpdump: pcap_loop: The interface disappeared",
            "correlate: beat soon 1",
            "client_loop: send disconnect: Broken pipe\r",
        ]);
        assert_eq!((said.dropped, said.left), (Some(3), true));
        assert_eq!(
            people,
            [
                "tcpdump: pcap_loop: The interface disappeared",
                "correlate: beat soon 1",
                "client_loop: send disconnect: Broken pipe"
            ]
        );
        assert_eq!(said.last_words(), Some("client_loop: send disconnect: Broken pipe"));
    }

    #[test]
    fn of_many_words_the_last_are_kept() {
        let mut said = Said::default();
        for number in 0..100 {
            said.line(&format!("{number} {}", "x".repeat(9_999)));
        }
        assert_eq!(said.words.len(), KEPT_LINES);
        assert!(
            said.last_words().is_some_and(|last| last.starts_with("99 ") && last.len() == KEPT_CHARACTERS)
        );
    }
}
