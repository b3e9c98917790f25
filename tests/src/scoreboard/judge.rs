//! One recording under one condition: judged, and held against the truth.

use super::clock::WrongSecond;
use super::condition::{Condition, Quality};
use super::findings::WrongFinding;
use super::packets::WrongPacket;
use super::recording::{Recording, runs_throughout};
use super::score::Score;
use super::shown::Shown;
use super::sightings::Sightings;
use super::thin::thin;
use super::{clock, findings, packets};
use crate::files::{self, Capture, Feeding};
use correlate_proto::Role;
use correlate_proto::report::{Report, Status};
use std::path::PathBuf;

/// What came of it.
#[derive(Debug)]
pub struct Judgement {
    /// The condition.
    pub condition: Condition,
    /// The captures that were judged, the client's first.
    pub captures: Vec<PathBuf>,
    /// The numbers that their packets had before some were taken out.
    pub kept: Vec<Vec<u64>>,
    /// The report.
    pub report: Report,
    /// The counts.
    pub score: Score,
    /// Wrong and missing findings.
    pub findings: Vec<WrongFinding>,
    /// It ended inconclusive where the clean recording may not.
    pub needlessly_inconclusive: bool,
    /// Packets of which something wrong was said.
    pub packets: Vec<WrongPacket>,
    /// Seconds in which the clock's bound did not hold.
    pub seconds: Vec<WrongSecond>,
}

/// Judges a recording under a condition; captures that ran all the time are vouched for if `vouch`. What is left of its captures is in a folder of the recording's then.
pub fn judge(
    recording: &Recording,
    sightings: &Sightings,
    condition: Condition,
    vouch: bool,
) -> Result<Judgement, String> {
    let (captures, kept) = thinned(recording, condition).map_err(|error| error.to_string())?;
    let read = |(place, (path, plan)): (usize, (&PathBuf, _))| {
        let role = if place == 0 { Role::Client } else { Role::Server };
        Capture::read(role, path, vouch && runs_throughout(plan))
    };
    let files: Result<Vec<Capture>, _> =
        captures.iter().zip(recording.plans()).enumerate().map(read).collect();
    let analysis = files::judge(files.map_err(|error| error.to_string())?, Feeding::default());
    let shown = Shown { ledger: recording.ledger(), sightings, kept: &kept };
    let mut score = Score { judgements: 1, ..Score::default() };
    let findings = findings::compare(&analysis.report, recording, condition.quality, &mut score);
    let (counts, packets) = packets::compare(&shown, &analysis.fates);
    for (class, counts) in counts {
        score.packets.entry(class).or_default().add(counts);
    }
    let (clock, seconds) = clock::compare(recording, sightings, &analysis.clocks);
    score.clock = clock;
    let inconclusive = analysis.report.verdict.status == Status::Inconclusive;
    let needlessly_inconclusive =
        inconclusive && condition.quality == Quality::Clean && !recording.scenario.expect.exit.contains(&3);
    score.inconclusive = u64::from(inconclusive);
    score.needlessly_inconclusive = u64::from(needlessly_inconclusive);
    let report = analysis.report;
    Ok(Judgement {
        condition,
        captures,
        kept,
        report,
        score,
        findings,
        needlessly_inconclusive,
        packets,
        seconds,
    })
}

/// The captures under a condition, and the numbers that their packets had. A capture that lacks nothing is itself.
fn thinned(recording: &Recording, condition: Condition) -> std::io::Result<(Vec<PathBuf>, Vec<Vec<u64>>)> {
    let folder = recording.folder.join(condition.name());
    let mut captures = Vec::new();
    let mut kept = Vec::new();
    for (place, tap) in recording.outcome.taps.iter().enumerate() {
        if condition.quality == Quality::Clean || !condition.place.has(place) {
            kept.push((1..=tap.recorded).collect());
            captures.push(tap.path.clone());
            continue;
        }
        std::fs::create_dir_all(&folder)?;
        let to = folder.join(tap.path.file_name().unwrap_or_default());
        kept.push(thin(&tap.path, &to, condition, place, recording.variant.seed)?);
        captures.push(to);
    }
    Ok((captures, kept))
}
