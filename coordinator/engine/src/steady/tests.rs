//! A synthetic host: an oscillator, a wall clock that is slewed and set, an agent that reads both, and packets.

use super::*;
use correlate_proto::Timestamp;

const SECOND: i64 = 1_000_000_000;
const MS: i64 = 1_000_000;
/// The wall clock when the oscillator has counted nothing.
const WALL: i64 = 1_700_000_000 * SECOND;
/// The oscillator when the capture begins.
const BOOT: i64 = 86_400 * SECOND;

/// A wall clock: rates from instants on, and jumps at instants, by the oscillator.
struct Wall {
    /// Since when, in parts per 10⁹.
    rates: Vec<(i64, i64)>,
    steps: Vec<(i64, i64)>,
}

impl Wall {
    fn at(&self, t: i64) -> i64 {
        let mut ahead = 0;
        for (place, &(from, ppb)) in self.rates.iter().enumerate() {
            let to = self.rates.get(place + 1).map_or(i64::MAX, |next| next.0).min(t);
            ahead += (to - from).max(0) / 1000 * ppb / 1_000_000;
        }
        WALL + t + ahead + self.steps.iter().filter(|step| step.0 <= t).map(|step| step.1).sum::<i64>()
    }

    fn sample(&self, t: i64, before: i64) -> ClockSample {
        let stepped = self.steps.iter().any(|step| (before..t).contains(&step.0));
        // Readings are off by some tens of ns.
        let noise = (t / 7) % 60 - 30;
        let realtime = Timestamp::from_ns(self.at(t) + noise);
        ClockSample { raw_ns: BOOT + t, realtime, width_ns: 120, stepped }
    }
}

/// What came out: how far packets were put from their true place, and which of them are doubtful.
struct Outcome {
    clock: SteadyClock,
    worst: i64,
    doubtful: Vec<i64>,
}

/// Sends packets at `packets`, read in batches of 100 ms, each between two samples.
fn run(wall: &Wall, packets: impl Iterator<Item = i64>, until: i64) -> Outcome {
    run_late(wall, packets, until, 60 * MS)
}

/// The same where packets are read so late.
fn run_late(wall: &Wall, packets: impl Iterator<Item = i64>, until: i64, late: i64) -> Outcome {
    let mut clock = SteadyClock::new(&wall.sample(0, 0));
    let mut packets = packets.peekable();
    let (mut number, mut worst, mut doubtful) = (0, 0, Vec::new());
    let mut before = 0;
    for seal in (1..=until / (100 * MS)).map(|n| n * 100 * MS) {
        // The agent reads the clocks every 50 ms, and knows of a step then.
        let samples = [seal - 50 * MS, seal].map(|t| wall.sample(t, core::mem::replace(&mut before, t)));
        clock.begin_batch(&samples, Some(BOOT + seal - 140 * MS - late));
        while let Some(t) = packets.next_if(|&t| t < seal - late) {
            number += 1;
            let at = clock.of_packet(number, wall.at(t));
            if clock.is_doubtful(number) {
                doubtful.push(t);
            } else {
                worst = worst.max((at - WALL - t).abs());
            }
        }
    }
    Outcome { clock, worst, doubtful }
}

fn evenly(every: i64, until: i64) -> impl Iterator<Item = i64> {
    (1..until / every).map(move |n| n * every)
}

#[test]
fn a_clock_that_is_only_off_maps_within_a_microsecond_and_back_exactly() {
    let wall = Wall { rates: vec![(0, 23_000)], steps: vec![] };
    let outcome = run(&wall, evenly(7 * MS, 60 * SECOND), 60 * SECOND);
    assert!(outcome.worst < 200 && outcome.doubtful.is_empty(), "{} ns", outcome.worst);
    let mut clock = outcome.clock;
    for (number, t) in (100_000..).zip(evenly(7 * MS, 30 * SECOND)) {
        let stamp = wall.at(t);
        let at = clock.of_packet(number, stamp);
        assert!((clock.wall(at) - stamp).abs() <= 1, "{t}");
    }
    assert_eq!(clock.steps(), []);
}

#[test]
fn slews_of_all_sizes_bend_the_wall_clock_and_not_steady_time() {
    // NTP moves the rate by tens of ppm every minute; adjtime(3) slews by 500 ppm.
    let rates = vec![
        (0, 20_000),
        (9 * SECOND, 33_000),
        (21 * SECOND, 520_000),
        (30 * SECOND, -480_000),
        (41 * SECOND, 8_000),
    ];
    let outcome = run(&Wall { rates, steps: vec![] }, evenly(3 * MS, 60 * SECOND), 60 * SECOND);
    assert!(outcome.worst < 6_000, "{} ns", outcome.worst);
    assert!(outcome.doubtful.len() < 150, "only those around the four bends: {}", outcome.doubtful.len());
    assert_eq!(outcome.clock.steps(), [], "a slew is no step");
}

/// Whether an instant is near a step: between the samples around it, or so that its stamp could be of either side.
fn is_near(t: i64, at: i64, by: i64) -> bool {
    let reach = 60 * MS + by.abs().min(300 * MS);
    (at - reach..at + reach).contains(&t)
}

#[test]
fn steps_both_ways_are_found_exactly_and_packets_stay_in_order() {
    for by in [
        3_600 * SECOND,
        2 * SECOND,
        40 * MS,
        MS,
        MS / 2,
        -MS / 2,
        -MS,
        -40 * MS,
        -2 * SECOND,
        -3_600 * SECOND,
    ] {
        let at = 10 * SECOND + 12_345_678;
        let wall = Wall { rates: vec![(0, -17_000)], steps: vec![(at, by)] };
        let outcome = run(&wall, evenly(5 * MS, 30 * SECOND), 30 * SECOND);
        assert!(outcome.worst < 300, "{by}: {} ns", outcome.worst);
        let far = outcome.doubtful.iter().filter(|&t| !is_near(*t, at, by)).count();
        assert!(far == 0 && outcome.doubtful.len() <= 40, "{by}: {far} of {}", outcome.doubtful.len());
        let [step] = outcome.clock.steps() else { panic!("{by}: {:?}", outcome.clock.steps()) };
        assert!((step.by - by).abs() < 500, "{by}: {step:?}");
        assert!(step.at - WALL >= at && step.at - WALL - step.within <= at, "{step:?}");
    }
}

#[test]
fn a_busy_agent_that_reads_packets_late_still_tells_the_sides_of_a_step_apart() {
    for late in [0, 130 * MS, 400 * MS, 3 * SECOND] {
        for by in [3_600 * SECOND, 300 * MS, 20 * MS, -20 * MS, -300 * MS, -3_600 * SECOND] {
            for at in [10 * SECOND, 10 * SECOND + 33 * MS, 10 * SECOND + 77_777_777] {
                let wall = Wall { rates: vec![(0, 9_000)], steps: vec![(at, by)] };
                let outcome = run_late(&wall, evenly(MS / 10, 15 * SECOND), 20 * SECOND, late);
                assert!(outcome.worst < 300, "{late} {by} {at}: {} ns", outcome.worst);
                let far = outcome.doubtful.iter().filter(|&t| !is_near(*t, at, by)).count();
                assert_eq!(far, 0, "{late} {by} {at}");
            }
        }
    }
}

#[test]
fn times_that_a_clock_shows_twice_are_told_apart_by_what_was_read_before() {
    // A packet before the clock is set back by two seconds, and one after it with nearly the same stamp.
    let wall = Wall { rates: vec![(0, 0)], steps: vec![(10 * SECOND, -2 * SECOND)] };
    let packets = [9_500 * MS, 11_490 * MS, 11_500 * MS, 11_510 * MS];
    let outcome = run(&wall, packets.into_iter(), 20 * SECOND);
    assert!(outcome.worst < 300 && outcome.doubtful.is_empty(), "{} {:?}", outcome.worst, outcome.doubtful);
    let stamps = [9_500, 11_490].map(|ms| wall.at(ms * MS));
    assert_eq!(stamps[0] - stamps[1], 10 * MS, "the later one shows an earlier time");
    assert!((outcome.clock.wall(WALL + 9_500 * MS) - stamps[0]).abs() < 100);
    assert!((outcome.clock.wall(WALL + 11_490 * MS) - stamps[1]).abs() < 100);
}

#[test]
fn an_instant_of_late_is_the_latest_that_is_not_to_come() {
    let wall = Wall { rates: vec![(0, 0)], steps: vec![(10 * SECOND, -2 * SECOND)] };
    let clock = run(&wall, core::iter::empty(), 20 * SECOND).clock;
    let of_wall = |t: i64| clock.of_wall(wall.at(t)) - WALL;
    assert!((of_wall(19 * SECOND) - 19 * SECOND).abs() < 100);
    assert!((of_wall(7 * SECOND) - 7 * SECOND).abs() < 100, "shown once only");
    assert!((of_wall(9 * SECOND) - 11 * SECOND).abs() < 100, "shown twice: the later one");
}

#[test]
fn a_clock_that_is_set_all_the_time_and_a_long_capture_stay_within_bounds() {
    let steps: Vec<(i64, i64)> =
        (1..200).map(|n| (n * 150 * MS, if n % 2 == 0 { SECOND } else { -SECOND })).collect();
    let restless = run(&Wall { rates: vec![(0, 0)], steps }, evenly(MS, 30 * SECOND), 30 * SECOND);
    assert_eq!(restless.clock.steps().len(), MAX_STEPS);

    let wall = Wall { rates: vec![(0, 15_000)], steps: vec![(50 * SECOND, -3 * SECOND)] };
    let until = 20_000 * SECOND;
    let long = run(&wall, evenly(SECOND, until), until);
    assert!(long.clock.knots.len() <= MAX_KNOTS && long.worst < 300, "{} ns", long.worst);
    for t in [SECOND, 49 * SECOND, 52 * SECOND, 9_999 * SECOND, until - SECOND] {
        let shown = long.clock.wall(WALL + t);
        assert!((shown - wall.at(t)).abs() < 300, "{t}: off by {} ns", shown - wall.at(t));
    }
}

#[test]
fn doubts_are_bounded_and_samples_that_make_no_sense_harm_nothing() {
    let mut clock = SteadyClock::new(&ClockSample {
        raw_ns: i64::MIN,
        realtime: Timestamp::from_ns(i64::MAX),
        width_ns: 0,
        stepped: true,
    });
    let wild = [0, i64::MAX, i64::MIN, 5, -5, i64::MAX - 1];
    for (number, (&raw_ns, &ns)) in (0..).zip(wild.iter().flat_map(|a| wild.iter().map(move |b| (a, b)))) {
        let realtime = Timestamp::from_ns(ns);
        let wild_sample = ClockSample { raw_ns, realtime, width_ns: u32::MAX, stepped: number % 2 == 0 };
        clock.begin_batch(&[wild_sample], Some(ns));
        for &wall in &wild {
            clock.of_packet(number, wall.clamp(-LATEST, LATEST));
            let _ = (clock.wall(wall), clock.of_wall(wall), clock.is_doubtful(number));
        }
    }
    let mut clock = SteadyClock::new(&ClockSample {
        raw_ns: 0,
        realtime: Timestamp::from_ns(0),
        width_ns: 9,
        stepped: false,
    });
    let set_back =
        ClockSample { raw_ns: 1000, realtime: Timestamp::from_ns(-5 * SECOND), width_ns: 9, stepped: true };
    clock.begin_batch(&[set_back], None);
    let packets = u64::try_from(MAX_DOUBTS).unwrap() + 100;
    for packet in 1..=packets {
        clock.of_packet(packet, -2 * SECOND);
    }
    assert!(!clock.is_doubtful(100) && clock.is_doubtful(101) && clock.is_doubtful(packets));
}
