//! `GstAnalyticsRelationMeta`: what GStreamer's own analytics elements (since 1.24) read and write.
//!
//! A buffer has at most one; it holds everybody's findings and how they relate. Ours in it:
//!
//! | what | as | related |
//! |---|---|---|
//! | a face | object detection of type "face": box in pixels, confidence | |
//! | its track | tracking: id, running time at which it was first and last seen | detection —RELATE_TO→ tracking |
//! | age band, gender, emotion | a classification of one class each, e.g. "age-25-34", "female", "happy" | detection —CONTAIN→ classification |
//! | the programme's subject | a classification of all its classes, by name | none |
//!
//! A class that is "unknown" is left out: a classification has no name, only its classes.
//!
//! Without the feature `v1_24` there is nothing of it: the functions here find nothing and do nothing.

#[cfg_attr(feature = "v1_24", path = "relation.rs")]
#[cfg_attr(not(feature = "v1_24"), path = "none.rs")]
mod imp;
#[cfg(feature = "v1_24")]
mod parts;
#[cfg(feature = "v1_24")]
mod tracking;

pub(crate) use imp::{attach_face, attach_subject, detections, remove_all, remove_detections};

/// The binding, for those who read or write more of it than faces.
#[cfg(feature = "v1_24")]
pub use gst_analytics;

/// Whether this build writes and reads `GstAnalyticsRelationMeta`.
pub const BUILT_IN: bool = cfg!(feature = "v1_24");
