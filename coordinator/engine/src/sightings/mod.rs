//! One packet seen on several interfaces of one host: a container's veth, the bridge, the network card.
//!
//! Counted twice it would be sent twice and arrive once, which is loss that never was. So a packet counts where it
//! is seen first; the other sightings are set aside (ALGORITHMS §2.4). They still tell how far it came inside the
//! host: `crossing` follows each packet for a moment, `ways` learns where packets of its kind otherwise end up, and
//! `strays` keeps those that did not get there.

mod crossing;
mod strays;
mod ways;

pub(crate) use crossing::Sightings;
pub(crate) use strays::{Spot, Stray};
pub(crate) use ways::{Place, Usual};
