//! Which half of a flow the client host sends.

use crate::flow::{Flow, client_half_by_capture, client_half_by_custom};
use crate::session::Session;
use correlate_proto::{Heard, Segment};

impl Session {
    /// Decides which half of a new flow the client host sends.
    pub(super) fn orient(&mut self, flow: &mut Flow, segment: &Segment, src_half: usize, index: u32) {
        let point = &self.points[flow.point];
        let position_is_upstream = point.position == 0;
        let tells = !self.is_local_to(flow.point, segment) && !self.may_be_forwarded(flow.point, segment);
        let heard = if tells { segment.heard } else { Heard::Unknown };
        let by_capture = client_half_by_capture(point.info.role, heard, src_half == 0);
        let known = by_capture.or_else(|| self.client_half_by_address(flow.point, segment, src_half));
        flow.orientation_known = known.is_some();
        let Some(connection) = self.connections[index as usize].as_mut() else { return };
        let Some(other) = connection.seen_flows().next() else {
            flow.client_half = known.unwrap_or_else(|| client_half_by_custom(segment, src_half == 0));
            return;
        };
        flow.client_half = if other.pair == flow.pair {
            other.client_half
        } else {
            match (flow.opener, other.opener) {
                (Some(own), Some(opener)) if opener == other.client_half => own,
                (Some(own), Some(_)) => 1 - own,
                _ => client_half_by_custom(segment, src_half == 0),
            }
        };
        let disproved = match known {
            Some(known) => known != flow.client_half && !other.orientation_known,
            None => {
                !other.orientation_known
                    && opened_from_the_far_end(flow, other, segment, position_is_upstream)
            }
        };
        if disproved {
            connection.flip();
            flow.client_half = 1 - flow.client_half;
        }
    }

    /// Whether both ends of `segment` are the host of `point` itself: on a loopback interface every packet goes out
    /// and comes in, and direction tells nothing.
    fn is_local_to(&self, point: usize, segment: &Segment) -> bool {
        let (src, dst) = (segment.tuple.src.addr, segment.tuple.dst.addr);
        src == dst
            || [src, dst].iter().all(|&own| own.is_loopback() || self.points[point].owns(own) == Some(true))
    }

    /// Whether `segment` may have come in from behind the host of `point`, from a container of it, on its way out:
    /// where several interfaces are captured, one that comes in need not come from the other end.
    fn may_be_forwarded(&self, point: usize, segment: &Segment) -> bool {
        let point = &self.points[point];
        segment.heard == Heard::In
            && point.sightings.are_possible()
            && point.owns(segment.tuple.dst.addr) != Some(true)
    }

    fn client_half_by_address(&self, point: usize, segment: &Segment, src_half: usize) -> Option<usize> {
        let point = &self.points[point];
        let (src, dst) = (segment.tuple.src.addr, segment.tuple.dst.addr);
        let heard = match (point.owns(src)?, point.owns(dst)?) {
            (true, false) => Heard::Out,
            (false, true) => Heard::In,
            _ => return None,
        };
        client_half_by_capture(point.info.role, heard, src_half == 0)
    }
}

/// Whether the SYN came from the server's end, by its TTL: routers only ever lower it.
fn opened_from_the_far_end(flow: &Flow, other: &Flow, segment: &Segment, is_upstream: bool) -> bool {
    let Some(there) = other.opener.and_then(|half| other.halves[half].syn_ttl) else { return false };
    if !segment.flags.is_syn() {
        return false;
    }
    let (up, down) = if is_upstream { (segment.ip.ttl, there) } else { (there, segment.ip.ttl) };
    let opener_is_client = flow.opener == Some(flow.client_half);
    if opener_is_client { up < down } else { down < up }
}
