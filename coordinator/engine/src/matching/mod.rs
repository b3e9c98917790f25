//! Matching: which transmission at the sender's capture point is which arrival at the receiver's.
//!
//! By identity (sequence range, IP ID, timestamps option), never by time, so that the clocks can be learned from
//! the matches.

mod lane;
mod piece;
mod side;
mod sum;

pub(crate) use lane::{IdTrust, Lane, Match};
pub(crate) use piece::{Kind, Novelty, Piece, cut, wire_segments};
pub(crate) use side::Side;
pub(crate) use sum::PayloadSum;
