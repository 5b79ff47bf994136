//! `consentgate`: lets frames of viewers through only while their consent holds, and stamps on each what was agreed.
//!
//! ```text
//! gst-launch-1.0 v4l2src ! videoconvert ! consentgate screen=lobby ! faceanalyze ! audienceoverlay ! autovideosink
//! ```
//!
//! Works on anything: buffers pass with their memory untouched. See `docs/privacy.md`.

mod announce;
mod imp;
mod running;
mod settings;
mod types;

pub use types::{Basis, Policy, Purposes, Site};

use gst::{glib, prelude::*};

glib::wrapper! {
    /// The element, as other code holds it.
    pub struct ConsentGate(ObjectSubclass<imp::ConsentGate>) @extends gst::Element, gst::Object;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "consentgate", gst::Rank::NONE, ConsentGate::static_type())
}
