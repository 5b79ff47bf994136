//! Faces: found, followed, described, and whether they may be targeted.
//!
//! [`FaceAnalyzer`] is the whole; [`Detector`], [`AgeGender`], [`Expression`] and [`Landmarks`] are its networks, each
//! usable alone under its permit.

mod analyzer;
mod attention;
mod attributes;
mod buffers;
mod calibration;
mod constants;
mod cutting;
mod describer;
mod detector;
mod framing;
mod fusion;
mod ids;
mod minors;
mod observation;
mod options;
mod people;
mod portrait;
pub mod pose;
pub(crate) mod quality;
mod stills;
mod tracker;
mod types;

pub use crate::preprocess::CutScratch;
pub use analyzer::{Allowed, CropRequest, Crops, FaceAnalyzer};
pub use attention::{Attention, WATCHED, WATCHED_MS};
pub use attributes::{AgeGender, Expression, Landmarks};
pub use describer::age_gender_networks;
pub use detector::{Detector, DetectorInput};
pub use observation::Observation;
pub use options::FaceOptions;
pub use portrait::{Portrait, TEMPLATE, mirror};
pub use pose::HeadPose;
pub use quality::Clarity;
pub use stills::{AGE_BIN_STARTS, Described, Stills};
pub use types::{Age, Emotion, FaceStats, Gender, Label, TrackedFace, Verdict};
