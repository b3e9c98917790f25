//! Laws of the boundary: what goes in comes out, and no octets break it.

mod strategy;

use super::*;
use crate::segment::Record;
use crate::wire;
use proptest::prelude::*;
use prost::Message as _;

fn encode(records: &[Record], sidecar: &Sidecar) -> Vec<u8> {
    let mut encoder = BatchEncoder::new();
    let mut body = Vec::new();
    for record in records {
        encoder.push(record);
    }
    encoder.finish(sidecar, &mut body);
    body
}

proptest! {
    #[test]
    fn a_batch_decodes_to_what_was_encoded(
        first in prop::collection::vec(strategy::record(), 0..60),
        second in prop::collection::vec(strategy::record(), 0..60),
        sidecar in strategy::sidecar(),
    ) {
        let mut encoder = BatchEncoder::new();
        // Two batches from one encoder: nothing of the first may reach the second.
        for records in [first, second] {
            for record in &records {
                encoder.push(record);
            }
            prop_assert_eq!(encoder.records() as usize, records.len());
            let estimate = encoder.estimated_len();
            let mut body = Vec::new();
            encoder.finish(&Sidecar::default(), &mut body);
            prop_assert!(body.len() <= estimate + estimate / 2 + 200, "{} octets, estimated {}", body.len(), estimate);
            prop_assert_eq!(decode_body(&body).unwrap().records, records);
        }
        let mut body = Vec::new();
        encoder.finish(&sidecar, &mut body);
        prop_assert_eq!(decode_body(&body).unwrap(), BatchContents { records: Vec::new(), sidecar });
    }

    #[test]
    fn counters_and_points_come_back(stats in strategy::stats(), point in strategy::capture_point()) {
        prop_assert_eq!(stats_from_wire(&stats_to_wire(&stats)).unwrap(), stats);
        prop_assert_eq!(capture_point_from_wire(&capture_point_to_wire(&point)).unwrap(), point);
    }

    #[test]
    fn any_octets_are_a_batch_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_body(&octets);
        if let Ok(stats) = wire::PointStats::decode(&octets[..]) {
            let _ = stats_from_wire(&stats);
        }
    }

    #[test]
    fn a_mutated_batch_is_a_batch_or_an_error(
        records in prop::collection::vec(strategy::record(), 1..40),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut body = encode(&records, &Sidecar::default());
        for (place, octet) in mutations {
            let place = place.index(body.len());
            body[place] = octet;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        if let Ok(contents) = decode_body(&body) {
            prop_assert!(contents.records.len() <= MAX_BATCH_RECORDS);
        }
    }
}

/// Breaks a batch in one place.
type Breakage = fn(&mut wire::Batch);

#[test]
fn every_broken_column_is_refused_by_name() {
    let records = strategy::sample(24);
    let whole = wire::Batch::decode(&encode(&records, &Sidecar::default())[..]).unwrap();
    assert_eq!(decode_batch(&whole).unwrap().records, records);
    let breakages: [(&str, Breakage); 12] = [
        ("segments.shape", |batch| batch.segments.as_mut().unwrap().shape[0] = 9999),
        ("segments.seq_delta", |batch| batch.segments.as_mut().unwrap().seq_delta.truncate(3)),
        ("segments.at_delta_ns", |batch| batch.segments.as_mut().unwrap().at_delta_ns.push(0)),
        ("segments.payload_sum", |batch| batch.segments.as_mut().unwrap().payload_sum.push(0)),
        ("segments.window_delta", |batch| batch.segments.as_mut().unwrap().window_delta[0] = 1 << 20),
        ("segments.packet_jump_row", |batch| batch.segments.as_mut().unwrap().packet_jump_row.push(7777)),
        ("shapes.flow", |batch| batch.shapes.as_mut().unwrap().flow[0] = u32::MAX),
        ("shapes.bits", |batch| batch.shapes.as_mut().unwrap().bits[0] |= 1 << 31),
        ("shapes.ttl", |batch| batch.shapes.as_mut().unwrap().ttl[0] = 256),
        ("flows.address", |batch| batch.flows.as_mut().unwrap().a_address[0] = 500),
        ("flows.port", |batch| batch.flows.as_mut().unwrap().b_port[0] = 1 << 16),
        ("batch.addresses", |batch| batch.addresses[0] = vec![1, 2, 3]),
    ];
    for (field, breakage) in breakages {
        let mut batch = whole.clone();
        breakage(&mut batch);
        let error = decode_batch(&batch).expect_err(field).to_string();
        assert!(error.contains(field), "{error} does not name {field}");
    }
}

#[test]
fn a_batch_at_the_limit_decodes_and_one_above_is_refused() {
    let mut records = strategy::sample(MAX_BATCH_RECORDS);
    let at_limit = encode(&records, &Sidecar::default());
    assert!(at_limit.len() <= MAX_BATCH_BYTES, "{} octets", at_limit.len());
    assert_eq!(decode_body(&at_limit).unwrap().records.len(), MAX_BATCH_RECORDS);
    records.push(records[0]);
    let above = encode(&records, &Sidecar::default());
    assert!(matches!(decode_body(&above), Err(ConvertError::TooMany { what: "packets of a batch", .. })));
    assert!(matches!(
        decode_body(&vec![0; MAX_BATCH_BYTES + 1]),
        Err(ConvertError::TooMany { what: "octets of a batch", .. })
    ));
}

#[test]
fn bulk_traffic_takes_at_most_twenty_octets_per_packet() {
    let records = strategy::bulk(2_000);
    let body = encode(&records, &Sidecar::default());
    assert!(body.len() <= 20 * records.len(), "{} octets for {} packets", body.len(), records.len());
}
