//! `audienceoverlay`: draws what the other elements know onto the picture, for engineers.
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! consentgate screen=lobby ! faceanalyze ! audienceoverlay ! autovideosink
//! ```
//!
//! Boxes around faces with their track ids and attributes, the state of consent, and, where an `adinsert` is downstream
//! of the same branch, what is on air and why. It stands downstream of `faceanalyze` and draws only what consent on the
//! frame itself allows: nothing is drawn of anybody on a frame without it. A frame without metas, while no `adinsert` has
//! said anything, passes untouched. Frames in CUDA memory are drawn on there.

mod blend;
mod device;
mod imp;
mod layout;
mod paint;
mod schedule;
mod settings;
mod text;
mod words;

use gst::{glib, prelude::*};

glib::wrapper! {
    /// The element, as other code holds it.
    pub struct AudienceOverlay(ObjectSubclass<imp::AudienceOverlay>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "audienceoverlay", gst::Rank::NONE, AudienceOverlay::static_type())
}
