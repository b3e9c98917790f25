//! Capture files in, report out.

use super::{Capture, Reader, merge, name, survey};
use crate::error::CliError;
use crate::output;
use crate::progress::ProgressLine;
use correlate_engine::{Config, Correlator, Feed};
use correlate_proto::report::Report;
use correlate_proto::{CaptureKind, CapturePoint, CapturePointId, Role};
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
}

impl Analysis {
    /// Reads the captures side by side and judges.
    pub(crate) fn report(self) -> Result<Report, CliError> {
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
        let (survey, ahead) = survey(&self.given, &mut readers, self.decap)?;
        if survey.exchanged {
            output::say(EXCHANGED);
            for point in &mut points {
                point.role = match point.role {
                    Role::Client => Role::Server,
                    Role::Server => Role::Client,
                    Role::Via => Role::Via,
                };
            }
        }
        let config = Config {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            session_id: self.session_id,
            filter: self.filter,
            swapped: survey.exchanged,
            ..Config::default()
        };
        let mut feed = Feed::new(Correlator::new(config, points), survey.offsets);
        let mut line = ProgressLine::start();
        merge(&mut feed, &mut readers, ahead, |progress| line.update(progress))?;
        Ok(feed.into_correlator().finish())
    }
}
