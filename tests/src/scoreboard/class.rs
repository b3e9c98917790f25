//! What can be said of packets.

use correlate_engine::fate::Fate;

/// What can be said of packets. Those that carry octets of sequence space, and bare ones (ACKs, resets), are counted
/// apart: nothing acknowledges a bare one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Lost on the path.
    Lost,
    /// A bare one, lost on the path.
    LostBare,
    /// Sent once, arrived twice.
    Duplicated,
    /// A bare one, sent once, arrived twice.
    DuplicatedBare,
    /// Arrived, though the receiver's capture lacks it; or sent, though the sender's does.
    Missed,
    /// A bare one of that kind.
    MissedBare,
    /// Arrived behind one that was sent later.
    Reordered,
    /// Sent again though an earlier copy had arrived.
    Spurious,
}

impl Class {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::LostBare,
        Self::Duplicated,
        Self::DuplicatedBare,
        Self::Missed,
        Self::MissedBare,
        Self::Reordered,
        Self::Spurious,
    ];

    /// Its name in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::LostBare => "lost-bare",
            Self::Duplicated => "duplicated",
            Self::DuplicatedBare => "duplicated-bare",
            Self::Missed => "capture-miss",
            Self::MissedBare => "capture-miss-bare",
            Self::Reordered => "reordered",
            Self::Spurious => "spurious",
        }
    }

    /// What a fate says; nothing where it says that the evidence falls short.
    pub const fn of(fate: Fate, bare: bool) -> Option<Self> {
        match (fate, bare) {
            (Fate::Lost, false) => Some(Self::Lost),
            (Fate::Lost, true) => Some(Self::LostBare),
            (Fate::Duplicated, false) => Some(Self::Duplicated),
            (Fate::Duplicated, true) => Some(Self::DuplicatedBare),
            (Fate::MissedByReceiver | Fate::MissedBySender, false) => Some(Self::Missed),
            (Fate::MissedByReceiver | Fate::MissedBySender, true) => Some(Self::MissedBare),
            (Fate::Reordered, _) => Some(Self::Reordered),
            (Fate::Spurious, _) => Some(Self::Spurious),
            (Fate::Uncovered | Fate::Ambiguous, _) => None,
        }
    }
}
