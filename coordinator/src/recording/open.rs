//! Creating, opening and closing a recording.

use super::error::RecordingError;
use super::schema::{APPLICATION_ID, RESTARTS, TABLES, VERSION};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one connection waits for another's transaction: far longer than any takes.
const BUSY_FOR: Duration = Duration::from_secs(10);

/// Name and value of the fact that captures were exchanged. Absent in older files: they were not.
pub(super) const SWAPPED: &str = "swapped";
pub(super) const YES: &str = "yes";

/// What is known of a session before its first packet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionMeta {
    /// Name of the session.
    pub session: String,
    /// The filter as the user gave it.
    pub filter: String,
    /// Version of the program that recorded it.
    pub tool_version: String,
    /// The captures of client and server were given the other way round and were exchanged.
    pub swapped: bool,
}

/// A session's file.
#[derive(Debug)]
pub struct Recording {
    pub(super) db: Connection,
    path: PathBuf,
    /// The directory of a recording that nobody asked to keep; deleted with this value.
    _temporary: Option<tempfile::TempDir>,
}

impl Recording {
    /// A new recording at `path`, which must not exist.
    pub fn create(path: &Path, meta: &SessionMeta) -> Result<Self, RecordingError> {
        if path.exists() {
            return Err(RecordingError::Exists(path.to_owned()));
        }
        Self::create_at(path.to_owned(), None, meta)
    }

    /// A recording in `$TMPDIR` that is deleted with this value.
    pub fn create_temporary(meta: &SessionMeta) -> Result<Self, RecordingError> {
        let directory = tempfile::Builder::new().prefix("correlate-").tempdir().map_err(|error| {
            RecordingError::Open { path: std::env::temp_dir(), reason: error.to_string() }
        })?;
        Self::create_at(directory.path().join("session"), Some(directory), meta)
    }

    /// An existing recording, for continuing or reading it. A read-only file is read.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let failed = |error: &dyn std::fmt::Display| RecordingError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        // SQLite would make a directory's or missing file's error less plain.
        std::fs::File::open(path).map_err(|error| failed(&error))?;
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_WRITE;
        let db = Connection::open_with_flags(path, flags).map_err(|error| failed(&error))?;
        db.busy_timeout(BUSY_FOR)?;
        check_format(&db, path)?;
        Ok(Self { db, path: path.to_owned(), _temporary: None })
    }

    /// A second connection to the same file, for reading while this one writes.
    pub(crate) fn second(&self) -> Result<Self, RecordingError> {
        Self::open(&self.path)
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves one plain file. Other connections to it must be closed before.
    pub fn close(self) -> Result<(), RecordingError> {
        self.db.pragma_update(None, "wal_checkpoint", "TRUNCATE")?;
        self.db.pragma_update(None, "journal_mode", "DELETE")?;
        self.db.close().map_err(|(_, error)| RecordingError::Storage(error))
    }

    fn create_at(
        path: PathBuf,
        temporary: Option<tempfile::TempDir>,
        meta: &SessionMeta,
    ) -> Result<Self, RecordingError> {
        let db = Connection::open(&path)
            .map_err(|error| RecordingError::Open { path: path.clone(), reason: error.to_string() })?;
        db.busy_timeout(BUSY_FOR)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // A temporary recording serves only this process: what a crash leaves of it, nobody reads.
        let synchronous = if temporary.is_some() { "OFF" } else { "FULL" };
        db.pragma_update(None, "synchronous", synchronous)?;
        db.pragma_update(None, "application_id", APPLICATION_ID)?;
        db.pragma_update(None, "user_version", VERSION)?;
        db.execute_batch(&format!("BEGIN; {TABLES} {RESTARTS} COMMIT;"))?;
        let facts = [
            ("session", meta.session.as_str()),
            ("filter", &meta.filter),
            ("tool_version", &meta.tool_version),
            (SWAPPED, if meta.swapped { YES } else { "no" }),
        ];
        for (key, value) in facts {
            db.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", (key, value))?;
        }
        Ok(Self { db, path, _temporary: temporary })
    }
}

fn check_format(db: &Connection, path: &Path) -> Result<(), RecordingError> {
    let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let not_a_session = |_| RecordingError::NotASession(path.to_owned());
    if number("application_id").map_err(not_a_session)? != APPLICATION_ID {
        return Err(RecordingError::NotASession(path.to_owned()));
    }
    let found = number("user_version").map_err(not_a_session)?;
    if found > VERSION {
        return Err(RecordingError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}
