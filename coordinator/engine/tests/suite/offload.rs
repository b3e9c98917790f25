//! Super-packets at either end: bytes are matched whatever the cut, and a lost part is lost alone.

use super::judge::Judge;
use super::sim::{MS, Offload, SEC, Sim};
use super::talk::{ACK, C2S, Talk};
use correlate_proto::report::{Code, Severity};
use correlate_proto::{IpFields, Record, Segment};

#[test]
fn segments_are_counted_alike_whether_the_capture_shows_super_packets_or_not() {
    let sent = |offload| {
        let mut sim = Sim::new(3);
        sim.offload = offload;
        let mut talk = Talk::new(&mut sim, 40_000, 0);
        talk.whole(&mut sim, 40, 200);
        let judged = Judge::until(talk.now + SEC).of(sim);
        judged.accuses_nobody();
        judged.report.paths.iter().map(|path| path.segments_sent).collect::<Vec<_>>()
    };
    let plain = sent([Offload::None; 2]);
    for near in [Offload::None, Offload::Known(10), Offload::Unknown(10)] {
        for far in [Offload::Known(7), Offload::Unknown(7)] {
            assert_eq!(sent([near, far]), plain, "{near:?} {far:?}");
        }
    }
}

/// What the server's capture shows behind a device that cuts in two what carries data, and numbers the halves itself.
fn cut_anew([client, server]: [Vec<Record>; 2], server_port: u16) -> [Vec<Record>; 2] {
    let mut ids = 0x4000..0x8000;
    let mut cut = Vec::new();
    for record in server {
        let Record::Segment(whole) = record else { continue };
        if whole.tuple.dst.port != server_port || whole.payload_len < 2 {
            cut.push(record);
            continue;
        }
        let front = whole.payload_len / 2;
        let mut half = |from: u32, to: u32| Segment {
            seq: whole.seq.add(from),
            payload_len: to - from,
            payload_sum: None,
            ip: IpFields { id: ids.next(), len: whole.ip.len - whole.payload_len + to - from, ..whole.ip },
            ..whole
        };
        cut.extend([half(0, front), half(front, whole.payload_len)].map(Record::Segment));
    }
    [client, cut]
}

/// Both ends have seen the octets of a retransmission before, so their novelty cannot stand in for the IP ID.
#[test]
fn a_retransmission_that_a_device_cuts_anew_is_one_packet() {
    let mut sim = Sim::new(4);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, C2S, 10, 2);
    let last = talk.stacks[0].next - 1448;
    talk.now += 300 * MS;
    talk.send(&mut sim, C2S, ACK, last, 1448);
    talk.now += 50 * MS;
    talk.transfer(&mut sim, C2S, 10, 2);
    let port = talk.ends.of(C2S).1.port;
    let judged = Judge::until(talk.now + SEC).of_captures(cut_anew(sim.captures(), port));
    assert_eq!(judged.codes(), [(Code::SpuriousRetransmission, Severity::Info)]);
    assert_eq!(judged.report.connections[0].directions.client_to_server.spurious, 1);
}
