//! Caps with CUDA memory.

use crate::api::CAPS_FEATURE;
use gst_video::VideoFormat;

/// What the frames of these caps lie in: whether the first structure's features name CUDA memory.
pub fn is_cuda(caps: &gst::CapsRef) -> bool {
    caps.features(0).is_some_and(|features| features.contains(CAPS_FEATURE))
}

/// Caps of any size and rate with frames of these formats in CUDA memory. Needs no CUDA.
pub fn video(formats: impl IntoIterator<Item = VideoFormat>) -> gst::Caps {
    gst_video::VideoCapsBuilder::new().features([CAPS_FEATURE]).format_list(formats).build()
}
