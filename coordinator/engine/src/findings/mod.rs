//! Findings: checks that look at one connection, or at a path, and say what is wrong with it.
//!
//! A check gives [`Symptom`]s of single connections; [`Symptoms`] gathers those of one kind into one finding.

mod blackhole;
mod capture;
mod clock;
mod counters;
mod gather;
mod handshake;
mod header;
mod host_edge;
mod idle;
mod inside_host;
mod loss;
mod mtu;
mod odds;
mod precedence;
mod proxied;
mod resets;
mod rewriting;
mod slow;
mod symptom;
mod translation;
mod unpaired;
mod view;
mod window;
mod wording;

pub(crate) use capture::point_findings;
pub(crate) use clock::clock_findings;
pub(crate) use gather::Symptoms;
pub(crate) use loss::{PathTotals, loss_findings};
pub(crate) use mtu::{SizeLimit, shared_size_limit, size_limit};
use odds::Odds;
pub(crate) use proxied::legs;
pub(crate) use symptom::{Explained, Symptom};
use symptom::{LostBy, Sighting, Told};
pub(crate) use view::View;
use wording::describe_segment;

use crate::connection::{Connection, PacketRef};
use crate::session::Session;

/// Every symptom of one connection, those that another one explains left out.
pub(crate) fn judge(session: &Session, connection: &Connection) -> Vec<Symptom> {
    let view = View::new(session, connection);
    let mut symptoms = Vec::new();
    handshake::check(&view, &mut symptoms);
    resets::check(&view, &mut symptoms);
    mtu::check(&view, &mut symptoms);
    blackhole::check(&view, &mut symptoms);
    translation::check(&view, &mut symptoms);
    header::check(&view, &mut symptoms);
    window::check(&view, &mut symptoms);
    slow::check(&view, &mut symptoms);
    rewriting::check(&view, &mut symptoms);
    symptoms.extend(session.proxied.get(&connection.number).cloned());
    unpaired::check(&view, &mut symptoms);
    let symptoms = precedence::resolve(symptoms);
    if is_one_view(connection) {
        symptoms.into_iter().map(Symptom::with_one_view).collect()
    } else {
        symptoms
    }
}

/// Whether both ends' captures are one and the same: then it shows one place on the path, and not where beside it
/// something happened. On a loopback interface that one place is both ends.
pub(crate) fn is_one_view(connection: &Connection) -> bool {
    let (Some(client), Some(server)) =
        (connection.flows.first().and_then(Option::as_ref), connection.flows.last().and_then(Option::as_ref))
    else {
        return false;
    };
    let (a, b) = (client.client().addr, client.server().addr);
    let is_local = a == b || (a.is_loopback() && b.is_loopback());
    let same = |one: PacketRef, other: PacketRef| (one.at, one.packet) == (other.at, other.packet);
    !is_local && same(client.first, server.first) && same(client.last, server.last)
}
