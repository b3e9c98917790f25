//! What is wrong, worst first, each with the command that shows it again.

use super::class::Class;
use super::condition::{Condition, Quality};
use super::judge::Judgement;
use super::options::Options;
use super::packets::WrongPacket;
use super::recording::Recording;
use super::selection::{Variant, ip_word, offloads_word};
use core::fmt::Write;
use correlate_proto::report::Severity;
use std::collections::BTreeMap;

/// Scenarios named for one defect, each with its worst judgement; further ones are counted.
const MOST_NAMED: usize = 6;
/// Packets named for one judgement.
const MOST_PACKETS: usize = 3;

/// How bad a defect is; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// An error is told that is not so.
    FalseError,
    /// A warning is told that is not so.
    FalseWarning,
    /// An info is told that must not be.
    FalseInfo,
    /// The clock's bound does not hold the truth.
    Clock,
    /// An error is not told.
    MissedError,
    /// A warning is not told.
    MissedWarning,
    /// An info is not told.
    MissedInfo,
    /// There is no verdict though nothing is missing.
    Inconclusive,
    /// Something is said of packets that is not so.
    FalsePacket,
    /// Something is not said of packets.
    MissedPacket,
}

impl Rank {
    const fn title(self) -> &'static str {
        match self {
            Self::FalseError => "False errors",
            Self::FalseWarning => "False warnings",
            Self::FalseInfo => "False infos",
            Self::Clock => "Clocks whose bound does not hold the truth",
            Self::MissedError => "Missed errors",
            Self::MissedWarning => "Missed warnings",
            Self::MissedInfo => "Missed infos",
            Self::Inconclusive => "Clean recordings without a verdict",
            Self::FalsePacket => "Packets of which something false was said",
            Self::MissedPacket => "Packets of which something true was not said",
        }
    }
}

/// One thing that is wrong with one judgement.
#[derive(Debug, Clone)]
struct Item {
    variant: Variant,
    condition: Condition,
    what: String,
    weight: u64,
}

/// Collects what is wrong.
#[derive(Debug, Default)]
pub struct Wrong {
    items: BTreeMap<(Rank, String, Quality), Vec<Item>>,
    /// Recordings that are no truth, and why.
    failed: Vec<String>,
}

impl Wrong {
    /// Takes in a judgement.
    pub fn take(&mut self, recording: &Recording, judgement: &Judgement) {
        let (variant, condition) = (&recording.variant, judgement.condition);
        let mut put = |rank: Rank, subject: &str, what: String, weight: u64| {
            let item = Item { variant: variant.clone(), condition, what, weight };
            self.items.entry((rank, subject.to_owned(), condition.quality)).or_default().push(item);
        };
        for finding in &judgement.findings {
            let rank = match (finding.told, finding.severity) {
                (true, Severity::Error) => Rank::FalseError,
                (true, Severity::Warning) => Rank::FalseWarning,
                (true, Severity::Info) => Rank::FalseInfo,
                (false, Severity::Error) => Rank::MissedError,
                (false, Severity::Warning) => Rank::MissedWarning,
                (false, Severity::Info) => Rank::MissedInfo,
            };
            put(rank, &finding.code, finding.what.clone(), 1);
        }
        if judgement.needlessly_inconclusive {
            put(Rank::Inconclusive, "inconclusive", judgement.report.verdict.sentence.clone(), 1);
        }
        if let Some(first) = judgement.seconds.first() {
            let what = format!("{} seconds, the first {first:?}", judgement.seconds.len());
            put(Rank::Clock, "clock", what, judgement.seconds.len() as u64);
        }
        for ((rank, class), (what, weight)) in packets(judgement) {
            put(rank, class.name(), what, weight);
        }
    }

    /// Takes in a run that cannot be judged.
    pub fn fail(&mut self, why: String) {
        self.failed.push(why);
    }

    /// Whether every run could be judged.
    pub fn failures(&self) -> &[String] {
        &self.failed
    }

    /// The list as Markdown. Codes that are in `never_told` are only named.
    pub fn render(&self, options: &Options, never_told: &[&str]) -> String {
        let mut out = String::new();
        if !self.failed.is_empty() {
            let _ = writeln!(out, "\n### Runs that could not be judged\n");
            for why in &self.failed {
                let _ = writeln!(out, "* {why}");
            }
        }
        if !never_told.is_empty() {
            let _ = writeln!(out, "\nNever told, though there was cause: {}", never_told.join(", "));
        }
        let mut last = None;
        for ((rank, subject, quality), items) in &self.items {
            let is_missed = matches!(rank, Rank::MissedError | Rank::MissedWarning | Rank::MissedInfo);
            if is_missed && never_told.contains(&subject.as_str()) {
                continue;
            }
            if last != Some(*rank) {
                let _ = writeln!(out, "\n### {}\n", rank.title());
                last = Some(*rank);
            }
            let (weight, quality) = (items.iter().map(|item| item.weight).sum::<u64>(), quality.word());
            let times =
                if weight == items.len() as u64 { String::new() } else { format!(", {weight} in all") };
            let _ = writeln!(out, "* **`{subject}`**, {quality}: {} judgements{times}", items.len());
            name(&mut out, items, options);
        }
        out
    }
}

/// Names the worst judgement of each scenario.
fn name(out: &mut String, items: &[Item], options: &Options) {
    let mut scenarios: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for item in items {
        scenarios.entry(item.variant.scenario.as_str()).or_default().push(item);
    }
    let weight = |items: &[&Item]| items.iter().map(|item| item.weight).sum::<u64>();
    let mut scenarios: Vec<(&str, Vec<&Item>)> = scenarios.into_iter().collect();
    scenarios.sort_by_key(|(_, items)| std::cmp::Reverse(weight(items)));
    for (_, items) in scenarios.iter().take(MOST_NAMED) {
        let Some(worst) = items.iter().max_by_key(|item| item.weight) else { continue };
        let others = if items.len() > 1 { format!(" [and {} more]", items.len() - 1) } else { String::new() };
        let _ = writeln!(out, "  * {}, {}{others}: {}", worst.variant, worst.condition, worst.what);
        let _ = writeln!(out, "    `{}`", command(&worst.variant, worst.condition, options));
    }
    let rest = scenarios.iter().skip(MOST_NAMED).map(|(name, items)| format!("{name} {}x", weight(items)));
    let rest: Vec<String> = rest.collect();
    if !rest.is_empty() {
        let _ = writeln!(out, "  * and: {}", rest.join(", "));
    }
}

/// The command that shows a judgement again.
pub fn command(variant: &Variant, condition: Condition, options: &Options) -> String {
    let mut line = format!(
        "scoreboard --scenario {} --seed {} --ip {} --offloads {} --quality {}",
        variant.scenario,
        variant.seed,
        ip_word(variant.ip),
        offloads_word(variant.offloads),
        condition.quality.word()
    );
    if condition.quality != Quality::Clean {
        let _ = write!(line, " --at {}", condition.place.word());
    }
    if !options.vouch {
        line.push_str(" --no-vouch");
    }
    if let Some(keep) = &options.keep {
        let _ = write!(line, " --keep {}", keep.display());
    }
    line + " --explain"
}

fn packets(judgement: &Judgement) -> BTreeMap<(Rank, Class), (String, u64)> {
    let mut found: BTreeMap<(Rank, Class), (Vec<String>, u64, usize)> = BTreeMap::new();
    for packet in &judgement.packets {
        let rank = if packet.said { Rank::FalsePacket } else { Rank::MissedPacket };
        let entry = found.entry((rank, packet.class)).or_default();
        entry.1 += packet.count;
        entry.2 += 1;
        if entry.0.len() < MOST_PACKETS {
            entry.0.push(place(judgement, packet));
        }
    }
    let line = |(shown, weight, places): (Vec<String>, u64, usize)| {
        let more = if places > shown.len() { ", …" } else { "" };
        (format!("{weight} segments: {}{more}", shown.join(", ")), weight)
    };
    found.into_iter().map(|(key, value)| (key, line(value))).collect()
}

/// A packet by the numbers of the captures that were judged.
pub fn place(judgement: &Judgement, packet: &WrongPacket) -> String {
    let spot = packet.spot;
    let file = judgement.captures[spot.tap].file_name().unwrap_or_default().to_string_lossy().into_owned();
    let number = judgement.kept[spot.tap].binary_search(&spot.packet);
    number.map_or_else(|_| format!("{file} (removed)"), |place| format!("{file} {}", place + 1))
}
