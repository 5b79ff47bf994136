//! The people in front of the screen, as far as they agreed to be considered.

use facialads_consent::{Permit, Personalisation};
use std::{fmt, str::FromStr};

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident: $what:literal { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($variant),+ }
        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            pub const NAMES: &[&str] = &[$($text),+];
            pub fn name(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
        }
        impl FromStr for $name {
            type Err = ParsePersonError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                match s { $($text => Ok(Self::$variant),)+ other => Err(ParsePersonError {
                    what: $what, found: other.to_owned(), known: Self::NAMES,
                }) }
            }
        }
    };
}

labels!(
    /// Gender as a model estimates it. Has no `Debug` of its own: an attribute of a person is never printed by accident.
    Gender: "gender" { Female = "female", Male = "male" }
);
labels!(
    /// Facial expression as a model estimates it. No `Debug` either.
    Emotion: "emotion" {
        Neutral = "neutral", Happy = "happy", Sad = "sad", Angry = "angry", Fearful = "fearful",
        Disgusted = "disgusted", Surprised = "surprised",
    }
);

/// A word that is no gender or emotion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is no {what}; known are {}", known.join(", "))]
pub struct ParsePersonError {
    pub what: &'static str,
    pub found: String,
    pub known: &'static [&'static str],
}

/// Years, with the interval in which the truth is believed to lie.
#[derive(Clone, Copy, PartialEq)]
pub struct AgeEstimate {
    pub years: f64,
    pub low: f64,
    pub high: f64,
    /// 0..=1.
    pub confidence: f64,
}

/// One viewer, as seen in the window before a decision. What is not known is `None`.
#[derive(Clone, PartialEq, Default)]
pub struct Viewer {
    pub age: Option<AgeEstimate>,
    /// With its probability, 0..=1.
    pub gender: Option<(Gender, f64)>,
    /// With its probability, 0..=1. Only where emotion was consented to.
    pub emotion: Option<(Emotion, f64)>,
    /// Seconds in view; how much this viewer counts among the others. Not finite or not positive counts as nothing.
    pub weight: f64,
}

macro_rules! says_nothing {
    ($($name:ident),+) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(not shown)"))
            }
        }
    )+ };
}
says_nothing!(Gender, Emotion, AgeEstimate, Viewer);

/// Viewers of whom a [`Permit`] for personalisation proves that they may be considered in choosing an advertisement.
pub struct ConsentedAudience {
    viewers: Vec<Viewer>,
    epoch: u64,
}

impl ConsentedAudience {
    /// Keeps as many viewers, first ones first, as the permit allows. Give them largest face first.
    pub fn new(permit: &Permit<Personalisation>, mut viewers: Vec<Viewer>) -> Self {
        viewers.truncate(permit.limit());
        Self { viewers, epoch: permit.epoch() }
    }

    /// The gate's opening under which this holds.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
    pub fn people(&self) -> usize {
        self.viewers.len()
    }
    pub(crate) fn viewers(&self) -> &[Viewer] {
        &self.viewers
    }
}

impl fmt::Debug for ConsentedAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsentedAudience({} people, epoch {})", self.viewers.len(), self.epoch)
    }
}

/// Why people play no part in a decision. Says nothing about any person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoProfile {
    /// No camera, or no audience branch in the pipeline.
    NoCamera,
    /// The gate is closed: nobody has agreed.
    NoConsent,
    /// Consent has run out.
    Expired,
    /// Nobody agreed to being considered in choosing advertisements, or there are more faces than grants.
    NotPermitted,
    /// Nobody is in view.
    Nobody,
    /// Somebody has not been seen well enough yet to tell whether they may be considered.
    Undecided,
    /// Somebody who may be a minor is in view or has just left.
    PossibleMinor,
}

impl NoProfile {
    pub const ALL: [Self; 7] = [
        Self::NoCamera,
        Self::NoConsent,
        Self::Expired,
        Self::NotPermitted,
        Self::Nobody,
        Self::Undecided,
        Self::PossibleMinor,
    ];

    /// As it stands in the ledger and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoCamera => "no-camera",
            Self::NoConsent => "no-consent",
            Self::Expired => "expired",
            Self::NotPermitted => "not-permitted",
            Self::Nobody => "nobody",
            Self::Undecided => "undecided",
            Self::PossibleMinor => "possible-minor",
        }
    }
}

/// As an operator reads it.
impl fmt::Display for NoProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCamera => "no camera",
            Self::NoConsent => "no consent",
            Self::Expired => "consent expired",
            Self::NotPermitted => "profile use not permitted",
            Self::Nobody => "nobody in view",
            Self::Undecided => "not seen long enough",
            Self::PossibleMinor => "possible minor",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no reason; known are no-camera, no-consent, expired, not-permitted, nobody, undecided, possible-minor"
)]
pub struct UnknownNoProfile(pub String);

impl FromStr for NoProfile {
    type Err = UnknownNoProfile;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|r| r.name() == s).ok_or_else(|| UnknownNoProfile(s.to_owned()))
    }
}
