//! The audit log: who asked for what, when, and the answer, one JSON object per line.
//!
//! Everything that is to be in it is an event of the tracing target `audit`, whoever emits it; so it is in the
//! daemon's log too, at its own level there.

use crate::error::CliError;
use crate::output;
use correlate_proto::report::ReportTime;
use serde_json::{Map, Value};
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The target whose events are written.
pub(crate) const TARGET: &str = "audit";
/// Octets of the file. At the limit it becomes `FILE.1`, in the place of the one before, and a new one begins: at
/// most twice as much is kept.
const LIMIT_BYTES: u64 = 64 << 20;

/// Writes the events of the target `audit` to a file.
#[derive(Debug)]
pub(crate) struct AuditLog(Mutex<Bounded>);

#[derive(Debug)]
struct Bounded {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
}

impl AuditLog {
    /// Goes on with the file at `path`, or begins it, readable to its owner alone.
    pub(crate) fn open(path: &Path) -> Result<Self, CliError> {
        Bounded::open(path, LIMIT_BYTES).map(|bounded| Self(Mutex::new(bounded))).map_err(|error| {
            CliError::new(format!("cannot write the audit log {}: {error}", path.display()))
                .hint("name a file in a directory that exists and that this user may write with --audit")
        })
    }
}

impl Bounded {
    fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = append(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, written, limit })
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let octets = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.written > 0 && self.written.saturating_add(octets) > self.limit {
            let mut older = self.path.as_os_str().to_owned();
            older.push(".1");
            std::fs::rename(&self.path, older)?;
            self.file = append(&self.path)?;
            self.written = 0;
        }
        self.file.write_all(line.as_bytes())?;
        self.written += octets;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

impl<S: Subscriber> Layer<S> for AuditLog {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = ReportTime(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        let mut fields = Fields(Map::new());
        fields.0.insert("at".to_owned(), now.to_string().into());
        event.record(&mut fields);
        let line = Value::Object(fields.0).to_string() + "\n";
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner).write(&line);
        if let Err(error) = written {
            output::say(&format!(
                "error: cannot write the audit log: {error}; it lacks: {}",
                line.trim_end()
            ));
        }
    }
}

/// The fields of an event as JSON.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[test]
    fn who_asked_for_what_and_the_answer_is_one_line_of_json() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let subscriber = tracing_subscriber::registry().with(AuditLog::open(&path).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "audit", act = "join", who = "a \"b\"\n", answer = "granted", octets = 7u32);
            tracing::info!("something else");
        });
        let text = std::fs::read_to_string(&path).unwrap();
        let line: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
        assert_eq!((&line["act"], &line["who"]), (&"join".into(), &"a \"b\"\n".into()));
        assert_eq!((&line["answer"], &line["octets"]), (&"granted".into(), &7.into()));
        assert!(line["at"].as_str().unwrap().ends_with('Z'), "{line}");
    }

    #[test]
    fn at_the_limit_the_file_is_put_aside_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let mut log = Bounded::open(&path, 10).unwrap();
        for line in ["11111\n", "2222\n", "33333\n"] {
            log.write(line).unwrap();
        }
        drop(log);
        let mut log = Bounded::open(&path, 10).unwrap();
        log.write("44444\n").unwrap();
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!((read("audit.jsonl").as_str(), read("audit.jsonl.1").as_str()), ("44444\n", "33333\n"));
    }
}
