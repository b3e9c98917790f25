//! What a packet costs: measurements, not tests. `cargo test --release -p correlate-coordinator measure -- --ignored
//! --nocapture`.

use crate::body::BatchOpener;
use crate::recording::{Entry, Recording, SessionMeta};
use core::time::Duration;
use correlate_agent::batch::{BatchBuilder, Compressor};
use correlate_proto::convert::Sidecar;
use correlate_proto::{
    CapturePointId, Endpoint, FourTuple, Heard, IpFields, Record, Segment, SeqNum, TcpFlags, TcpOptions,
    Timestamp, wire,
};

/// CPU time of this thread: what other programs do meanwhile is not measured.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

const RECORDS: u64 = 1_000_000;
const FLOWS: usize = 32;

/// Bulk transfers over several flows, two data packets and an ACK, with random spacing, windows and sums.
fn bulk() -> Vec<Record> {
    let mut random = 1u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let (mut sent, mut ids, mut at) = ([1u32; FLOWS], [7u16; FLOWS], 1_700_000_000_000_000_000i64);
    (1..=RECORDS)
        .map(|packet| {
            let bits = next();
            let flow = usize::try_from(bits % 32).unwrap();
            at += i64::try_from(bits >> 20 & 0x7FF).unwrap();
            let data = bits >> 40 & 3 != 0;
            let payload_len = if data { 1448 } else { 0 };
            let host = |last, port| Endpoint { addr: [10, 0, 0, last].into(), port };
            let out = FourTuple { src: host(1, 40_000 + u16::try_from(flow).unwrap()), dst: host(2, 443) };
            let (seq, ack) = if data { (sent[flow], 500) } else { (500, sent[flow]) };
            sent[flow] = sent[flow].wrapping_add(payload_len);
            ids[flow] = ids[flow].wrapping_add(u16::from(data));
            let tsval = u32::try_from(at / 1_000_000 % (1 << 32)).unwrap();
            Record::Segment(Segment {
                packet,
                at: Timestamp::from_ns(at),
                heard: if data { Heard::Out } else { Heard::In },
                interface: 0,
                tuple: if data { out } else { out.reversed() },
                seq: SeqNum(seq),
                ack: SeqNum(ack),
                flags: TcpFlags(if (bits >> 50).is_multiple_of(8) { 0x18 } else { 0x10 }),
                window: if data { 502 } else { 3000 + u16::try_from(bits >> 44 & 0xFF).unwrap() },
                payload_len,
                gso_size: None,
                ip: IpFields {
                    id: Some(if data { ids[flow] } else { 9 }),
                    ttl: 64,
                    tos: 0,
                    dont_fragment: true,
                    len: payload_len + 52,
                    flow_label: 0,
                },
                options: TcpOptions {
                    timestamps: Some((tsval, tsval - 1)),
                    layout: 0x0101_0800,
                    ..TcpOptions::default()
                },
                payload_sum: Some(if data { u16::try_from(bits >> 48).unwrap() } else { 0 }),
                first_fragment: false,
                header_truncated: false,
            })
        })
        .collect()
}

fn seal_all(records: &[Record], compressor: Compressor) -> Vec<wire::SealedBatch> {
    let mut builder = BatchBuilder::new(compressor);
    let mut batches = Vec::new();
    for record in records {
        builder.push(record, Duration::ZERO);
        if builder.is_full() {
            batches.push(builder.seal(&Sidecar::default()));
        }
    }
    batches.push(builder.seal(&Sidecar::default()));
    batches
}

fn per_record(what: &str, since: u64) {
    let ns = (cpu_ns() - since) / RECORDS;
    println!("{what}: {ns} ns of CPU per record");
}

fn octets(what: &str, batches: &[wire::SealedBatch]) {
    let octets: usize = batches.iter().map(|batch| batch.body.len()).sum();
    let hundredths = octets * 100 / usize::try_from(RECORDS).unwrap();
    println!(
        "{what}: {}.{:02} octets per record, {} batches",
        hundredths / 100,
        hundredths % 100,
        batches.len()
    );
}

#[test]
#[ignore = "a measurement"]
fn cost_of_a_record() {
    let records = bulk();
    let start = cpu_ns();
    let plain = seal_all(&records, Compressor::none());
    per_record("encode", start);
    octets("plain", &plain);
    let start = cpu_ns();
    let small = seal_all(&records, Compressor::zstd());
    per_record("encode and compress", start);
    octets("zstd", &small);
    for (what, batches) in [("decode", &plain), ("decompress and decode", &small)] {
        let (start, mut opener) = (cpu_ns(), BatchOpener::new());
        let count: usize = batches.iter().map(|batch| opener.open(batch).unwrap().records.len()).sum();
        per_record(what, start);
        assert_eq!(count, records.len());
    }
    let directory = tempfile::tempdir().unwrap();
    for grouped in [1, 16, 64] {
        let path = directory.path().join(grouped.to_string());
        let mut recording = Recording::create(&path, &SessionMeta::default()).unwrap();
        let start = cpu_ns();
        for group in small.chunks(grouped) {
            let entry = |batch| Entry::Batch {
                point: CapturePointId(0),
                batch,
                clock_samples: &[],
                host_counters: &[],
            };
            recording.write(&group.iter().map(entry).collect::<Vec<_>>()).unwrap();
        }
        per_record(&format!("record, {grouped} batches per commit"), start);
        recording.close().unwrap();
    }
}
