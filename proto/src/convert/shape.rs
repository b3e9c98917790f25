//! Shapes: what a packet shares with most others of its direction.

use super::column::Column;
use super::error::{ConvertError, narrow};
use crate::segment::{Heard, Segment};
use crate::tuple::FourTuple;
use crate::wire;
use core::num::NonZeroU16;

/// Bits of `Shapes.bits`; their meaning is documented in `batch.proto`.
pub(super) mod bit {
    pub(in super::super) const REVERSED: u32 = 1;
    pub(in super::super) const HEARD_SHIFT: u32 = 1;
    pub(in super::super) const DONT_FRAGMENT: u32 = 1 << 3;
    pub(in super::super) const SACK_PERMITTED: u32 = 1 << 4;
    pub(in super::super) const TIMESTAMPS: u32 = 1 << 5;
    pub(in super::super) const IP_ID: u32 = 1 << 6;
    pub(in super::super) const SUM_IN_COLUMN: u32 = 1 << 7;
    pub(in super::super) const SUM_ZERO: u32 = 2 << 7;
    pub(in super::super) const SACK_SHIFT: u32 = 9;
    pub(in super::super) const FIRST_FRAGMENT: u32 = 1 << 12;
    pub(in super::super) const HEADER_TRUNCATED: u32 = 1 << 13;
    pub(in super::super) const PAYLOAD: u32 = 1 << 14;
    pub(in super::super) const MSS: u32 = 1 << 15;
    pub(in super::super) const WINDOW_SCALE: u32 = 1 << 16;
    pub(in super::super) const GSO_SIZE: u32 = 1 << 17;
    /// Bits without a meaning yet.
    pub(in super::super) const UNKNOWN: u32 = !((1 << 18) - 1);
}

/// A shape with its four-tuple as the packet travels: the key of the encoder's dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) tuple: FourTuple,
    /// Without [`bit::REVERSED`], which depends on the flow dictionary.
    pub(super) bits: u32,
    pub(super) flags: u16,
    pub(super) interface: u16,
    pub(super) ttl: u8,
    pub(super) tos: u8,
    pub(super) header_len: u32,
    pub(super) flow_label: u32,
    pub(super) layout: u32,
    pub(super) mss: u16,
    pub(super) window_scale: u8,
    pub(super) gso_size: u16,
}

impl Shape {
    /// The shape of a packet.
    pub(super) fn of(segment: &Segment) -> Self {
        Self {
            tuple: segment.tuple,
            bits: bits_of(segment),
            flags: segment.flags.0,
            interface: segment.interface,
            ttl: segment.ip.ttl,
            tos: segment.ip.tos,
            header_len: segment.ip.len.wrapping_sub(segment.payload_len),
            flow_label: segment.ip.flow_label,
            layout: segment.options.layout,
            mss: segment.options.mss.unwrap_or(0),
            window_scale: segment.options.window_scale.unwrap_or(0),
            gso_size: segment.gso_size.map_or(0, NonZeroU16::get),
        }
    }

    /// Whether all of these bits are set.
    pub(super) fn has(&self, bits: u32) -> bool {
        self.bits & bits == bits
    }

    /// Number of SACK blocks.
    pub(super) fn sack_blocks(&self) -> u32 {
        self.bits >> bit::SACK_SHIFT & 7
    }
}

fn bits_of(segment: &Segment) -> u32 {
    let options = &segment.options;
    let when = |condition: bool, bit: u32| if condition { bit } else { 0 };
    let sum = match segment.payload_sum {
        None => 0,
        Some(0) => bit::SUM_ZERO,
        Some(_) => bit::SUM_IN_COLUMN,
    };
    let blocks = u32::try_from(options.sack.as_slice().len()).unwrap_or(0);
    heard_to_wire(segment.heard) << bit::HEARD_SHIFT
        | when(segment.ip.dont_fragment, bit::DONT_FRAGMENT)
        | when(options.sack_permitted, bit::SACK_PERMITTED)
        | when(options.timestamps.is_some(), bit::TIMESTAMPS)
        | when(segment.ip.id.is_some(), bit::IP_ID)
        | sum
        | blocks << bit::SACK_SHIFT
        | when(segment.first_fragment, bit::FIRST_FRAGMENT)
        | when(segment.header_truncated, bit::HEADER_TRUNCATED)
        | when(segment.payload_len != 0, bit::PAYLOAD)
        | when(options.mss.is_some(), bit::MSS)
        | when(options.window_scale.is_some(), bit::WINDOW_SCALE)
        | when(segment.gso_size.is_some(), bit::GSO_SIZE)
}

/// Appends a shape to the dictionary's columns.
pub(super) fn append(shapes: &mut wire::Shapes, shape: &Shape, flow: u32, reversed: bool) {
    shapes.flow.push(flow);
    shapes.bits.push(shape.bits | u32::from(reversed));
    shapes.flags.push(shape.flags.into());
    shapes.interface.push(shape.interface.into());
    shapes.ttl.push(shape.ttl.into());
    shapes.tos.push(shape.tos.into());
    shapes.header_len.push(shape.header_len);
    shapes.flow_label.push(shape.flow_label);
    shapes.option_layout.push(shape.layout);
    if shape.has(bit::MSS) {
        shapes.mss.push(shape.mss.into());
    }
    if shape.has(bit::WINDOW_SCALE) {
        shapes.window_scale.push(shape.window_scale.into());
    }
    if shape.has(bit::GSO_SIZE) {
        shapes.gso_size.push(shape.gso_size.into());
    }
}

/// A decoded shape and where its half-flow's state stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoded {
    pub(super) shape: Shape,
    pub(super) half: usize,
}

/// Reads the dictionary. `flows` are the four-tuples from a to b.
pub(super) fn decode_all(shapes: &wire::Shapes, flows: &[FourTuple]) -> Result<Vec<Decoded>, ConvertError> {
    let mut flow = Column::new("shapes.flow", &shapes.flow);
    let mut flags = Column::new("shapes.flags", &shapes.flags);
    let mut interface = Column::new("shapes.interface", &shapes.interface);
    let mut ttl = Column::new("shapes.ttl", &shapes.ttl);
    let mut tos = Column::new("shapes.tos", &shapes.tos);
    let mut header_len = Column::new("shapes.header_len", &shapes.header_len);
    let mut flow_label = Column::new("shapes.flow_label", &shapes.flow_label);
    let mut layout = Column::new("shapes.option_layout", &shapes.option_layout);
    let mut mss = Column::new("shapes.mss", &shapes.mss);
    let mut window_scale = Column::new("shapes.window_scale", &shapes.window_scale);
    let mut gso_size = Column::new("shapes.gso_size", &shapes.gso_size);
    let mut decoded = Vec::with_capacity(shapes.bits.len());
    for &bits in &shapes.bits {
        check_bits(bits)?;
        let (tuple, half) = half_of(flows, flow.take()?, bits & bit::REVERSED != 0)?;
        let present = |bit: u32| bits & bit != 0;
        let shape = Shape {
            tuple,
            bits,
            flags: narrow("shapes.flags", flags.take()?)?,
            interface: narrow("shapes.interface", interface.take()?)?,
            ttl: narrow("shapes.ttl", ttl.take()?)?,
            tos: narrow("shapes.tos", tos.take()?)?,
            header_len: header_len.take()?,
            flow_label: flow_label.take()?,
            layout: layout.take()?,
            mss: narrow("shapes.mss", mss.take_if(present(bit::MSS))?.unwrap_or(0))?,
            window_scale: narrow(
                "shapes.window_scale",
                window_scale.take_if(present(bit::WINDOW_SCALE))?.unwrap_or(0),
            )?,
            gso_size: narrow("shapes.gso_size", gso_size.take_if(present(bit::GSO_SIZE))?.unwrap_or(0))?,
        };
        if present(bit::GSO_SIZE) && shape.gso_size == 0 {
            return Err(ConvertError::OutOfRange { field: "shapes.gso_size", value: 0 });
        }
        decoded.push(Decoded { shape, half });
    }
    flow.end()?;
    flags.end()?;
    interface.end()?;
    ttl.end()?;
    tos.end()?;
    header_len.end()?;
    flow_label.end()?;
    layout.end()?;
    mss.end()?;
    window_scale.end()?;
    gso_size.end()?;
    Ok(decoded)
}

fn check_bits(bits: u32) -> Result<(), ConvertError> {
    let both_sums = bit::SUM_IN_COLUMN | bit::SUM_ZERO;
    let wrong = bits & bit::UNKNOWN != 0
        || bits & both_sums == both_sums
        || bits >> bit::SACK_SHIFT & 7 > 4
        || bits >> bit::HEARD_SHIFT & 3 == 3;
    if wrong { Err(ConvertError::OutOfRange { field: "shapes.bits", value: bits.into() }) } else { Ok(()) }
}

/// The four-tuple as the packet travels, and the place of its half-flow.
fn half_of(flows: &[FourTuple], flow: u32, reversed: bool) -> Result<(FourTuple, usize), ConvertError> {
    let place = usize::try_from(flow).unwrap_or(usize::MAX);
    let tuple =
        flows.get(place).ok_or(ConvertError::OutOfRange { field: "shapes.flow", value: flow.into() })?;
    Ok((if reversed { tuple.reversed() } else { *tuple }, place * 2 + usize::from(reversed)))
}

/// How [`Heard`] travels.
pub(super) fn heard_to_wire(heard: Heard) -> u32 {
    match heard {
        Heard::Unknown => 0,
        Heard::Out => 1,
        Heard::In => 2,
    }
}

/// The inverse of [`heard_to_wire`].
pub(super) fn heard_from_wire(field: &'static str, heard: u32) -> Result<Heard, ConvertError> {
    match heard {
        0 => Ok(Heard::Unknown),
        1 => Ok(Heard::Out),
        2 => Ok(Heard::In),
        other => Err(ConvertError::OutOfRange { field, value: other.into() }),
    }
}
