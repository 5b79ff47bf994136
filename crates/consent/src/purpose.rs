use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a viewer can agree to, each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Detecting and counting faces.
    Measurement,
    /// Estimating age and gender.
    Demographics,
    /// Estimating emotion. Off by default and never lawful at work or in a school.
    Emotion,
    /// Using what was estimated to choose an advertisement.
    Personalisation,
}

impl Purpose {
    pub const ALL: [Self; 4] = [Self::Measurement, Self::Demographics, Self::Emotion, Self::Personalisation];

    pub fn name(self) -> &'static str {
        match self {
            Self::Measurement => "measurement",
            Self::Demographics => "demographics",
            Self::Emotion => "emotion",
            Self::Personalisation => "personalisation",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown purpose \"{0}\"; known are measurement, demographics, emotion, personalisation")]
pub struct UnknownPurpose(pub String);

impl FromStr for Purpose {
    type Err = UnknownPurpose;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|p| p.name() == s.trim())
            .ok_or_else(|| UnknownPurpose(s.trim().to_owned()))
    }
}

/// A set of purposes. Text form: names joined by commas; the empty set is the empty string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Purposes(u32);

impl Purposes {
    pub const NONE: Self = Self(0);

    pub fn all() -> Self {
        Purpose::ALL.into_iter().collect()
    }
    pub fn contains(self, purpose: Purpose) -> bool {
        self.0 & purpose.bit() != 0
    }
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    #[must_use]
    pub fn without(self, purpose: Purpose) -> Self {
        Self(self.0 & !purpose.bit())
    }
    pub fn iter(self) -> impl Iterator<Item = Purpose> {
        Purpose::ALL.into_iter().filter(move |p| self.contains(*p))
    }
    /// The set as bits, one per purpose in the order of [`Purpose::ALL`]; how it travels in a meta.
    pub fn bits(self) -> u32 {
        self.0
    }
    /// Bits that name no purpose are dropped, never kept as an unknown permission.
    pub fn from_bits_truncate(bits: u32) -> Self {
        Self(bits & Self::all().0)
    }
}

impl FromIterator<Purpose> for Purposes {
    fn from_iter<I: IntoIterator<Item = Purpose>>(iter: I) -> Self {
        Self(iter.into_iter().fold(0, |bits, p| bits | p.bit()))
    }
}

impl fmt::Display for Purposes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, purpose) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(purpose.name())?;
        }
        Ok(())
    }
}

impl FromStr for Purposes {
    type Err = UnknownPurpose;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.split(',').filter(|part| !part.trim().is_empty()).map(Purpose::from_str).collect()
    }
}
