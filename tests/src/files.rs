//! Two capture files through the engine, with the fate of every segment that did not simply arrive.

use correlate_agent::capture::{CaptureError, CaptureFile, Fill, Reader};
use correlate_engine::fate::FateRecord;
use correlate_engine::{Config, Correlator, Event, Feed};
use correlate_proto::report::Report;
use correlate_proto::{CaptureKind, CapturePoint, CapturePointId, Record, Role, Span};
use std::path::Path;

/// Records read from a file at a time.
const BATCH: usize = 4096;

/// Analyses a client's and a server's capture file. Both are vouched for if `vouched`.
pub fn analyze(
    client: &Path,
    server: &Path,
    vouched: bool,
) -> Result<(Report, Vec<FateRecord>), CaptureError> {
    let files = [(Role::Client, client), (Role::Server, server)];
    let mut readers = Vec::new();
    let mut points = Vec::new();
    for (id, (role, path)) in (0..).zip(files) {
        let reader = Reader::new(CaptureFile::open(path)?);
        points.push(CapturePoint {
            id: CapturePointId(id),
            role,
            host: path.display().to_string(),
            kind: CaptureKind::File,
            interfaces: reader.interfaces().to_vec(),
            link_type: reader.link_type_name(),
            vouched,
        });
        readers.push(reader);
    }
    let config = Config { trace_fates: true, ..Config::default() };
    let mut feed = Feed::new(Correlator::new(config, points), vec![Span(0); 2]);
    let mut fates = Vec::new();
    while let Some(point) = feed.waiting_for() {
        let reader = &mut readers[usize::from(point.0)];
        let mut records: Vec<Record> = Vec::with_capacity(BATCH);
        let fill = reader.fill(&mut records, BATCH)?;
        feed.push_batch(point, &mut records);
        if matches!(fill, Fill::End) {
            feed.correlator().push_stats(point, reader.stats());
            feed.end(point);
        }
        while let Some(event) = feed.correlator().poll() {
            if let Event::Fate(fate) = event {
                fates.push(fate);
            }
        }
    }
    let (report, last) = feed.into_correlator().finish_traced();
    fates.extend(last);
    Ok((report, fates))
}
