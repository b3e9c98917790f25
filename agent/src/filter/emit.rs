//! Turns conditions into instructions.
//!
//! Classic BPF jumps only forward, so a program is written from its end: when a jump is written, what it jumps
//! to is already there and its distance is known.

use super::ast::{BinaryOp, Relation, Size};
use super::program::{Instruction, code};
use super::specialise::{Cond, Place, Value};

/// Scratch slots of the kernel's machine (`BPF_MEMWORDS`).
const SLOTS: u32 = 16;
/// Scratch slot that keeps the offset of the TCP header while the index register is used for arithmetic.
pub(super) const TCP_SLOT: u32 = 0;
/// First scratch slot for arithmetic; those before are the prologue's.
const FIRST_FREE_SLOT: u32 = 3;
/// Farthest that a conditional jump may go, less the room for the two jumps that may be put between.
const NEAR: usize = 250;

/// A place in the program: how many instructions stand from there to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(usize);

/// A number needs more scratch slots than the machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooDeep;

/// Where to go on a comparison's outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exits {
    pub(super) yes: Label,
    pub(super) no: Label,
}

/// Writes a program from its end to its beginning.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    reversed: Vec<Instruction>,
    /// Whether the index register must be loaded again before each use of the TCP header's offset.
    pub(super) reload: bool,
}

fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

impl Emitter {
    /// The whole program, in order, beginning at `entry`.
    pub(super) fn finish(mut self, entry: Label) -> Vec<Instruction> {
        if entry.0 != self.reversed.len() {
            self.go(entry);
        }
        self.reversed.reverse();
        self.reversed
    }

    fn here(&self) -> Label {
        Label(self.reversed.len())
    }

    /// Puts one instruction before all that is there and falls through to it.
    pub(super) fn before(&mut self, code: u16, k: u32) -> Label {
        self.reversed.push(plain(code, k));
        self.here()
    }

    /// `before`, falling through to `next`, which may stand elsewhere.
    pub(super) fn before_label(&mut self, next: Label, code: u16, k: u32) -> Label {
        self.continue_at(next);
        self.before(code, k)
    }

    /// Makes `next` what the following instruction falls through to.
    fn continue_at(&mut self, next: Label) {
        if next != self.here() {
            self.go(next);
        }
    }

    fn go(&mut self, to: Label) -> Label {
        let distance = u32::try_from(self.reversed.len() - to.0).unwrap_or(u32::MAX);
        self.before(code::JA, distance)
    }

    /// A place near enough for a conditional jump that leads to `label`.
    fn near(&mut self, label: Label) -> Label {
        if self.reversed.len() - label.0 <= NEAR { label } else { self.go(label) }
    }

    /// A conditional jump. Its operand is `k`, or the index register if the code says so.
    pub(super) fn jump(&mut self, code: u16, k: u32, exits: Exits) -> Label {
        let yes = self.near(exits.yes);
        let no = self.near(exits.no);
        let distance = |label: Label| u8::try_from(self.reversed.len() - label.0).unwrap_or(u8::MAX);
        self.reversed.push(Instruction { code, jt: distance(yes), jf: distance(no), k });
        self.here()
    }

    /// The code that goes to `exits.yes` if `cond` holds.
    pub(super) fn cond(&mut self, cond: &Cond, exits: Exits) -> Result<Label, TooDeep> {
        match cond {
            Cond::Known(true) => Ok(exits.yes),
            Cond::Known(false) => Ok(exits.no),
            Cond::Not(inner) => self.cond(inner, Exits { yes: exits.no, no: exits.yes }),
            Cond::And(left, right) => {
                let yes = self.cond(right, exits)?;
                self.cond(left, Exits { yes, no: exits.no })
            }
            Cond::Or(left, right) => {
                let no = self.cond(right, exits)?;
                self.cond(left, Exits { yes: exits.yes, no })
            }
            Cond::Compare { left, op, right } => self.compare(left, *op, right, exits),
        }
    }

    fn compare(&mut self, left: &Value, op: Relation, right: &Value, exits: Exits) -> Result<Label, TooDeep> {
        let swapped = Exits { yes: exits.no, no: exits.yes };
        let (jump, exits) = match op {
            Relation::Equal => (code::JEQ, exits),
            Relation::NotEqual => (code::JEQ, swapped),
            Relation::Greater => (code::JGT, exits),
            Relation::LessEqual => (code::JGT, swapped),
            Relation::GreaterEqual => (code::JGE, exits),
            Relation::Less => (code::JGE, swapped),
        };
        if let (Value::Binary(BinaryOp::And, inner, mask), code::JEQ, Value::Const(0)) = (left, jump, right)
            && let Value::Const(mask) = **mask
        {
            self.jump(code::JSET, mask, Exits { yes: exits.no, no: exits.yes });
            return self.value(inner);
        }
        if let Value::Const(k) = right {
            self.jump(jump, *k, exits);
            return self.value(left);
        }
        self.jump(jump | code::X, 0, exits);
        let mut forward = Vec::new();
        self.operands(left, right, FIRST_FREE_SLOT, &mut forward)?;
        Ok(self.straight(&forward))
    }

    fn value(&mut self, value: &Value) -> Result<Label, TooDeep> {
        let mut forward = Vec::new();
        self.load(value, FIRST_FREE_SLOT, &mut forward)?;
        Ok(self.straight(&forward))
    }

    fn straight(&mut self, forward: &[Instruction]) -> Label {
        self.reversed.extend(forward.iter().rev());
        self.here()
    }

    /// Leaves `left` in the accumulator and `right` in the index register.
    fn operands(
        &self,
        left: &Value,
        right: &Value,
        slot: u32,
        out: &mut Vec<Instruction>,
    ) -> Result<(), TooDeep> {
        if slot >= SLOTS {
            return Err(TooDeep);
        }
        self.load(left, slot, out)?;
        out.push(plain(code::ST, slot));
        self.load(right, slot + 1, out)?;
        out.push(plain(code::TAX, 0));
        out.push(plain(code::LD_MEM, slot));
        Ok(())
    }

    /// Leaves `value` in the accumulator, using scratch slots from `slot` on.
    fn load(&self, value: &Value, slot: u32, out: &mut Vec<Instruction>) -> Result<(), TooDeep> {
        match value {
            Value::Const(k) => out.push(plain(code::LD_IMM, *k)),
            Value::Len => out.push(plain(code::LD_LEN, 0)),
            Value::EtherType => out.push(plain(code::LD_W_ABS, code::ETHERTYPE)),
            Value::Negate(inner) => {
                self.load(inner, slot, out)?;
                out.push(plain(code::ALU_NEG, 0));
            }
            Value::Binary(op, left, right) => {
                if let Value::Const(k) = **right {
                    self.load(left, slot, out)?;
                    out.push(plain(alu(*op), k));
                } else {
                    self.operands(left, right, slot, out)?;
                    out.push(plain(alu(*op) | code::X, 0));
                }
            }
            Value::Load { place, index, size } => self.field(*place, index, *size, slot, out)?,
        }
        Ok(())
    }

    fn field(
        &self,
        place: Place,
        index: &Value,
        size: Size,
        slot: u32,
        out: &mut Vec<Instruction>,
    ) -> Result<(), TooDeep> {
        let (absolute, indirect) = match size {
            Size::Byte => (code::LD_B_ABS, code::LD_B_IND),
            Size::Half => (code::LD_H_ABS, code::LD_H_IND),
            Size::Word => (code::LD_W_ABS, code::LD_W_IND),
        };
        let base = if let Place::Network(further) = place { code::NET + further } else { code::NET };
        if let Value::Const(index) = index {
            let code = if matches!(place, Place::Network(_)) { absolute } else { indirect };
            out.extend(self.header_offset(place));
            out.push(plain(code, base + index));
            return Ok(());
        }
        self.load(index, slot, out)?;
        if !matches!(place, Place::Network(_)) {
            out.extend(self.header_offset(place));
            out.push(plain(alu(BinaryOp::Add) | code::X, 0));
        }
        out.push(plain(code::TAX, 0));
        out.push(plain(indirect, base));
        Ok(())
    }

    /// Loads the offset of the transport header into the index register, where it is not there already.
    fn header_offset(&self, place: Place) -> Option<Instruction> {
        match place {
            Place::Network(_) => None,
            Place::BehindIpv4 => Some(plain(code::LDX_MSH, code::NET)),
            Place::Tcp => self.reload.then_some(plain(code::LDX_MEM, TCP_SLOT)),
        }
    }
}

fn alu(op: BinaryOp) -> u16 {
    code::ALU
        + match op {
            BinaryOp::Add => 0x00,
            BinaryOp::Sub => 0x10,
            BinaryOp::Mul => 0x20,
            BinaryOp::Div => 0x30,
            BinaryOp::Or => 0x40,
            BinaryOp::And => 0x50,
            BinaryOp::ShiftLeft => 0x60,
            BinaryOp::ShiftRight => 0x70,
            BinaryOp::Mod => 0x90,
            BinaryOp::Xor => 0xa0,
        }
}
