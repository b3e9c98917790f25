//! The directory of recordings, kept within limits of size and age.

use crate::recording::{Recording, RecordingError};
use crate::session::spec;
use core::time::Duration;
use correlate_proto::wire;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Ending of a recording's name.
const ENDING: &str = "correlate";
/// Held by the coordinator that the directory belongs to.
const LOCK: &str = "coordinator.lock";

/// How much is kept. Beyond either limit the recordings of finished sessions are deleted, the oldest first; that of
/// an open session never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Octets of all recordings of finished sessions; `None`: no limit.
    pub bytes: Option<u64>,
    /// Age since the end of the session; `None`: no limit.
    pub age: Option<Duration>,
}

impl Default for Keep {
    /// 16 GiB, 30 days.
    fn default() -> Self {
        Self { bytes: Some(16 << 30), age: Some(Duration::from_secs(30 * 86_400)) }
    }
}

/// A session that is over.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) summary: wire::SessionSummary,
    /// When its recording was last written.
    at: SystemTime,
}

/// The directory.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    keep: Keep,
    finished: Mutex<BTreeMap<String, Finished>>,
    /// Locked as long as this lives.
    _lock: File,
}

/// A recording of a session that was not over when its coordinator ended.
#[derive(Debug)]
pub(crate) struct LeftOpen {
    pub(crate) id: String,
    pub(crate) recording: Recording,
    pub(crate) spec: wire::SessionSpec,
    pub(crate) started_at_ns: i64,
}

impl Store {
    /// Opens the directory, which is made if it does not exist, and finds what is in it. What cannot be read is left
    /// alone and said in the log.
    pub(crate) fn open(directory: &Path, keep: Keep) -> io::Result<(Self, Vec<LeftOpen>)> {
        fs::create_dir_all(directory)?;
        let lock = File::create(directory.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another coordinator works there")
            }
        })?;
        let finished = Mutex::new(BTreeMap::new());
        let store = Self { directory: directory.to_owned(), keep, finished, _lock: lock };
        let mut left_open = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            match look(&path) {
                Ok(Found::Finished(finished)) => {
                    store.lock().insert(finished.summary.session.clone(), finished);
                }
                Ok(Found::Open(open)) => left_open.push(*open),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "recording left alone: it cannot be read");
                }
            }
        }
        left_open.sort_by_key(|open| open.started_at_ns);
        store.prune(SystemTime::now());
        Ok((store, left_open))
    }

    /// Where the recording of that session is, whether or not it exists. The name must be one that this coordinator
    /// gave.
    pub(crate) fn path(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.{ENDING}"))
    }

    /// A session is over and its recording closed. Without a report, `failure` says why.
    pub(crate) fn add(&self, id: &str, failure: Option<&str>) -> Result<(), RecordingError> {
        let path = self.path(id);
        if let Some(why) = failure {
            let recording = Recording::open(&path)?;
            recording.write_failure(why)?;
            recording.close()?;
        }
        if let Found::Finished(finished) = look(&path)? {
            self.lock().insert(id.to_owned(), finished);
        }
        self.prune(SystemTime::now());
        Ok(())
    }

    /// The session of that name, if it is over and kept.
    pub(crate) fn finished(&self, id: &str) -> Option<Finished> {
        self.lock().get(id).cloned()
    }

    /// All sessions that are over and kept.
    pub(crate) fn all(&self) -> Vec<Finished> {
        self.lock().values().cloned().collect()
    }

    /// Octets of all recordings, of open sessions too, as the directory shows them.
    pub(crate) fn bytes(&self) -> u64 {
        // What is not seen for a moment is counted at the next look.
        let recording = |path: &Path| {
            // One that is being written has a file or two beside it.
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.split_once(&format!(".{ENDING}"))
                .is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('-'))
        };
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        entries
            .filter(|entry| recording(&entry.path()))
            .filter_map(|entry| entry.metadata().ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// Deletes what is too old or too much, the oldest first.
    pub(crate) fn prune(&self, now: SystemTime) {
        let mut finished = self.lock();
        let mut by_age: Vec<_> = finished
            .iter()
            .map(|(id, known)| (known.at, known.summary.recording_bytes, id.clone()))
            .collect();
        by_age.sort();
        let mut total: u64 = by_age.iter().map(|(_, bytes, _)| bytes).sum();
        for (at, bytes, id) in by_age {
            let too_old =
                self.keep.age.is_some_and(|age| now.duration_since(at).is_ok_and(|since| since > age));
            let too_much = self.keep.bytes.is_some_and(|limit| total > limit);
            if !too_old && !too_much {
                // What follows is younger, and the rest fits.
                break;
            }
            let reason = if too_old { "age" } else { "size" };
            match fs::remove_file(self.path(&id)) {
                Ok(()) => tracing::info!(session = id, bytes, reason, "recording deleted: beyond the limit"),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(session = id, %error, "recording beyond the limit cannot be deleted");
                    continue;
                }
            }
            total = total.saturating_sub(bytes);
            finished.remove(&id);
        }
    }

    /// No code panics while it holds the lock, so the map is whole even if it is poisoned.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Finished>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Found {
    Finished(Finished),
    Open(Box<LeftOpen>),
}

/// What a recording is: of a session that is over, or of one that is not.
fn look(path: &Path) -> Result<Found, RecordingError> {
    let recording = Recording::open(path)?;
    let id = recording.meta()?.session;
    let known = recording.spec()?;
    let outcome = match (recording.report_json()?, recording.failure()?) {
        (Some(report), _) => Some((wire::SessionPhase::Done, sentence(&report))),
        (None, Some(why)) => Some((wire::SessionPhase::Failed, why)),
        (None, None) => None,
    };
    let (phase, outcome) = match (outcome, known) {
        (Some(outcome), _) => outcome,
        (None, Some((spec, started_at_ns))) => {
            return Ok(Found::Open(Box::new(LeftOpen { id, recording, spec, started_at_ns })));
        }
        // Somebody put a file here that no coordinator made.
        (None, None) => (wire::SessionPhase::Failed, "its recording was never finished".to_owned()),
    };
    let (spec, started_at_ns) = recording.spec()?.map_or((None, 0), |(spec, at)| (Some(spec), at));
    drop(recording);
    let metadata = fs::metadata(path)
        .map_err(|error| RecordingError::Open { path: path.to_owned(), reason: error.to_string() })?;
    let summary = wire::SessionSummary {
        session: id,
        phase: phase.into(),
        spec,
        started_at_ns,
        recording_bytes: metadata.len(),
        outcome,
    };
    Ok(Found::Finished(Finished { summary, at: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH) }))
}

/// The verdict of a report in one sentence.
fn sentence(report: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(report).unwrap_or_default();
    value["verdict"]["sentence"].as_str().unwrap_or_default().to_owned()
}

impl LeftOpen {
    /// The options that the session was started with.
    pub(crate) fn options(&self, path: PathBuf) -> Result<crate::session::SessionOptions, String> {
        let options = spec::options(&self.id, &self.spec)?;
        Ok(crate::session::SessionOptions { save: Some(path), resumable: true, ..options })
    }
}
