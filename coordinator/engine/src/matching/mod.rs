//! Matching: which transmission at the sender's capture point is which arrival at the receiver's.
//!
//! By identity (sequence range, IP ID, timestamps option), never by time, so that the clocks can be learned from
//! the matches.

mod evidence;
mod lane;
mod parts;
mod piece;
mod side;
mod sum;
mod trust;

pub(crate) use evidence::{Fit, fit, likely_shift};
pub(crate) use lane::{End, Lane, Match};
pub(crate) use piece::{Kind, Novelty, Piece, cut, wire_segments};
pub(crate) use side::Side;
pub(crate) use sum::PayloadSum;
