//! What is left of it without the feature `v1_24`.

use crate::{Detection, Face, Subject};

pub(crate) fn attach_face(
    _buffer: &mut gst::BufferRef,
    _face: &Face,
    _now: Option<gst::ClockTime>,
) -> Option<i32> {
    None
}

pub(crate) fn attach_subject(_buffer: &mut gst::BufferRef, _subject: &Subject, _before: Option<&Subject>) {}

pub(crate) fn detections(_buffer: &gst::BufferRef, _label: &str) -> Vec<Detection> {
    Vec::new()
}

pub(crate) fn remove_detections(_buffer: &mut gst::BufferRef, _label: &str) {}

pub(crate) fn remove_all(_buffer: &mut gst::BufferRef) {}
