//! Faces: found, followed, described, and whether they may be targeted.

mod analyzer;
mod options;
mod types;

pub use analyzer::{CropRequest, Crops, DetectorInput, FaceAnalyzer};
pub use options::FaceOptions;
pub use types::{Age, Emotion, FaceStats, Gender, Label, TrackedFace, Verdict};
