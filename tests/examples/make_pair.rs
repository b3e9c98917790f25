//! Writes `client.pcap` and `server.pcap` of an invented healthy path into a folder, for benchmarks.

use correlate_tests::synthetic::{Plan, write_pair};
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

const USAGE: &str = "usage: make_pair FOLDER PACKETS CONNECTIONS [SEED]";

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let folder = PathBuf::from(words.next().ok_or(USAGE)?);
    let packets = words.next().ok_or(USAGE)?.parse()?;
    let connections = words.next().ok_or(USAGE)?.parse()?;
    let seed = words.next().map_or(Ok(1), |word| word.parse())?;
    std::fs::create_dir_all(&folder)?;
    let plan = Plan { packets, connections, seed, ..Plan::default() };
    let client = File::create(folder.join("client.pcap"))?;
    let server = File::create(folder.join("server.pcap"))?;
    let made = write_pair(&plan, client, server)?;
    writeln!(std::io::stdout(), "{} packets in each file, {} connections", made.packets, made.connections)?;
    Ok(())
}
