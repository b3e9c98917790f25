//! Agents, coordinator, recording and feed together, over in-memory connections and without privileges.

mod agents;
mod babble;
mod consumer;
mod hostile;
mod limits;
mod measure;
mod restart;
mod round_trip;
