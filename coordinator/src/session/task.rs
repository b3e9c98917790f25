//! The one task that owns a session: everything that happens to it comes through its mailbox.

use super::event::{EndCause, Failure, Outcome, PointProgress, SessionEvent, SessionProgress};
use super::feed_thread::{self, FeedThread, Judged};
use super::handle::{SessionHandle, StartError};
use super::machine::{Action, Input, Machine, Phase};
use super::options::SessionOptions;
use crate::arrivals::Arrivals;
use crate::feeding::MakeConsumer;
use crate::recorder::{self, Command, Notice, Recorded, RecorderHandle, Retention};
use crate::recording::{RecordedPoint, Recording, SessionMeta};
use core::time::Duration;
use correlate_engine::Progress;
use correlate_proto::convert::{ConvertError, capture_point_from_wire};
use correlate_proto::{CapturePoint, CapturePointId, Role, Span, wire};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Messages that wait for the session; whoever sends more waits too.
const MAILBOX: usize = 64;
/// Between two updates of the counts.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Where a session is told what agents do.
pub(crate) type Mailbox = mpsc::Sender<Message>;

/// Commands to one agent.
pub(crate) type Commands = mpsc::Sender<wire::CoordinatorMessage>;

/// What agents do.
#[derive(Debug)]
pub(crate) enum Message {
    /// An agent is connected, anew or again.
    Connected(AgentConnected),
    /// An agent's connection is gone.
    Gone { agent: String, connection: u64 },
    /// A capture runs. The sender names itself, so that none speaks for another.
    Started { agent: String, point: CapturePointId, started: wire::CaptureStarted },
    /// A capture could not begin.
    Refused { agent: String, failure: Failure },
    /// An upload begins.
    Upload { agent: String, point: CapturePointId, reply: oneshot::Sender<Option<UploadGrant>> },
    /// An upload carried something that is no batch.
    Broken { point: CapturePointId, why: String },
    /// A point's counters moved: packets dropped so far.
    Dropped { point: CapturePointId, dropped: u64 },
    /// The user has seen enough.
    Stop,
}

/// An agent that is connected.
#[derive(Debug, Clone)]
pub(crate) struct AgentConnected {
    pub(crate) agent: String,
    /// Number of the connection, to tell an old one's end from a new one's.
    pub(crate) connection: u64,
    pub(crate) commands: Commands,
    /// The coordinator's clock less the agent's, roughly.
    pub(crate) rough_offset: Span,
    /// Captures that the agent still has: session and point.
    pub(crate) running: Vec<wire::CaptureId>,
}

/// What an upload works with.
#[derive(Debug)]
pub(crate) struct UploadGrant {
    pub(crate) recorder: RecorderHandle,
    pub(crate) recorded: watch::Receiver<Recorded>,
    pub(crate) arrivals: Arrivals,
    pub(crate) session: Mailbox,
}

/// What the session's own threads tell it. Few by nature: the channel has no bound.
#[derive(Debug)]
pub(super) enum Internal {
    Notice(Notice),
    Judged(Judged),
}

#[derive(Debug, Default)]
struct Point {
    agent: Option<AgentConnected>,
    rough_offset: Option<Span>,
    started: Option<CapturePoint>,
    dropped: u64,
}

struct Session {
    options: SessionOptions,
    machine: Machine,
    points: Vec<Point>,
    recorder: RecorderHandle,
    arrivals: Arrivals,
    feed_thread: Option<FeedThread>,
    engine: watch::Receiver<Progress>,
    events: mpsc::UnboundedSender<SessionEvent>,
    progress: watch::Sender<SessionProgress>,
    mailbox: Mailbox,
    deadline: Option<Instant>,
    /// What was recorded when the deadline was set: while there is more, it is moved.
    recorded_then: u64,
    full: bool,
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

impl Session {
    async fn run(
        mut self,
        mut outside: mpsc::Receiver<Message>,
        mut inside: mpsc::UnboundedReceiver<Internal>,
        outcome: oneshot::Sender<Result<Outcome, Failure>>,
        mut abandoned: oneshot::Receiver<()>,
    ) {
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        let result = loop {
            let inputs = tokio::select! {
                Some(message) = outside.recv() => self.message(message).await,
                Some(told) = inside.recv() => match told {
                    Internal::Judged(judged) => break self.judged(judged).await,
                    Internal::Notice(notice) => self.notice(notice),
                },
                () = until(self.deadline) => self.timed_out(),
                _ = ticks.tick() => {
                    self.publish_progress();
                    None
                }
                _ = &mut abandoned => Some(Input::RecordingFailed(abandonment())),
            };
            if let Some(input) = inputs
                && let Err(failure) = self.step(input).await
            {
                break Err(failure);
            }
        };
        self.publish_progress();
        if result.is_err() {
            self.arrivals.abort();
            self.finish_recording(None).await.ok();
        }
        // Nobody may be left to hear it.
        let _ = outcome.send(result);
    }

    /// Moves the machine, and does what it says.
    async fn step(&mut self, input: Input) -> Result<(), Failure> {
        let before = self.machine.phase();
        let mut actions = Vec::new();
        self.machine.handle(input, &mut actions);
        let phase = self.machine.phase();
        if phase != before {
            let timeouts = self.options.timeouts;
            self.deadline = match phase {
                Phase::Draining => Some(Instant::now() + timeouts.linger + timeouts.drain),
                Phase::Waiting | Phase::Capturing | Phase::Done | Phase::Failed => None,
            };
            if phase == Phase::Draining {
                self.tell(SessionEvent::Stopping);
            }
        }
        for action in actions {
            self.act(action).await?;
        }
        Ok(())
    }

    async fn act(&mut self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Feed => self.begin_feed().await?,
            Action::Stop(point) => self.command_stop(point, false),
            Action::Discard(point) => self.command_stop(point, true),
            Action::Close(point, why) => {
                self.recorder.send(Command::Close { point, why: why.clone() }).await;
                self.tell(SessionEvent::PointEnded(point, EndCause::Failed(why)));
            }
            // The feed comes to its end by itself, as every point has come to its.
            Action::Judge => {}
            Action::Fail(failure) => return Err(failure),
        }
        Ok(())
    }

    async fn message(&mut self, message: Message) -> Option<Input> {
        match message {
            Message::Connected(agent) => self.connected(&agent),
            Message::Gone { agent, connection } => {
                self.gone(&agent, connection);
                None
            }
            Message::Started { agent, point, started } => self.started(&agent, point, started),
            Message::Refused { agent, failure } => {
                let point = failure.point.filter(|point| self.belongs(*point, &agent))?;
                Some(Input::Refused(point, failure))
            }
            Message::Upload { agent, point, reply } => {
                let grant = self.belongs(point, &agent).then(|| self.grant(point)).flatten();
                // An upload that is gone meanwhile opens another.
                let _ = reply.send(grant);
                None
            }
            Message::Broken { point, why } => Some(Input::Broken(point, why)),
            Message::Dropped { point, dropped } => {
                self.points.get_mut(usize::from(point.0))?.dropped = dropped;
                None
            }
            Message::Stop => Some(Input::StopAsked),
        }
    }

    /// Tells a connected agent what it has to do here. An agent that was started anew has lost its captures.
    fn connected(&mut self, agent: &AgentConnected) -> Option<Input> {
        let mut broken = None;
        for (id, place) in (0u16..).zip(0..self.points.len()) {
            let point = CapturePointId(id);
            if !self.belongs(point, &agent.agent) {
                continue;
            }
            let known = &mut self.points[place];
            let back = known.rough_offset.is_some();
            known.agent = Some(agent.clone());
            known.rough_offset.get_or_insert(agent.rough_offset);
            if back {
                self.tell(SessionEvent::AgentBack(point));
            }
            let runs = agent
                .running
                .iter()
                .any(|capture| capture.session == self.options.id && capture.point == u32::from(id));
            if self.machine.is_asked(point) {
                self.command(point, wire::coordinator_message::Message::Start(self.start_command(point)));
            } else if self.machine.is_running(point) && !runs {
                broken = Some(Input::Broken(point, "its agent was started anew".to_owned()));
            } else if self.machine.phase() == Phase::Draining {
                self.command_stop(point, false);
            }
        }
        broken
    }

    fn gone(&mut self, agent: &str, connection: u64) {
        for (id, place) in (0u16..).zip(0..self.points.len()) {
            let known = &mut self.points[place].agent;
            if known.as_ref().is_some_and(|known| known.agent == agent && known.connection == connection) {
                *known = None;
                if self.machine.is_running(CapturePointId(id)) {
                    self.tell(SessionEvent::AgentLost(CapturePointId(id)));
                }
            }
        }
    }

    fn started(
        &mut self,
        agent: &str,
        point: CapturePointId,
        started: wire::CaptureStarted,
    ) -> Option<Input> {
        if !self.belongs(point, agent) || !self.machine.is_asked(point) {
            return None;
        }
        match self.capture_point(point, started) {
            Ok(capture_point) => {
                self.points[usize::from(point.0)].started = Some(capture_point);
                Some(Input::Started(point))
            }
            Err(error) => {
                let failure = Failure {
                    point: Some(point),
                    reason: format!("its agent says what makes no sense: {error}"),
                    remedy: "let agent and coordinator be of the same version".to_owned(),
                };
                Some(Input::Refused(point, failure))
            }
        }
    }

    fn notice(&mut self, notice: Notice) -> Option<Input> {
        match notice {
            Notice::Ended(point, ending) => {
                let cause = match ending.reason {
                    wire::EndReason::Stopped => EndCause::Stopped,
                    wire::EndReason::Count => EndCause::Count,
                    wire::EndReason::Duration => EndCause::Duration,
                    wire::EndReason::SourceEnded => EndCause::SourceEnded,
                    wire::EndReason::Failed | wire::EndReason::Unspecified => EndCause::Failed(ending.error),
                };
                self.tell(SessionEvent::PointEnded(point, cause.clone()));
                Some(Input::Ended(point, cause))
            }
            Notice::Full => {
                self.full = true;
                self.tell(SessionEvent::RecordingFull { limit_bytes: self.options.limit_bytes });
                Some(Input::RecordingFull)
            }
            Notice::Failed(error) => Some(Input::RecordingFailed(recording_failure(&error))),
        }
    }

    /// The deadline passed. While the drain brings something, it goes on.
    fn timed_out(&mut self) -> Option<Input> {
        if self.machine.phase() == Phase::Waiting {
            return Some(Input::StartTimedOut);
        }
        let recorded = self.recorded_batches();
        if recorded > self.recorded_then {
            self.recorded_then = recorded;
            self.deadline = Some(Instant::now() + self.options.timeouts.drain);
            return None;
        }
        self.deadline = None;
        Some(Input::DrainTimedOut)
    }

    /// Every capture runs: writes down where, and starts the thread that feeds the engine.
    async fn begin_feed(&mut self) -> Result<(), Failure> {
        let mut points = Vec::new();
        for (place, point) in self.points.iter().enumerate() {
            let Some(started) = &point.started else { continue };
            debug_assert_eq!(place, usize::from(started.id.0), "every point has started");
            points.push(RecordedPoint {
                point: started.clone(),
                rough_offset: point.rough_offset.unwrap_or_default(),
            });
        }
        self.recorder.send(Command::Points(points.clone())).await;
        self.tell(SessionEvent::Started(points.iter().map(|point| point.point.clone()).collect()));
        let Some(thread) = self.feed_thread.take() else { return Ok(()) };
        feed_thread::spawn(thread, points).map_err(|error| Failure {
            point: None,
            reason: format!("cannot start a thread: {error}"),
            remedy: "raise the limit of tasks for this user".to_owned(),
        })
    }

    async fn judged(&mut self, judged: Judged) -> Result<Outcome, Failure> {
        let report = *judged.map_err(|reason| Failure {
            point: None,
            reason,
            remedy: "keep the recording (`--save`) and report this".to_owned(),
        })?;
        self.finish_recording(Some(report.clone())).await?;
        Ok(Outcome { report, saved: self.options.save.clone(), recording_full: self.full })
    }

    async fn finish_recording(
        &mut self,
        report: Option<correlate_proto::report::Report>,
    ) -> Result<(), Failure> {
        // A feed that never began still has the file open, and would keep it from being closed.
        self.feed_thread = None;
        let (done, finished) = oneshot::channel();
        self.recorder.send(Command::Finish { report: report.map(Box::new), done }).await;
        match finished.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(recording_failure(&error)),
            // It ended before, and has told why.
            Err(_) => Ok(()),
        }
    }

    fn belongs(&self, point: CapturePointId, agent: &str) -> bool {
        self.options.points.get(usize::from(point.0)).is_some_and(|spec| spec.agent == agent)
    }

    fn grant(&self, point: CapturePointId) -> Option<UploadGrant> {
        Some(UploadGrant {
            recorder: self.recorder.clone(),
            recorded: self.recorder.recorded(point)?,
            arrivals: self.arrivals.clone(),
            session: self.mailbox.clone(),
        })
    }

    fn capture_point(
        &self,
        point: CapturePointId,
        started: wire::CaptureStarted,
    ) -> Result<CapturePoint, ConvertError> {
        let spec = &self.options.points[usize::from(point.0)];
        let mut capture_point = capture_point_from_wire(&wire::CapturePoint {
            id: point.0.into(),
            role: wire::Role::Client.into(),
            host: spec.host.clone(),
            kind: started.kind,
            interfaces: started.interfaces,
            link_type: started.link_type,
            vouched: spec.vouched,
        })?;
        capture_point.role = spec.role;
        Ok(capture_point)
    }

    fn start_command(&self, point: CapturePointId) -> wire::StartCapture {
        let (options, spec) = (&self.options, &self.options.points[usize::from(point.0)]);
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        wire::StartCapture {
            capture: Some(self.capture_id(point)),
            filter: spec.filter.as_ref().unwrap_or(&options.filter).clone(),
            snaplen: options.snaplen,
            count: options.count.unwrap_or(0),
            duration_ms: options.duration.map_or(0, millis),
            interfaces: spec.interfaces.clone(),
            decapsulate: options.decapsulate,
        }
    }

    fn command_stop(&self, point: CapturePointId, discard: bool) {
        let linger_ms = u32::try_from(self.options.timeouts.linger.as_millis()).unwrap_or(u32::MAX);
        let stop = wire::StopCapture { capture: Some(self.capture_id(point)), linger_ms, discard };
        self.command(point, wire::coordinator_message::Message::Stop(stop));
    }

    /// Sends a command to a point's agent. Lost if there is none: it is given again when the agent comes back.
    fn command(&self, point: CapturePointId, message: wire::coordinator_message::Message) {
        let agent = self.points.get(usize::from(point.0)).and_then(|point| point.agent.as_ref());
        if let Some(agent) = agent {
            let _ = agent.commands.try_send(wire::CoordinatorMessage { message: Some(message) });
        }
    }

    fn capture_id(&self, point: CapturePointId) -> wire::CaptureId {
        wire::CaptureId { session: self.options.id.clone(), point: point.0.into() }
    }

    fn tell(&self, event: SessionEvent) {
        // Whoever does not listen does not want to know.
        let _ = self.events.send(event);
    }

    fn recorded(&self, place: usize) -> Recorded {
        let point = CapturePointId(u16::try_from(place).unwrap_or(u16::MAX));
        self.recorder.recorded(point).map_or_else(Recorded::default, |recorded| *recorded.borrow())
    }

    fn recorded_batches(&self) -> u64 {
        (0..self.points.len()).map(|place| self.recorded(place).through).sum()
    }

    fn publish_progress(&self) {
        let engine = *self.engine.borrow();
        let points = self.points.iter().enumerate().map(|(place, point)| PointProgress {
            packets: self.recorded(place).records,
            dropped: point.dropped,
            connected: point.agent.is_some(),
        });
        self.progress.send_replace(SessionProgress {
            points: points.collect(),
            connections: engine.connections,
            records: engine.records,
        });
    }
}

/// Resolves at that time; never if there is none.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => core::future::pending().await,
    }
}

fn recording_failure(error: &crate::recording::RecordingError) -> Failure {
    Failure { point: None, reason: error.to_string(), remedy: String::new() }
}

fn abandonment() -> Failure {
    Failure { point: None, reason: "nobody waits for the session any more".to_owned(), remedy: String::new() }
}
