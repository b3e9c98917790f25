//! Capture files in, report out.

use super::{Capture, Reader, merge, name, survey};
use crate::error::CliError;
use crate::output;
use crate::progress::ProgressLine;
use correlate_engine::{Config, Correlator, Feed};
use correlate_proto::report::Report;
use correlate_proto::{CaptureKind, CapturePoint, CapturePointId, Role};
use std::path::PathBuf;

/// Roles are the user's to give: a server may well be the one that opens connections.
const EXCHANGED: &str = "note: the connections were opened from the server's side; if the captures were exchanged, give \
                         them the other way round";

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
        if survey.opened_from_server {
            output::say(EXCHANGED);
        }
        let config = Config {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            session_id: self.session_id,
            filter: self.filter,
            ..Config::default()
        };
        let mut feed = Feed::new(Correlator::new(config, points), survey.offsets);
        let mut line = ProgressLine::start();
        merge(&mut feed, &mut readers, ahead, |progress| line.update(progress))?;
        Ok(feed.into_correlator().finish())
    }
}
