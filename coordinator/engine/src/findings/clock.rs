//! Findings about the hosts' clocks: how they relate, and when one of them was set.
//!
//! A live capture's agent notes when its host's clock is set: that is exact, and says whose. In files only the packets
//! tell: both directions' fastest packets shift by the same amount, the one longer, the other shorter. That says by how
//! much two clocks moved apart, and whose was set only where a third host's clock stands beside them.

use super::{capture, wording};
use crate::clock::{PairClock, Step, Witness};
use crate::session::Session;
use correlate_proto::report::{
    Code, Confidence, Details, Evidence, EvidenceEvent, Finding, ReportTime, Severity,
};
use correlate_proto::{Span, Timestamp};

/// What an agent notes is told from here on: less is what NTP slews away between two readings.
const LEAST_NOTED_NS: i64 = 100_000;

/// Findings for one host; the last of them counts what is beyond.
const MAX_TOLD: usize = 16;

/// Two pairs show the same step if they show it within so long of each other, and by nearly the same amount.
const SAME_WITHIN_NS: i64 = 3_000_000_000;
const SAME_SIZE_NS: i64 = 200_000;

/// Findings about clocks.
pub(crate) fn clock_findings(session: &Session) -> Vec<Finding> {
    let mut findings = unaligned(session);
    for index in 0..session.points.len() {
        findings.extend(noted(session, index));
    }
    findings.extend(seen(session));
    findings
}

fn unaligned(session: &Session) -> Vec<Finding> {
    let both_have_records = (0..session.path_len)
        .all(|position| session.points.iter().any(|point| point.position == position && point.records > 0));
    if !both_have_records || session.clocks.values().any(|clock| clock.summary().bound().is_some()) {
        return Vec::new();
    }
    let one_way =
        session.clocks.values().any(|clock| clock.summary().samples.0 + clock.summary().samples.1 > 0);
    let why = if one_way {
        "packets of one direction only were seen at both ends"
    } else {
        "no packet was seen at both ends"
    };
    vec![capture::finding(
        Code::ClockUnaligned,
        Severity::Info,
        Confidence::Proven,
        1,
        format!("The offset between the two clocks is unknown: {why}."),
        Details::Plain {},
    )]
}

/// Steps that the agent of a live capture noted.
fn noted(session: &Session, index: usize) -> Vec<Finding> {
    let point = &session.points[index];
    let mut steps = point.steps().iter().filter(|step| step.by.saturating_abs() >= LEAST_NOTED_NS);
    let told = steps.by_ref().take(MAX_TOLD).map(|step| {
        let sentence = format!(
            "The clock of {} ({}) was set {} by {}, as its agent noted within {}; the times of its packets are kept by the raw clock, so nothing else in this report rests on it.",
            point.label,
            point.info.host,
            way(step.by),
            precise(step.by),
            wording::span(step.within),
        );
        let details = Details::ClockStep { at: ReportTime(step.wall), step_ns: step.by };
        let at = session.to_reference(index, step.at);
        step_finding(Confidence::Proven, sentence, details, at)
    });
    let mut told: Vec<Finding> = told.collect();
    let more = u64::try_from(steps.count()).unwrap_or(u64::MAX);
    if let (Some(last), true) = (told.last_mut(), more > 0) {
        last.count += more;
        last.sentence = format!("{} It was set {more} more times after that.", last.sentence);
    }
    told
}

/// A step that packets show.
struct Seen<'a> {
    up: usize,
    down: usize,
    clock: &'a PairClock,
    step: Step,
    /// Whose clock it was, if that can be told.
    whose: Option<usize>,
}

/// Steps that only the packets show.
fn seen(session: &Session) -> Vec<Finding> {
    let mut told: Vec<Seen<'_>> = Vec::new();
    for (&(up, down), clock) in &session.clocks {
        for &step in clock.steps().iter().take(MAX_TOLD) {
            let seen = Seen { up, down, clock, step, whose: whose(session, (up, down), step) };
            // A host that is captured with several others steps against all of them at once.
            if !told.iter().any(|known| known.is_same(&seen, session)) {
                told.push(seen);
            }
        }
    }
    told.iter().map(|seen| seen.finding(session)).collect()
}

/// Whose clock stepped, where that can be told: a host on steady time is not the one; and of a host that is captured
/// with others, all pairs show the step, or none but this one.
fn whose(session: &Session, (up, down): (usize, usize), step: Step) -> Option<usize> {
    match [up, down].map(|point| session.points[point].steady.is_some()) {
        [true, true] => return None,
        [true, false] => return Some(down),
        [false, true] => return Some(up),
        [false, false] => {}
    }
    let mut suspect = None;
    for (&(other_up, other_down), clock) in &session.clocks {
        let (shared, partner) = match (other_up == up, other_down == down) {
            (true, false) => (up, down),
            (false, true) => (down, up),
            _ => continue,
        };
        let at = session.to_reference(up, step.at.as_ns());
        let at = Timestamp::from_ns(at.saturating_add(session.points[other_up].reference_offset));
        if !clock.watched(at) {
            continue;
        }
        let shows_it = clock.steps().iter().any(|other| are_same(*other, Step { at, ..step }));
        let found = if shows_it { shared } else { partner };
        if suspect.is_some_and(|known| known != found) {
            return None;
        }
        suspect = Some(found);
    }
    suspect
}

fn are_same(one: Step, other: Step) -> bool {
    let apart = one.by.0.saturating_sub(other.by.0).saturating_abs();
    one.at.since(other.at).0.saturating_abs() <= SAME_WITHIN_NS
        && apart <= (one.by.0.saturating_abs() / 10).max(SAME_SIZE_NS)
}

impl Seen<'_> {
    /// By how much the clock of the host was set that it is laid to, else the downstream one against the upstream one.
    fn by(&self) -> i64 {
        if self.whose == Some(self.up) { self.step.by.0.saturating_neg() } else { self.step.by.0 }
    }

    /// Whether both are one step of one host.
    fn is_same(&self, other: &Self, session: &Session) -> bool {
        let on_reference = |seen: &Self| Step {
            at: Timestamp::from_ns(session.to_reference(seen.up, seen.step.at.as_ns())),
            by: Span(seen.by()),
        };
        self.whose.is_some()
            && self.whose == other.whose
            && (self.up, self.down) != (other.up, other.down)
            && are_same(on_reference(self), on_reference(other))
    }

    fn sentence(&self, session: &Session) -> String {
        let (up, down) = (&session.points[self.up], &session.points[self.down]);
        let by = self.by();
        match self.whose {
            Some(point) => format!(
                "The clock of {} ({}) jumped {} by {}: from then on its packets seem to be under way for so much {} and those to it for so much {}.",
                session.points[point].label,
                session.points[point].info.host,
                way(by),
                precise(by),
                if by > 0 { "less" } else { "more" },
                if by > 0 { "more" } else { "less" },
            ),
            None if up.steady.is_some() && down.steady.is_some() => format!(
                "The time that passed at {} and at {} differs by {} all at once: one of the two hosts stood still meanwhile, as a virtual machine does that is moved.",
                up.label,
                down.label,
                precise(by),
            ),
            None => format!(
                "The clocks of {} and {} moved apart by {}: one of the two was set, {}'s {} or {}'s {}.",
                up.label,
                down.label,
                precise(by),
                down.label,
                way(by),
                up.label,
                way(by.saturating_neg()),
            ),
        }
    }

    fn finding(&self, session: &Session) -> Finding {
        let (up, down) = (&session.points[self.up], &session.points[self.down]);
        let (by, at) = (self.by(), self.step.at.as_ns());
        let sentence = self.sentence(session);
        // By the clock that jumped, as far as it is known which.
        let shown = if self.whose == Some(self.down) {
            let before = Timestamp::from_ns(at.saturating_sub(SAME_WITHIN_NS));
            let offset = self.clock.offset_at(before).estimate.map_or(0, Span::as_ns);
            down.own_time(at.saturating_add(offset))
        } else {
            up.own_time(at)
        };
        // A path can delay, and cannot make a packet arrive before it left.
        let contradicts = self.clock.min_rtt().is_some_and(|least| by.saturating_abs() >= least.0);
        let confidence = if contradicts { Confidence::Proven } else { Confidence::Strong };
        let details = Details::ClockStep { at: ReportTime(shown), step_ns: by };
        let mut found = step_finding(confidence, sentence, details, session.to_reference(self.up, at));
        if !contradicts {
            found.alternatives.push(
                "the route changed and made one direction longer and the other shorter by just the same amount, which looks the same on the wire".to_owned(),
            );
        }
        if self.whose.is_none() {
            found.alternatives.push(
                "a capture file was put together from two, or a host's virtual machine was stopped for a while".to_owned(),
            );
        }
        found.evidence = self.evidence(session);
        found
    }

    /// A packet well before the step and one well after it, at both ends.
    fn evidence(&self, session: &Session) -> Vec<Evidence> {
        let Some(witnesses) = self.clock.witnesses(&self.step) else { return Vec::new() };
        let mut evidence = Vec::new();
        for (witness, when) in witnesses.iter().zip(["before", "after"]) {
            evidence.extend(self.sightings(witness, when, session));
        }
        evidence
    }

    fn sightings(&self, witness: &Witness, when: &str, session: &Session) -> [Evidence; 2] {
        let ends = [(self.up, witness.packets.0, witness.a), (self.down, witness.packets.1, witness.b)];
        let [(from, sent, left), (to, received, arrived)] =
            if witness.forward { ends } else { [ends[1], ends[0]] };
        let summary =
            format!("{when} the step: under way for {} by the two clocks", signed(arrived.since(left).0));
        let sighting = |point: usize, packet: u64, at: Timestamp<_>, event| Evidence {
            capture_point: session.points[point].label.clone(),
            packet: Some(packet),
            at: Some(at.into()),
            event,
            summary: summary.clone(),
        };
        [
            sighting(from, sent, left, EvidenceEvent::Sent),
            sighting(to, received, arrived, EvidenceEvent::Received),
        ]
    }
}

fn step_finding(confidence: Confidence, sentence: String, details: Details, at: i64) -> Finding {
    let mut found = capture::finding(Code::ClockStep, Severity::Warning, confidence, 1, sentence, details);
    (found.first_at, found.last_at) = (Some(ReportTime(at)), Some(ReportTime(at)));
    found
}

const fn way(by: i64) -> &'static str {
    if by > 0 { "forward" } else { "back" }
}

/// The length of a span, to a thousandth of its unit.
fn precise(ns: i64) -> String {
    let ns = ns.unsigned_abs();
    let thousandths = |unit: u64| format!("{}.{:03}", ns / unit, ns % unit / (unit / 1000));
    match ns {
        1_000_000_000.. => format!("{} s", thousandths(1_000_000_000)),
        1_000_000.. => format!("{} ms", thousandths(1_000_000)),
        _ => format!("{} µs", ns / 1000),
    }
}

fn signed(ns: i64) -> String {
    format!("{}{}", if ns < 0 { "−" } else { "" }, precise(ns))
}

#[cfg(test)]
mod tests {
    use super::{precise, signed};

    #[test]
    fn spans_are_told_to_a_thousandth_of_their_unit() {
        assert_eq!(precise(-2_000_400_000), "2.000 s");
        assert_eq!(precise(40_012_345), "40.012 ms");
        assert_eq!(precise(512_999), "512 µs");
        assert_eq!(signed(-1_975_000_000), "−1.975 s");
        assert_eq!(precise(i64::MIN), "9223372036.854 s");
    }
}
