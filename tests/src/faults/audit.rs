//! Holds a recording and its report against what the lab's own captures show.

use super::plan::{Fault, Plan};
use crate::frames::{Key, Packet, read};
use crate::process::Ran;
use correlate_coordinator::Recording;
use correlate_lab::TapOutcome;
use correlate_proto::{CapturePointId, Coverage, Record, Segment};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Between what one packet ring and another show of the beginning or end of a gap, in ns.
const EDGE_NS: i64 = 20_000_000;

/// What a round left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub(super) recording: &'a Path,
    pub(super) taps: &'a [TapOutcome],
    /// The report as the coordinator told it.
    pub(super) told: &'a Ran,
    /// The report from the recording alone.
    pub(super) again: &'a Ran,
}

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Packets in the recording.
    pub recorded: u64,
    /// Packets of the lab's captures that are in none, all of them in a gap.
    pub in_gaps: u64,
    /// Gaps that the report tells.
    pub gaps: u64,
    /// Captures that ended before the session did.
    pub ended_early: u64,
}

impl Figures {
    /// Of both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            recorded: self.recorded + other.recorded,
            in_gaps: self.in_gaps + other.in_gaps,
            gaps: self.gaps + other.gaps,
            ended_early: self.ended_early + other.ended_early,
        }
    }
}

/// Packets that nobody can tell apart are one.
type Bag = BTreeMap<Key, i64>;

/// Checks everything.
pub(super) fn audit(evidence: &Evidence<'_>, plan: &Plan) -> Result<Figures, String> {
    let report: Value = serde_json::from_slice(&evidence.told.stdout)
        .map_err(|error| format!("there is no report ({error}): {}", evidence.told.stderr))?;
    if evidence.again.stdout != evidence.told.stdout {
        return Err("the recording gives another report".to_owned());
    }
    let recording = Recording::open(evidence.recording).map_err(|error| error.to_string())?;
    let mut figures = Figures::default();
    for (point, tap) in (0..).map(CapturePointId).zip(evidence.taps) {
        let one = captured(&recording, point, tap).map_err(|why| format!("point {}: {why}", point.0))?;
        figures.recorded += one.recorded;
        figures.in_gaps += one.in_gaps;
        figures.gaps += one.gaps;
        figures.ended_early += one.ended_early;
    }
    told(&report, plan, &figures)?;
    Ok(figures)
}

/// Holds what is recorded of one point against what the lab captured there.
fn captured(recording: &Recording, point: CapturePointId, tap: &TapOutcome) -> Result<Figures, String> {
    let wrong = |error: &dyn core::fmt::Display| error.to_string();
    let records = recording.records(point).map_err(|error| wrong(&error))?;
    let gaps = recording.gaps(point).map_err(|error| wrong(&error))?;
    let stats = recording.stats(point).map_err(|error| wrong(&error))?;
    if records.windows(2).any(|two| two[0].packet() >= two[1].packet()) {
        return Err("packet numbers do not rise".to_owned());
    }
    let segments: Vec<&Segment> = records
        .iter()
        .filter_map(|record| match record {
            Record::Segment(segment) => Some(segment),
            Record::IcmpError(_) => None,
        })
        .collect();
    let wire = read(&tap.path);
    let (kept, passed) =
        (bag(segments.iter().map(|segment| key(segment))), bag(wire.iter().map(|packet| packet.key.clone())));
    if let Some((key, count)) =
        kept.iter().find(|(key, count)| passed.get(key).copied().unwrap_or(0) < **count)
    {
        return Err(format!("recorded {count} times, and it did not pass as often: {key:?}"));
    }
    let ended_early = stats.ended_early.is_some();
    let end_ns =
        if ended_early { segments.last().map_or(0, |last| last.at.as_ns() - EDGE_NS) } else { i64::MAX };
    let covered =
        |packet: &&Packet| packet.at_ns <= end_ns && !gaps.iter().any(|gap| within(gap, packet.at_ns));
    let due = bag(wire.iter().filter(covered).map(|packet| packet.key.clone()));
    let missing: i64 =
        due.iter().map(|(key, count)| (count - kept.get(key).copied().unwrap_or(0)).max(0)).sum();
    let dropped = i64::try_from(stats.dropped_by_kernel + stats.dropped_by_agent).unwrap_or(0);
    if missing > dropped {
        return Err(format!(
            "{missing} packets passed outside of every gap and are not recorded; {dropped} were counted as dropped"
        ));
    }
    let lacks = wire.len().saturating_sub(segments.len());
    Ok(Figures {
        recorded: u64::try_from(segments.len()).unwrap_or(0),
        in_gaps: u64::try_from(lacks).unwrap_or(0),
        gaps: u64::try_from(gaps.len()).unwrap_or(0),
        ended_early: u64::from(ended_early),
    })
}

/// Whether an instant is in a gap or at its edge.
fn within(gap: &Coverage, at_ns: i64) -> bool {
    (gap.from.as_ns() - EDGE_NS..=gap.to.as_ns() + EDGE_NS).contains(&at_ns)
}

/// Whether the report accuses nobody, and tells of everything that happened.
fn told(report: &Value, plan: &Plan, figures: &Figures) -> Result<(), String> {
    let findings = report["findings"].as_array().ok_or("the report has no findings")?;
    let killed = |hit: &&super::plan::Hit| matches!(hit.fault, Fault::KillAgent { .. });
    let kills = u64::try_from(plan.hits.iter().filter(killed).count()).unwrap_or(0);
    let mut gaps_told = 0;
    for finding in findings {
        let (code, severity) = (&finding["code"], &finding["severity"]);
        let sentence = finding["sentence"].as_str().unwrap_or_default();
        if code == "capture-loss" {
            gaps_told += gaps_in(sentence);
        } else if severity == "error" || severity == "warning" {
            return Err(format!("{code} is invented: {sentence}"));
        }
    }
    if gaps_told < figures.gaps {
        return Err(format!("{} gaps, of which the report tells {gaps_told}", figures.gaps));
    }
    if figures.gaps + figures.ended_early < u64::from(kills > 0) || figures.gaps > kills {
        return Err(format!("{kills} agents were killed: {figures:?}"));
    }
    let reasons = report["verdict"]["reasons"].to_string();
    let early = u64::try_from(reasons.matches("was not read to its end").count()).unwrap_or(0);
    if early != figures.ended_early {
        return Err(format!(
            "{} captures ended early, of which the report tells {early}",
            figures.ended_early
        ));
    }
    Ok(())
}

/// The number in "in 2 gaps".
fn gaps_in(sentence: &str) -> u64 {
    let before = sentence.split(" gap").next().filter(|before| before.len() < sentence.len());
    before.and_then(|before| before.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

fn bag(keys: impl Iterator<Item = Key>) -> Bag {
    let mut bag = Bag::new();
    for key in keys {
        *bag.entry(key).or_default() += 1;
    }
    bag
}

fn key(segment: &Segment) -> Key {
    Key {
        src: (segment.tuple.src.addr, segment.tuple.src.port),
        dst: (segment.tuple.dst.addr, segment.tuple.dst.port),
        seq: segment.seq.0,
        ack: segment.ack.0,
        flags: segment.flags.0,
        payload_len: usize::try_from(segment.payload_len).unwrap_or(usize::MAX),
        ip_id: segment.ip.id,
        tsval: segment.options.timestamps.map(|(own, _)| own),
    }
}

#[cfg(test)]
mod tests {
    use super::gaps_in;

    #[test]
    fn the_number_of_gaps_is_read_from_the_sentence() {
        assert_eq!(gaps_in("Nothing was captured at server for 1.2 s in 2 gaps, as"), 2);
        assert_eq!(gaps_in("Nothing was captured at server for 12 ms in 1 gap, as"), 1);
        assert_eq!(gaps_in("The capture at server lacks packets: 2 were"), 0);
    }
}
