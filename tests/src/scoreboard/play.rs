//! All runs, one after the other, and what came of them.

use super::explain::explain;
use super::judge::{Judgement, judge};
use super::options::Options;
use super::recording::Recording;
use super::score::Scores;
use super::selection::{Variant, runs};
use super::sightings::Sightings;
use super::wrong::Wrong;
use crate::permits::in_parallel;
use correlate_lab::Scenario;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What came of all runs.
#[derive(Debug, Default)]
pub struct Played {
    /// How many runs there were.
    pub runs: usize,
    /// The counts.
    pub scores: Scores,
    /// What is wrong.
    pub wrong: Wrong,
    /// Every judgement in full, if that was asked for.
    pub explained: String,
}

/// Runs and judges what the options ask for; `say` is told of the progress.
pub fn play(options: &Options, say: impl Fn(&str) + Sync) -> Result<Played, String> {
    let runs = runs(options)?;
    let scratch = Scratch::new(options.keep.as_deref())?;
    let done = AtomicUsize::new(0);
    let all = in_parallel(options.jobs, &runs, |(variant, scenario)| {
        let played = one(options, &scratch, variant, scenario);
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        let (word, wrong) = match &played {
            Ok((_, judgements)) => ("", judgements.iter().map(|judgement| judgement.findings.len()).sum()),
            Err(_) => (" FAILED", 0),
        };
        say(&format!("{done}/{}{word} {variant}: {wrong} wrong findings", runs.len()));
        played
    });
    let mut played = Played { runs: runs.len(), ..Played::default() };
    for run in all {
        match run {
            Ok((recording, judgements)) => played.take(options, &recording, &judgements),
            Err(why) => played.wrong.fail(why),
        }
    }
    Ok(played)
}

impl Played {
    fn take(&mut self, options: &Options, recording: &Recording, judgements: &[Judgement]) {
        for judgement in judgements {
            self.scores.entry(judgement.condition.quality).or_default().add(&judgement.score);
            self.wrong.take(recording, judgement);
            if options.explain {
                self.explained.push_str(&explain(recording, judgement));
            }
        }
    }
}

fn one(
    options: &Options,
    scratch: &Scratch,
    variant: &Variant,
    scenario: &Scenario,
) -> Result<(Recording, Vec<Judgement>), String> {
    let folder = scratch.folder.join(variant.name());
    let recording = match Recording::read(variant, scenario.clone(), &folder) {
        Some(read) => read?,
        None => Recording::make(variant, scenario.clone(), &folder)?,
    };
    let sightings = Sightings::of(&recording);
    if !sightings.unexplained.is_empty() {
        let (count, first) = (sightings.unexplained.len(), sightings.unexplained[0]);
        return Err(format!("{variant}: the ledger does not explain {count} captured packets, as {first:?}"));
    }
    let judged: Result<Vec<Judgement>, String> = options
        .conditions()
        .into_iter()
        .map(|condition| judge(&recording, &sightings, condition, options.vouch))
        .collect();
    scratch.forget(&folder);
    Ok((recording, judged.map_err(|error| format!("{variant}: {error}"))?))
}

/// Where recordings are while they are judged.
#[derive(Debug)]
struct Scratch {
    folder: PathBuf,
    keep: bool,
}

impl Scratch {
    fn new(keep: Option<&Path>) -> Result<Self, String> {
        let own = || std::env::temp_dir().join(format!("correlate-scoreboard-{}", std::process::id()));
        let folder = keep.map_or_else(own, Path::to_owned);
        let made = std::fs::create_dir_all(&folder).and_then(|()| folder.canonicalize());
        let folder = made.map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        Ok(Self { folder, keep: keep.is_some() })
    }

    fn forget(&self, folder: &Path) {
        if !self.keep {
            // What cannot be removed stays where temporary files go.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.forget(&self.folder);
    }
}
