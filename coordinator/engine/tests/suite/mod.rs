//! A simulator of TCP conversations between two capture points, and what the engine must say of them.

mod bounds;
mod changes;
mod clean;
mod connections;
mod exchanges;
mod garbage;
mod handshakes;
mod host;
mod idle;
mod inside_host;
mod invariance;
mod judge;
mod losses;
mod octets;
mod offload;
mod once_wrong;
mod order;
mod outages;
mod queues;
mod resets;
mod rng;
mod shifts;
mod sim;
mod talk;
mod walls;
mod windows;
