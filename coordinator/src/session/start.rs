//! Starting a session: its recording, its threads, its task.

use super::event::SessionProgress;
use super::feed_thread::FeedThread;
use super::handle::{SessionHandle, StartError};
use super::machine::Machine;
use super::message::{Internal, Mailbox};
use super::options::SessionOptions;
use super::task::{Point, Session};
use crate::arrivals::Arrivals;
use crate::feeding::MakeConsumer;
use crate::recorder::{self, Retention};
use crate::recording::{Recording, SessionMeta};
use correlate_engine::Progress;
use correlate_proto::Role;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Messages that wait for the session; whoever sends more waits too.
const MAILBOX: usize = 64;
/// Starts a session: its recording, its threads, its task. Agents are told when they are announced to its mailbox.
pub(crate) fn start(
    options: SessionOptions,
    make_consumer: MakeConsumer,
) -> Result<(SessionHandle, Mailbox), StartError> {
    check(&options)?;
    let meta = SessionMeta {
        session: options.id.clone(),
        filter: options.filter.clone(),
        tool_version: options.tool_version.clone(),
        swapped: false,
    };
    let recording = match &options.save {
        Some(path) => Recording::create(path, &meta)?,
        None => Recording::create_temporary(&meta)?,
    };
    let reader = recording.second()?;
    let keep = options.save.is_some() || options.keep_packets;
    let retention = if keep { Retention::All } else { Retention::UntilRead };
    let arrivals = Arrivals::new(options.points.len());
    let (internal, inside) = mpsc::unbounded_channel();
    let notices = internal.clone();
    let notify = Box::new(move |notice| drop(notices.send(Internal::Notice(notice))));
    let (count, limit) = (options.points.len(), options.limit_bytes);
    let recorder = recorder::start(recording, count, limit, retention, arrivals.clone(), notify)
        .map_err(StartError::Thread)?;
    let (engine_progress, engine) = watch::channel(Progress::default());
    let (events, told) = mpsc::unbounded_channel();
    let (progress, progress_seen) = watch::channel(SessionProgress::default());
    let (mailbox, outside) = mpsc::channel(MAILBOX);
    let (outcome, awaited) = oneshot::channel();
    let (alive, abandoned) = oneshot::channel();
    let feed_thread = FeedThread {
        meta,
        reader,
        make_consumer,
        arrivals: arrivals.clone(),
        recorder: (retention == Retention::UntilRead).then(|| recorder.clone()),
        events: events.clone(),
        progress: engine_progress,
        internal,
    };
    let session = Session {
        machine: Machine::new(count),
        points: core::iter::repeat_with(Point::default).take(count).collect(),
        recorder,
        arrivals,
        feed_thread: Some(feed_thread),
        engine,
        events,
        progress,
        mailbox: mailbox.clone(),
        deadline: Some(Instant::now() + options.timeouts.start),
        recorded_then: 0,
        full: false,
        options,
    };
    tokio::spawn(session.run(outside, inside, outcome, abandoned));
    Ok((SessionHandle::new(told, progress_seen, mailbox.clone(), awaited, alive), mailbox))
}

fn check(options: &SessionOptions) -> Result<(), StartError> {
    let has = |role| options.points.iter().any(|point| point.role == role);
    if !has(Role::Client) || !has(Role::Server) {
        return Err(StartError::Roles);
    }
    if options.points.len() > usize::from(u16::MAX) {
        return Err(StartError::TooManyPoints(options.points.len()));
    }
    Ok(())
}
