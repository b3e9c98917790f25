//! Capture files in, report out.

use super::reader::Delivery;
use super::saving::Saving;
use super::survey::{Ahead, Survey};
use super::{Capture, Reader, merge, name, survey};
use crate::error::CliError;
use crate::output;
use crate::progress::ProgressLine;
use correlate_coordinator::recording::{RecordedPoint, SessionMeta};
use correlate_engine::{Config, Correlator, Feed};
use correlate_proto::report::Report;
use correlate_proto::{CaptureKind, CapturePoint, CapturePointId, Role, Timestamp};
use std::path::PathBuf;

/// Said when the captures turn out to have been exchanged. A pair in which the server's host alone opens
/// connections is read the same way: the host that opens them is the client then.
const EXCHANGED: &str = "note: every connection was opened from the server's side, so the captures of client and server \
                         are taken the other way round";

/// A capture file and the side it was given for.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// Whose capture it is said to be.
    pub(crate) role: Role,
    /// Where it is; `-` for standard input.
    pub(crate) path: PathBuf,
    /// What of it is looked at; empty for all.
    pub(crate) filter: String,
    /// The user vouches that it ran all the time.
    pub(crate) vouched: bool,
}

/// What to analyse.
#[derive(Debug, Clone)]
pub(crate) struct Analysis {
    /// The captures, clients first.
    pub(crate) given: Vec<Given>,
    /// Look inside tunnels and tags too.
    pub(crate) decap: bool,
    /// The filter as the report names it.
    pub(crate) filter: String,
    /// The session as the report names it.
    pub(crate) session_id: String,
    /// Keep the session in this file, which must not exist.
    pub(crate) save: Option<PathBuf>,
}

impl Analysis {
    /// Reads the captures side by side and judges.
    pub(crate) fn report(self) -> Result<Report, CliError> {
        let (mut points, mut readers) = self.open()?;
        let (survey, ahead) = survey(&self.given, &mut readers, self.decap)?;
        if survey.exchanged {
            output::say(EXCHANGED);
            points.iter_mut().for_each(exchange);
        }
        let meta = SessionMeta {
            session: self.session_id,
            filter: self.filter,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            swapped: survey.exchanged,
        };
        let points = recorded(points, &survey, &ahead);
        let mut saving = match &self.save {
            Some(path) => Some(Saving::create(path, &meta, &points)?),
            None => None,
        };
        let mut line = ProgressLine::start();
        let mut feed = feed(meta, &points);
        let watch = |progress| line.update(progress);
        merge(&mut feed, (&points, &mut readers), ahead, saving.as_mut(), watch)?;
        let report = feed.into_correlator().finish();
        drop(line);
        if let (Some(saving), Some(path)) = (saving, &self.save) {
            saving.finish(&report)?;
            output::say(&format!("saved: {}", path.display()));
        }
        Ok(report)
    }

    /// Opens every capture and starts to read it.
    fn open(&self) -> Result<(Vec<CapturePoint>, Vec<Reader>), CliError> {
        let mut points = Vec::with_capacity(self.given.len());
        let mut readers = Vec::with_capacity(self.given.len());
        for (id, given) in (0..).zip(&self.given) {
            let capture = Capture::open(&given.path, &given.filter, self.decap)?;
            points.push(CapturePoint {
                id: CapturePointId(id),
                role: given.role,
                host: name(&given.path),
                kind: CaptureKind::File,
                interfaces: capture.interfaces(),
                link_type: capture.link_type(),
                vouched: given.vouched,
            });
            readers.push(Reader::start(&name(&given.path), capture)?);
        }
        Ok((points, readers))
    }
}

fn exchange(point: &mut CapturePoint) {
    point.role = match point.role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
        Role::Via => Role::Via,
    };
}

/// The points as a recording keeps them: with the offset of their clocks, and since when they ran.
fn recorded(points: Vec<CapturePoint>, survey: &Survey, ahead: &Ahead) -> Vec<RecordedPoint> {
    let known = points.into_iter().zip(&survey.offsets).zip(ahead);
    let recorded = known.map(|((point, offset), queue)| RecordedPoint {
        point,
        rough_offset: *offset,
        // A file without a frame never ran.
        began: queue.front().and_then(Delivery::began).unwrap_or(Timestamp::from_ns(i64::MAX)),
    });
    recorded.collect()
}

/// The engine, as a replay of the recording makes it.
fn feed(meta: SessionMeta, points: &[RecordedPoint]) -> Feed {
    let config = Config {
        tool_version: meta.tool_version,
        session_id: meta.session,
        filter: meta.filter,
        swapped: meta.swapped,
        ..Config::default()
    };
    let mut correlator = Correlator::new(config, points.iter().map(|known| known.point.clone()).collect());
    for known in points {
        correlator.covers_from(known.point.id, known.began);
    }
    Feed::new(correlator, points.iter().map(|known| known.rough_offset).collect())
}
