//! Nothing is left behind. One test in its own process, because it counts the process's threads and descriptors.

use correlate_lab::{Lab, LabError, Namespace, find};
use std::fs;
use std::path::Path;

fn held() -> (usize, usize) {
    let entries = |path: &str| fs::read_dir(path).expect("read proc").count();
    (entries("/proc/self/task"), entries("/proc/self/fd"))
}

#[test]
fn a_lab_that_is_dropped_even_by_a_panic_leaves_no_thread_and_no_descriptor() {
    let scenario = find("clean-one").unwrap();
    if let Err(error @ LabError::NoPrivilege { .. }) = Namespace::new("probe") {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "must not be skipped: {error}");
        eprintln!("skipped: {error}");
        return;
    }
    let before = held();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cleanup-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
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
