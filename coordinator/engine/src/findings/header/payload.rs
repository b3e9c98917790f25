//! Payload that arrived other than it was sent, by the sums that TCP checksums give of it.

use super::{Way, both_ends};
use crate::connection::Altered;
use crate::findings::{Symptom, wording};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, Severity};

/// So many sums must be equal before one that differs is believed: checksums that a capture shows before, or after,
/// a card has had its way with them differ all the time.
const LEAST_EQUAL: u32 = 3;

/// Octets that the receiver's stack took for good, with another sum than they were sent with.
pub(super) fn altered(way: &Way<'_>) -> Option<Symptom> {
    let (kept, count) = way.changes.altered();
    let credible = |altered: &&Altered| {
        let equal = way.changes.equal_sums[usize::from(altered.recut)];
        let differing = kept.iter().filter(|other| other.recut == altered.recut).count();
        equal >= LEAST_EQUAL && u64::from(equal) >= u64::try_from(differing).unwrap_or(u64::MAX)
    };
    let taken = |altered: &&Altered| !altered.repeated && way.is_acknowledged(altered.end);
    let believed: Vec<&Altered> = kept.iter().filter(credible).filter(taken).collect();
    let first = believed.first()?;
    // Of those beyond the bound nothing is known but their number.
    let all =
        if believed.len() == kept.len() { count } else { u64::try_from(believed.len()).unwrap_or(count) };
    let evidence = believed.iter().take(3).flat_map(|altered| {
        let line = |what: &str| format!("{} bytes, {what}", altered.end - altered.start);
        both_ends(altered.sent, altered.received, line("payload as sent"), line("payload with another sum"))
    });
    let note = wording::count(all, "segment", "segments");
    let mut symptom = way.symptom(Code::PayloadAltered, Severity::Error, |told| {
        format!(
            "The payload of {} arrived other than it was sent {}, with a checksum that fits, in {}.",
            told.worst.note,
            told.way(),
            told.of
        )
    });
    symptom.confidence = if first.recut { Confidence::Strong } else { Confidence::Proven };
    symptom.count = all;
    let equal: u64 = way.changes.equal_sums.iter().map(|&equal| u64::from(equal)).sum();
    let details = Details::Altered { segments: all, unchanged: equal };
    Some(symptom.with_note(note).with_details(details).with_evidence(evidence.collect()))
}

impl Way<'_> {
    /// Whether the receiver acknowledged everything up to `end`, in the numbering of the upstream point.
    fn is_acknowledged(&self, end: i64) -> bool {
        let hop = self.from.min(self.to);
        let shift = self.view.connection.hops[hop].shifts[self.direction.index()].unwrap_or(0);
        let end = if self.direction == Direction::ClientToServer { end } else { end - shift };
        let Some(sender) = self.view.connection.flows[self.from].as_ref() else { return false };
        sender.half(self.direction).acked.is_some_and(|acked| acked >= end)
    }
}
