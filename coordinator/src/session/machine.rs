//! The life of a session as a pure state machine: `waiting → capturing → draining → done | failed`.
//!
//! What happens goes in, what must be done comes out; who does it, and how, stands in `task`.

use super::event::{EndCause, Failure};
use correlate_proto::CapturePointId;

/// Why a capture is over that is not begun anew.
pub(super) const STARTED_ANEW: &str = "its agent was started anew";

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not every capture runs yet.
    Waiting,
    /// All captures run or have ended by themselves.
    Capturing,
    /// Captures were told to stop; what they hold is awaited.
    Draining,
    /// Everything is in.
    Done,
    /// It came to nothing.
    Failed,
}

/// What happens to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// A capture runs.
    Started(CapturePointId),
    /// A capture could not begin.
    Refused(CapturePointId, Failure),
    /// A capture is over and recorded.
    Ended(CapturePointId, EndCause),
    /// A capture will deliver nothing more, and does not say so itself.
    Broken(CapturePointId, String),
    /// A capture is gone with its agent, which is back without it.
    Lost(CapturePointId),
    /// The user has seen enough.
    StopAsked,
    /// There is no room for more.
    RecordingFull,
    /// Nothing can be recorded.
    RecordingFailed(Failure),
    /// The wait for captures to begin was too long.
    StartTimedOut,
    /// The wait for captures to end was too long.
    DrainTimedOut,
}

/// What must be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Every capture runs: begin to feed the engine.
    Feed,
    /// Tell the capture to end in order.
    Stop(CapturePointId),
    /// Tell the capture to end at once and forget what it holds.
    Discard(CapturePointId),
    /// Close the point in the recording: it delivers nothing more, for this reason.
    Close(CapturePointId, String),
    /// Begin the capture anew, in place of the one that is lost.
    Restart(CapturePointId),
    /// Everything is in: let the engine judge.
    Judge,
    /// Give up.
    Fail(Failure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PointState {
    Asked,
    Running,
    Ended,
}

/// A session's state.
#[derive(Debug)]
pub(crate) struct Machine {
    phase: Phase,
    points: Vec<PointState>,
    /// Asked to stop while not every capture runs yet: one reached its count meanwhile.
    stop_pending: bool,
}

impl Machine {
    pub(crate) fn new(points: usize) -> Self {
        Self { phase: Phase::Waiting, points: vec![PointState::Asked; points], stop_pending: false }
    }

    /// The machine of a session that is gone on with: every capture had begun, and those of `ended` have ended.
    pub(crate) fn resumed(ended: &[bool], stopping: bool) -> Self {
        let state = |ended: &bool| if *ended { PointState::Ended } else { PointState::Running };
        let phase = match (ended.iter().all(|ended| *ended), stopping) {
            (true, _) => Phase::Done,
            (false, true) => Phase::Draining,
            (false, false) => Phase::Capturing,
        };
        Self { phase, points: ended.iter().map(state).collect(), stop_pending: false }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the point's capture is wanted and has not been heard of.
    pub(crate) fn is_asked(&self, point: CapturePointId) -> bool {
        self.is(point, PointState::Asked)
    }

    /// Whether the point's capture runs.
    pub(crate) fn is_running(&self, point: CapturePointId) -> bool {
        self.is(point, PointState::Running)
    }

    /// Takes in what happened; appends what must be done.
    pub(crate) fn handle(&mut self, input: Input, actions: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Done | Phase::Failed) {
            return;
        }
        match input {
            Input::Started(point) => self.started(point, actions),
            Input::Refused(point, failure) => {
                if self.is_asked(point) {
                    self.fail(failure, actions);
                }
            }
            Input::Ended(point, cause) => self.ended(point, &cause, actions),
            Input::Broken(point, why) => {
                if !self.is(point, PointState::Ended) {
                    actions.push(Action::Close(point, why));
                    actions.push(Action::Discard(point));
                    self.ended(point, &EndCause::Failed(String::new()), actions);
                }
            }
            Input::Lost(point) if self.phase == Phase::Capturing => {
                if self.is_running(point) {
                    actions.push(Action::Restart(point));
                }
            }
            Input::Lost(point) => self.handle(Input::Broken(point, STARTED_ANEW.to_owned()), actions),
            Input::StopAsked if self.phase == Phase::Waiting => self.fail(
                Failure {
                    point: None,
                    reason: "stopped before every capture had begun".to_owned(),
                    remedy: String::new(),
                },
                actions,
            ),
            Input::StopAsked | Input::RecordingFull => self.stop(actions),
            Input::RecordingFailed(failure) => self.fail(failure, actions),
            Input::StartTimedOut => self.start_timed_out(actions),
            Input::DrainTimedOut => self.drain_timed_out(actions),
        }
    }

    fn started(&mut self, point: CapturePointId, actions: &mut Vec<Action>) {
        if !self.is_asked(point) {
            return;
        }
        self.set(point, PointState::Running);
        self.begin_if_all_started(actions);
    }

    fn begin_if_all_started(&mut self, actions: &mut Vec<Action>) {
        if self.phase == Phase::Waiting && !self.points.contains(&PointState::Asked) {
            self.phase = Phase::Capturing;
            actions.push(Action::Feed);
            if self.stop_pending {
                self.stop(actions);
            }
        }
    }

    fn ended(&mut self, point: CapturePointId, cause: &EndCause, actions: &mut Vec<Action>) {
        if self.is(point, PointState::Ended) {
            return;
        }
        self.set(point, PointState::Ended);
        self.begin_if_all_started(actions);
        match cause {
            // What one end no longer sees, the other need not capture.
            EndCause::Count | EndCause::Duration => self.stop(actions),
            EndCause::Stopped | EndCause::SourceEnded | EndCause::Failed(_) => {}
        }
        self.judge_if_all_ended(actions);
    }

    /// Ends what runs, once every capture does.
    fn stop(&mut self, actions: &mut Vec<Action>) {
        self.stop_pending |= self.phase == Phase::Waiting;
        if self.phase != Phase::Capturing {
            return;
        }
        self.phase = Phase::Draining;
        self.each_in(PointState::Running, |point| actions.push(Action::Stop(point)));
        self.judge_if_all_ended(actions);
    }

    fn judge_if_all_ended(&mut self, actions: &mut Vec<Action>) {
        let running = matches!(self.phase, Phase::Capturing | Phase::Draining);
        if running && self.points.iter().all(|state| *state == PointState::Ended) {
            self.phase = Phase::Done;
            actions.push(Action::Judge);
        }
    }

    fn start_timed_out(&mut self, actions: &mut Vec<Action>) {
        let mut missing = None;
        self.each_in(PointState::Asked, |point| missing = missing.or(Some(point)));
        if let (Phase::Waiting, Some(point)) = (self.phase, missing) {
            let failure = Failure {
                point: Some(point),
                reason: "its agent did not begin to capture in time".to_owned(),
                remedy: "check that the agent runs and reaches this coordinator: `correlate doctor`"
                    .to_owned(),
            };
            self.fail(failure, actions);
        }
    }

    fn drain_timed_out(&mut self, actions: &mut Vec<Action>) {
        if self.phase != Phase::Draining {
            return;
        }
        let mut late = Vec::new();
        self.each_in(PointState::Running, |point| late.push(point));
        for point in late {
            let why = "its agent did not deliver the rest in time".to_owned();
            actions.push(Action::Close(point, why));
            actions.push(Action::Discard(point));
            self.set(point, PointState::Ended);
        }
        self.judge_if_all_ended(actions);
    }

    fn fail(&mut self, failure: Failure, actions: &mut Vec<Action>) {
        self.phase = Phase::Failed;
        for state in [PointState::Asked, PointState::Running] {
            self.each_in(state, |point| actions.push(Action::Discard(point)));
        }
        actions.push(Action::Fail(failure));
    }

    fn is(&self, point: CapturePointId, state: PointState) -> bool {
        self.points.get(usize::from(point.0)) == Some(&state)
    }

    fn set(&mut self, point: CapturePointId, state: PointState) {
        if let Some(slot) = self.points.get_mut(usize::from(point.0)) {
            *slot = state;
        }
    }

    fn each_in(&self, state: PointState, mut act: impl FnMut(CapturePointId)) {
        for (id, found) in (0u16..).zip(&self.points) {
            if *found == state {
                act(CapturePointId(id));
            }
        }
    }
}

#[cfg(test)]
mod tests;
