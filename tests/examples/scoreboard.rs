//! The scoreboard: how often `correlate` is right, by scenario of the lab. `scoreboard --help` says what it can do.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line program")]

#[cfg(target_os = "linux")]
use correlate_lab::{catalogue, enter_user_namespace};
#[cfg(target_os = "linux")]
use correlate_tests::scoreboard::{
    baseline, figures,
    options::{HELP, Options},
    play::play,
    score::never_told,
    table,
};
#[cfg(target_os = "linux")]
use serde_json::Value;
use std::process::ExitCode;
#[cfg(target_os = "linux")]
use std::{error::Error, path::Path};

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: the lab needs Linux");
    ExitCode::from(2)
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    match scoreboard() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(target_os = "linux")]
fn scoreboard() -> Result<ExitCode, Box<dyn Error>> {
    let Some(options) = Options::read(std::env::args().skip(1))? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    if options.list {
        for scenario in catalogue() {
            println!("{:32} {}", scenario.name, scenario.title);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &options.figures {
        return compare(&read_json(path)?, &options);
    }
    // While this process has one thread.
    enter_user_namespace()?;
    let played = play(&options, |line| eprintln!("{line}"))?;
    print!("{}", played.explained);
    print!("{}", table::render(&played.scores));
    let figures = figures::write(&options, played.runs, &played.scores);
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{figures:#}\n"))?;
    }
    if let Some(path) = &options.wrong {
        std::fs::write(path, played.wrong.render(&options, &never_told(&played.scores)))?;
    }
    for why in played.wrong.failures() {
        eprintln!("error: {why}");
    }
    if !played.wrong.failures().is_empty() {
        return Ok(ExitCode::from(2));
    }
    compare(&figures, &options)
}

/// Tells in what the figures are worse than the baseline, if there is one.
#[cfg(target_os = "linux")]
fn compare(figures: &Value, options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let Some(path) = &options.baseline else { return Ok(ExitCode::SUCCESS) };
    let worse = baseline::worse(figures, &read_json(path)?)?;
    for what in &worse {
        eprintln!("worse: {what}");
    }
    Ok(if worse.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(target_os = "linux")]
fn read_json(path: &Path) -> Result<Value, Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}
