//! Tests of the lab that run scenarios side by side.

mod agreement;
mod capture;
mod catalogue;
mod devices;
mod every_scenario;
mod ledger;
mod run;
mod taps;
