//! The life of a session as a pure state machine: `waiting → capturing → draining → done | failed`.
//!
//! What happens goes in, what must be done comes out; who does it, and how, stands in `task`.

use super::event::{EndCause, Failure};
use correlate_proto::CapturePointId;

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
mod tests {
    use super::*;

    const CLIENT: CapturePointId = CapturePointId(0);
    const SERVER: CapturePointId = CapturePointId(1);

    fn after(inputs: impl IntoIterator<Item = Input>) -> (Phase, Vec<Action>) {
        let (mut machine, mut actions) = (Machine::new(2), Vec::new());
        for input in inputs {
            machine.handle(input, &mut actions);
        }
        (machine.phase(), actions)
    }

    fn both_started() -> Vec<Input> {
        vec![Input::Started(SERVER), Input::Started(CLIENT)]
    }

    fn failure(point: Option<CapturePointId>) -> Failure {
        Failure { point, reason: "no privilege".to_owned(), remedy: "be root".to_owned() }
    }

    #[test]
    fn the_feed_begins_when_every_capture_runs() {
        assert_eq!(after([Input::Started(SERVER)]), (Phase::Waiting, vec![]));
        assert_eq!(after(both_started()), (Phase::Capturing, vec![Action::Feed]));
        let mut again = both_started();
        again.push(Input::Started(CLIENT));
        assert_eq!(after(again), (Phase::Capturing, vec![Action::Feed]));
    }

    #[test]
    fn a_stop_drains_every_point_and_then_judges() {
        let mut inputs = both_started();
        inputs.extend([
            Input::StopAsked,
            Input::StopAsked,
            Input::Ended(SERVER, EndCause::Stopped),
            Input::Ended(CLIENT, EndCause::Stopped),
            Input::Ended(CLIENT, EndCause::Stopped),
        ]);
        let expected = vec![Action::Feed, Action::Stop(CLIENT), Action::Stop(SERVER), Action::Judge];
        assert_eq!(after(inputs), (Phase::Done, expected));
    }

    #[test]
    fn a_full_recording_stops_the_session_in_order() {
        let mut inputs = both_started();
        inputs.push(Input::RecordingFull);
        let expected = vec![Action::Feed, Action::Stop(CLIENT), Action::Stop(SERVER)];
        assert_eq!(after(inputs), (Phase::Draining, expected));
    }

    #[test]
    fn a_reached_count_stops_the_other_end_but_an_ended_file_does_not() {
        let mut inputs = both_started();
        inputs.push(Input::Ended(CLIENT, EndCause::Count));
        assert_eq!(after(inputs), (Phase::Draining, vec![Action::Feed, Action::Stop(SERVER)]));
        let mut inputs = both_started();
        inputs.push(Input::Ended(CLIENT, EndCause::SourceEnded));
        assert_eq!(after(inputs.clone()), (Phase::Capturing, vec![Action::Feed]));
        inputs.push(Input::Ended(SERVER, EndCause::SourceEnded));
        assert_eq!(after(inputs), (Phase::Done, vec![Action::Feed, Action::Judge]));
    }

    #[test]
    fn a_count_that_is_reached_before_the_other_end_began_stops_it_when_it_does() {
        let (phase, actions) =
            after([Input::Started(CLIENT), Input::Ended(CLIENT, EndCause::Count), Input::Started(SERVER)]);
        assert_eq!((phase, actions), (Phase::Draining, vec![Action::Feed, Action::Stop(SERVER)]));
    }

    #[test]
    fn a_refusal_fails_the_session_and_releases_the_other_end() {
        let inputs = [Input::Started(CLIENT), Input::Refused(SERVER, failure(Some(SERVER)))];
        let expected =
            vec![Action::Discard(SERVER), Action::Discard(CLIENT), Action::Fail(failure(Some(SERVER)))];
        assert_eq!(after(inputs), (Phase::Failed, expected));
    }

    #[test]
    fn a_late_refusal_of_a_running_capture_changes_nothing() {
        let mut inputs = both_started();
        inputs.push(Input::Refused(CLIENT, failure(Some(CLIENT))));
        assert_eq!(after(inputs), (Phase::Capturing, vec![Action::Feed]));
    }

    #[test]
    fn an_agent_that_never_comes_fails_the_start_and_is_named() {
        let (phase, actions) = after([Input::Started(CLIENT), Input::StartTimedOut]);
        assert_eq!(phase, Phase::Failed);
        assert!(matches!(actions.last(), Some(Action::Fail(Failure { point: Some(SERVER), .. }))));
    }

    #[test]
    fn an_agent_that_does_not_deliver_is_closed_and_the_rest_judged() {
        let mut inputs = both_started();
        inputs.extend([
            Input::StopAsked,
            Input::Ended(CLIENT, EndCause::Stopped),
            Input::DrainTimedOut,
            Input::Ended(SERVER, EndCause::Stopped),
        ]);
        let (phase, actions) = after(inputs);
        assert_eq!(phase, Phase::Done);
        assert!(matches!(&actions[3..], [Action::Close(SERVER, _), Action::Discard(SERVER), Action::Judge]));
    }

    #[test]
    fn a_broken_capture_is_closed_and_the_session_goes_on() {
        let mut inputs = both_started();
        inputs.push(Input::Broken(CLIENT, "bad batch".to_owned()));
        inputs.push(Input::Broken(CLIENT, "again".to_owned()));
        let close = Action::Close(CLIENT, "bad batch".to_owned());
        assert_eq!(after(inputs), (Phase::Capturing, vec![Action::Feed, close, Action::Discard(CLIENT)]));
    }

    #[test]
    fn a_stop_before_the_start_is_a_failure_without_a_report() {
        let (phase, actions) = after([Input::Started(CLIENT), Input::StopAsked, Input::Started(SERVER)]);
        assert_eq!(phase, Phase::Failed);
        assert!(matches!(actions.last(), Some(Action::Fail(_))));
        assert!(!actions.contains(&Action::Feed));
    }

    #[test]
    fn a_session_that_is_gone_on_with_stands_where_its_recording_says() {
        assert_eq!(Machine::resumed(&[false, true], false).phase(), Phase::Capturing);
        assert_eq!(Machine::resumed(&[false, true], true).phase(), Phase::Draining);
        assert_eq!(Machine::resumed(&[true, true], true).phase(), Phase::Done);
        let mut machine = Machine::resumed(&[false, true], false);
        assert!(machine.is_running(CapturePointId(0)) && !machine.is_running(CapturePointId(1)));
        let mut actions = Vec::new();
        machine.handle(Input::StopAsked, &mut actions);
        assert_eq!(actions, [Action::Stop(CapturePointId(0))]);
        machine.handle(Input::Ended(CapturePointId(0), EndCause::Stopped), &mut actions);
        assert_eq!(actions.last(), Some(&Action::Judge));
    }
}
