//! Captures that are lost with their agent, as the recorder sees them: where one left off, and whether the next can be
//! told together with it.

use super::{Batch, Notice, Recorder, Retention};
use crate::recording::{Entry, LeftOff, RecordingError};
use correlate_proto::CapturePointId;

/// How often a point's capture may be lost and begun anew.
const MAX_RESTARTS: u32 = 256;
/// One part in so many is the fastest that NTP slews a clock (adjtimex(2): 500 ppm).
const SLEW: i64 = 2_000;
/// Two clocks are read within so much of each other, mostly within a hundredth.
const CLOCK_READINGS_NS: i64 = 1_000_000;

impl Recorder {
    /// Takes nothing more of the point's capture, which is lost; tells where it left off.
    pub(super) fn interrupt(
        &mut self,
        point: CapturePointId,
        entries: &mut Vec<Entry<'_>>,
        notices: &mut Vec<Notice>,
    ) -> Result<(), RecordingError> {
        // What was taken of it counts.
        self.recording.write(entries)?;
        entries.clear();
        let keeps = self.retention == Retention::All;
        let (arrivals, left) = (self.arrivals.clone(), self.recording.left_off(point)?);
        let Some(state) = self.open_point(point) else { return Ok(()) };
        let known = left.filter(|left| left.until.stamp.is_some() && keeps && !state.omitting);
        let why = "what it had delivered does not tell where to go on";
        let next = match known {
            None => Err(why.to_owned()),
            Some(_) if state.next.incarnation >= MAX_RESTARTS => {
                Err(format!("that was so {MAX_RESTARTS} times before"))
            }
            Some(left) => {
                state.next.incarnation += 1;
                state.stats_before = state.stats.clone();
                // It counted once a second; its packets are counted in the batches.
                state.stats_before.frames = state.stats_before.frames.max(left.packet);
                state.restarted_after = Some(state.next.through);
                let said = arrivals.interrupt(point, state.next.incarnation, state.next.through);
                let until = said.filter(|said| said.is_beyond(&left.until)).unwrap_or(left.until);
                Ok((LeftOff { until, ..left }, state.next.incarnation))
            }
        };
        notices.push(Notice::Interrupted(point, next));
        Ok(())
    }

    /// Whether the first batch of a new capture can be told together with what came before: by the same clocks, which
    /// were not set meanwhile.
    pub(super) fn is_alike(&self, point: CapturePointId, batch: &Batch) -> Result<bool, RecordingError> {
        let before = self.recording.newest_clock_sample(point)?;
        let (Some(before), Some(now)) = (before, batch.clock_samples.first()) else { return Ok(false) };
        let counted = now.raw_ns.saturating_sub(before.raw_ns);
        let shown = now.realtime.as_ns().saturating_sub(before.realtime.as_ns());
        let slewed = (counted / SLEW).saturating_add(CLOCK_READINGS_NS);
        Ok(counted > 0 && shown.saturating_sub(counted).saturating_abs() <= slewed)
    }
}
