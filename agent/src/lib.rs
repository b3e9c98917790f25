//! The capturing end of `correlate`: frames from an interface or a file, dissected into records.

pub mod batch;
pub mod capture;
pub mod dissect;
pub mod filter;
pub mod host;
pub mod metrics;
pub mod policy;
pub mod trust;
pub mod uplink;

#[cfg(test)]
mod test_records;
