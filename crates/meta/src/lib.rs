//! What travels on a buffer, typed, for our elements and for applications that want to read it.
//!
//! | what | carried by | module |
//! |---|---|---|
//! | a face and its attributes | one `GstVideoRegionOfInterestMeta` each | [`face`] |
//! | faces and subject for GStreamer's own analytics elements | one `GstAnalyticsRelationMeta` (feature `v1_24`) | [`analytics`] |
//! | what other elements detected | both of these | [`detection`] |
//! | whether the audience may be targeted by profile now | custom meta `FacialAdsAudienceMeta` | [`audience`] |
//! | the programme's subject | custom meta `FacialAdsSubjectMeta` | [`subject`] |
//! | consent | custom meta `FacialAdsConsentMeta` | [`consent`] |
//! | faces as JSON | [`to_json`] | [`json`] |
//! | gate changes, what is running | custom events | [`event`] |
//!
//! Call [`init`] once after `gst::init` and before any of these is used; the plugin does so for itself.

pub mod analytics;
pub mod audience;
pub mod consent;
mod custom;
pub mod detection;
pub mod event;
pub mod face;
pub mod json;
pub mod subject;

pub use audience::{Audience, Targeting};
pub use consent::Stamp;
pub use detection::Detection;
pub use face::{Age, Attention, Class, Emotion, Face, Gender, Label};
pub use json::to_json;
pub use subject::{Subject, SubjectClass};

/// Registers our metas with GStreamer. Safe to call more than once and from several threads.
pub fn init() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        audience::register();
        consent::register();
        face::register();
        subject::register();
    });
}

/// Takes everything that describes people or the picture off a buffer whose picture was replaced: faces, verdict,
/// consent, subject, closed captions and the whole `GstAnalyticsRelationMeta` (feature `v1_24`). Regions of other types
/// than "face" stay.
pub fn strip(buffer: &mut gst::BufferRef) {
    analytics::remove_all(buffer);
    face::remove_all(buffer);
    audience::remove(buffer);
    consent::remove(buffer);
    subject::remove(buffer);
    custom::remove_where(buffer, |meta| {
        meta.as_meta_ref().downcast_ref::<gst_video::VideoCaptionMeta>().is_some()
    });
}

/// GStreamer's "no time" as `None`; `ClockTime` itself panics at it.
fn time(nanoseconds: u64) -> Option<gst::ClockTime> {
    (nanoseconds != gst::ffi::GST_CLOCK_TIME_NONE).then(|| gst::ClockTime::from_nseconds(nanoseconds))
}
