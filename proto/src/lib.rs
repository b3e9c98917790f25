//! The contract of `correlate`: the vocabulary that every part speaks, and the messages on the wire.

pub mod convert;
#[cfg(feature = "grpc")]
pub mod join_token;
mod phase;
pub mod point;
pub mod report;
pub mod segment;
pub mod seq;
pub mod time;
pub mod tuple;
pub mod wire;

#[cfg(feature = "grpc")]
pub use join_token::JoinToken;
pub use point::{
    CaptureKind, CapturePoint, CapturePointId, ClockSample, Coverage, HostCounters, Interface, Offloads,
    PointStats,
};
pub use segment::{Heard, IcmpError, IcmpKind, IpFields, Record, SackBlocks, Segment, TcpFlags, TcpOptions};
pub use seq::{SeqNum, Unwrapper};
pub use time::{Aligned, Clock, Local, Span, Timestamp};
pub use tuple::{Direction, Endpoint, FourTuple, Role};
