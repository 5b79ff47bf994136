//! From what was learned to what travels.

use facialads_meta::{Age, Attention, Emotion, Face, Gender, Label, Targeting};
use facialads_vision::{FaceAnalyzer, TrackedFace, Verdict, face};

/// A tracked face on a frame of `width` x `height` pixels.
pub fn face(tracked: TrackedFace, by: &FaceAnalyzer, width: u32, height: u32) -> Face {
    let (x, y, w, h) = tracked.bounds.to_pixels(width, height);
    let described_by = || by.age_gender_model().to_owned();
    Face {
        id: tracked.id,
        x,
        y,
        width: w,
        height: h,
        confidence: f64::from(tracked.confidence),
        model: by.detector_model().to_owned(),
        age: tracked.age.map(|age| Age {
            years: f64::from(age.years),
            low: f64::from(age.low),
            high: f64::from(age.high),
            confidence: f64::from(age.confidence),
            model: described_by(),
        }),
        gender: tracked.gender.map(|label| Label {
            value: gender(label.value),
            confidence: f64::from(label.confidence),
            model: described_by(),
        }),
        emotion: tracked.emotion.map(|label| Label {
            value: emotion(label.value),
            confidence: f64::from(label.confidence),
            model: by.expression_model().unwrap_or_default().to_owned(),
        }),
        attention: Some(Attention {
            attention: tracked
                .attention
                .facing
                .and(gst::ClockTime::try_from(tracked.attention.attentive).ok()),
            facing: tracked.attention.facing.map(f64::from),
            dwell: gst::ClockTime::try_from(tracked.attention.dwell).unwrap_or(gst::ClockTime::MAX),
            yaw: tracked.attention.yaw.map(f64::from),
            pitch: tracked.attention.pitch.map(f64::from),
        }),
    }
}

pub fn targeting(verdict: Verdict) -> Targeting {
    match verdict {
        Verdict::Allowed => Targeting::Allowed,
        Verdict::Nobody => Targeting::Nobody,
        Verdict::Undecided => Targeting::Undecided,
        Verdict::PossibleMinor => Targeting::PossibleMinor,
        Verdict::NotPermitted => Targeting::NotPermitted,
    }
}

fn gender(gender: face::Gender) -> Gender {
    match gender {
        face::Gender::Female => Gender::Female,
        face::Gender::Male => Gender::Male,
        face::Gender::Unknown => Gender::Unknown,
    }
}

fn emotion(emotion: face::Emotion) -> Emotion {
    match emotion {
        face::Emotion::Neutral => Emotion::Neutral,
        face::Emotion::Happy => Emotion::Happy,
        face::Emotion::Sad => Emotion::Sad,
        face::Emotion::Angry => Emotion::Angry,
        face::Emotion::Fearful => Emotion::Fearful,
        face::Emotion::Disgusted => Emotion::Disgusted,
        face::Emotion::Surprised => Emotion::Surprised,
        face::Emotion::Unknown => Emotion::Unknown,
    }
}
