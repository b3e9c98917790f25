//! The fault run. `faults --help` says what it does.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line program")]

use std::process::ExitCode;

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: the lab needs Linux");
    ExitCode::from(2)
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    match faults() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(target_os = "linux")]
fn faults() -> Result<ExitCode, Box<dyn std::error::Error>> {
    use correlate_tests::deployment::Office;
    use correlate_tests::faults::{Setting, options, round};
    use std::time::Instant;

    let Some(options) = options::Options::read(std::env::args().skip(1))? else {
        print!("{}", options::HELP);
        return Ok(ExitCode::SUCCESS);
    };
    // While this process has one thread.
    correlate_lab::enter_user_namespace()?;
    let this = std::env::current_exe()?;
    let beside = this.parent().and_then(std::path::Path::parent).ok_or("this program has no folder")?;
    let binary = options.binary.unwrap_or_else(|| beside.join("correlate"));
    let folder = options.folder.unwrap_or_else(|| beside.join("faults"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let office = Office::found(&binary, &folder)?;
    let setting = Setting { office: &office, folder: &folder };
    let (began, mut failed) = (Instant::now(), 0);
    let mut sum = correlate_tests::faults::Figures::default();
    for seed in options.seed..options.seed.saturating_add(options.rounds) {
        match round(setting, seed) {
            Ok(figures) => {
                println!("seed {seed}: {figures:?}");
                sum = sum.and(figures);
            }
            Err(why) => {
                println!("FAILED {why}");
                failed += 1;
            }
        }
    }
    println!("{} rounds, {failed} failed, {} s: {sum:?}", options.rounds, began.elapsed().as_secs());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
