//! Starting a session: its recording, its threads, its task. A session that another coordinator left behind is gone
//! on with from its recording.

use super::event::{SessionEvent, SessionProgress};
use super::feed_thread::{self, FeedThread};
use super::handle::{SessionHandle, StartError};
use super::machine::{Machine, Phase};
use super::message::{Internal, Mailbox};
use super::options::SessionOptions;
use super::spec;
use super::task::{Point, Session};
use crate::arrivals::Arrivals;
use crate::feeding::MakeConsumer;
use crate::recorder::{self, Retention};
use crate::recording::{PointState, RecordedPoint, Recording, RecordingError, SessionMeta};
use crate::service::now_ns;
use correlate_engine::Progress;
use correlate_proto::Role;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Messages that wait for the session; whoever sends more waits too.
const MAILBOX: usize = 64;

/// What is known of a session when its task begins.
struct Begin {
    recording: Recording,
    meta: SessionMeta,
    machine: Machine,
    known: Vec<PointState>,
}

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
    if options.resumable {
        recording.write_spec(&spec::of(&options), now_ns())?;
    }
    let count = options.points.len();
    let known = vec![PointState::default(); count];
    let begin = Begin { recording, meta, machine: Machine::new(count), known };
    let (session, channels) = assemble(options, begin, make_consumer)?;
    Ok(channels.spawn(session))
}

/// Goes on with a session whose captures had all begun. `options` are those that it was started with; its recording
/// says how far it had come.
pub(crate) fn resume(
    options: SessionOptions,
    recording: Recording,
    make_consumer: MakeConsumer,
) -> Result<(SessionHandle, Mailbox), StartError> {
    recording.go_on()?;
    let (meta, points) = (recording.meta()?, recording.points()?);
    let known = points.iter().map(|point| recording.point_state(point.point.id));
    let known = known.collect::<Result<Vec<_>, RecordingError>>()?;
    let ended: Vec<bool> = known.iter().map(|point| point.ended.is_some()).collect();
    let machine = Machine::resumed(&ended, recording.is_stopping()?);
    let incarnations: Vec<u32> = known.iter().map(|point| point.incarnation).collect();
    let begin = Begin { recording, meta, machine, known };
    let (mut session, channels) = assemble(options, begin, make_consumer)?;
    for (point, incarnation) in session.points.iter_mut().zip(incarnations) {
        point.incarnation = incarnation;
    }
    for (point, recorded) in session.points.iter_mut().zip(&points) {
        point.started = Some(recorded.point.clone());
        point.rough_offset = Some(recorded.rough_offset);
        point.began = Some(recorded.began);
    }
    announce(&session, &points);
    if let Some(thread) = session.feed_thread.take() {
        feed_thread::spawn(thread, points).map_err(StartError::Thread)?;
    }
    Ok(channels.spawn(session))
}

/// Tells whoever listens where the session stands.
fn announce(session: &Session, points: &[RecordedPoint]) {
    let capture_points = points.iter().map(|point| point.point.clone()).collect();
    // Nobody can have stopped to listen yet.
    let _ = session.events.send(SessionEvent::Started(capture_points));
    for point in points.iter().map(|point| point.point.id).filter(|id| session.machine.is_running(*id)) {
        let _ = session.events.send(SessionEvent::AgentLost(point));
    }
    if session.machine.phase() == Phase::Draining {
        let _ = session.events.send(SessionEvent::Stopping);
    }
}

/// The ends of a session's channels that are not the session's own.
struct Channels {
    told: mpsc::UnboundedReceiver<SessionEvent>,
    progress_seen: watch::Receiver<SessionProgress>,
    mailbox: Mailbox,
    outside: mpsc::Receiver<super::Message>,
    inside: mpsc::UnboundedReceiver<Internal>,
}

impl Channels {
    fn spawn(self, session: Session) -> (SessionHandle, Mailbox) {
        let (outcome, awaited) = oneshot::channel();
        let (alive, abandoned) = oneshot::channel();
        tokio::spawn(session.run(self.outside, self.inside, outcome, abandoned));
        let handle = SessionHandle::new(self.told, self.progress_seen, self.mailbox.clone(), awaited, alive);
        (handle, self.mailbox)
    }
}

fn assemble(
    options: SessionOptions,
    begin: Begin,
    make_consumer: MakeConsumer,
) -> Result<(Session, Channels), StartError> {
    let Begin { recording, meta, machine, known } = begin;
    let reader = recording.second()?;
    let keep = options.save.is_some() || options.keep_packets;
    let retention = if keep { Retention::All } else { Retention::UntilRead };
    let arrivals = Arrivals::so_far(&known);
    let (internal, inside) = mpsc::unbounded_channel();
    let notices = internal.clone();
    let notify = Box::new(move |notice| drop(notices.send(Internal::Notice(notice))));
    let (limit, count) = (options.limit_bytes, known.len());
    let recorder = recorder::start(recording, known, limit, retention, arrivals.clone(), notify)
        .map_err(StartError::Thread)?;
    let (engine_progress, engine) = watch::channel(Progress::default());
    let (events, told) = mpsc::unbounded_channel();
    let (progress, progress_seen) = watch::channel(SessionProgress::default());
    let (mailbox, outside) = mpsc::channel(MAILBOX);
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
    let timeouts = options.timeouts;
    let deadline = match machine.phase() {
        Phase::Waiting => Some(Instant::now() + timeouts.start),
        Phase::Draining => Some(Instant::now() + timeouts.linger + timeouts.drain),
        Phase::Capturing | Phase::Done | Phase::Failed => None,
    };
    let session = Session {
        machine,
        points: core::iter::repeat_with(Point::default).take(count).collect(),
        recorder,
        arrivals,
        feed_thread: Some(feed_thread),
        engine,
        events,
        progress,
        mailbox: mailbox.clone(),
        deadline,
        recorded_then: 0,
        full: false,
        options,
    };
    Ok((session, Channels { told, progress_seen, mailbox, outside, inside }))
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
