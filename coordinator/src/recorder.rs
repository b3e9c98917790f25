//! The thread that writes a session's recording, in commits that are shared by all who wait.

mod batch;
mod restart;

use crate::arrivals::Arrivals;
use crate::metrics::METRICS;
use crate::recording::{
    Entry, LeftOff, Omitted, PointState, RecordedPoint, Recording, RecordingError, Restart,
};
use correlate_proto::report::Report;
use correlate_proto::{CapturePointId, Local, PointStats, Timestamp, wire};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use batch::Batch;

/// Commands that share one commit at most. Bounds how long the first of them waits.
const COMMANDS_PER_COMMIT: usize = 64;
/// Commands that wait for the thread; whoever sends more waits too, and with it the agent.
const QUEUE: usize = 64;
/// What may come beyond the limit: what was on its way when the session was told to stop.
const OVERSHOOT: u64 = 16 << 20;

/// How far a point's upload is recorded, for its acknowledgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Recorded {
    pub(crate) through: u64,
    pub(crate) ended: bool,
    /// Packets in the batches.
    pub(crate) records: u64,
    /// Which of the point's captures uploads.
    pub(crate) incarnation: u32,
}

/// One of the captures that a point has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) point: CapturePointId,
    /// Which: what comes of an older one than the present is not taken.
    pub(crate) incarnation: u32,
}

/// What the recorder has to tell.
#[derive(Debug)]
pub(crate) enum Notice {
    /// A point's capture is over and all of it is recorded.
    Ended(CapturePointId, Ending),
    /// The limit is reached.
    Full,
    /// A point's capture is given up for lost. Where it left off, and which comes next; or why none can.
    Interrupted(CapturePointId, Result<(LeftOff, u32), String>),
    /// What a point's new capture gives cannot be told together with what it gave before.
    Unlike(CapturePointId),
    /// Nothing can be recorded any more.
    Failed(RecordingError),
}

/// How a capture ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) reason: wire::EndReason,
    pub(crate) error: String,
}

/// What the recorder is asked.
#[derive(Debug)]
pub(crate) enum Command {
    Batch(Source, Box<Batch>),
    Stats(Source, Box<PointStats>),
    End {
        source: Source,
        last_sequence: u64,
        ending: Ending,
        stats: Option<Box<PointStats>>,
    },
    /// The point delivers nothing any more, whatever was expected of it.
    Close {
        point: CapturePointId,
        why: String,
    },
    /// The point's capture is lost: take nothing more of it.
    Interrupt(CapturePointId),
    /// The point's capture began anew.
    Restart(CapturePointId, Restart),
    Points(Vec<RecordedPoint>),
    /// Captures were told to stop.
    Stopping,
    /// The feed has read a point's batches up to that number.
    Read(CapturePointId, u64),
    /// Ends the thread; a report is recorded, the file closed.
    Finish {
        report: Option<Box<Report>>,
        done: oneshot::Sender<Result<(), RecordingError>>,
    },
}

/// What of a recording stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retention {
    /// All of it.
    All,
    /// Batches are deleted once the engine has read them.
    UntilRead,
}

/// The sending end of a recorder, and what it tells each upload.
#[derive(Debug, Clone)]
pub(crate) struct RecorderHandle {
    commands: mpsc::Sender<Command>,
    recorded: Vec<watch::Receiver<Recorded>>,
}

impl RecorderHandle {
    /// Hands over a command; waits while the recorder is behind. `false`: the recorder is gone.
    pub(crate) async fn send(&self, command: Command) -> bool {
        self.commands.send(command).await.is_ok()
    }

    /// The same from a thread.
    pub(crate) fn send_blocking(&self, command: Command) {
        // A recorder that is gone has told the session why.
        let _ = self.commands.blocking_send(command);
    }

    /// How far `point` is recorded.
    pub(crate) fn recorded(&self, point: CapturePointId) -> Option<watch::Receiver<Recorded>> {
        self.recorded.get(usize::from(point.0)).cloned()
    }
}

struct Recorder {
    recording: Recording,
    limit_bytes: u64,
    retention: Retention,
    arrivals: Arrivals,
    notify: Box<dyn Fn(Notice) + Send>,
    points: Vec<Point>,
    bytes: u64,
    full: bool,
}

struct Point {
    recorded: watch::Sender<Recorded>,
    /// As it will be after the commit.
    next: Recorded,
    stats: PointStats,
    /// There was no room for a batch.
    omitting: bool,
    /// Octets of batches that were recorded and not yet read, by their number.
    unread: std::collections::VecDeque<(u64, u64)>,
    /// Why the capture ended, as it is recorded.
    ended: Option<String>,
    /// Counters of the captures before the present one.
    stats_before: PointStats,
    /// The last batch of those.
    restarted_after: Option<u64>,
}

impl Point {
    fn new(known: PointState) -> (Self, watch::Receiver<Recorded>) {
        let next = Recorded {
            through: known.through,
            ended: known.ended.is_some(),
            records: known.records,
            incarnation: known.incarnation,
        };
        let (recorded, seen) = watch::channel(next);
        let point = Self {
            recorded,
            next,
            stats: known.stats,
            omitting: known.omitting,
            unread: std::collections::VecDeque::new(),
            ended: known.ended,
            stats_before: known.stats_before,
            restarted_after: known.restarted_after,
        };
        (point, seen)
    }
}

/// Starts a recorder for points of which so much is recorded already. `notify` is called on its thread.
pub(crate) fn start(
    recording: Recording,
    points: Vec<PointState>,
    limit_bytes: u64,
    retention: Retention,
    arrivals: Arrivals,
    notify: Box<dyn Fn(Notice) + Send>,
) -> std::io::Result<RecorderHandle> {
    let (commands, queue) = mpsc::channel(QUEUE);
    let bytes = points.iter().map(|point| point.bytes).sum();
    let (points, recorded): (Vec<_>, Vec<_>) = points.into_iter().map(Point::new).unzip();
    let writer = Recorder {
        recording,
        limit_bytes,
        retention,
        arrivals,
        notify,
        points,
        bytes,
        full: bytes > limit_bytes,
    };
    std::thread::Builder::new().name("recorder".to_owned()).spawn(move || writer.run(queue))?;
    Ok(RecorderHandle { commands, recorded })
}

impl Recorder {
    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let mut commands = Vec::with_capacity(COMMANDS_PER_COMMIT);
        while queue.blocking_recv_many(&mut commands, COMMANDS_PER_COMMIT) > 0 {
            let finish = commands.iter().position(|command| matches!(command, Command::Finish { .. }));
            let last = finish.map(|place| commands.split_off(place)).and_then(|rest| rest.into_iter().next());
            if let Err(error) = self.commit(&commands) {
                if let Some(Command::Finish { done, .. }) = last {
                    let _ = done.send(Err(error));
                } else {
                    (self.notify)(Notice::Failed(error));
                }
                return;
            }
            commands.clear();
            if let Some(Command::Finish { report, done }) = last {
                // Nobody may be left to hear how it went.
                let _ = done.send(finish_recording(self.recording, report.as_deref()));
                return;
            }
        }
    }

    /// Records what the commands say in one commit, then tells everyone.
    fn commit(&mut self, commands: &[Command]) -> Result<(), RecordingError> {
        let mut entries = Vec::new();
        let mut notices = Vec::new();
        for command in commands {
            self.prepare(command, &mut entries, &mut notices)?;
        }
        self.recording.write(&entries)?;
        // The session must hear of a point's end before the feed can come to its own.
        for notice in notices {
            (self.notify)(notice);
        }
        for (place, point) in self.points.iter().enumerate() {
            let id = CapturePointId(u16::try_from(place).unwrap_or(u16::MAX));
            let before = point.recorded.send_replace(point.next);
            if point.next.through > before.through {
                self.arrivals.recorded(id, point.next.through);
            }
            if point.next.ended && !before.ended {
                self.arrivals.ended(id);
            }
        }
        Ok(())
    }

    fn prepare<'a>(
        &mut self,
        command: &'a Command,
        entries: &mut Vec<Entry<'a>>,
        notices: &mut Vec<Notice>,
    ) -> Result<(), RecordingError> {
        match command {
            Command::Batch(source, batch) => self.take_batch(*source, batch, entries, notices)?,
            Command::Stats(source, stats) => {
                if let Some(state) = self.present(*source) {
                    state.stats = state.stats_before.and_then(stats);
                    entries.push(Entry::Stats(source.point, Box::new(state.stats.clone())));
                }
            }
            Command::End { source, last_sequence, ending, stats } => {
                let point = &source.point;
                let Some(state) = self.present(*source) else { return Ok(()) };
                if state.next.through != *last_sequence {
                    // The upload sends its end behind its last batch; anything else is a confused agent.
                    return Ok(());
                }
                state.next.ended = true;
                state.ended = Some(ending.reason.as_str_name().to_owned());
                if let Some(stats) = stats {
                    let whole = state.stats_before.and_then(stats);
                    entries.push(Entry::Stats(*point, Box::new(whole)));
                }
                entries.push(Entry::Ended(*point, ending.reason.as_str_name()));
                notices.push(Notice::Ended(*point, ending.clone()));
            }
            Command::Close { point, why } => {
                let Some(state) = self.open_point(*point) else { return Ok(()) };
                state.next.ended = true;
                state.ended = Some(why.clone());
                state.stats.ended_early = Some(why.clone());
                let last = state.stats.clone();
                self.recording.write(&[Entry::Stats(*point, Box::new(last)), Entry::Ended(*point, why)])?;
            }
            Command::Interrupt(point) => self.interrupt(*point, entries, notices)?,
            Command::Restart(point, restart) => {
                let Some(state) = self.points.get(usize::from(point.0)) else { return Ok(()) };
                self.recording.write_restart(*point, restart, &state.stats_before)?;
            }
            Command::Points(points) => self.write_points(points)?,
            Command::Stopping => self.recording.write_stopping()?,
            Command::Read(point, through) => self.forget(*point, *through)?,
            Command::Finish { .. } => {}
        }
        Ok(())
    }

    /// Writes the points down. A capture that was over before the last one began is over still.
    fn write_points(&mut self, points: &[RecordedPoint]) -> Result<(), RecordingError> {
        self.recording.write_points(points)?;
        let known = self.points.iter().zip(points);
        let ended =
            known.filter_map(|(state, point)| Some(Entry::Ended(point.point.id, state.ended.as_deref()?)));
        let ended: Vec<_> = ended.collect();
        self.recording.write(&ended)
    }

    /// The point, if it exists and is not over.
    fn open_point(&mut self, point: CapturePointId) -> Option<&mut Point> {
        self.points.get_mut(usize::from(point.0)).filter(|point| !point.next.ended)
    }

    /// The same, if its present capture is that one.
    fn present(&mut self, source: Source) -> Option<&mut Point> {
        self.open_point(source.point).filter(|point| point.next.incarnation == source.incarnation)
    }

    fn take_batch<'a>(
        &mut self,
        source: Source,
        batch: &'a Batch,
        entries: &mut Vec<Entry<'a>>,
        notices: &mut Vec<Notice>,
    ) -> Result<(), RecordingError> {
        let point = source.point;
        let (bytes, limit, retention) = (self.bytes, self.limit_bytes, self.retention);
        let Some(state) = self.present(source) else { return Ok(()) };
        let sealed = &batch.sealed;
        // What is recorded already comes again after a broken stream; each batch is taken once.
        if sealed.sequence != state.next.through + 1 {
            return Ok(());
        }
        if state.restarted_after == Some(state.next.through) && !self.is_alike(point, batch)? {
            notices.push(Notice::Unlike(point));
            return Ok(());
        }
        let Some(state) = self.present(source) else { return Ok(()) };
        state.next.through = sealed.sequence;
        let len = batch.cost();
        // Behind a gap nothing is kept: the feed reads a point's batches without one.
        state.omitting |= bytes.saturating_add(len) > limit.saturating_add(OVERSHOOT.min(limit));
        if state.omitting {
            let stamp = |ns: Option<i64>| ns.map(Timestamp::<Local>::from_ns);
            let omitted = Omitted {
                batches: 1,
                records: sealed.records.into(),
                first_at: stamp(sealed.first_at_ns),
                last_at: stamp(sealed.last_at_ns),
            };
            entries.push(Entry::Omitted(point, omitted));
        } else {
            state.next.records += u64::from(sealed.records);
            if retention == Retention::UntilRead {
                state.unread.push_back((sealed.sequence, len));
            }
            entries.push(Entry::Batch {
                point,
                batch: sealed,
                clock_samples: &batch.clock_samples,
                host_counters: &batch.host_counters,
            });
            self.bytes += len;
            METRICS.taken(sealed.records, len);
        }
        if self.bytes > limit && !self.full {
            self.full = true;
            notices.push(Notice::Full);
        }
        Ok(())
    }

    /// Deletes what was read, where nobody asked to keep it.
    fn forget(&mut self, point: CapturePointId, through: u64) -> Result<(), RecordingError> {
        let Some(state) = self.points.get_mut(usize::from(point.0)) else { return Ok(()) };
        let mut freed = 0;
        while state.unread.front().is_some_and(|(sequence, _)| *sequence <= through) {
            freed += state.unread.pop_front().map_or(0, |(_, len)| len);
        }
        if freed > 0 {
            self.bytes = self.bytes.saturating_sub(freed);
            self.recording.delete_batches(point, through)?;
        }
        Ok(())
    }
}

fn finish_recording(mut recording: Recording, report: Option<&Report>) -> Result<(), RecordingError> {
    if let Some(report) = report {
        recording.write_report(report)?;
    }
    recording.close()
}
