//! The one task that owns a session: everything that happens to it comes through its mailbox.

use super::event::{EndCause, Failure, Outcome, PointProgress, SessionEvent, SessionProgress};
use super::feed_thread::{self, FeedThread, Judged};
use super::machine::{Action, Input, Machine, Phase, STARTED_ANEW};
use super::message::{AgentConnected, Internal, Mailbox, Message, UploadGrant};
use super::options::SessionOptions;
use super::restart::{self, Restarting};
use crate::arrivals::Arrivals;
use crate::recorder::{Command, Notice, Recorded, RecorderHandle, Source};
use crate::recording::RecordedPoint;
use core::time::Duration;
use correlate_engine::Progress;
use correlate_proto::{CapturePoint, CapturePointId, Local, Span, Timestamp, wire};
use std::collections::VecDeque;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Between two updates of the counts.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Point {
    pub(super) agent: Option<AgentConnected>,
    pub(super) rough_offset: Option<Span>,
    pub(super) started: Option<CapturePoint>,
    /// When its capture began, by its own clock.
    pub(super) began: Option<Timestamp<Local>>,
    dropped: u64,
    /// An upload that came before the capture was known to run; a later one takes its place.
    pub(super) waiting_upload: Option<oneshot::Sender<Option<UploadGrant>>>,
    /// Which of its captures is wanted: 0 the first.
    pub(super) incarnation: u32,
    /// Whether that one has begun.
    pub(super) restart: Restarting,
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
            let inputs: Vec<Input> = tokio::select! {
                // What is recorded comes before what agents say: an agent that comes back without a capture that
                // has ended well is no agent that lost one.
                biased;
                Some(told) = inside.recv() => match told {
                    Internal::Judged(judged) => break self.judged(judged).await,
                    Internal::Notice(notice) => self.notice(notice).into_iter().collect(),
                },
                Some(message) = outside.recv() => self.message(message).await,
                () = until(self.deadline) => self.timed_out().into_iter().collect(),
                _ = ticks.tick() => {
                    self.publish_progress();
                    Vec::new()
                }
                _ = &mut abandoned => vec![Input::RecordingFailed(abandonment())],
            };
            if let Err(failure) = self.take_steps(inputs).await {
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

    /// Moves the machine, does what it says, and moves it on by what came of that.
    async fn take_steps(&mut self, inputs: Vec<Input>) -> Result<(), Failure> {
        let mut inputs = VecDeque::from(inputs);
        while let Some(input) = inputs.pop_front() {
            inputs.extend(self.step(input).await?);
        }
        Ok(())
    }

    async fn step(&mut self, input: Input) -> Result<Vec<Input>, Failure> {
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
        let mut followed = Vec::new();
        for action in actions {
            followed.extend(self.act(action).await?);
        }
        Ok(followed)
    }

    /// Does what the machine says. Gives what came of it.
    async fn act(&mut self, action: Action) -> Result<Option<Input>, Failure> {
        match action {
            Action::Feed => self.begin_feed().await?,
            Action::Stop(point) if self.is_restarting(point) => {
                // There is nothing to stop, and nothing to wait for.
                return Ok(Some(Input::Broken(point, STARTED_ANEW.to_owned())));
            }
            Action::Stop(point) => self.command_stop(point, false),
            Action::Restart(point) => self.give_up_capture(point).await,
            Action::Discard(point) => self.command_stop(point, true),
            Action::Close(point, why) => {
                self.recorder.send(Command::Close { point, why: why.clone() }).await;
                self.tell(SessionEvent::PointEnded(point, EndCause::Failed(why)));
            }
            // The feed comes to its end by itself, as every point has come to its.
            Action::Judge => {}
            Action::Fail(failure) => return Err(failure),
        }
        Ok(None)
    }

    async fn message(&mut self, message: Message) -> Vec<Input> {
        let input = match message {
            Message::Connected(agent) => return self.connected(&agent),
            Message::Gone { agent, connection } => {
                self.gone(&agent, connection);
                None
            }
            Message::Started { agent, point, started } => self.started(&agent, point, started).await,
            Message::Refused { agent, failure } => {
                failure.point.filter(|point| self.belongs(*point, &agent)).map(|point| {
                    if self.is_restarting(point) {
                        Input::Broken(point, format!("{STARTED_ANEW}, and refused: {}", failure.reason))
                    } else {
                        Input::Refused(point, failure)
                    }
                })
            }
            Message::Upload { agent, source, reply } => {
                self.upload(&agent, source, reply);
                None
            }
            Message::Broken { source: Source { point, incarnation }, why } => {
                let present = self
                    .points
                    .get(usize::from(point.0))
                    .is_some_and(|known| known.incarnation == incarnation);
                present.then_some(Input::Broken(point, why))
            }
            Message::Dropped { point, dropped } => {
                if let Some(known) = self.points.get_mut(usize::from(point.0)) {
                    known.dropped = dropped;
                }
                None
            }
            Message::Stop => Some(Input::StopAsked),
            Message::GiveUp => Some(Input::RecordingFailed(given_up())),
        };
        input.into_iter().collect()
    }

    fn notice(&mut self, notice: Notice) -> Option<Input> {
        Some(match notice {
            Notice::Interrupted(point, next) => return self.interrupted(point, next),
            Notice::Unlike(point) => Input::Broken(point, restart::UNLIKE.to_owned()),
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
        })
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

    pub(super) fn tell(&self, event: SessionEvent) {
        // Whoever does not listen does not want to know.
        let _ = self.events.send(event);
    }

    pub(super) fn recorded(&self, place: usize) -> Recorded {
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
