//! `faceanalyze`: finds, follows and describes the faces of viewers who agreed to it.
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! consentgate screen=lobby ! faceanalyze ! audienceoverlay ! autovideosink
//! ```
//!
//! Pictures pass untouched and uncopied; what was seen is written on the buffer as metas. A buffer without consent is
//! not looked at. See `docs/elements-faceanalyze.md`.

mod attach;
mod engine;
pub(crate) mod gate;
mod imp;
mod path;
mod settings;
mod stats;
mod summary;
mod upstream;

use gst::{glib, prelude::*};

glib::wrapper! {
    /// The element, as other code holds it.
    pub struct FaceAnalyze(ObjectSubclass<imp::FaceAnalyze>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "faceanalyze", gst::Rank::NONE, FaceAnalyze::static_type())
}
