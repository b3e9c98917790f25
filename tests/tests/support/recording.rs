//! Runs of the lab: captured by its taps and by `correlate run` at the same time, once for all tests.

use super::live::Live;
use super::scratch;
use correlate_lab::{Lab, LabError, Outcome, Scenario, TapInterface};
use correlate_tests::permits::Permit;
use correlate_tests::process::Ran;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// What chance decides much of is tried with these.
pub(crate) const SEEDS: [u64; 3] = [1, 2, 3];

/// A scenario that has run.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) scenario: Scenario,
    pub(crate) outcome: Outcome,
    /// What `correlate run` said of it, as JSON.
    pub(crate) live: Ran,
    /// The session that it saved.
    pub(crate) saved: PathBuf,
    pub(crate) took: Duration,
}

type Slot = Arc<OnceLock<Option<Arc<Recording>>>>;

static MADE: Mutex<BTreeMap<(&'static str, u64), Slot>> = Mutex::new(BTreeMap::new());

/// The run of a scenario with a seed; made by who asks first. Absent, with a word, where the kernel forbids it.
pub(crate) fn recording(scenario: &Scenario, seed: u64) -> Option<Arc<Recording>> {
    let slot = {
        let mut made = MADE.lock().expect("nobody panics here");
        made.entry((scenario.name, seed)).or_default().clone()
    };
    slot.get_or_init(|| make(scenario, seed).map(Arc::new)).clone()
}

impl Recording {
    /// The servers' captures.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Path> {
        self.outcome.taps.iter().skip(1).map(|tap| tap.path.as_path())
    }

    /// The client's capture.
    pub(crate) fn client(&self) -> &Path {
        &self.outcome.taps[0].path
    }
}

fn make(scenario: &Scenario, seed: u64) -> Option<Recording> {
    let permit = Permit::take();
    let began = Instant::now();
    let folder = scratch::folder(&format!("{}-{seed}", scenario.name));
    match record(scenario, seed, &folder) {
        Ok((outcome, live, saved)) => {
            drop(permit);
            assert_eq!(outcome.middlebox_drops, 0, "{}: the lab lost frames", scenario.name);
            assert!(outcome.taps.iter().all(|tap| tap.drops == 0), "{}: a tap lost frames", scenario.name);
            Some(Recording { scenario: scenario.clone(), outcome, live, saved, took: began.elapsed() })
        }
        Err(error @ LabError::NoPrivilege { .. }) => {
            scratch::skip(&error.to_string());
            None
        }
        Err(error) => panic!("{}: {error}", scenario.name),
    }
}

fn record(scenario: &Scenario, seed: u64, folder: &Path) -> Result<(Outcome, Ran, PathBuf), LabError> {
    let mut lab = Lab::start(scenario, seed)?;
    lab.start_taps(folder)?;
    let saved = folder.join("session.correlate");
    let live = Live::start(&hosts(&lab, scenario), &saved);
    lab.run_traffic()?;
    let live = live.stop();
    Ok((lab.stop()?, live, saved))
}

/// The hosts with their interfaces as the command line names them: the client, then the captured servers.
fn hosts(lab: &Lab, scenario: &Scenario) -> Vec<String> {
    let servers = (0..scenario.server_taps.len()).filter_map(|index| lab.server(index));
    let plans = std::iter::once(&scenario.client_tap).chain(&scenario.server_taps);
    let named = std::iter::once(lab.client()).chain(servers).zip(plans).map(|(host, plan)| {
        let path = host.namespace.path();
        match plan.interface {
            TapInterface::Facing => format!("netns:{}:{}", path.display(), host.interface),
            TapInterface::Spare => format!("netns:{}:{}", path.display(), host.spare),
            TapInterface::All => format!("netns:{}", path.display()),
        }
    });
    named.collect()
}
