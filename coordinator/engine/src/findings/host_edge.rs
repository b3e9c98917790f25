//! The edge of a host outside of its capture point: driver and card, which drop packets too. On the wire they look like
//! the path (ALGORITHMS §4.1); their counters tell them apart.

use super::wording::HOST_EDGE;
use crate::point::{Point, Window};
use crate::session::Session;

/// What counts packets that a host dropped behind its capture point on the way out, and before it on the way in.
const ON_SENDING: [&str; 2] = ["tx_dropped", "tx_errors"];
const ON_RECEIVING: [&str; 2] = ["rx_dropped", "rx_errors"];
/// Of the whole host: its backlog was full.
const BACKLOG: &str = "softnet:dropped";

/// The alternative to the path, where packets left `from` between two instants of its clock and did not reach `to`,
/// with what the counters of both hosts say of it.
pub(super) fn alternative(
    session: &Session,
    (from, to): (usize, usize),
    times: Option<(i64, i64)>,
) -> String {
    let Some((first, last)) = times else { return HOST_EDGE.to_owned() };
    let (sender, receiver) = (&session.points[from], &session.points[to]);
    let leaving = Window { from: first, to: last };
    let arriving = Window {
        from: session.translate(first, from, to).0,
        to: session.translate(last, from, to).1.saturating_add(session.slack(from, to)),
    };
    let mut moved = dropped(sender, leaving, &ON_SENDING);
    moved.extend(dropped(receiver, arriving, &ON_RECEIVING));
    if !moved.is_empty() {
        return format!("{HOST_EDGE}: at that time {} moved", moved.join(", "));
    }
    if sender.has_counters(leaving) && receiver.has_counters(arriving) {
        return format!("{HOST_EDGE}; the counters of both hosts that would tell stood still");
    }
    HOST_EDGE.to_owned()
}

/// Counters of the captured interfaces that moved, each with its host.
fn dropped(point: &Point, window: Window, kinds: &[&str]) -> Vec<String> {
    let is_captured = |name: &str| {
        let mut named = point.info.interfaces.iter().filter(|interface| interface.name == name);
        named.next().is_none_or(|interface| interface.captured)
    };
    let tells = |name: &str| {
        name == BACKLOG && kinds == ON_RECEIVING
            || name
                .rsplit_once(':')
                .is_some_and(|(interface, kind)| kinds.contains(&kind) && is_captured(interface))
    };
    let moved = point.all_moved(window).into_iter().filter(|(name, _)| tells(name));
    moved.map(|(name, by)| format!("{name} +{by} at {}", point.label)).collect()
}
