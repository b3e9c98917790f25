//! The whole of `correlate` against the truth: its binary is given captures of which it is known what happened.
#![cfg(target_os = "linux")]

mod support {
    pub(crate) mod binary;
    pub(crate) mod captures;
    pub(crate) mod expectation;
    pub(crate) mod fleet;
    pub(crate) mod live;
    pub(crate) mod recording;
    pub(crate) mod report;
    pub(crate) mod scrape;
    pub(crate) mod scratch;
    pub(crate) mod skewed;
    pub(crate) mod sshd;
}

mod suite {
    mod bad_use;
    mod catalogue;
    mod clock;
    mod configuration;
    mod counters;
    mod delay;
    mod deployment;
    mod expecting;
    mod faults;
    mod fleet;
    mod hostile;
    mod inside_host;
    mod invariance;
    mod ledger;
    mod metrics;
    mod seeds;
    mod ssh;
    mod ssh_far_end;
    mod trust;
    mod wall_clocks;
}
