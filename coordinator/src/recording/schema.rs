//! The tables of a recording.

/// Version of the format, in `PRAGMA user_version`. Tables and columns are only ever added; what a version
/// wrote, every later program reads.
/// 2: the table `spec`, and the facts `stopping` and `failed`. 3: the table `restarts`.
pub const VERSION: u32 = 3;

/// "CORR" in `PRAGMA application_id`, by which `file(1)` and this program know the format.
pub(super) const APPLICATION_ID: u32 = 0x434F_5252;

/// Stamps are nanoseconds since 1970 by the clock of the point's host.
pub(super) const TABLES: &str = "
    -- Facts of the session: name and value.
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    -- `message`: correlate.v1.CapturePoint. `rough_offset_ns` added to the point's stamps gives the
    -- coordinator's time, within a second or so. `began_ns`: when the capture began. `ended`: why the capture ended; NULL if that never came.
    CREATE TABLE capture_points (
        point INTEGER PRIMARY KEY, role TEXT NOT NULL, host TEXT NOT NULL, message BLOB NOT NULL,
        rough_offset_ns INTEGER NOT NULL, began_ns INTEGER NOT NULL, ended TEXT) STRICT;
    -- `body`: correlate.v1.Batch, compressed as correlate.v1.Compression says.
    CREATE TABLE batches (
        point INTEGER NOT NULL, seq INTEGER NOT NULL, records INTEGER NOT NULL, first_at_ns INTEGER,
        last_at_ns INTEGER, compression INTEGER NOT NULL, body_len INTEGER NOT NULL, body BLOB NOT NULL,
        UNIQUE (point, seq)) STRICT;
    -- `message`: correlate.v1.PointStats, the newest.
    CREATE TABLE stats (point INTEGER PRIMARY KEY, message BLOB NOT NULL) STRICT;
    CREATE TABLE clock_samples (
        point INTEGER NOT NULL, raw_ns INTEGER NOT NULL, realtime_ns INTEGER NOT NULL,
        width_ns INTEGER NOT NULL, stepped INTEGER NOT NULL) STRICT;
    -- How much a kernel counter of the point's host grew since the reading before.
    CREATE TABLE counters (
        point INTEGER NOT NULL, at_ns INTEGER NOT NULL, name TEXT NOT NULL, delta INTEGER NOT NULL) STRICT;
    -- Batches that came after the recording was full: counted, not kept.
    CREATE TABLE omitted (
        point INTEGER PRIMARY KEY, batches INTEGER NOT NULL, records INTEGER NOT NULL,
        first_at_ns INTEGER, last_at_ns INTEGER) STRICT;
    -- `message`: correlate.v1.SessionSpec, from which a coordinator that was started anew goes on with the session.
    -- `started_at_ns`: by the coordinator's clock.
    CREATE TABLE spec (
        id INTEGER PRIMARY KEY CHECK (id = 1), message BLOB NOT NULL, started_at_ns INTEGER NOT NULL) STRICT;
    -- The report, once there is one: correlate.report/v1.
    CREATE TABLE report (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL) STRICT;
    -- The findings of that report, for looking around with sqlite3.
    CREATE TABLE findings (
        id TEXT PRIMARY KEY, code TEXT NOT NULL, severity TEXT NOT NULL, confidence TEXT NOT NULL,
        sentence TEXT NOT NULL, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

/// Added by version 3.
pub(super) const RESTARTS: &str = "
    -- Captures that began in place of one that their agent had lost. `after_seq`: the last batch before.
    -- `incarnation`: which of the point's captures begins. `lost_ns`, `lost_raw_ns`: up to when the one before is known
    -- to have run, by the host's clock and its raw clock; `began_ns`: when this one began. `stats`:
    -- correlate.v1.PointStats, the counters of all before.
    CREATE TABLE IF NOT EXISTS restarts (
        point INTEGER NOT NULL, after_seq INTEGER NOT NULL, incarnation INTEGER NOT NULL, lost_ns INTEGER NOT NULL,
        lost_raw_ns INTEGER, began_ns INTEGER NOT NULL, stats BLOB NOT NULL, PRIMARY KEY (point, after_seq)) STRICT;
";
