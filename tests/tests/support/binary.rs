//! The binary under test.

use correlate_tests::process::{Ran, Running};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

/// No run of the tests' own takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

static BINARY: LazyLock<PathBuf> = LazyLock::new(find);

/// The binary.
pub(crate) fn path() -> &'static Path {
    &BINARY
}

/// A command line of `correlate` without arguments.
pub(crate) fn command() -> Command {
    let mut command = Command::new(&*BINARY);
    command.env("NO_COLOR", "1").env_remove("RUST_BACKTRACE");
    command
}

/// The same within `bytes` of memory: beyond it allocations fail, and so does the run. The kernel's peak of a process
/// would count what this process had when it forked.
pub(crate) fn command_within(bytes: u64) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(format!("--data={bytes}")).arg(&*BINARY);
    command.env("NO_COLOR", "1").env_remove("RUST_BACKTRACE");
    command
}

/// Runs `correlate` with these arguments to its end.
pub(crate) fn correlate<I: IntoIterator<Item: AsRef<OsStr>>>(args: I) -> Ran {
    Running::start(command().args(args)).finish(PATIENCE)
}

/// `CORRELATE_BIN`, else the binary that was built beside this test, built again if it is missing or older than
/// one of its sources: whoever tests this package alone shall not test yesterday's program.
fn find() -> PathBuf {
    if let Some(path) = std::env::var_os("CORRELATE_BIN") {
        return PathBuf::from(path);
    }
    let this = std::env::current_exe().expect("the path of this test");
    let folder = this.parent().and_then(Path::parent).expect("the folder of the profile");
    let binary = folder.join("correlate");
    if !is_fresh(&binary) {
        let profile = folder.file_name().expect("a profile");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "--package", "correlate", "--bin", "correlate"]);
        if profile != "debug" {
            build.arg("--profile").arg(profile);
        }
        build.arg("--target-dir").arg(folder.parent().expect("the target folder"));
        let ended = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("start cargo");
        assert!(ended.success(), "cannot build the binary under test");
    }
    binary
}

/// Whether the binary is there and no source that its build named is newer.
fn is_fresh(binary: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let Some(built) = modified(binary) else { return false };
    let Ok(sources) = fs::read_to_string(binary.with_extension("d")) else { return false };
    let Some((_, sources)) = sources.split_once(": ") else { return false };
    sources.split_whitespace().all(|source| modified(Path::new(source)).is_some_and(|source| source <= built))
}
