//! Recordings: crash, damage, wrong files, and what is written comes back.

use super::*;
use correlate_proto::convert::{BatchEncoder, Sidecar};
use correlate_proto::report::CommandReport;
use correlate_proto::{
    CaptureKind, CapturePoint, CapturePointId, ClockSample, Coverage, HostCounters, PointStats, Role, Span,
    Timestamp, wire,
};
use std::path::{Path, PathBuf};

const POINT: CapturePointId = CapturePointId(0);

fn meta() -> SessionMeta {
    SessionMeta {
        session: "s1".to_owned(),
        filter: "port 5432".to_owned(),
        tool_version: "1.2.3".to_owned(),
        swapped: true,
    }
}

fn batch(sequence: u64) -> wire::SealedBatch {
    let mut body = Vec::new();
    BatchEncoder::new().finish(&Sidecar::default(), &mut body);
    wire::SealedBatch {
        sequence,
        compression: wire::Compression::None.into(),
        body_len: u32::try_from(body.len()).unwrap(),
        body,
        ..wire::SealedBatch::default()
    }
}

fn write_batches(recording: &mut Recording, sequences: impl IntoIterator<Item = u64>) {
    for sequence in sequences {
        let batch = batch(sequence);
        recording
            .write(&[Entry::Batch { point: POINT, batch: &batch, clock_samples: &[], host_counters: &[] }])
            .unwrap();
    }
}

fn sequences(recording: &Recording) -> Vec<u64> {
    let mut found = Vec::new();
    while let Some(batch) = recording.batch_after(POINT, found.last().copied().unwrap_or(0)).unwrap() {
        found.push(batch.sequence);
    }
    found
}

/// The file and its write-ahead log as a crash would leave them.
fn as_after_a_crash(path: &Path, to: &Path) -> PathBuf {
    let copy = to.join("crashed");
    std::fs::copy(path, &copy).unwrap();
    let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    std::fs::copy(log(path), log(&copy)).unwrap();
    copy
}

#[test]
fn what_was_committed_is_there_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let mut recording = Recording::create(&directory.path().join("live"), &meta()).unwrap();
    write_batches(&mut recording, 1..=40);
    let crashed = as_after_a_crash(recording.path(), directory.path());
    let mut reopened = Recording::open(&crashed).unwrap();
    assert_eq!(sequences(&reopened), (1..=40).collect::<Vec<_>>());
    assert_eq!(reopened.newest_batch(POINT).unwrap(), 40);
    // And the session can go on in it.
    write_batches(&mut reopened, 41..=42);
    reopened.close().unwrap();
    assert_eq!(sequences(&Recording::open(&crashed).unwrap()).len(), 42);
}

#[test]
fn a_closed_recording_is_one_plain_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session");
    let mut recording = Recording::create(&path, &meta()).unwrap();
    write_batches(&mut recording, 1..=3);
    recording.close().unwrap();
    let names = |directory: &Path| std::fs::read_dir(directory).unwrap().count();
    assert_eq!(names(directory.path()), 1);
    let before = std::fs::read(&path).unwrap();
    let opened = Recording::open(&path).unwrap();
    assert_eq!((opened.meta().unwrap(), sequences(&opened)), (meta(), vec![1, 2, 3]));
    assert_eq!(opened.report_json().unwrap(), None);
    drop(opened);
    assert!(
        names(directory.path()) == 1 && std::fs::read(&path).unwrap() == before,
        "reading changes nothing"
    );
}

#[test]
fn on_a_full_disk_what_was_committed_stays_and_the_error_says_what_to_look_at() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session");
    let mut recording = Recording::create(&path, &meta()).unwrap();
    let pages: u32 = recording.db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    // No more pages than these: what a file system without room answers, SQLite answers too.
    recording.db.pragma_update_and_check(None, "max_page_count", pages + 8, |_| Ok(())).unwrap();
    let mut taken = 0;
    let error = loop {
        let batch = wire::SealedBatch { body: vec![7; 2_000], ..batch(taken + 1) };
        match recording.write_batches(&[(POINT, batch)]) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("check that its disk has room"), "{error}");
    assert!(taken > 0 && matches!(error, RecordingError::Storage(_)), "{taken} {error:?}");
    drop(recording);
    assert_eq!(Recording::open(&path).unwrap().newest_batch(POINT).unwrap(), taken);
}

#[test]
fn a_temporary_recording_is_gone_with_its_value() {
    let recording = Recording::create_temporary(&meta()).unwrap();
    let directory = recording.path().parent().unwrap().to_owned();
    assert!(directory.exists());
    drop(recording);
    assert!(!directory.exists());
}

#[test]
fn the_command_and_what_was_read_from_files_come_back() {
    let mut recording = Recording::create_temporary(&meta()).unwrap();
    let command = |exit_status| CommandReport { argv: vec!["sh".into(), "a \"b\"".into()], exit_status };
    assert_eq!(recording.command().unwrap(), None);
    for known in [Some(command(Some(7))), Some(command(None)), None] {
        command::write(&recording.db, known.as_ref()).unwrap();
        assert_eq!(recording.command().unwrap(), known);
    }
    recording.db.execute("INSERT INTO meta (key, value) VALUES ('command', '{}')", ()).unwrap();
    assert!(matches!(recording.command(), Err(RecordingError::Damaged { .. })));
    let stats = PointStats { frames: 3, ..PointStats::default() };
    recording.write_batches(&[(POINT, batch(1)), (POINT, batch(2))]).unwrap();
    recording.write_end_of_file(POINT, &stats).unwrap();
    assert_eq!((sequences(&recording), recording.stats(POINT).unwrap()), (vec![1, 2], stats));
}

#[test]
fn points_counters_and_samples_come_back() {
    let mut recording = Recording::create_temporary(&meta()).unwrap();
    let point = CapturePoint {
        id: POINT,
        role: Role::Server,
        host: "db".to_owned(),
        kind: CaptureKind::Live { all_interfaces: true },
        interfaces: vec![],
        link_type: "EN10MB".to_owned(),
        vouched: false,
    };
    let recorded = vec![RecordedPoint { point, rough_offset: Span(-77), began: Timestamp::from_ns(5) }];
    recording.write_points(&recorded).unwrap();
    assert_eq!(recording.points().unwrap(), recorded);
    let stats = PointStats { frames: 9, dropped_by_agent: 1, ..PointStats::default() };
    let samples = [(5, 50), (3, 30)].map(|(raw_ns, ns)| ClockSample {
        raw_ns,
        realtime: Timestamp::from_ns(ns),
        width_ns: 1,
        stepped: ns == 30,
    });
    let counters = HostCounters { at_ns: 8, deltas: [("a".to_owned(), 1), ("b".to_owned(), 2)].into() };
    let omitted = |first, last| Omitted {
        batches: 1,
        records: 10,
        first_at: Some(Timestamp::from_ns(first)),
        last_at: Some(Timestamp::from_ns(last)),
    };
    let batch = batch(1);
    let entries = [
        Entry::Batch {
            point: POINT,
            batch: &batch,
            clock_samples: &samples,
            host_counters: core::slice::from_ref(&counters),
        },
        Entry::Stats(POINT, Box::new(stats)),
        Entry::Omitted(POINT, omitted(100, 200)),
        Entry::Omitted(POINT, omitted(150, 300)),
    ];
    recording.write(&entries).unwrap();
    // These tables are for people: the feed reads the batches.
    let ask = |query: &str| -> String { recording.db.query_row(query, (), |row| row.get(0)).unwrap() };
    let samples = "SELECT group_concat(raw_ns || ' ' || realtime_ns || ' ' || stepped) FROM clock_samples";
    assert_eq!(ask(samples), "5 50 0,3 30 1");
    assert_eq!(ask("SELECT group_concat(at_ns || ' ' || name || ' ' || delta) FROM counters"), "8 a 1,8 b 2");
    let seen = recording.stats(POINT).unwrap();
    assert_eq!((seen.frames, seen.dropped_by_agent), (9, 21));
    let window = Coverage { from: Timestamp::from_ns(100), to: Timestamp::from_ns(300) };
    assert_eq!(seen.drop_windows, [window]);
}

#[test]
fn a_file_that_is_no_session_is_refused_by_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    assert!(matches!(Recording::open(&path), Err(RecordingError::Open { .. })));
    assert!(matches!(
        Recording::open(directory.path()),
        Err(RecordingError::Open { .. } | RecordingError::NotASession(_))
    ));
    std::fs::write(&path, b"\xd4\xc3\xb2\xa1 this is a capture, not a session, and it is long enough")
        .unwrap();
    assert!(matches!(Recording::open(&path), Err(RecordingError::NotASession(_))));
    assert!(matches!(Recording::create(&path, &meta()), Err(RecordingError::Exists(_))));
    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    assert!(matches!(Recording::open(&path), Err(RecordingError::NotASession(_))));
}

#[test]
fn a_newer_format_and_a_damaged_message_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session");
    let recording = Recording::create(&path, &meta()).unwrap();
    recording
        .db
        .execute_batch(
            "INSERT INTO capture_points VALUES (0, 'client', 'h', x'ffff', 0, 0, NULL); PRAGMA user_version = 4",
        )
        .unwrap();
    assert!(matches!(recording.points(), Err(RecordingError::Damaged { .. })));
    recording.close().unwrap();
    assert!(matches!(Recording::open(&path), Err(RecordingError::Newer { found: 4, known: VERSION, .. })));
}

#[test]
fn a_recording_of_version_1_is_read_and_none_goes_on_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session");
    let recording = Recording::create(&path, &meta()).unwrap();
    recording.db.execute_batch("DROP TABLE spec; PRAGMA user_version = 1").unwrap();
    recording.close().unwrap();
    let recording = Recording::open(&path).unwrap();
    assert_eq!((recording.meta().unwrap(), recording.spec().unwrap()), (meta(), None));
}

#[test]
fn how_far_an_upload_had_come_is_known_to_who_goes_on_with_it() {
    let mut recording = Recording::create_temporary(&meta()).unwrap();
    assert_eq!(recording.point_state(POINT).unwrap(), PointState::default());
    let spec = wire::SessionSpec { filter: "port 1".into(), ..Default::default() };
    recording.write_spec(&spec, 7).unwrap();
    assert_eq!(recording.spec().unwrap(), Some((spec, 7)));
    recording.write_batches(&[(POINT, batch(1)), (POINT, batch(2))]).unwrap();
    let kept = recording.point_state(POINT).unwrap();
    assert_eq!((kept.through, kept.omitting, kept.ended), (2, false, None));
    assert_eq!(kept.bytes, u64::try_from(batch(1).body.len() + batch(2).body.len()).unwrap());
    let omitted = Omitted { batches: 3, records: 1, first_at: None, last_at: None };
    recording.write(&[Entry::Omitted(POINT, omitted)]).unwrap();
    let state = recording.point_state(POINT).unwrap();
    assert_eq!((state.through, state.omitting), (5, true));
    assert!(!recording.is_stopping().unwrap());
    recording.write_stopping().unwrap();
    recording.write_failure("why").unwrap();
    assert!(recording.is_stopping().unwrap());
    assert_eq!(recording.failure().unwrap().as_deref(), Some("why"));
}
