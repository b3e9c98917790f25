//! The thread of a session that feeds the engine and lets it judge.

use super::event::SessionEvent;
use super::message::Internal;
use crate::arrivals::Arrivals;
use crate::feeding::{self, MakeConsumer, Observer};
use crate::recorder::{Command, RecorderHandle};
use crate::recording::{RecordedPoint, Recording, SessionMeta};
use correlate_engine::{Event, Progress};
use correlate_proto::CapturePointId;
use correlate_proto::report::Report;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::{mpsc, watch};

/// Batches that are read before the recorder is told to delete them.
const READ_BEFORE_DELETING: u64 = 16;

/// The report, or why there is none.
pub(super) type Judged = Result<Box<Report>, String>;

/// What the thread works with.
pub(super) struct FeedThread {
    pub(super) meta: SessionMeta,
    pub(super) reader: Recording,
    pub(super) make_consumer: MakeConsumer,
    pub(super) arrivals: Arrivals,
    /// The recorder, if it shall delete what was read.
    pub(super) recorder: Option<RecorderHandle>,
    pub(super) events: mpsc::UnboundedSender<SessionEvent>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) internal: mpsc::UnboundedSender<Internal>,
}

/// Starts the thread. What it comes to, it tells the session.
pub(super) fn spawn(thread: FeedThread, points: Vec<RecordedPoint>) -> std::io::Result<()> {
    std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
        let internal = thread.internal.clone();
        // A defect of the engine must not leave the session waiting for ever.
        let judged = catch_unwind(AssertUnwindSafe(|| feed(thread, &points)))
            .unwrap_or_else(|_| Err("the engine failed; this is a defect of correlate".to_owned()));
        // The session may be gone; then nobody wants the report.
        let _ = internal.send(Internal::Judged(judged));
    })?;
    Ok(())
}

fn feed(thread: FeedThread, points: &[RecordedPoint]) -> Judged {
    let FeedThread { meta, reader, make_consumer, arrivals, recorder, events, progress, .. } = thread;
    let consumer = make_consumer(&meta, points);
    let mut teller = Teller { recorder, events, progress };
    feeding::run(&reader, points, &arrivals, consumer, &mut teller)
        .map(Box::new)
        .map_err(|error| error.to_string())
}

struct Teller {
    recorder: Option<RecorderHandle>,
    events: mpsc::UnboundedSender<SessionEvent>,
    progress: watch::Sender<Progress>,
}

impl Observer for Teller {
    fn event(&mut self, event: Event) {
        match event {
            Event::Finding(finding) => {
                // Whoever does not listen does not want to know.
                let _ = self.events.send(SessionEvent::Finding(finding));
            }
            // Only traced for tests that run the engine alone.
            Event::Fate(_) => {}
        }
    }

    fn read(&mut self, point: CapturePointId, sequence: u64, progress: Progress) {
        self.progress.send_replace(progress);
        if let Some(recorder) = &self.recorder
            && sequence.is_multiple_of(READ_BEFORE_DELETING)
        {
            recorder.send_blocking(Command::Read(point, sequence));
        }
    }
}
