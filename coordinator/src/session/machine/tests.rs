//! What happens in which order, and what follows.

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
