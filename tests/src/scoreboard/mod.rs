//! The scoreboard: every scenario of the lab, run, captured, judged, and held against what the middlebox wrote down.
//!
//! A run of a scenario with a seed, over one version of IP, with offloads or without, is a *recording*
//! ([`recording`]). It is judged under *conditions* ([`condition`]): as it is, and with records taken out at random
//! afterwards ([`thin`]). Each judgement ([`judge`]) is held against the truth: findings ([`told`]) against what
//! the scenario expects and the ledger shows ([`due`], [`findings`]), packets against the ledger
//! ([`sightings`], [`dues`], [`order`], [`packets`]), clocks against the
//! clocks that the taps had ([`clock`]). The counts ([`score`]) become a table, figures in JSON, a list of what is
//! wrong, and a comparison with the figures of another time.

mod arrivals;
pub mod baseline;
pub mod class;
pub mod clock;
pub mod condition;
mod departures;
pub mod due;
pub mod dues;
pub mod explain;
pub mod figures;
pub mod findings;
pub mod judge;
pub mod ledger_csv;
pub mod options;
pub mod order;
pub mod packets;
pub mod play;
pub mod recording;
pub mod score;
pub mod selection;
pub mod severity;
pub mod shown;
pub mod sightings;
pub mod table;
pub mod thin;
pub mod told;
pub mod wrong;
