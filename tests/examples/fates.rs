//! Prints what became of every segment that two captures do not both show: `fates CLIENT.pcap SERVER.pcap`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(client), Some(server)) = (args.next(), args.next()) else {
        return Err("usage: fates CLIENT.pcap SERVER.pcap".into());
    };
    let (report, fates) = correlate_tests::files::analyze(Path::new(&client), Path::new(&server), false)?;
    for fate in fates {
        println!("{fate:?}");
    }
    println!("{}", report.verdict.sentence);
    Ok(())
}
