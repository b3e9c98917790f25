//! The system calls that the lab needs and the standard library lacks, each behind a safe function.
#![expect(
    unsafe_code,
    reason = "namespaces, packet sockets and ioctls have no safe interface; all of it is here"
)]

pub(crate) mod ethtool;
pub(crate) mod namespace;
pub(crate) mod option;
pub(crate) mod packet;
pub(crate) mod ring;
pub(crate) mod wait;
