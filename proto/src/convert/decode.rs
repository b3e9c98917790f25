//! From a batch to records.

use super::address::from_octets;
use super::column::Column;
use super::encode::Sidecar;
use super::error::{ConvertError, narrow};
use super::half::{Half, apply, apply16};
use super::limits::{MAX_BATCH_BYTES, MAX_BATCH_RECORDS};
use super::shape::{self, Decoded, Shape, bit};
use super::{icmp, sidecar};
use crate::segment::{IpFields, Record, SackBlocks, Segment, TcpFlags, TcpOptions};
use crate::seq::SeqNum;
use crate::time::Timestamp;
use crate::tuple::{Endpoint, FourTuple};
use crate::wire;
use core::num::NonZeroU16;
use prost::Message as _;
use std::net::IpAddr;

/// A batch in the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchContents {
    /// Packets in capture order.
    pub records: Vec<Record>,
    /// What came beside them.
    pub sidecar: Sidecar,
}

/// Decodes a decompressed body.
pub fn decode_body(body: &[u8]) -> Result<BatchContents, ConvertError> {
    if body.len() > MAX_BATCH_BYTES {
        return Err(ConvertError::TooMany {
            what: "octets of a batch",
            count: body.len(),
            limit: MAX_BATCH_BYTES,
        });
    }
    let batch = wire::Batch::decode(body).map_err(|error| ConvertError::Malformed(error.to_string()))?;
    decode_batch(&batch)
}

/// Decodes a batch.
pub fn decode_batch(batch: &wire::Batch) -> Result<BatchContents, ConvertError> {
    Ok(BatchContents { records: decode_records(batch)?, sidecar: sidecar::from_wire(batch)? })
}

fn decode_records(batch: &wire::Batch) -> Result<Vec<Record>, ConvertError> {
    let (no_flows, no_shapes, no_segments) =
        (wire::Flows::default(), wire::Shapes::default(), wire::Segments::default());
    let flows = decode_flows(batch, batch.flows.as_ref().unwrap_or(&no_flows))?;
    let shapes = shape::decode_all(batch.shapes.as_ref().unwrap_or(&no_shapes), &flows)?;
    let segments = batch.segments.as_ref().unwrap_or(&no_segments);
    let count = segments.shape.len() + batch.icmp_errors.len();
    if count > MAX_BATCH_RECORDS {
        return Err(ConvertError::TooMany { what: "packets of a batch", count, limit: MAX_BATCH_RECORDS });
    }
    let mut rows = Rows::new(batch, segments, &shapes, flows.len());
    let mut errors = batch.icmp_errors.iter().peekable();
    let mut records = Vec::with_capacity(count);
    for place in 0..count {
        match errors.next_if(|error| usize::try_from(error.row) == Ok(place)) {
            Some(error) => records.push(Record::IcmpError(icmp::from_wire(error)?)),
            None => records.push(Record::Segment(rows.next()?)),
        }
    }
    if errors.peek().is_some() {
        return Err(ConvertError::Disorder { field: "icmp_error.row" });
    }
    rows.end()?;
    Ok(records)
}

/// The four-tuples of the flow dictionary, from a to b.
fn decode_flows(batch: &wire::Batch, flows: &wire::Flows) -> Result<Vec<FourTuple>, ConvertError> {
    let addresses: Vec<IpAddr> = batch
        .addresses
        .iter()
        .map(|octets| from_octets("batch.addresses", octets))
        .collect::<Result<_, _>>()?;
    let endpoint = |address: u32, port: u32| -> Result<Endpoint, ConvertError> {
        let place = usize::try_from(address).unwrap_or(usize::MAX);
        let addr = addresses
            .get(place)
            .ok_or(ConvertError::OutOfRange { field: "flows.address", value: address.into() })?;
        Ok(Endpoint { addr: *addr, port: narrow("flows.port", port)? })
    };
    let mut a_port = Column::new("flows.a_port", &flows.a_port);
    let mut b_address = Column::new("flows.b_address", &flows.b_address);
    let mut b_port = Column::new("flows.b_port", &flows.b_port);
    let mut tuples = Vec::with_capacity(flows.a_address.len());
    for &a_address in &flows.a_address {
        tuples.push(FourTuple {
            src: endpoint(a_address, a_port.take()?)?,
            dst: endpoint(b_address.take()?, b_port.take()?)?,
        });
    }
    a_port.end()?;
    b_address.end()?;
    b_port.end()?;
    Ok(tuples)
}

/// The segment rows that are being read.
struct Rows<'a> {
    shapes: &'a [Decoded],
    halves: Vec<Half>,
    last_at: i64,
    next_packet: u64,
    row: u32,
    next_jump: Option<u32>,
    shape: Column<'a, u32>,
    at_delta: Column<'a, i64>,
    jump_row: Column<'a, u32>,
    jump: Column<'a, i64>,
    seq: Column<'a, i32>,
    ack: Column<'a, i32>,
    window: Column<'a, i32>,
    payload_len: Column<'a, i32>,
    ip_id: Column<'a, i32>,
    tsval: Column<'a, i32>,
    tsecr: Column<'a, i32>,
    sack: Column<'a, i32>,
    sum: Column<'a, u8>,
}

impl<'a> Rows<'a> {
    fn new(batch: &wire::Batch, rows: &'a wire::Segments, shapes: &'a [Decoded], flows: usize) -> Self {
        let mut jump_row = Column::new("segments.packet_jump_row", &rows.packet_jump_row);
        Self {
            shapes,
            halves: vec![Half::default(); flows * 2],
            last_at: batch.base_at_ns,
            next_packet: batch.base_packet,
            row: 0,
            next_jump: jump_row.take().ok(),
            shape: Column::new("segments.shape", &rows.shape),
            at_delta: Column::new("segments.at_delta_ns", &rows.at_delta_ns),
            jump_row,
            jump: Column::new("segments.packet_jump", &rows.packet_jump),
            seq: Column::new("segments.seq_delta", &rows.seq_delta),
            ack: Column::new("segments.ack_delta", &rows.ack_delta),
            window: Column::new("segments.window_delta", &rows.window_delta),
            payload_len: Column::new("segments.payload_len_delta", &rows.payload_len_delta),
            ip_id: Column::new("segments.ip_id_delta", &rows.ip_id_delta),
            tsval: Column::new("segments.tsval_delta", &rows.tsval_delta),
            tsecr: Column::new("segments.tsecr_delta", &rows.tsecr_delta),
            sack: Column::new("segments.sack_edge", &rows.sack_edge),
            sum: Column::new("segments.payload_sum", &rows.payload_sum),
        }
    }

    fn next(&mut self) -> Result<Segment, ConvertError> {
        let place = self.shape.take()?;
        let Decoded { shape, half } = self
            .shapes
            .get(usize::try_from(place).unwrap_or(usize::MAX))
            .copied()
            .ok_or(ConvertError::OutOfRange { field: "segments.shape", value: place.into() })?;
        self.last_at = self.last_at.wrapping_add(self.at_delta.take()?);
        let packet = self.packet()?;
        let before = self.halves[half];
        let ack = apply(before.ack, self.ack.take()?);
        let payload_len = match self.payload_len.take_if(shape.has(bit::PAYLOAD))? {
            Some(difference) => apply(before.payload_len, difference),
            None => 0,
        };
        let segment = Segment {
            packet,
            at: Timestamp::from_ns(self.last_at),
            heard: shape::heard_from_wire("shapes.bits", shape.bits >> bit::HEARD_SHIFT & 3)?,
            interface: shape.interface,
            tuple: shape.tuple,
            seq: SeqNum(apply(before.seq, self.seq.take()?)),
            ack: SeqNum(ack),
            flags: TcpFlags(shape.flags),
            window: small("segments.window_delta", before.window, self.window.take()?)?,
            payload_len,
            gso_size: NonZeroU16::new(shape.gso_size),
            ip: self.ip_fields(&shape, &before, payload_len)?,
            options: self.options(&shape, &before, ack)?,
            payload_sum: self.payload_sum(&shape)?,
            first_fragment: shape.has(bit::FIRST_FRAGMENT),
            header_truncated: shape.has(bit::HEADER_TRUNCATED),
        };
        self.halves[half].follow(&segment);
        Ok(segment)
    }

    /// The packet number of this row.
    fn packet(&mut self) -> Result<u64, ConvertError> {
        let mut packet = self.next_packet;
        if self.next_jump == Some(self.row) {
            packet = packet.wrapping_add(self.jump.take()?.cast_unsigned());
            self.next_jump = self.jump_row.take().ok();
        }
        self.row += 1;
        self.next_packet = packet.wrapping_add(1);
        Ok(packet)
    }

    fn ip_fields(
        &mut self,
        shape: &Shape,
        before: &Half,
        payload_len: u32,
    ) -> Result<IpFields, ConvertError> {
        let id = self.ip_id.take_if(shape.has(bit::IP_ID))?;
        Ok(IpFields {
            id: id.map(|difference| small("segments.ip_id_delta", before.ip_id, difference)).transpose()?,
            ttl: shape.ttl,
            tos: shape.tos,
            dont_fragment: shape.has(bit::DONT_FRAGMENT),
            len: shape.header_len.wrapping_add(payload_len),
            flow_label: shape.flow_label,
        })
    }

    fn options(&mut self, shape: &Shape, before: &Half, ack: u32) -> Result<TcpOptions, ConvertError> {
        let timestamps = if shape.has(bit::TIMESTAMPS) {
            let (tsval, tsecr) = before.timestamps;
            Some((apply(tsval, self.tsval.take()?), apply(tsecr, self.tsecr.take()?)))
        } else {
            None
        };
        let mut sack = SackBlocks::default();
        for _ in 0..shape.sack_blocks() {
            let left = apply(ack, self.sack.take()?);
            sack.push(SeqNum(left), SeqNum(apply(left, self.sack.take()?)));
        }
        Ok(TcpOptions {
            mss: shape.has(bit::MSS).then_some(shape.mss),
            window_scale: shape.has(bit::WINDOW_SCALE).then_some(shape.window_scale),
            sack_permitted: shape.has(bit::SACK_PERMITTED),
            timestamps,
            sack,
            layout: shape.layout,
        })
    }

    fn payload_sum(&mut self, shape: &Shape) -> Result<Option<u16>, ConvertError> {
        if shape.has(bit::SUM_IN_COLUMN) {
            return Ok(Some(u16::from_le_bytes([self.sum.take()?, self.sum.take()?])));
        }
        Ok(shape.has(bit::SUM_ZERO).then_some(0))
    }

    fn end(&self) -> Result<(), ConvertError> {
        if self.next_jump.is_some() {
            return Err(ConvertError::Disorder { field: "segments.packet_jump_row" });
        }
        self.shape.end()?;
        self.at_delta.end()?;
        self.jump.end()?;
        self.seq.end()?;
        self.ack.end()?;
        self.window.end()?;
        self.payload_len.end()?;
        self.ip_id.end()?;
        self.tsval.end()?;
        self.tsecr.end()?;
        self.sack.end()?;
        self.sum.end()
    }
}

/// A 16-bit number from its prediction.
fn small(field: &'static str, expected: u16, difference: i32) -> Result<u16, ConvertError> {
    apply16(expected, difference)
        .ok_or(ConvertError::OutOfRange { field, value: u64::from(difference.unsigned_abs()) })
}
