//! Records a scenario of the catalogue: `record NAME SEED FOLDER [4|6 on|off]`, or `record --list`. The last two choose
//! the IP version and whether offloads are on; without them the scenario is as the catalogue has it.
//!
//! Writes `client.pcap`, `server.pcap` (`server2.pcap` …), `ledger.csv` and `expect.json` into FOLDER.
#![expect(clippy::print_stdout, reason = "this is a command-line program")]

use correlate_lab::{
    IpVersion, Offloads, Outcome, Scenario, catalogue, enter_user_namespace, find, record, write_csv,
};
use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    enter_user_namespace()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--list"] => {
            for scenario in catalogue() {
                println!("{:28} {}", scenario.name, scenario.title);
            }
            Ok(())
        }
        [name, seed, folder] => {
            let scenario = find(name).ok_or_else(|| format!("no scenario is called {name}; try --list"))?;
            run(&scenario, seed.parse()?, Path::new(folder))
        }
        [name, seed, folder, ip, offloads] => {
            let scenario = find(name).ok_or_else(|| format!("no scenario is called {name}; try --list"))?;
            let ip = if *ip == "6" { IpVersion::V6 } else { IpVersion::V4 };
            let offloads = if *offloads == "on" { Offloads::On } else { Offloads::Off };
            match (scenario.variant(ip, offloads), scenario.unfit(ip, offloads)) {
                (Some(variant), _) => run(&variant, seed.parse()?, Path::new(folder)),
                (None, why) => Err(why.unwrap_or_default().into()),
            }
        }
        _ => Err("usage: record NAME SEED FOLDER [4|6 on|off], or record --list".into()),
    }
}

fn run(scenario: &Scenario, seed: u64, folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let outcome = record(scenario, seed, folder)?;
    write_csv(&outcome.ledger, &mut BufWriter::new(File::create(folder.join("ledger.csv"))?))?;
    fs::write(folder.join("expect.json"), expectation(scenario, &outcome))?;
    let failed = outcome.traffic.clients.iter().filter(|client| client.error.is_some()).count();
    println!(
        "{}: {} decisions, {} dropped unasked, {} connections, {failed} failed",
        scenario.name,
        outcome.ledger.len(),
        outcome.middlebox_drops,
        outcome.traffic.clients.len(),
    );
    for tap in &outcome.taps {
        let (path, recorded, omitted) = (tap.path.display(), tap.recorded, tap.omitted.len());
        println!("  {path}: {recorded} packets, {omitted} left out, {} dropped", tap.drops);
    }
    for client in outcome.traffic.clients.iter().filter(|client| client.error.is_some()).take(3) {
        println!("  {:?}: {}", client.local, client.error.as_deref().unwrap_or_default());
    }
    Ok(())
}

/// The expectation as JSON. All strings are codes or names of files, so nothing needs escapes.
fn expectation(scenario: &Scenario, outcome: &Outcome) -> String {
    let list = |codes: &[&str]| codes.iter().map(|code| format!("\"{code}\"")).collect::<Vec<_>>().join(", ");
    let exits = scenario.expect.exit.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let plans = std::iter::once(&scenario.client_tap).chain(&scenario.server_taps);
    let taps: Vec<String> = plans
        .zip(&outcome.taps)
        .map(|(plan, tap)| {
            let file = tap.path.file_name().unwrap_or_default().display().to_string();
            format!(
                "    {{\"file\": \"{file}\", \"omitted\": {}, \"offset_ns\": {}, \"skew_ppb\": {}, \"origin_ns\": {}}}",
                tap.omitted.len(),
                plan.clock.offset_ns,
                plan.clock.skew_ppb,
                tap.clock_origin_ns,
            )
        })
        .collect();
    format!(
        "{{\n  \"name\": \"{}\",\n  \"must\": [{}],\n  \"may\": [{}],\n  \"never\": [{}],\n  \"exit\": [{exits}],\n  \
         \"problem\": {},\n  \"middlebox_drops\": {},\n  \"taps\": [\n{}\n  ]\n}}\n",
        scenario.name,
        list(&scenario.expect.must),
        list(&scenario.expect.may),
        list(&scenario.expect.never),
        scenario.expect.problem,
        outcome.middlebox_drops,
        taps.join(",\n"),
    )
}
