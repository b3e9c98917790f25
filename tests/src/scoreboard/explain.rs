//! A judgement in full: what was found, why, and what is wrong with it.

use super::judge::Judgement;
use super::recording::Recording;
use super::wrong::place;
use core::fmt::Write;
use correlate_proto::report::Finding;

/// Packets of one kind that are listed.
const MOST_PACKETS: usize = 40;

/// The judgement as text.
pub fn explain(recording: &Recording, judgement: &Judgement) -> String {
    let mut out = String::new();
    let (expect, report) = (&recording.scenario.expect, &judgement.report);
    let _ = writeln!(out, "{}, {}", recording.variant, judgement.condition);
    for path in &judgement.captures {
        let _ = writeln!(out, "  {}", path.display());
    }
    let _ = writeln!(out, "  {}", recording.folder.join("ledger.csv").display());
    let _ = writeln!(out, "  must: {:?}, may: {:?}, never: {:?}", expect.must, expect.may, expect.never);
    let _ = writeln!(out, "  {:?}: {}", report.verdict.status, report.verdict.sentence);
    for reason in &report.verdict.reasons {
        let _ = writeln!(out, "    reason: {reason}");
    }
    for found in &report.findings {
        finding(&mut out, found);
    }
    for wrong in &judgement.findings {
        let _ = writeln!(out, "  WRONG {}: {}", wrong.code, wrong.what);
    }
    for packet in judgement.packets.iter().take(MOST_PACKETS) {
        let word = if packet.said { "is no" } else { "not said:" };
        let _ = writeln!(
            out,
            "  WRONG {} {} {}, {} segments",
            place(judgement, packet),
            word,
            packet.class.name(),
            packet.count
        );
    }
    if judgement.packets.len() > MOST_PACKETS {
        let _ = writeln!(out, "  … {} more packets", judgement.packets.len() - MOST_PACKETS);
    }
    for second in &judgement.seconds {
        let _ = writeln!(out, "  WRONG clock: {second:?}");
    }
    out
}

fn finding(out: &mut String, found: &Finding) {
    let _ = writeln!(
        out,
        "  {} ({:?}, {:?}, {:?}, {:?}): {}",
        found.code, found.severity, found.confidence, found.location, found.direction, found.sentence
    );
    for evidence in &found.evidence {
        let packet = evidence.packet.map_or("-".to_owned(), |packet| packet.to_string());
        let _ = writeln!(
            out,
            "    {} {packet} {:?} {}",
            evidence.capture_point, evidence.event, evidence.summary
        );
    }
}
