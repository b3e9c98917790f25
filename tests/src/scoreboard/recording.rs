//! Runs of the lab: made once, kept, and read back.

use super::ledger_csv;
use super::selection::Variant;
use correlate_lab::{
    Entry, Lab, Outcome, Scenario, TapInterface, TapOutcome, TapPlan, TrafficReport, write_csv,
};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

const LEDGER: &str = "ledger.csv";
const TAPS: &str = "taps.json";

/// A scenario that has run: its captures, and what the middlebox wrote down.
#[derive(Debug)]
pub struct Recording {
    /// Which run.
    pub variant: Variant,
    /// The scenario as it ran.
    pub scenario: Scenario,
    /// Where the captures are.
    pub folder: PathBuf,
    /// What is known of it.
    pub outcome: Outcome,
}

impl Recording {
    /// Runs the scenario in the lab; captures and ledger are in `folder` then.
    pub fn make(variant: &Variant, scenario: Scenario, folder: &Path) -> Result<Self, String> {
        let wrong = |error: &dyn core::fmt::Display| format!("{variant}: {error}");
        fs::create_dir_all(folder).map_err(|error| wrong(&error))?;
        let outcome = run(&scenario, variant.seed, folder).map_err(|error| wrong(&error))?;
        if outcome.middlebox_drops > 0 || outcome.taps.iter().any(|tap| tap.drops > 0) {
            return Err(wrong(&"the lab lost frames, so its ledger is not the truth"));
        }
        let recording = Self { variant: variant.clone(), scenario, folder: folder.to_owned(), outcome };
        recording.write().map_err(|error| wrong(&error))?;
        Ok(recording)
    }

    /// Reads a run back that was made before; `None` if there is none in `folder`.
    pub fn read(variant: &Variant, scenario: Scenario, folder: &Path) -> Option<Result<Self, String>> {
        let text = fs::read_to_string(folder.join(LEDGER)).ok()?;
        let outcome = ledger_csv::read(&text).and_then(|ledger| {
            let text = fs::read_to_string(folder.join(TAPS)).map_err(|error| error.to_string())?;
            let taps = read_taps(&text, folder).ok_or("taps.json is not as it was written")?;
            Ok(Outcome { ledger, middlebox_drops: 0, taps, traffic: TrafficReport::default() })
        });
        let recording =
            |outcome| Self { variant: variant.clone(), scenario, folder: folder.to_owned(), outcome };
        Some(outcome.map(recording).map_err(|error| format!("{}: {error}", folder.display())))
    }

    /// How each capture was made, the client's first.
    pub fn plans(&self) -> impl Iterator<Item = &TapPlan> {
        std::iter::once(&self.scenario.client_tap).chain(&self.scenario.server_taps)
    }

    /// The decisions of the middlebox.
    pub fn ledger(&self) -> &[Entry] {
        &self.outcome.ledger
    }

    fn write(&self) -> std::io::Result<()> {
        let mut ledger = BufWriter::new(File::create(self.folder.join(LEDGER))?);
        write_csv(&self.outcome.ledger, &mut ledger)?;
        let tap = |tap: &TapOutcome| {
            json!({
                "file": tap.path.file_name().map(|name| name.to_string_lossy().into_owned()),
                "recorded": tap.recorded,
                "clock_origin_ns": tap.clock_origin_ns,
            })
        };
        let taps: Vec<Value> = self.outcome.taps.iter().map(tap).collect();
        fs::write(self.folder.join(TAPS), Value::from(taps).to_string())
    }
}

/// Whether a capture of that plan runs all the time, where the traffic passes.
pub fn runs_throughout(plan: &TapPlan) -> bool {
    plan.interface != TapInterface::Spare && plan.start_ms == 0 && plan.stop_ms.is_none()
}

fn run(scenario: &Scenario, seed: u64, folder: &Path) -> Result<Outcome, correlate_lab::LabError> {
    let mut lab = Lab::start(scenario, seed)?;
    lab.start_taps(folder)?;
    lab.run_traffic()?;
    lab.stop()
}

fn read_taps(text: &str, folder: &Path) -> Option<Vec<TapOutcome>> {
    let taps: Value = serde_json::from_str(text).ok()?;
    let tap = |tap: &Value| {
        Some(TapOutcome {
            path: folder.join(tap["file"].as_str()?),
            recorded: tap["recorded"].as_u64()?,
            omitted: Vec::new(),
            drops: 0,
            clock_origin_ns: tap["clock_origin_ns"].as_i64()?,
        })
    };
    taps.as_array()?.iter().map(tap).collect()
}
