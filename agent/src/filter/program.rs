//! A compiled filter: instructions as the kernel takes them.

use super::interpreter::{self, Packet, Step};
use super::link::network_offset;
use crate::capture::Frame;

/// One instruction of classic BPF, laid out as the kernel's `struct sock_filter` (`linux/filter.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// Instructions to skip if a comparison holds.
    pub jt: u8,
    /// Instructions to skip if it does not.
    pub jf: u8,
    /// Constant, offset or scratch slot.
    pub k: u32,
}

/// Instruction codes (`linux/bpf_common.h`, `linux/filter.h`).
pub(super) mod code {
    pub(in crate::filter) const LD_W_ABS: u16 = 0x20;
    pub(in crate::filter) const LD_H_ABS: u16 = 0x28;
    pub(in crate::filter) const LD_B_ABS: u16 = 0x30;
    pub(in crate::filter) const LD_W_IND: u16 = 0x40;
    pub(in crate::filter) const LD_H_IND: u16 = 0x48;
    pub(in crate::filter) const LD_B_IND: u16 = 0x50;
    pub(in crate::filter) const LD_IMM: u16 = 0x00;
    pub(in crate::filter) const LD_LEN: u16 = 0x80;
    pub(in crate::filter) const LD_MEM: u16 = 0x60;
    pub(in crate::filter) const LDX_IMM: u16 = 0x01;
    pub(in crate::filter) const LDX_MEM: u16 = 0x61;
    pub(in crate::filter) const LDX_MSH: u16 = 0xb1;
    pub(in crate::filter) const ST: u16 = 0x02;
    pub(in crate::filter) const STX: u16 = 0x03;
    pub(in crate::filter) const ALU: u16 = 0x04;
    pub(in crate::filter) const ALU_NEG: u16 = 0x84;
    /// Added to an ALU or jump code: the operand is the index register.
    pub(in crate::filter) const X: u16 = 0x08;
    pub(in crate::filter) const JA: u16 = 0x05;
    pub(in crate::filter) const JEQ: u16 = 0x15;
    pub(in crate::filter) const JGT: u16 = 0x25;
    pub(in crate::filter) const JGE: u16 = 0x35;
    pub(in crate::filter) const JSET: u16 = 0x45;
    pub(in crate::filter) const RET: u16 = 0x06;
    pub(in crate::filter) const TAX: u16 = 0x07;
    pub(in crate::filter) const TXA: u16 = 0x87;
    /// Offsets from here on are relative to the network header (`SKF_NET_OFF`).
    pub(in crate::filter) const NET: u32 = 0xfff0_0000;
    /// A load from here gives the ethertype (`SKF_AD_OFF + SKF_AD_PROTOCOL`).
    pub(in crate::filter) const ETHERTYPE: u32 = 0xffff_f000;
    /// A load from here gives the packet type, of which 4 is "outgoing" (`SKF_AD_OFF + SKF_AD_PKTTYPE`).
    pub(in crate::filter) const PACKET_TYPE: u32 = 0xffff_f004;
    /// A load from here gives the interface's index (`SKF_AD_OFF + SKF_AD_IFINDEX`).
    pub(in crate::filter) const INTERFACE: u32 = 0xffff_f008;
    /// Longest program. The kernel takes 4,096 (`BPF_MAXINSNS`); the rest is for
    /// [`super::Program::on_interfaces`].
    pub(in crate::filter) const MAX_INSTRUCTIONS: usize = 4000;
}

/// Most interfaces that one capture chooses by name; who wants more captures all.
pub const MAX_INTERFACES: usize = 64;

/// A compiled filter, for the kernel and for our own interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    instructions: Vec<Instruction>,
    steps: Vec<Step>,
}

impl Program {
    /// The program of `instructions`, which come from our own compiler: every jump is forward and lands inside.
    pub(super) fn new(instructions: Vec<Instruction>) -> Self {
        let steps = interpreter::decode(&instructions);
        Self { instructions, steps }
    }

    /// The instructions, at most 4,096. The program returns how many octets to capture, 0 for none.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// Whether `frame` passes.
    ///
    /// A frame whose link type is unknown or whose network header is cut off does not, nor does one that was
    /// cut before an octet that the program looks at.
    pub fn matches(&self, frame: &Frame<'_>) -> bool {
        let Some((ethertype, network)) = network_offset(frame.link, frame.bytes) else { return false };
        let packet = Packet { bytes: frame.bytes, network, ethertype, wire_len: frame.wire_len };
        self.run(&packet) != 0
    }

    /// The same for the kernel alone: frames of the interfaces with these indices only. At most
    /// [`MAX_INTERFACES`]; further ones are left out.
    #[must_use]
    pub fn on_interfaces(&self, indices: &[u32]) -> Self {
        let indices = &indices[..indices.len().min(MAX_INTERFACES)];
        let mut instructions =
            vec![Instruction { code: code::LD_W_ABS, k: code::INTERFACE, ..Instruction::default() }];
        for (index, left) in indices.iter().zip((1..=indices.len()).rev()) {
            let over_the_rest = u8::try_from(left).unwrap_or(u8::MAX);
            instructions.push(Instruction { code: code::JEQ, jt: over_the_rest, jf: 0, k: *index });
        }
        instructions.push(Instruction { code: code::RET, ..Instruction::default() });
        instructions.extend(&self.instructions);
        Self::new(instructions)
    }

    /// Octets of `packet` to capture, 0 for none.
    pub(super) fn run(&self, packet: &Packet<'_>) -> u32 {
        interpreter::run(&self.steps, packet)
    }
}
