//! The messages on the wire, as generated from `proto/correlate/v1`, and with the feature `grpc` its services.
//!
//! Nothing outside [`crate::convert`] and the code that moves messages should look inside these types: they
//! admit values that the vocabulary does not.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code; its form is the generator's"
)]

include!("generated/correlate.v1.rs");

/// What the `.proto` files describe, as an encoded `FileDescriptorSet`, for whoever asks a server by reflection.
#[cfg(feature = "grpc")]
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/correlate.v1.bin");

/// Version of the protocol that these messages make up.
pub const PROTOCOL: u32 = 1;
