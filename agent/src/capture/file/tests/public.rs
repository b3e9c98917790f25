//! Public captures, good and hostile, where the machine has them: in `CORRELATE_CAPTURES`, or beside the
//! workspace in `shared/captures`.

use super::super::CaptureFile;
use crate::capture::{Fill, FrameSource, Next, Reader};
use pcap_parser::{PcapBlockOwned, PcapError, create_reader};
use std::fs::File;
use std::path::{Path, PathBuf};

fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("CORRELATE_CAPTURES").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    let folder = given.unwrap_or_else(beside);
    let there = folder.is_dir();
    if !there {
        println!("skipped: no captures in {}; name a folder in CORRELATE_CAPTURES", folder.display());
    }
    there.then_some(folder)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn all_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(folder) = folder() {
        files(&folder, &mut found);
        assert!(!found.is_empty(), "{} holds no files", folder.display());
    }
    found
}

#[test]
fn every_file_gives_records_or_a_clear_error() {
    for path in all_files() {
        let file = match CaptureFile::open(&path) {
            Ok(file) => file,
            Err(error) => {
                assert!(error.to_string().contains("; "), "no remedy: {error}");
                continue;
            }
        };
        let mut reader = Reader::new(file);
        let (mut batch, mut records) = (Vec::new(), 0);
        loop {
            batch.clear();
            let progress = reader.fill(&mut batch, 500).unwrap();
            records += batch.len() as u64;
            if progress == Fill::End {
                break;
            }
        }
        let stats = reader.stats();
        let skipped: u64 = stats.skipped.values().sum();
        assert_eq!(records + skipped, stats.frames, "{}", path.display());
    }
}

/// At the end of a file that is cut, pcap-parser asks for more for ever.
const MAX_REFILLS: u32 = 64;

/// Frames and captured octets by pcap-parser; absent if it refuses the file anywhere.
fn by_pcap_parser(path: &Path) -> Option<(u64, usize)> {
    let mut reader = create_reader(1 << 17, File::open(path).ok()?).ok()?;
    let (mut frames, mut octets, mut refills) = (0, 0, 0);
    loop {
        match reader.next() {
            // It takes an impossible length for a block that ends where it begins.
            Ok((0, _)) => return None,
            Ok((consumed, block)) => {
                let captured = match block {
                    PcapBlockOwned::Legacy(packet) => Some(packet.data.len()),
                    PcapBlockOwned::NG(pcap_parser::Block::EnhancedPacket(packet)) => {
                        Some(packet.caplen as usize)
                    }
                    PcapBlockOwned::NG(pcap_parser::Block::SimplePacket(_)) => return None,
                    PcapBlockOwned::NG(_) | PcapBlockOwned::LegacyHeader(_) => None,
                };
                frames += u64::from(captured.is_some());
                octets += captured.unwrap_or(0);
                reader.consume(consumed);
            }
            Err(PcapError::Eof) => return Some((frames, octets)),
            Err(PcapError::Incomplete(_)) if refills < MAX_REFILLS => {
                refills += 1;
                reader.refill().ok()?;
            }
            Err(_) => return None,
        }
    }
}

#[test]
fn whole_files_hold_what_pcap_parser_finds_in_them() {
    let mut compared = 0;
    let paths: Vec<_> = all_files()
        .into_iter()
        .filter(|path| !path.components().any(|part| part.as_os_str() == "hostile"))
        .collect();
    for path in &paths {
        let Ok(mut file) = CaptureFile::open(path) else { continue };
        let mut octets = 0;
        while let Next::Frame(frame) = file.next().unwrap() {
            octets += frame.bytes.len();
        }
        let stats = file.stats();
        if stats.ended_early.is_some() {
            continue;
        }
        if let Some(theirs) = by_pcap_parser(path) {
            assert_eq!((stats.frames, octets), theirs, "{}", path.display());
            compared += 1;
        }
    }
    assert!(paths.is_empty() || compared > 0, "nothing was compared");
}
