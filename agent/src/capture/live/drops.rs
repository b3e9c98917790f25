//! Frames that the kernel dropped, and when.

use correlate_proto::{Coverage, Local, Timestamp};

/// Most windows that are remembered; beyond it the two that are nearest to each other become one, so that no
/// drop is ever outside all windows.
const MAX_WINDOWS: usize = 64;

/// Drops of one capture.
///
/// The kernel's counter is read once per block and whenever the ring is empty. A drop lies between the reading
/// that shows it and the one before, so that interval is its window. (The kernel also flags frames that it
/// stores while its counter is not 0, `TP_STATUS_LOSING`; they lie in the same intervals, so the flag adds
/// nothing.)
#[derive(Debug, Clone)]
pub(super) struct Drops {
    total: u64,
    windows: Vec<Coverage>,
    last_read: Timestamp<Local>,
    /// The last reading showed drops, so a further one continues its window.
    dropping: bool,
}

impl Drops {
    pub(super) fn new(started: Timestamp<Local>) -> Self {
        Self { total: 0, windows: Vec::new(), last_read: started, dropping: false }
    }

    /// A reading at `now` shows that `dropped` frames were dropped since the last one.
    pub(super) fn read(&mut self, dropped: u64, now: Timestamp<Local>) {
        self.total += dropped;
        if dropped > 0 {
            let window = Coverage { from: self.last_read.min(now), to: self.last_read.max(now) };
            match self.windows.last_mut().filter(|last| self.dropping && last.to >= window.from) {
                Some(last) => last.to = last.to.max(window.to),
                None => self.add(window),
            }
        }
        self.dropping = dropped > 0;
        self.last_read = now;
    }

    fn add(&mut self, window: Coverage) {
        self.windows.push(window);
        if self.windows.len() > MAX_WINDOWS {
            let gap = |pair: &[Coverage]| pair[1].from.since(pair[0].to).as_ns();
            let nearest =
                self.windows.windows(2).enumerate().min_by_key(|(_, pair)| gap(pair)).map(|(at, _)| at);
            if let Some(at) = nearest {
                let removed = self.windows.remove(at + 1);
                self.windows[at].to = self.windows[at].to.max(removed.to);
            }
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn windows(&self) -> Vec<Coverage> {
        self.windows.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp<Local> {
        Timestamp::from_ns(ms * 1_000_000)
    }

    #[test]
    fn a_drop_lies_between_the_reading_that_shows_it_and_the_one_before() {
        let mut drops = Drops::new(at(0));
        drops.read(0, at(10));
        drops.read(3, at(20));
        drops.read(4, at(30));
        drops.read(0, at(40));
        drops.read(1, at(50));
        let expected = [Coverage { from: at(10), to: at(30) }, Coverage { from: at(40), to: at(50) }];
        assert_eq!((drops.total(), drops.windows()), (8, expected.to_vec()));
    }

    #[test]
    fn beyond_the_limit_the_nearest_windows_are_joined_and_every_drop_stays_covered() {
        let mut drops = Drops::new(at(0));
        let mut times = Vec::new();
        for n in 0..200i64 {
            let time = n * 100 + (n % 7);
            drops.read(0, at(time));
            drops.read(1, at(time + 10));
            times.push(at(time + 5));
        }
        let windows = drops.windows();
        assert_eq!((drops.total(), windows.len()), (200, MAX_WINDOWS));
        assert!(
            times.iter().all(|time| windows.iter().any(|window| window.from <= *time && *time <= window.to))
        );
        assert!(windows.windows(2).all(|pair| pair[0].to < pair[1].from));
    }
}
