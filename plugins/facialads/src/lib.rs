//! GStreamer elements that analyse the faces of consenting viewers and the subject of the programme, and splice the
//! advertisement that fits into the running stream.
//!
//! One library for all of them: metas, inference sessions and stores must exist once in a process.

pub mod adinsert;
pub(crate) mod analysis;
pub mod audienceoverlay;
pub mod consentgate;
pub mod faceanalyze;
pub(crate) mod gpu;
pub mod subjectclassify;
pub(crate) mod video;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    facialads_meta::init();
    consentgate::register(plugin)?;
    faceanalyze::register(plugin)?;
    subjectclassify::register(plugin)?;
    audienceoverlay::register(plugin)?;
    adinsert::register(plugin)
}

gst::plugin_define!(
    facialads,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    // GStreamer knows no name for "MIT OR Apache-2.0" and refuses what it does not know.
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    "Unknown package origin",
    env!("BUILD_REL_DATE")
);
