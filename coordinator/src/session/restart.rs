//! Captures that were lost with their agent, begun anew by the agent that is back under its name.
//!
//! The recorder is told first: it takes nothing more of the lost capture, and says where it left off. The agent is told
//! to number on from there, so that the recording goes on as it was. The time between is a gap, of which the engine
//! claims nothing.

use super::commands;
use super::event::SessionEvent;
use super::machine::{Input, STARTED_ANEW};
use super::task::Session;
use crate::recorder::Command;
use crate::recording::{LeftOff, Restart};
use crate::service::now_ns;
use core::time::Duration;
use correlate_proto::wire::coordinator_message::Message;
use correlate_proto::{CapturePoint, CapturePointId, Span, Timestamp, wire};

/// Why a capture that began anew is not gone on with.
pub(super) const UNLIKE: &str =
    "its agent was started anew, and the host or its clock was set or started anew meanwhile too";

/// How far the capture of a point is begun anew.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Restarting {
    /// It is not.
    #[default]
    No,
    /// The recorder is asked where the lost one left off.
    Asked,
    /// The agent is told to begin.
    Told(LeftOff),
}

impl Session {
    /// Whether the point's capture is lost, and the next has not begun.
    pub(super) fn is_restarting(&self, point: CapturePointId) -> bool {
        let known = self.points.get(usize::from(point.0));
        known.is_some_and(|known| !matches!(known.restart, Restarting::No))
    }

    /// The point's agent is connected and does not have its capture.
    pub(super) fn lost(&self, point: CapturePointId) -> Option<Input> {
        match self.points.get(usize::from(point.0))?.restart {
            Restarting::No => Some(Input::Lost(point)),
            Restarting::Asked => None,
            Restarting::Told(left) => {
                self.command_restart(point, &left);
                None
            }
        }
    }

    /// Has the recorder take nothing more of the point's capture.
    pub(super) async fn give_up_capture(&mut self, point: CapturePointId) {
        if let Some(known) = self.points.get_mut(usize::from(point.0)) {
            known.restart = Restarting::Asked;
        }
        self.recorder.send(Command::Interrupt(point)).await;
    }

    /// The recorder has done so.
    pub(super) fn interrupted(
        &mut self,
        point: CapturePointId,
        next: Result<(LeftOff, u32), String>,
    ) -> Option<Input> {
        let known = self.points.get_mut(usize::from(point.0))?;
        match next {
            Ok((left, incarnation)) => {
                (known.incarnation, known.restart) = (incarnation, Restarting::Told(left));
                self.command_restart(point, &left);
                None
            }
            Err(why) => {
                known.restart = Restarting::No;
                Some(Input::Broken(point, format!("{STARTED_ANEW}, and {why}")))
            }
        }
    }

    /// A capture runs at a point whose capture was known to run: the one that was to begin anew, or one that is told of
    /// again.
    pub(super) async fn restarted(
        &mut self,
        point: CapturePointId,
        started: wire::CaptureStarted,
    ) -> Option<Input> {
        let known = self.points.get(usize::from(point.0))?;
        let Restarting::Told(left) = known.restart else { return None };
        let incarnation = known.incarnation;
        if started.capture.as_ref() != Some(&commands::capture_id(&self.options, point, incarnation)) {
            return None;
        }
        let began = Timestamp::from_ns(started.realtime_ns);
        let described = commands::capture_point(&self.options, point, started).ok()?;
        if known.started.as_ref().is_none_or(|before| !is_same_place(before, &described)) {
            let why = format!("{STARTED_ANEW}, and its interfaces are not those from before");
            return Some(Input::Broken(point, why));
        }
        self.recorder.send(Command::Restart(point, Restart { incarnation, left, began })).await;
        if let Some(known) = self.points.get_mut(usize::from(point.0)) {
            known.restart = Restarting::No;
        }
        self.let_upload(point);
        let until = left.until.stamp.unwrap_or(began);
        self.tell(SessionEvent::PointResumed(point, Span(began.as_ns().saturating_sub(until.as_ns()))));
        None
    }

    /// Tells the point's agent to begin where the lost capture left off, with what is left of packets and time.
    fn command_restart(&self, point: CapturePointId, left: &LeftOff) {
        let place = usize::from(point.0);
        let Some(known) = self.points.get(place) else { return };
        let mut start = commands::start_capture(&self.options, point);
        start.capture = Some(commands::capture_id(&self.options, point, known.incarnation));
        (start.after_batch, start.after_packet) = (left.batch, left.packet);
        if let Some(count) = self.options.count {
            start.count = count.saturating_sub(self.recorded(place).records).max(1);
        }
        if let (Some(duration), Some(began), Some(offset)) =
            (self.options.duration, known.began, known.rough_offset)
        {
            let since = now_ns().saturating_sub(began.plus(offset).as_ns());
            let over = Duration::from_nanos(u64::try_from(since).unwrap_or(0));
            let left = duration.saturating_sub(over).as_millis();
            start.duration_ms = u64::try_from(left).unwrap_or(u64::MAX).max(1);
        }
        self.command(point, commands::command(Message::Start(start)));
    }
}

/// Whether what the records of the one say of interfaces holds for the other.
fn is_same_place(before: &CapturePoint, now: &CapturePoint) -> bool {
    let interfaces = |point: &CapturePoint| -> Vec<(String, u32, bool)> {
        let one = |known: &correlate_proto::Interface| (known.name.clone(), known.index, known.captured);
        point.interfaces.iter().map(one).collect()
    };
    (before.kind, &before.link_type) == (now.kind, &now.link_type) && interfaces(before) == interfaces(now)
}
