//! Nothing is left behind. One test in its own process, because it counts the process's threads and descriptors.

mod common;

use correlate_lab::{Lab, LabError, Namespace, find};
use std::fs;

fn held() -> (usize, usize) {
    let entries = |path: &str| fs::read_dir(path).expect("read proc").count();
    (entries("/proc/self/task"), entries("/proc/self/fd"))
}

#[test]
fn a_lab_that_is_dropped_even_by_a_panic_leaves_no_thread_and_no_descriptor() {
    let scenario = find("clean-one").unwrap();
    if let Err(error @ LabError::NoPrivilege { .. }) = Namespace::new("probe") {
        common::skip(&error.to_string());
        return;
    }
    let before = held();
    let folder = common::scratch("cleanup", 1);
    let panicked = std::panic::catch_unwind(|| {
        let mut lab = Lab::start(&scenario, 1).unwrap();
        lab.start_taps(&folder).unwrap();
        lab.run_traffic().unwrap();
        let path = lab.client().namespace.path();
        assert!(fs::File::open(path).is_ok(), "the namespace can be opened by its path");
        assert!(held() > before);
        panic!("on purpose");
    });
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
    assert_eq!(held(), before);
}
