//! pcapng files (draft-ietf-opsawg-pcapng).
//!
//! Read by hand: packet blocks are most of a file and must cost nothing, and pcap-parser 0.17 misreads what
//! the rest is needed for (big-endian time offsets, binary resolutions, IPv6 addresses of interfaces).

use super::buffer::Buffer;
use super::coverage::Tally;
use super::pcapng_interface::{Described, MAX_INTERFACES, Order, describe, flags_and_drops, statistics};
use super::{Found, Stop};
use correlate_proto::{Heard, Interface};

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
/// Largest block that is taken into memory, as in libpcap and Wireshark; others are skipped unread.
const MAX_BLOCK: u32 = 16 << 20;
/// Type and length before a block's body, and the length again behind it.
const AROUND_BODY: u32 = 12;

/// A pcapng file's state.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    order: Order,
    /// Interfaces of the current section, by their number in it.
    described: Vec<Described>,
    blocks: u64,
}

/// A block whose body stands in the buffer.
#[derive(Debug, Clone, Copy)]
struct Block {
    kind: u32,
    body_len: usize,
    /// Octets of the whole block.
    len: usize,
}

impl Pcapng {
    /// Finds the next frame; reads what stands before it.
    #[inline]
    pub(super) fn locate(
        &mut self,
        input: &mut Buffer,
        interfaces: &mut Vec<Interface>,
        tally: &mut Tally,
    ) -> Result<Found, Stop> {
        loop {
            let block = self.next_block(input)?;
            let found = match block.kind {
                ENHANCED_PACKET => Some(self.enhanced(input, block)?),
                SIMPLE_PACKET => Some(self.simple(input, block)?),
                OBSOLETE_PACKET => Some(self.obsolete(input, block)?),
                SECTION_HEADER => {
                    self.described.clear();
                    None
                }
                INTERFACE_DESCRIPTION => {
                    self.interface(input, block, interfaces)?;
                    None
                }
                INTERFACE_STATISTICS => {
                    let body = body(input, block);
                    if let Some((interface, found)) = statistics(body, self.order, &self.described) {
                        tally.statistics(interface, found);
                    }
                    None
                }
                _ => None,
            };
            input.consume(block.len);
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }

    /// The next block that matters, whole in the buffer.
    #[inline]
    fn next_block(&mut self, input: &mut Buffer) -> Result<Block, Stop> {
        loop {
            let Some(head) = input.head::<8>()? else {
                self.blocks += 1;
                return Err(if input.peek().is_empty() { Stop::End } else { self.cut() });
            };
            self.blocks += 1;
            let [a, b, c, d, ..] = head;
            if u32::from_le_bytes([a, b, c, d]) == SECTION_HEADER {
                self.section(input)?;
            }
            let (kind, len) = (self.order.word(&head, 0), self.order.word(&head, 4));
            if len < AROUND_BODY {
                return Err(self.damaged("states an impossible length"));
            }
            // Lengths are multiples of four; some writers forget, and mean the next one.
            let padded = u64::from(len).next_multiple_of(4);
            let matters = matches!(kind, SECTION_HEADER | INTERFACE_DESCRIPTION..=SIMPLE_PACKET)
                || matches!(kind, INTERFACE_STATISTICS | ENHANCED_PACKET);
            if !matters {
                if !input.skip(padded)? {
                    return Err(self.cut());
                }
                continue;
            }
            if len > MAX_BLOCK {
                return Err(self.damaged("is larger than 16 MiB"));
            }
            let padded = usize::try_from(padded).unwrap_or(usize::MAX);
            if !input.ensure(padded)? {
                return Err(self.cut());
            }
            let again = self.order.word(input.peek(), padded - 4);
            if again != len {
                return Err(self.damaged("does not repeat its length at its end"));
            }
            return Ok(Block { kind, body_len: padded - AROUND_BODY as usize, len: padded });
        }
    }

    /// A section may have another byte order than the one before.
    #[cold]
    fn section(&mut self, input: &mut Buffer) -> Result<(), Stop> {
        let Some(head) = input.head::<16>()? else { return Err(self.cut()) };
        self.order = Order::of_section(&head).ok_or_else(|| self.damaged("has no byte-order magic"))?;
        let version = self.order.half(&head, 12);
        if version == 1 { Ok(()) } else { Err(self.damaged("begins a section of an unknown version")) }
    }

    #[cold]
    fn interface(
        &mut self,
        input: &Buffer,
        block: Block,
        interfaces: &mut Vec<Interface>,
    ) -> Result<(), Stop> {
        if self.described.len() == MAX_INTERFACES {
            return Err(self.damaged("is one interface too many"));
        }
        let described = describe(body(input, block), self.order, interfaces);
        let described = described.ok_or_else(|| self.damaged("describes an interface and is too short"))?;
        self.described.push(described);
        Ok(())
    }

    /// Interface, stamp, lengths, data, options.
    #[inline]
    fn enhanced(&self, input: &Buffer, block: Block) -> Result<Found, Stop> {
        const FIXED: usize = 20;
        let body = body(input, block);
        let Some(fixed) = body.first_chunk::<FIXED>() else { return Err(self.damaged("is too short")) };
        let word = |at: usize| self.order.word(fixed, at);
        let described = self.described(word(0))?;
        let captured = self.captured(word(12), block, FIXED)?;
        let options = body.get(FIXED + captured.next_multiple_of(4)..).unwrap_or(&[]);
        let (heard, lost_before) = flags_and_drops(options, self.order);
        Ok(Found {
            place: input.place(8 + FIXED, captured),
            at: Some(described.stamp(word(4), word(8))),
            wire_len: word(16),
            link: described.link,
            heard,
            interface: described.interface,
            lost_before,
        })
    }

    /// Wire length and data: the section's first interface, and no stamp.
    #[cold]
    fn simple(&self, input: &Buffer, block: Block) -> Result<Found, Stop> {
        const FIXED: usize = 4;
        let Some(head) = body(input, block).first_chunk::<FIXED>() else {
            return Err(self.damaged("is too short"));
        };
        let wire_len = self.order.word(head, 0);
        let described = self.described(0)?;
        let limit = if described.snaplen == 0 { wire_len } else { wire_len.min(described.snaplen) };
        let room = u32::try_from(block.body_len - FIXED).unwrap_or(u32::MAX);
        let captured = self.captured(limit.min(room), block, FIXED)?;
        Ok(Found {
            place: input.place(8 + FIXED, captured),
            at: None,
            wire_len,
            link: described.link,
            heard: Heard::Unknown,
            interface: described.interface,
            lost_before: 0,
        })
    }

    /// The packet block of old files: as the enhanced one, with a short interface number and a drop count.
    #[cold]
    fn obsolete(&self, input: &Buffer, block: Block) -> Result<Found, Stop> {
        const FIXED: usize = 20;
        const DROPS_UNKNOWN: u16 = 0xFFFF;
        let body = body(input, block);
        let Some(fixed) = body.first_chunk::<FIXED>() else { return Err(self.damaged("is too short")) };
        let word = |at: usize| self.order.word(fixed, at);
        let described = self.described(u32::from(self.order.half(fixed, 0)))?;
        let captured = self.captured(word(12), block, FIXED)?;
        let options = body.get(FIXED + captured.next_multiple_of(4)..).unwrap_or(&[]);
        let drops = self.order.half(fixed, 2);
        Ok(Found {
            place: input.place(8 + FIXED, captured),
            at: Some(described.stamp(word(4), word(8))),
            wire_len: word(16),
            link: described.link,
            heard: flags_and_drops(options, self.order).0,
            interface: described.interface,
            lost_before: if drops == DROPS_UNKNOWN { 0 } else { u32::from(drops) },
        })
    }

    #[inline]
    fn described(&self, number: u32) -> Result<&Described, Stop> {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        self.described.get(place).ok_or_else(|| self.damaged("names an interface that was not described"))
    }

    /// The captured length, if the block has room for it behind `fixed` octets.
    #[inline]
    fn captured(&self, stated: u32, block: Block, fixed: usize) -> Result<usize, Stop> {
        let stated = usize::try_from(stated).unwrap_or(usize::MAX);
        let fits = block.body_len.checked_sub(fixed).is_some_and(|room| stated <= room);
        if fits { Ok(stated) } else { Err(self.damaged("holds less than the packet it states")) }
    }

    #[cold]
    fn damaged(&self, how: &str) -> Stop {
        Stop::Early(format!("block {} {how}: damaged there", self.blocks))
    }

    #[cold]
    fn cut(&self) -> Stop {
        Stop::Early(format!("the file is cut in block {}", self.blocks))
    }
}

#[inline]
fn body(input: &Buffer, block: Block) -> &[u8] {
    input.peek().get(8..8 + block.body_len).unwrap_or(&[])
}
