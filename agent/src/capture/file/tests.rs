//! Capture files written octet by octet, and what reading them gives.

mod classic;
mod damage;
mod pcapng;
mod public;

use super::CaptureFile;
use crate::capture::{CaptureError, Frame, FrameSource, LinkType, Next};
use correlate_proto::{Heard, PointStats};
use std::io::Cursor;

/// What tests look at of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) number: u64,
    pub(super) at_ns: i64,
    pub(super) bytes: Vec<u8>,
    pub(super) wire_len: u32,
    pub(super) link: LinkType,
    pub(super) heard: Heard,
    pub(super) interface: u16,
}

impl From<Frame<'_>> for Seen {
    fn from(frame: Frame<'_>) -> Self {
        Self {
            number: frame.number,
            at_ns: frame.at.as_ns(),
            bytes: frame.bytes.to_vec(),
            wire_len: frame.wire_len,
            link: frame.link,
            heard: frame.heard,
            interface: frame.interface,
        }
    }
}

pub(super) fn open(bytes: &[u8]) -> Result<CaptureFile, CaptureError> {
    CaptureFile::from_reader("test.pcap", Box::new(Cursor::new(bytes.to_vec())))
}

pub(super) fn read(bytes: &[u8]) -> (Vec<Seen>, PointStats) {
    let (seen, file) = read_on(open(bytes).unwrap());
    (seen, file.stats())
}

pub(super) fn read_on(mut file: CaptureFile) -> (Vec<Seen>, CaptureFile) {
    let mut seen = Vec::new();
    while let Next::Frame(frame) = file.next().unwrap() {
        seen.push(frame.into());
    }
    assert!(matches!(file.next().unwrap(), Next::End), "the end stays the end");
    (seen, file)
}

/// Numbers in one byte order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) big: bool,
}

impl Order {
    pub(super) fn u16(self, number: u16) -> [u8; 2] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub(super) fn u32(self, number: u32) -> [u8; 4] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub(super) fn u64(self, number: u64) -> [u8; 8] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }
}

pub(super) const LITTLE: Order = Order { big: false };
pub(super) const ORDERS: [Order; 2] = [LITTLE, Order { big: true }];
pub(super) const MICROSECONDS: u32 = 0xA1B2_C3D4;
pub(super) const NANOSECONDS: u32 = 0xA1B2_3C4D;

/// A classic file's header.
pub(super) fn classic_header(order: Order, magic: u32, minor: u16, link: u32) -> Vec<u8> {
    let version = [order.u16(2), order.u16(minor)].concat();
    [&order.u32(magic)[..], &version, &[0; 8], &order.u32(96), &order.u32(link)].concat()
}

/// A classic file's packet.
pub(super) fn classic_packet(order: Order, stamp: (u32, u32), bytes: &[u8], wire_len: u32) -> Vec<u8> {
    let captured = u32::try_from(bytes.len()).unwrap();
    let head = [stamp.0, stamp.1, captured, wire_len].map(|number| order.u32(number)).concat();
    [&head, bytes].concat()
}

/// A classic file of Ethernet frames that hold their own number, one a second.
pub(super) fn classic_file(count: u8) -> Vec<u8> {
    let mut file = classic_header(LITTLE, MICROSECONDS, 4, 1);
    for number in 1..=count {
        file.extend(classic_packet(LITTLE, (u32::from(number), 0), &[number; 20], 60));
    }
    file
}
