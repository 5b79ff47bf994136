//! What is known of a face. Attributes of a person never appear in debug output.

use super::Attention;
use crate::Rect;
use std::fmt;

/// A face in view, as of a moment. What is not known, or not allowed to be told, is `None`.
#[derive(Clone, PartialEq)]
pub struct TrackedFace {
    /// Random per run and above 0; never used again after consent ended.
    pub id: i32,
    /// Fractions of the frame; see [`Rect::to_pixels`].
    pub bounds: Rect,
    /// Detector's confidence, 0..=1.
    pub confidence: f32,
    pub age: Option<Age>,
    pub gender: Option<Label<Gender>>,
    pub emotion: Option<Label<Emotion>>,
    /// Right eye, left eye, nose, right and left corner of the mouth (the person's own right) as fractions of the frame,
    /// where the detector tells.
    pub points: Option<[(f32, f32); 5]>,
    pub attention: Attention,
}

impl fmt::Debug for TrackedFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackedFace")
            .field("id", &self.id)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

/// Years: the mean over the track, and an interval that holds the truth with probability `confidence`.
#[derive(Clone, Copy, PartialEq)]
pub struct Age {
    pub years: f32,
    pub low: f32,
    pub high: f32,
    pub confidence: f32,
}

/// A class with its probability, 0..=1. For "unknown" it is the probability of the likeliest class.
#[derive(Clone, Copy, PartialEq)]
pub struct Label<T> {
    pub value: T,
    pub confidence: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gender {
    Female,
    Male,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Emotion {
    Neutral,
    Happy,
    Sad,
    Angry,
    Fearful,
    Disgusted,
    Surprised,
    Unknown,
}

impl Emotion {
    /// In the order of the default model's output.
    pub const KNOWN: [Self; 7] =
        [Self::Neutral, Self::Happy, Self::Sad, Self::Angry, Self::Fearful, Self::Disgusted, Self::Surprised];

    pub fn name(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Happy => "happy",
            Self::Sad => "sad",
            Self::Angry => "angry",
            Self::Fearful => "fearful",
            Self::Disgusted => "disgusted",
            Self::Surprised => "surprised",
            Self::Unknown => "unknown",
        }
    }
}

macro_rules! silent_debug {
    ($($name:ty),+) => { $(impl fmt::Debug for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(concat!(stringify!($name), "(…)"))
        }
    })+ };
}
silent_debug!(Age, Label<Gender>, Label<Emotion>);

/// Whether the people in the zone may be targeted by profile now (PRIVACY.md row 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Every face was assessed and passed.
    Allowed,
    Nobody,
    /// A face has not been seen well enough yet.
    Undecided,
    /// A face that may be a minor's is in the zone, or left it less than 30 s ago.
    PossibleMinor,
    /// No permit for personalisation.
    NotPermitted,
}

/// What an analyzer has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaceStats {
    /// Runs of a network on a picture of people, by this analyzer; see also [`crate::inference_calls`].
    pub inference_calls: u64,
    /// Pictures searched for faces.
    pub detections: u64,
    /// Faces described (age and gender, or emotion).
    pub descriptions: u64,
    /// Results thrown away because consent ended while they were made.
    pub discarded: u64,
}
