//! The engine through its public interface, fed with the records of simulated TCP conversations whose truth is
//! known.

mod suite;
