//! Times `correlate analyze` on a pair of captures against `tcptrace` on the same two files one after the other,
//! in turns, and prints medians, their ratio and peak memory.
//!
//! ```text
//! cargo build --release && cargo run --release -p correlate-tests --example bench_analyze
//! ```

use correlate_tests::process::{Ran, Running};
use correlate_tests::synthetic::{Plan, write_pair};
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const USAGE: &str = "usage: bench_analyze [PACKETS [CONNECTIONS [ROUNDS]]]";
/// No round takes as long.
const PATIENCE: Duration = Duration::from_secs(600);

/// What one tool took in one round: both files together.
#[derive(Debug, Clone, Copy)]
struct Cost {
    took: Duration,
    peak_bytes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mut number = |usual: u64| words.next().map_or(Ok(usual), |word| word.parse().map_err(|_| USAGE));
    let (packets, connections, rounds) = (number(2_000_000)?, number(1_000)?, number(5)?);
    let folder = std::env::temp_dir().join(format!("correlate-bench-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let measured = make(&folder, packets, u32::try_from(connections)?)
        .and_then(|files| (0..rounds).map(|round| measure(&files, round)).collect::<Result<Vec<_>, _>>());
    std::fs::remove_dir_all(&folder)?;
    let (ours, theirs): (Vec<Cost>, Vec<Cost>) = measured?.into_iter().unzip();
    let (ours, theirs) = (summary(&ours), summary(&theirs));
    let mut out = std::io::stdout().lock();
    for (name, cost) in [("correlate analyze", ours), ("tcptrace, both files", theirs)] {
        writeln!(
            out,
            "{name:<22} {:>7.3} s median  {:>5} MiB peak",
            cost.took.as_secs_f64(),
            cost.peak_bytes >> 20
        )?;
    }
    writeln!(out, "ratio {:.2}", ours.took.as_secs_f64() / theirs.took.as_secs_f64())?;
    Ok(())
}

fn make(folder: &Path, packets: u64, connections: u32) -> Result<[PathBuf; 2], Box<dyn Error>> {
    let files = ["client.pcap", "server.pcap"].map(|name| folder.join(name));
    let plan = Plan { packets, connections, ..Plan::default() };
    let made = write_pair(&plan, File::create(&files[0])?, File::create(&files[1])?)?;
    let octets = std::fs::metadata(&files[0])?.len();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} packets of {} connections in each file, {} MiB each",
        made.packets,
        made.connections,
        octets >> 20
    )?;
    Ok(files)
}

/// One round: each tool once; which goes first alternates, so that neither always finds warm caches.
fn measure(files: &[PathBuf; 2], round: u64) -> Result<(Cost, Cost), Box<dyn Error>> {
    let pair = if round.is_multiple_of(2) {
        let ours = ours(files)?;
        (ours, theirs(files)?)
    } else {
        let theirs = theirs(files)?;
        (ours(files)?, theirs)
    };
    writeln!(
        std::io::stdout().lock(),
        "round {}: correlate {:.3} s, tcptrace {:.3} s",
        round + 1,
        pair.0.took.as_secs_f64(),
        pair.1.took.as_secs_f64()
    )?;
    Ok(pair)
}

fn ours([client, server]: &[PathBuf; 2]) -> Result<Cost, Box<dyn Error>> {
    let this = std::env::current_exe()?;
    let folder = this.parent().and_then(Path::parent).ok_or("this example is not in a target folder")?;
    let binary = std::env::var_os("CORRELATE_BIN").map_or_else(|| folder.join("correlate"), PathBuf::from);
    if !binary.exists() {
        return Err(format!("{} is not there; cargo build --release makes it", binary.display()).into());
    }
    let mut analyze = Command::new(binary);
    analyze.args(["analyze", "--format", "json", "--client"]).arg(client).arg("--server").arg(server);
    cost(&Running::start(&mut analyze).finish(PATIENCE), "correlate")
}

fn theirs(files: &[PathBuf; 2]) -> Result<Cost, Box<dyn Error>> {
    let mut both = Cost { took: Duration::ZERO, peak_bytes: 0 };
    for file in files {
        let one = cost(&Running::start(Command::new("tcptrace").arg(file)).finish(PATIENCE), "tcptrace")?;
        both.took += one.took;
        both.peak_bytes = both.peak_bytes.max(one.peak_bytes);
    }
    Ok(both)
}

fn cost(ran: &Ran, name: &str) -> Result<Cost, Box<dyn Error>> {
    match ran.status {
        Some(0) => Ok(Cost { took: ran.took, peak_bytes: ran.peak_bytes }),
        status => Err(format!("{name} ended with status {status:?}: {}", ran.stderr).into()),
    }
}

/// The median time and the largest memory.
fn summary(costs: &[Cost]) -> Cost {
    let mut times: Vec<Duration> = costs.iter().map(|cost| cost.took).collect();
    times.sort_unstable();
    let took = times.get(times.len() / 2).copied().unwrap_or_default();
    Cost { took, peak_bytes: costs.iter().map(|cost| cost.peak_bytes).max().unwrap_or(0) }
}
