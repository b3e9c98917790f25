//! The one task that owns a session: everything that happens to it comes through its mailbox.

use super::commands;
use super::event::{EndCause, Failure, Outcome, PointProgress, SessionEvent, SessionProgress};
use super::feed_thread::{self, FeedThread, Judged};
use super::machine::{Action, Input, Machine, Phase};
use super::message::{AgentConnected, Internal, Mailbox, Message, UploadGrant};
use super::options::SessionOptions;
use crate::arrivals::Arrivals;
use crate::recorder::{Command, Notice, Recorded, RecorderHandle};
use crate::recording::RecordedPoint;
use core::time::Duration;
use correlate_engine::Progress;
use correlate_proto::{CapturePoint, CapturePointId, Local, Span, Timestamp, wire};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Between two updates of the counts.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Point {
    agent: Option<AgentConnected>,
    pub(super) rough_offset: Option<Span>,
    pub(super) started: Option<CapturePoint>,
    /// When its capture began, by its own clock.
    began: Option<Timestamp<Local>>,
    dropped: u64,
    /// An upload that came before the capture was known to run; a later one takes its place.
    waiting_upload: Option<oneshot::Sender<Option<UploadGrant>>>,
}

pub(super) struct Session {
    pub(super) options: SessionOptions,
    pub(super) machine: Machine,
    pub(super) points: Vec<Point>,
    pub(super) recorder: RecorderHandle,
    pub(super) arrivals: Arrivals,
    pub(super) feed_thread: Option<FeedThread>,
    pub(super) engine: watch::Receiver<Progress>,
    pub(super) events: mpsc::UnboundedSender<SessionEvent>,
    pub(super) progress: watch::Sender<SessionProgress>,
    pub(super) mailbox: Mailbox,
    pub(super) deadline: Option<Instant>,
    /// What was recorded when the deadline was set: while there is more, it is moved.
    pub(super) recorded_then: u64,
    pub(super) full: bool,
}

impl Session {
    pub(super) async fn run(
        mut self,
        mut outside: mpsc::Receiver<Message>,
        mut inside: mpsc::UnboundedReceiver<Internal>,
        outcome: oneshot::Sender<Result<Outcome, Failure>>,
        mut abandoned: oneshot::Receiver<()>,
    ) {
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        let result = loop {
            let inputs = tokio::select! {
                // What is recorded comes before what agents say: an agent that comes back without a capture that
                // has ended well is no agent that lost one.
                biased;
                Some(told) = inside.recv() => match told {
                    Internal::Judged(judged) => break self.judged(judged).await,
                    Internal::Notice(notice) => Some(self.notice(notice)),
                },
                Some(message) = outside.recv() => self.message(message),
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
                self.recorder.send(Command::Stopping).await;
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

    fn message(&mut self, message: Message) -> Option<Input> {
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
                self.upload(&agent, point, reply);
                None
            }
            Message::Broken { point, why } => Some(Input::Broken(point, why)),
            Message::Dropped { point, dropped } => {
                self.points.get_mut(usize::from(point.0))?.dropped = dropped;
                None
            }
            Message::Stop => Some(Input::StopAsked),
            Message::GiveUp => Some(Input::RecordingFailed(given_up())),
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
                self.command(point, commands::start(&self.options, point));
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
        let began = Timestamp::from_ns(started.realtime_ns);
        match commands::capture_point(&self.options, point, started) {
            Ok(capture_point) => {
                let waiting = {
                    let known = &mut self.points[usize::from(point.0)];
                    known.started = Some(capture_point);
                    known.began = Some(began);
                    known.waiting_upload.take()
                };
                if let Some(reply) = waiting {
                    let _ = reply.send(self.grant(point));
                }
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

    /// Lets an upload begin. One that comes before its capture is known to run waits for that: the two come on
    /// streams of their own, in either order.
    fn upload(&mut self, agent: &str, point: CapturePointId, reply: oneshot::Sender<Option<UploadGrant>>) {
        if self.belongs(point, agent) && self.machine.is_asked(point) {
            self.points[usize::from(point.0)].waiting_upload = Some(reply);
            return;
        }
        let grant = self.belongs(point, agent).then(|| self.grant(point)).flatten();
        // An upload that is gone meanwhile opens another.
        let _ = reply.send(grant);
    }

    fn notice(&mut self, notice: Notice) -> Input {
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
                Input::Ended(point, cause)
            }
            Notice::Full => {
                self.full = true;
                self.tell(SessionEvent::RecordingFull { limit_bytes: self.options.limit_bytes });
                Input::RecordingFull
            }
            Notice::Failed(error) => Input::RecordingFailed(recording_failure(&error)),
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
                began: point.began.unwrap_or(Timestamp::from_ns(i64::MAX)),
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
            Ok(Err(error)) => Err(recording_failure(&error)),
            // A recorder that ended before has told why.
            Ok(Ok(())) | Err(_) => Ok(()),
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

    fn command_stop(&self, point: CapturePointId, discard: bool) {
        self.command(point, commands::stop(&self.options, point, discard));
    }

    /// Sends a command to a point's agent. Lost if there is none: it is given again when the agent comes back.
    fn command(&self, point: CapturePointId, command: wire::CoordinatorMessage) {
        let agent = self.points.get(usize::from(point.0)).and_then(|point| point.agent.as_ref());
        if let Some(agent) = agent {
            let _ = agent.commands.try_send(command);
        }
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

fn given_up() -> Failure {
    Failure { point: None, reason: "the session was given up".to_owned(), remedy: String::new() }
}
