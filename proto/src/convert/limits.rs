//! Bounds of a batch. What exceeds one is refused by the receiver; a sender stays far below.

/// Most packets in one batch. Sixteen times what fits into a batch of the usual size; bounds what a small
/// message can make the receiver allocate.
pub const MAX_BATCH_RECORDS: usize = 16_384;

/// Most octets of a batch's body before compression. Four times the usual size, far below the 4 MiB that gRPC
/// takes by default, and small enough that the worst message costs tens of megabytes when decoded.
pub const MAX_BATCH_BYTES: usize = 256 * 1024;
