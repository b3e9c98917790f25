//! Receivers that do not read, and updates of their windows that the path loses.

use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim, US};
use super::talk::{ACK, C2S, S2C, Talk};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, Location};

/// The server takes in ten segments, closes its window for `closed`, and opens it again.
#[derive(Debug, Clone, Copy)]
struct Stalled {
    closed: i64,
    /// What the server's host says while it is closed, as in the header.
    window: u16,
    /// The update is lost.
    lost: bool,
    /// When the client probes, counted from the closing.
    probes: &'static [i64],
    /// Octets of a probe.
    probe: u32,
    /// The client has more to send.
    more: bool,
    /// Per thousand records that each capture misses.
    misses: [u64; 2],
}

const PLAIN: Stalled = Stalled {
    closed: 1500 * MS,
    window: 0,
    lost: false,
    probes: &[210 * MS, 630 * MS, 1450 * MS],
    probe: 0,
    more: true,
    misses: [0; 2],
};

impl Stalled {
    fn judge(self) -> Judgement {
        let mut sim = Sim::new(3);
        let mut talk = Talk::new(&mut sim, 40_000, 0);
        talk.open(&mut sim);
        talk.transfer(&mut sim, C2S, 10, 10);
        let closing = talk.now;
        let update = closing + self.closed;
        let lost = self.lost;
        sim.path = Box::new(move |wire, _| {
            let is_update = wire.direction == S2C && wire.at == update;
            if lost && is_update { Passage::Lose } else { Passage::Pass }
        });
        sim.misses = self.misses;
        say_window(&mut talk, &mut sim, self.window);
        for &probe in self.probes.iter().filter(|&&probe| probe < self.closed) {
            self.probe_at(&mut talk, &mut sim, closing + probe, self.window);
        }
        talk.now = update;
        let mut resumes = say_window(&mut talk, &mut sim, 502);
        for &probe in self.probes.iter().filter(|&&probe| probe >= self.closed && self.lost) {
            resumes = self.probe_at(&mut talk, &mut sim, closing + probe, 502);
        }
        talk.now = resumes.unwrap_or(talk.now) + 50 * US;
        if self.more {
            talk.transfer(&mut sim, C2S, 20, 10);
        }
        talk.close(&mut sim, C2S);
        Judge::until(talk.now + 5 * SEC).of(sim)
    }

    /// The client probes at `at`, and the server answers.
    fn probe_at(self, talk: &mut Talk, sim: &mut Sim, at: i64, window: u16) -> Option<i64> {
        talk.now = at;
        let below = talk.stacks[C2S.index()].next - 1;
        talk.now = talk.send(sim, C2S, ACK, below, self.probe)? + 20 * US;
        say_window(talk, sim, window)
    }
}

/// The server acknowledges with this window in the header.
fn say_window(talk: &mut Talk, sim: &mut Sim, window: u16) -> Option<i64> {
    let next = talk.stacks[S2C.index()].next;
    let mut packet = talk.packet(S2C, ACK, next, 0);
    packet.window = window;
    talk.put(sim, S2C, packet, next)
}

#[track_caller]
fn stall(judged: &Judgement, code: Code) -> (i64, Confidence, Location, Option<Direction>) {
    let found = judged.the(code);
    let Details::Stall { stall_ns, .. } = found.details else { panic!("{:?}", found.details) };
    (stall_ns, found.confidence, found.location, found.direction)
}

#[test]
fn a_window_closed_for_long_is_the_receivers_doing() {
    let judged = PLAIN.judge();
    judged.accuses_of(&[Code::ZeroWindow]);
    let expected = (1500 * MS, Confidence::Proven, Location::ServerHost, Some(C2S));
    assert_eq!(stall(&judged, Code::ZeroWindow), expected);
    assert_eq!(judged.lost(), [0, 0], "probes are no losses");
}

#[test]
fn a_window_too_small_for_a_segment_is_closed() {
    let judged = Stalled { window: 9, ..PLAIN }.judge();
    assert_eq!(stall(&judged, Code::ZeroWindow).0, 1500 * MS);
    Stalled { window: 12, ..PLAIN }.judge().accuses_nobody();
}

#[test]
fn a_short_stall_is_no_finding() {
    Stalled { closed: 150 * MS, ..PLAIN }.judge().accuses_nobody();
}

#[test]
fn a_closed_window_that_nobody_wants_to_fill_is_no_finding() {
    Stalled { more: false, probes: &[], ..PLAIN }.judge().accuses_nobody();
    // Keep-alives look like probes, but come late.
    Stalled { more: false, probes: &[1000 * MS, 2000 * MS, 3000 * MS], closed: 4 * SEC, ..PLAIN }
        .judge()
        .accuses_nobody();
}

#[test]
fn an_update_that_the_path_lost_is_the_paths_doing() {
    let stalled = Stalled { closed: 100 * MS, lost: true, probes: &[210 * MS], ..PLAIN };
    for probe in [0, 1] {
        let judged = Stalled { probe, ..stalled }.judge();
        judged.accuses_of(&[Code::WindowUpdateLost]);
        let (stall_ns, confidence, location, direction) = stall(&judged, Code::WindowUpdateLost);
        assert!((110 * MS..140 * MS).contains(&stall_ns), "{stall_ns}");
        assert_eq!(
            (confidence, location, direction),
            (Confidence::Proven, Location::ServerToClientPath, Some(S2C))
        );
    }
}

#[test]
fn a_reader_that_is_slow_and_a_path_that_loses_are_told_apart_in_one_stall() {
    let judged = Stalled { lost: true, probes: &[210 * MS, 630 * MS, 2000 * MS], ..PLAIN }.judge();
    judged.accuses_of(&[Code::ZeroWindow, Code::WindowUpdateLost]);
    assert_eq!(stall(&judged, Code::ZeroWindow).0, 1500 * MS);
    let waited = stall(&judged, Code::WindowUpdateLost).0;
    assert!((500 * MS..530 * MS).contains(&waited), "{waited}");
}

#[test]
fn an_update_lost_when_nothing_was_left_to_send_harms_nobody() {
    Stalled { closed: 100 * MS, lost: true, more: false, probes: &[], ..PLAIN }.judge().accuses_nobody();
    Stalled { closed: 100 * MS, lost: true, probes: &[101 * MS], ..PLAIN }.judge().accuses_nobody();
}

#[test]
fn an_update_that_only_a_capture_lacks_was_not_lost() {
    for seed in 0..200 {
        let misses = [100, 100];
        let judged = Stalled { misses, closed: 1500 * MS + seed, ..PLAIN }.judge();
        assert!(judged.find(Code::WindowUpdateLost).is_none(), "{seed}");
        if let Some(found) = judged.find(Code::ZeroWindow) {
            let Details::Stall { longest_ns, .. } = found.details else { panic!() };
            assert!(longest_ns <= 1520 * MS, "{longest_ns}");
        }
    }
}
