//! What has arrived of each capture point: the meeting place of recorder, uploads and feed. Bounded: it holds
//! positions, the batches themselves wait in the recording.

use crate::recording::PointState;
use core::cmp::Ordering;
use correlate_proto::{CapturePointId, Local, Timestamp};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Up to when a capture point has delivered everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watermark {
    /// By the clock that stamps its packets; absent if not known.
    pub(crate) stamp: Option<Timestamp<Local>>,
    /// By its raw clock, which is never set; absent if not known.
    pub(crate) raw_ns: Option<i64>,
}

impl Watermark {
    /// Whether this says more than `other`.
    pub(crate) fn is_beyond(&self, other: &Self) -> bool {
        match (self.raw_ns, other.raw_ns) {
            (Some(own), Some(theirs)) => own > theirs,
            _ => self.stamp.cmp(&other.stamp) == Ordering::Greater,
        }
    }
}

/// How far a capture point has delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Arrived {
    /// Number of the newest recorded batch; 0: none.
    pub(crate) recorded_through: u64,
    /// The newest heartbeat: everything up to the watermark is in batches up to the number.
    pub(crate) heartbeat: Option<(u64, Watermark)>,
    /// Nothing follows.
    pub(crate) ended: bool,
    /// Which of the point's captures delivers.
    incarnation: u32,
    /// The last batch of the captures before: as long as there is no later one, a heartbeat would reach over the gap.
    restarted_after: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    points: Vec<Arrived>,
    aborted: bool,
}

/// Shared between the threads of a session.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals(Arc<(Mutex<State>, Condvar)>);

impl Arrivals {
    /// Nothing has arrived of so many points.
    pub(crate) fn new(points: usize) -> Self {
        let state = State { points: vec![Arrived::default(); points], aborted: false };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    /// So much of each point has arrived.
    pub(crate) fn so_far(points: &[PointState]) -> Self {
        let arrivals = Self::new(points.len());
        for (arrived, point) in arrivals.lock().points.iter_mut().zip(points) {
            *arrived = Arrived {
                recorded_through: point.through,
                heartbeat: None,
                ended: point.ended.is_some(),
                incarnation: point.incarnation,
                restarted_after: point.restarted_after,
            };
        }
        arrivals
    }

    /// Everything has arrived: for replaying a recording.
    pub(crate) fn complete(recorded_through: &[u64]) -> Self {
        let arrivals = Self::new(recorded_through.len());
        for (arrived, through) in arrivals.lock().points.iter_mut().zip(recorded_through) {
            *arrived = Arrived { recorded_through: *through, ended: true, ..Arrived::default() };
        }
        arrivals
    }

    pub(crate) fn recorded(&self, point: CapturePointId, through: u64) {
        self.change(point, |arrived| arrived.recorded_through = arrived.recorded_through.max(through));
    }

    /// A heartbeat of one of the point's captures. It counts if that is the present one.
    pub(crate) fn heartbeat(
        &self,
        point: CapturePointId,
        incarnation: u32,
        sequence: u64,
        watermark: Watermark,
    ) {
        self.change(point, |arrived| {
            let reaches_over = arrived.restarted_after.is_some_and(|after| sequence <= after);
            if arrived.incarnation == incarnation && !reaches_over {
                arrived.heartbeat = Some((sequence, watermark));
            }
        });
    }

    /// The point's capture is lost behind batch `through`, and the one of that incarnation comes next. Gives up to when
    /// it was said to have run.
    pub(crate) fn interrupt(
        &self,
        point: CapturePointId,
        incarnation: u32,
        through: u64,
    ) -> Option<Watermark> {
        let mut said = None;
        self.change(point, |arrived| {
            (arrived.incarnation, arrived.restarted_after) = (incarnation, Some(through));
            // What it says of batches that never come holds no more.
            arrived.heartbeat = arrived.heartbeat.filter(|(sequence, _)| *sequence <= through);
            said = arrived.heartbeat.map(|(_, watermark)| watermark);
        });
        said
    }

    pub(crate) fn ended(&self, point: CapturePointId) {
        self.change(point, |arrived| arrived.ended = true);
    }

    /// Whoever waits shall give up.
    pub(crate) fn abort(&self) {
        self.lock().aborted = true;
        self.0.1.notify_all();
    }

    /// How far `point` is.
    pub(crate) fn of(&self, point: CapturePointId) -> Arrived {
        self.lock().points.get(usize::from(point.0)).copied().unwrap_or_default()
    }

    /// Waits until `point` is other than `known`; `None` if the session was aborted.
    pub(crate) fn wait_for_news(&self, point: CapturePointId, known: &Arrived) -> Option<Arrived> {
        let place = usize::from(point.0);
        let mut state = self.lock();
        loop {
            if state.aborted {
                return None;
            }
            let now = state.points.get(place).copied()?;
            if now != *known {
                return Some(now);
            }
            state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn change(&self, point: CapturePointId, change: impl FnOnce(&mut Arrived)) {
        if let Some(arrived) = self.lock().points.get_mut(usize::from(point.0)) {
            change(arrived);
        }
        self.0.1.notify_all();
    }

    /// No code panics while it holds the lock, so the state is whole even if it is poisoned.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
