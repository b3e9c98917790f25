//! Runs a program over the octets of a file's frame as the kernel would over the packet.

use super::program::{Instruction, code};

/// What a program can ask about a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    /// The frame as captured.
    pub(super) bytes: &'a [u8],
    /// Where its network header begins.
    pub(super) network: usize,
    /// The ethertype of what begins there.
    pub(super) ethertype: u16,
    /// Octets of the frame on the wire.
    pub(super) wire_len: u32,
}

/// An instruction, decoded once so that running it is one jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Byte(u32),
    Half(u32),
    Word(u32),
    ByteAtX(u32),
    HalfAtX(u32),
    WordAtX(u32),
    EtherType,
    PacketType,
    Imm(u32),
    Len,
    Mem(u32),
    XImm(u32),
    XMem(u32),
    XHeaderLen(u32),
    Store(u32),
    StoreX(u32),
    Alu(Alu, u32),
    AluX(Alu),
    Negate,
    Jump(u32),
    IfEqual(u32, u8, u8),
    /// A load and the comparison behind it in one step: where a load is nearly always followed by one, half of
    /// the dispatches. The comparison stays in its own place too, for jumps that lead there.
    LoadIf(Source, u32, Fused, u8, u8),
    If(Test, u32, u8, u8),
    IfX(Test, u8, u8),
    Return(u32),
    Tax,
    Txa,
    /// Not one of our compiler's: rejects.
    Unknown,
}

/// What a fused step loads. Offsets from the network header that fit 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    EtherType,
    Byte(u16),
    Half(u16),
    Word(u16),
    HalfAtX(u16),
}

/// How a fused step compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fused {
    Equal,
    Set,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alu {
    Add,
    Sub,
    Mul,
    Div,
    Or,
    And,
    Lsh,
    Rsh,
    Mod,
    Xor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    Greater,
    GreaterEqual,
    Set,
}

const ALU: [Option<Alu>; 11] = [
    Some(Alu::Add),
    Some(Alu::Sub),
    Some(Alu::Mul),
    Some(Alu::Div),
    Some(Alu::Or),
    Some(Alu::And),
    Some(Alu::Lsh),
    Some(Alu::Rsh),
    None,
    Some(Alu::Mod),
    Some(Alu::Xor),
];

impl Step {
    /// Decodes one instruction. Loads are turned into offsets from the network header.
    pub(super) fn decode(instruction: Instruction) -> Self {
        let Instruction { code: op, jt, jf, k } = instruction;
        let at = k.wrapping_sub(code::NET);
        match op {
            code::LD_W_ABS | code::LD_H_ABS if k == code::ETHERTYPE => Self::EtherType,
            code::LD_W_ABS if k == code::PACKET_TYPE => Self::PacketType,
            code::LD_W_ABS => Self::Word(at),
            code::LD_H_ABS => Self::Half(at),
            code::LD_B_ABS => Self::Byte(at),
            code::LD_W_IND => Self::WordAtX(at),
            code::LD_H_IND => Self::HalfAtX(at),
            code::LD_B_IND => Self::ByteAtX(at),
            code::LD_IMM => Self::Imm(k),
            code::LD_LEN => Self::Len,
            code::LD_MEM => Self::Mem(k),
            code::LDX_IMM => Self::XImm(k),
            code::LDX_MEM => Self::XMem(k),
            code::LDX_MSH => Self::XHeaderLen(at),
            code::ST => Self::Store(k),
            code::STX => Self::StoreX(k),
            code::ALU_NEG => Self::Negate,
            code::JA => Self::Jump(k),
            code::RET => Self::Return(k),
            code::TAX => Self::Tax,
            code::TXA => Self::Txa,
            _ if op & 0x07 == code::ALU => {
                match (ALU.get(usize::from(op >> 4)).copied().flatten(), op & code::X) {
                    (Some(alu), 0) => Self::Alu(alu, k),
                    (Some(alu), _) => Self::AluX(alu),
                    (None, _) => Self::Unknown,
                }
            }
            _ => match (test_of(op & !code::X), op & code::X) {
                (Some(Test::Equal), 0) => Self::IfEqual(k, jt, jf),
                (Some(test), 0) => Self::If(test, k, jt, jf),
                (Some(test), _) => Self::IfX(test, jt, jf),
                (None, _) => Self::Unknown,
            },
        }
    }
}

/// The steps of a program.
pub(super) fn decode(instructions: &[Instruction]) -> Vec<Step> {
    let plain: Vec<Step> = instructions.iter().map(|instruction| Step::decode(*instruction)).collect();
    let next = plain.iter().skip(1).map(Some).chain([None]);
    plain
        .iter()
        .zip(next)
        .map(|(step, next)| next.and_then(|next| fused(*step, *next)).unwrap_or(*step))
        .collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all other steps stay as they are")]
fn fused(load: Step, test: Step) -> Option<Step> {
    let offset = |at: u32| u16::try_from(at).ok();
    let source = match load {
        Step::EtherType => Source::EtherType,
        Step::Byte(at) => Source::Byte(offset(at)?),
        Step::Half(at) => Source::Half(offset(at)?),
        Step::Word(at) => Source::Word(offset(at)?),
        Step::HalfAtX(at) => Source::HalfAtX(offset(at)?),
        _ => return None,
    };
    match test {
        Step::IfEqual(k, jt, jf) => Some(Step::LoadIf(source, k, Fused::Equal, jt, jf)),
        Step::If(Test::Set, k, jt, jf) => Some(Step::LoadIf(source, k, Fused::Set, jt, jf)),
        _ => None,
    }
}

fn test_of(op: u16) -> Option<Test> {
    match op {
        code::JEQ => Some(Test::Equal),
        code::JGT => Some(Test::Greater),
        code::JGE => Some(Test::GreaterEqual),
        code::JSET => Some(Test::Set),
        _ => None,
    }
}

/// Runs the program: octets to capture, 0 for none. Whatever cannot be done, a load behind the end or a
/// division by zero, rejects, as in the kernel.
pub(super) fn run(steps: &[Step], packet: &Packet<'_>) -> u32 {
    run_steps(steps, packet).unwrap_or(0)
}

fn run_steps(steps: &[Step], packet: &Packet<'_>) -> Option<u32> {
    let octets = packet.bytes.get(packet.network..)?;
    let (mut a, mut x) = (0u32, 0u32);
    let mut memory = [0u32; 16];
    let mut pc = 0usize;
    loop {
        let step = *steps.get(pc)?;
        pc += 1;
        match step {
            Step::Byte(at) => a = load::<1>(octets, at, 0)?,
            Step::Half(at) => a = load::<2>(octets, at, 0)?,
            Step::Word(at) => a = load::<4>(octets, at, 0)?,
            Step::ByteAtX(at) => a = load::<1>(octets, at, x)?,
            Step::HalfAtX(at) => a = load::<2>(octets, at, x)?,
            Step::WordAtX(at) => a = load::<4>(octets, at, x)?,
            Step::EtherType => a = u32::from(packet.ethertype),
            // The kernel's "outgoing" is asked only where a tag stands in the frame, which is not so here.
            Step::PacketType => a = 0,
            Step::Imm(k) => a = k,
            Step::Len => a = packet.wire_len,
            Step::Mem(slot) => a = *memory.get(slot as usize)?,
            Step::XImm(k) => x = k,
            Step::XMem(slot) => x = *memory.get(slot as usize)?,
            Step::XHeaderLen(at) => x = (load::<1>(octets, at, 0)? & 0xf) << 2,
            Step::Store(slot) => *memory.get_mut(slot as usize)? = a,
            Step::StoreX(slot) => *memory.get_mut(slot as usize)? = x,
            Step::Alu(alu, k) => a = alu.apply(a, k)?,
            Step::AluX(alu) => a = alu.apply(a, x)?,
            Step::Negate => a = a.wrapping_neg(),
            Step::Jump(k) => pc += k as usize,
            Step::LoadIf(source, k, test, jt, jf) => {
                a = match source {
                    Source::EtherType => u32::from(packet.ethertype),
                    Source::Byte(at) => load::<1>(octets, u32::from(at), 0)?,
                    Source::Half(at) => load::<2>(octets, u32::from(at), 0)?,
                    Source::Word(at) => load::<4>(octets, u32::from(at), 0)?,
                    Source::HalfAtX(at) => load::<2>(octets, u32::from(at), x)?,
                };
                let holds = if test == Fused::Equal { a == k } else { a & k != 0 };
                pc += 1 + usize::from(if holds { jt } else { jf });
            }
            Step::IfEqual(k, jt, jf) => pc += usize::from(if a == k { jt } else { jf }),
            Step::If(test, k, jt, jf) => pc += usize::from(if test.holds(a, k) { jt } else { jf }),
            Step::IfX(test, jt, jf) => pc += usize::from(if test.holds(a, x) { jt } else { jf }),
            Step::Return(k) => return Some(k),
            Step::Tax => x = a,
            Step::Txa => a = x,
            Step::Unknown => return None,
        }
    }
}

/// `N` octets at `at + x` from the network header, big endian.
#[inline]
fn load<const N: usize>(octets: &[u8], at: u32, x: u32) -> Option<u32> {
    let from = at as usize + x as usize;
    let found: &[u8; N] = octets.get(from..)?.first_chunk()?;
    Some(found.iter().fold(0, |number, octet| (number << 8) | u32::from(*octet)))
}

impl Alu {
    #[inline]
    fn apply(self, a: u32, b: u32) -> Option<u32> {
        match self {
            Self::Add => Some(a.wrapping_add(b)),
            Self::Sub => Some(a.wrapping_sub(b)),
            Self::Mul => Some(a.wrapping_mul(b)),
            Self::Div => a.checked_div(b),
            Self::Or => Some(a | b),
            Self::And => Some(a & b),
            Self::Lsh => Some(a.checked_shl(b).unwrap_or(0)),
            Self::Rsh => Some(a.checked_shr(b).unwrap_or(0)),
            Self::Mod => a.checked_rem(b),
            Self::Xor => Some(a ^ b),
        }
    }
}

impl Test {
    #[inline]
    fn holds(self, a: u32, b: u32) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Greater => a > b,
            Self::GreaterEqual => a >= b,
            Self::Set => a & b != 0,
        }
    }
}
