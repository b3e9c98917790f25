//! Frames as bytes: reading, editing and forging them.

pub(crate) mod checksum;
pub(crate) mod cut;
pub(crate) mod edit;
pub(crate) mod forge;
pub(crate) mod frame;
pub(crate) mod rewrite;
pub(crate) mod view;
pub(crate) mod wrap;
