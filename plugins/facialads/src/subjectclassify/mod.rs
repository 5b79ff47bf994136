//! `subjectclassify`: says what the programme is about, in classes of the IAB Content Taxonomy.
//!
//! ```text
//! gst-launch-1.0 -m uridecodebin uri=file:///show.mp4 ! videoconvert ! subjectclassify ! fakesink
//! ```
//!
//! Pictures pass untouched and uncopied; the subject is written on the buffer as a meta and told on the bus when it
//! changes. See `docs/elements-subjectclassify.md`.

mod engine;
mod imp;
mod leader;
mod settings;

use gst::{glib, prelude::*};

glib::wrapper! {
    /// The element, as other code holds it.
    pub struct SubjectClassify(ObjectSubclass<imp::SubjectClassify>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "subjectclassify", gst::Rank::NONE, SubjectClassify::static_type())
}
