//! The clock against generated traces whose truth is known.

mod accuracy;
mod generator;
mod promises;
mod properties;
mod queueing;
mod robustness;
mod steps;
