//! A handful of rounds of the fault run; `cargo run -p correlate-tests --example faults` plays as many as one likes.

use crate::support::{binary, scratch};
use correlate_lab::{LabError, Namespace};
use correlate_tests::deployment::Office;
use correlate_tests::faults::{Figures, Setting, round};
use correlate_tests::permits::Permit;

/// Among them are kills of either agent, of the coordinator, and cut links.
const SEEDS: [u64; 3] = [4, 8, 28];

#[test]
fn whatever_is_killed_or_cut_off_nothing_is_lost_and_nothing_invented() {
    let _permit = Permit::take();
    if let Err(error @ LabError::NoPrivilege { .. }) = Namespace::new("probe") {
        return scratch::skip(&error.to_string());
    }
    let folder = scratch::folder("faults");
    let office = Office::found(binary::path(), &folder).expect("an office");
    let setting = Setting { office: &office, folder: &folder };
    let (mut sum, mut wrong) = (Figures::default(), Vec::new());
    for seed in SEEDS {
        match round(setting, seed) {
            Ok(figures) => sum = sum.and(figures),
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(sum.gaps > 0 && sum.recorded > 0, "the rounds have hit nothing: {sum:?}");
}
