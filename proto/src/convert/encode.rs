//! From records to a batch.

use super::address::to_octets;
use super::half::{Half, difference, difference16};
use super::icmp;
use super::shape::{self, Shape, bit};
use super::sidecar;
use crate::point::{ClockSample, HostCounters};
use crate::segment::{Record, Segment};
use crate::time::{Local, Timestamp};
use crate::tuple::FourTuple;
use crate::wire;
use prost::Message as _;
use std::collections::HashMap;
use std::net::IpAddr;

/// What a batch carries beside its packets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sidecar {
    /// Every packet up to this instant is in this batch or one before; absent if not known.
    pub watermark: Option<Timestamp<Local>>,
    /// The same by the raw clock, in nanoseconds; absent if the clocks are not read. Where it is there, the samples
    /// reach beyond the batch's last packet.
    pub watermark_raw_ns: Option<i64>,
    /// Packets that are missing.
    pub losses: Vec<Loss>,
    /// Clock readings since the batch before.
    pub clock_samples: Vec<ClockSample>,
    /// Host counters since the batch before.
    pub host_counters: Vec<HostCounters>,
}

/// Packets that were captured, or should have been, and are in no batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Where they were lost.
    pub source: LossSource,
    /// How many.
    pub count: u64,
    /// Not before this instant.
    pub first_at: Timestamp<Local>,
    /// Not after this instant.
    pub last_at: Timestamp<Local>,
}

/// Where packets were lost on their way into a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LossSource {
    /// The kernel dropped them before the agent could read them.
    Kernel,
    /// The agent's queue to the coordinator was full.
    Agent,
}

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Collects records into the columns of one batch at a time. Its buffers and dictionaries are used again, so
/// that no memory is allocated per packet.
#[derive(Debug, Default)]
pub struct BatchEncoder {
    batch: wire::Batch,
    flows: wire::Flows,
    shapes: wire::Shapes,
    segments: wire::Segments,
    flow_places: Map<FourTuple, u32>,
    address_places: Map<IpAddr, u32>,
    /// Place of a shape and of its half-flow's state.
    shape_places: Map<Shape, (u32, usize)>,
    halves: Vec<Half>,
    records: u32,
    last_at: i64,
    next_packet: u64,
    span: Option<(i64, i64)>,
    estimate: usize,
}

impl BatchEncoder {
    /// An encoder with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Packets in the batch so far.
    #[must_use]
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Octets that the packets so far will encode to, within a few per cent, dictionaries included.
    #[must_use]
    pub fn estimated_len(&self) -> usize {
        self.estimate
    }

    /// Stamps of the earliest and the latest packet; `None` if there is none.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp<Local>, Timestamp<Local>)> {
        self.span.map(|(first, last)| (Timestamp::from_ns(first), Timestamp::from_ns(last)))
    }

    /// Adds a packet. Packets are told apart by their place: give them in capture order.
    pub fn push(&mut self, record: &Record) {
        let at = record.at().as_ns();
        self.span = Some(self.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        match record {
            Record::Segment(segment) => self.push_segment(segment),
            Record::IcmpError(error) => {
                self.batch.icmp_errors.push(icmp::to_wire(error, self.records));
                self.estimate += 120;
            }
        }
        self.records += 1;
    }

    /// Encodes the batch onto the end of `out` and begins the next one.
    pub fn finish(&mut self, sidecar: &Sidecar, out: &mut Vec<u8>) {
        sidecar::to_wire(sidecar, &mut self.batch);
        self.batch.flows = Some(core::mem::take(&mut self.flows));
        self.batch.shapes = Some(core::mem::take(&mut self.shapes));
        self.batch.segments = Some(core::mem::take(&mut self.segments));
        out.reserve(self.batch.encoded_len());
        // A Vec grows as needed: encoding into one cannot fail.
        let encoded = self.batch.encode(out);
        debug_assert!(encoded.is_ok(), "a Vec has room");
        self.flows = self.batch.flows.take().unwrap_or_default();
        self.shapes = self.batch.shapes.take().unwrap_or_default();
        self.segments = self.batch.segments.take().unwrap_or_default();
        self.clear();
    }

    fn push_segment(&mut self, segment: &Segment) {
        let at = segment.at.as_ns();
        if self.segments.shape.is_empty() {
            self.batch.base_at_ns = at;
            self.batch.base_packet = segment.packet;
            self.last_at = at;
            self.next_packet = segment.packet;
        }
        let key = Shape::of(segment);
        let (shape, half_place) = self.place_of(&key);
        let rows = &mut self.segments;
        let row = u32::try_from(rows.shape.len()).unwrap_or(u32::MAX);
        rows.shape.push(shape);
        let at_delta = at.wrapping_sub(self.last_at);
        rows.at_delta_ns.push(at_delta);
        let mut len = varint_len(shape.into()) + zigzag_len(at_delta);
        if segment.packet != self.next_packet {
            rows.packet_jump_row.push(row);
            rows.packet_jump.push(segment.packet.wrapping_sub(self.next_packet).cast_signed());
            len += 4;
        }
        self.last_at = at;
        self.next_packet = segment.packet.wrapping_add(1);
        len += append_row(rows, segment, &key, &self.halves[half_place]);
        self.halves[half_place].follow(segment);
        self.estimate += len;
    }

    /// The place of a shape and of its half-flow, new or known.
    fn place_of(&mut self, key: &Shape) -> (u32, usize) {
        if let Some(places) = self.shape_places.get(key) {
            return *places;
        }
        let (flow, reversed) = self.flow_of(key.tuple);
        let place = u32::try_from(self.shapes.bits.len()).unwrap_or(u32::MAX);
        shape::append(&mut self.shapes, key, flow, reversed);
        self.estimate += 22;
        let half = usize::try_from(flow).unwrap_or(usize::MAX) * 2 + usize::from(reversed);
        self.shape_places.insert(*key, (place, half));
        (place, half)
    }

    /// The place of a flow and whether the tuple runs against it.
    fn flow_of(&mut self, tuple: FourTuple) -> (u32, bool) {
        if let Some(place) = self.flow_places.get(&tuple) {
            return (*place, false);
        }
        if let Some(place) = self.flow_places.get(&tuple.reversed()) {
            return (*place, true);
        }
        let place = u32::try_from(self.flows.a_port.len()).unwrap_or(u32::MAX);
        let (a_address, b_address) = (self.address_of(tuple.src.addr), self.address_of(tuple.dst.addr));
        self.flows.a_address.push(a_address);
        self.flows.a_port.push(tuple.src.port.into());
        self.flows.b_address.push(b_address);
        self.flows.b_port.push(tuple.dst.port.into());
        self.estimate += 9;
        self.flow_places.insert(tuple, place);
        self.halves.extend([Half::default(); 2]);
        (place, false)
    }

    fn address_of(&mut self, address: IpAddr) -> u32 {
        if let Some(place) = self.address_places.get(&address) {
            return *place;
        }
        let place = u32::try_from(self.batch.addresses.len()).unwrap_or(u32::MAX);
        self.batch.addresses.push(to_octets(address));
        self.estimate += 18;
        self.address_places.insert(address, place);
        place
    }

    fn clear(&mut self) {
        let batch = &mut self.batch;
        (batch.base_at_ns, batch.base_packet) = (0, 0);
        (batch.watermark_ns, batch.watermark_raw_ns) = (None, None);
        batch.addresses.clear();
        batch.icmp_errors.clear();
        batch.losses.clear();
        batch.clock_samples.clear();
        batch.host_counters.clear();
        clear_flows(&mut self.flows);
        clear_shapes(&mut self.shapes);
        clear_segments(&mut self.segments);
        self.flow_places.clear();
        self.address_places.clear();
        self.shape_places.clear();
        self.halves.clear();
        (self.records, self.span, self.estimate) = (0, None, 0);
    }
}

/// Appends what the row has of its own; returns how many octets that will be.
fn append_row(rows: &mut wire::Segments, segment: &Segment, shape: &Shape, before: &Half) -> usize {
    let mut len = 0;
    let mut push = |column: &mut Vec<i32>, difference: i32| {
        column.push(difference);
        len += zigzag_len(difference.into());
    };
    push(&mut rows.seq_delta, difference(segment.seq.0, before.seq));
    push(&mut rows.ack_delta, difference(segment.ack.0, before.ack));
    push(&mut rows.window_delta, difference16(segment.window, before.window));
    if shape.has(bit::PAYLOAD) {
        push(&mut rows.payload_len_delta, difference(segment.payload_len, before.payload_len));
    }
    if let Some(id) = segment.ip.id {
        push(&mut rows.ip_id_delta, difference16(id, before.ip_id));
    }
    if let Some((tsval, tsecr)) = segment.options.timestamps {
        push(&mut rows.tsval_delta, difference(tsval, before.timestamps.0));
        push(&mut rows.tsecr_delta, difference(tsecr, before.timestamps.1));
    }
    for (left, right) in segment.options.sack.as_slice() {
        push(&mut rows.sack_edge, difference(left.0, segment.ack.0));
        push(&mut rows.sack_edge, difference(right.0, left.0));
    }
    if let (true, Some(sum)) = (shape.has(bit::SUM_IN_COLUMN), segment.payload_sum) {
        rows.payload_sum.extend(sum.to_le_bytes());
        len += 2;
    }
    len
}

/// Octets of a varint.
fn varint_len(value: u64) -> usize {
    prost::length_delimiter_len(usize::try_from(value).unwrap_or(usize::MAX))
}

/// Octets of a zigzag varint.
fn zigzag_len(value: i64) -> usize {
    varint_len(((value << 1) ^ (value >> 63)).cast_unsigned())
}

fn clear_flows(flows: &mut wire::Flows) {
    let wire::Flows { a_address, a_port, b_address, b_port } = flows;
    for column in [a_address, a_port, b_address, b_port] {
        column.clear();
    }
}

fn clear_shapes(shapes: &mut wire::Shapes) {
    let wire::Shapes {
        flow,
        bits,
        flags,
        interface,
        ttl,
        tos,
        header_len,
        flow_label,
        option_layout,
        mss,
        window_scale,
        gso_size,
    } = shapes;
    for column in [
        flow,
        bits,
        flags,
        interface,
        ttl,
        tos,
        header_len,
        flow_label,
        option_layout,
        mss,
        window_scale,
        gso_size,
    ] {
        column.clear();
    }
}

fn clear_segments(segments: &mut wire::Segments) {
    let wire::Segments {
        shape,
        at_delta_ns,
        packet_jump_row,
        packet_jump,
        seq_delta,
        ack_delta,
        window_delta,
        payload_len_delta,
        ip_id_delta,
        tsval_delta,
        tsecr_delta,
        sack_edge,
        payload_sum,
    } = segments;
    shape.clear();
    at_delta_ns.clear();
    packet_jump_row.clear();
    packet_jump.clear();
    payload_sum.clear();
    for column in [
        seq_delta,
        ack_delta,
        window_delta,
        payload_len_delta,
        ip_id_delta,
        tsval_delta,
        tsecr_delta,
        sack_edge,
    ] {
        column.clear();
    }
}
