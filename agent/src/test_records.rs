//! Records for tests: a bulk transfer with timestamps, two data packets and an ACK.

use correlate_proto::{
    Endpoint, FourTuple, Heard, IpFields, Record, Segment, SeqNum, TcpFlags, TcpOptions, Timestamp,
};
use std::net::Ipv4Addr;

pub(crate) fn bulk(count: u32) -> Vec<Record> {
    let tuple = FourTuple {
        src: Endpoint { addr: Ipv4Addr::new(10, 0, 0, 1).into(), port: 45000 },
        dst: Endpoint { addr: Ipv4Addr::new(10, 0, 0, 2).into(), port: 443 },
    };
    let mut sent = SeqNum(0x8000_0000);
    (0..count)
        .map(|place| {
            let data = place % 3 != 2;
            let payload_len = if data { 1448 } else { 0 };
            let (seq, ack) = if data { (sent, SeqNum(77)) } else { (SeqNum(77), sent) };
            sent = sent.add(payload_len);
            Record::Segment(Segment {
                packet: u64::from(place) + 1,
                at: Timestamp::from_ns(1_700_000_000_000_000_000 + i64::from(place) * 12_345),
                heard: if data { Heard::Out } else { Heard::In },
                interface: 0,
                tuple: if data { tuple } else { tuple.reversed() },
                seq,
                ack,
                flags: TcpFlags::ACK,
                window: 502,
                payload_len,
                gso_size: None,
                ip: IpFields {
                    id: None,
                    ttl: 64,
                    tos: 0,
                    dont_fragment: true,
                    len: payload_len + 52,
                    flow_label: 0,
                },
                options: TcpOptions {
                    timestamps: Some((place / 80, place / 90)),
                    layout: 1,
                    ..TcpOptions::default()
                },
                payload_sum: Some(if data {
                    u16::try_from(place.wrapping_mul(40503) & 0xFFFF).unwrap()
                } else {
                    0
                }),
                first_fragment: false,
                header_truncated: false,
            })
        })
        .collect()
}
