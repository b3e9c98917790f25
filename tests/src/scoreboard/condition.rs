//! Under which conditions a recording is judged: how much of it is missing, and where.

use core::fmt;

/// How much of a recording is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// Nothing.
    Clean,
    /// One record in two hundred.
    HalfPercent,
    /// One in fifty.
    TwoPercent,
    /// One in ten.
    TenPercent,
}

impl Quality {
    /// All, best first.
    pub const ALL: [Self; 4] = [Self::Clean, Self::HalfPercent, Self::TwoPercent, Self::TenPercent];

    /// Its word on the command line and in figures.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::HalfPercent => "0.5",
            Self::TwoPercent => "2",
            Self::TenPercent => "10",
        }
    }

    /// The share of records that is missing.
    pub const fn missing(self) -> f64 {
        match self {
            Self::Clean => 0.0,
            Self::HalfPercent => 0.005,
            Self::TwoPercent => 0.02,
            Self::TenPercent => 0.1,
        }
    }

    /// The quality of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quality| quality.word() == word)
    }
}

/// Whose recording lacks records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The client's.
    Client,
    /// The servers'.
    Server,
    /// All.
    Both,
}

impl Place {
    /// All.
    pub const ALL: [Self; 3] = [Self::Client, Self::Server, Self::Both];

    /// Its word on the command line and in figures.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Both => "both",
        }
    }

    /// The place of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.word() == word)
    }

    /// Whether it is about the capture at that place in the list: 0 is the client's.
    pub const fn has(self, tap: usize) -> bool {
        match self {
            Self::Client => tap == 0,
            Self::Server => tap > 0,
            Self::Both => true,
        }
    }
}

/// A quality, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// How much is missing.
    pub quality: Quality,
    /// Where; of no meaning if nothing is.
    pub place: Place,
}

impl Condition {
    /// The conditions of these qualities and places; the clean one comes once.
    pub fn of(qualities: &[Quality], places: &[Place]) -> Vec<Self> {
        let clean = Self { quality: Quality::Clean, place: Place::Both };
        let mut all = Vec::new();
        for quality in qualities.iter().copied() {
            if quality == Quality::Clean {
                all.push(clean);
            } else {
                all.extend(places.iter().map(|place| Self { quality, place: *place }));
            }
        }
        all
    }

    /// Its name as a folder.
    pub fn name(self) -> String {
        if self.quality == Quality::Clean {
            return self.quality.word().to_owned();
        }
        format!("{}-at-{}", self.quality.word(), self.place.word())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quality == Quality::Clean {
            return f.pad(self.quality.word());
        }
        write!(f, "{} % missing at {}", self.quality.word(), self.place.word())
    }
}
