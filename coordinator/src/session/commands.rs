//! What a session tells its agents, and what it makes of their answer.

use super::options::SessionOptions;
use core::time::Duration;
use correlate_proto::convert::{ConvertError, capture_point_from_wire};
use correlate_proto::wire::coordinator_message::Message;
use correlate_proto::{CapturePoint, CapturePointId, wire};

/// Begin to capture at `point`, which must be one of the session's.
pub(super) fn start(options: &SessionOptions, point: CapturePointId) -> wire::CoordinatorMessage {
    command(Message::Start(start_capture(options, point)))
}

/// The same, for whoever wants it otherwise.
pub(super) fn start_capture(options: &SessionOptions, point: CapturePointId) -> wire::StartCapture {
    let spec = &options.points[usize::from(point.0)];
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    wire::StartCapture {
        capture: Some(capture_id(options, point, 0)),
        filter: spec.filter.as_ref().unwrap_or(&options.filter).clone(),
        snaplen: options.snaplen,
        count: options.count.unwrap_or(0),
        duration_ms: options.duration.map_or(0, millis),
        interfaces: spec.interfaces.clone(),
        decapsulate: options.decapsulate,
        asked_by: options.asked_by.clone(),
        after_batch: 0,
        after_packet: 0,
    }
}

/// End the capture: in order, or at once.
pub(super) fn stop(
    options: &SessionOptions,
    capture: wire::CaptureId,
    discard: bool,
) -> wire::CoordinatorMessage {
    let linger_ms = u32::try_from(options.timeouts.linger.as_millis()).unwrap_or(u32::MAX);
    command(Message::Stop(wire::StopCapture { capture: Some(capture), linger_ms, discard }))
}

/// The capture point that an agent's answer describes. `point` must be one of the session's.
pub(super) fn capture_point(
    options: &SessionOptions,
    point: CapturePointId,
    started: wire::CaptureStarted,
) -> Result<CapturePoint, ConvertError> {
    let spec = &options.points[usize::from(point.0)];
    let mut capture_point = capture_point_from_wire(&wire::CapturePoint {
        id: point.0.into(),
        role: wire::Role::Client.into(),
        host: spec.host.clone(),
        kind: started.kind,
        interfaces: started.interfaces,
        link_type: started.link_type,
        vouched: spec.vouched,
    })?;
    // The agent does not know its role.
    capture_point.role = spec.role;
    Ok(capture_point)
}

/// Name of one of the captures of `point`.
pub(super) fn capture_id(
    options: &SessionOptions,
    point: CapturePointId,
    incarnation: u32,
) -> wire::CaptureId {
    wire::CaptureId { session: options.id.clone(), point: point.0.into(), incarnation }
}

/// A message of that command.
pub(super) fn command(message: Message) -> wire::CoordinatorMessage {
    wire::CoordinatorMessage { message: Some(message) }
}
