//! The one fallible boundary between the wire and the vocabulary.
//!
//! What comes from the wire is checked here, once and whole: lengths, indices, ranges, absent parts. Behind it
//! there is no doubt left. Nothing here panics on any input, and memory stays proportional to the message.

mod address;
mod column;
mod decode;
mod encode;
mod error;
mod half;
mod icmp;
mod limits;
mod point;
mod shape;
mod sidecar;

pub use decode::{BatchContents, decode_batch, decode_body};
pub use encode::{BatchEncoder, Loss, LossSource, Sidecar};
pub use error::ConvertError;
pub use limits::{MAX_BATCH_BYTES, MAX_BATCH_RECORDS};
pub use point::{
    capture_kind_from_wire, capture_kind_to_wire, capture_point_from_wire, capture_point_to_wire,
    interface_from_wire, interface_to_wire, stats_from_wire, stats_to_wire,
};

#[cfg(test)]
mod tests;
