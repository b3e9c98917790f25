//! The engine through its public interface, fed with the records of simulated TCP conversations whose truth is
//! known.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod suite;
