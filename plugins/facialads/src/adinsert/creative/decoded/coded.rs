//! The creative's data before it is decoded: room for it, and what it says about lengths.

use super::Shared;
use gst::{ClockTime, prelude::*};
use std::sync::{Arc, Mutex, PoisonError};

/// Compressed data that may wait for one stream while the other is read: with it a slow picture decoder does not starve
/// the sound, and a creative of usual length is in memory whole before it is on air.
const CODED_BYTES: u32 = 32 << 20;
const CODED_TIME: ClockTime = ClockTime::from_seconds(30);

fn is(element: &gst::Element, factory: &str) -> bool {
    element.factory().is_some_and(|f| f.name() == factory)
}

/// Makes room for compressed data, and learns from it how long each stream is before it has been decoded.
pub fn read_ahead(bin: &gst::Bin, element: &gst::Element, shared: &Arc<Shared>) {
    if is(element, "decodebin") {
        element.set_property("max-size-buffers", u32::MAX);
        element.set_property("max-size-bytes", CODED_BYTES);
        element.set_property("max-size-time", CODED_TIME.nseconds());
    }
    if !is(element, "multiqueue") || !is(bin.upcast_ref(), "decodebin") {
        return;
    }
    let shared = shared.clone();
    element.connect_pad_added(move |_, pad| {
        if pad.direction() == gst::PadDirection::Sink {
            measure(pad, &shared);
        }
    });
}

fn measure(pad: &gst::Pad, shared: &Arc<Shared>) {
    let shared = shared.clone();
    let segment = Mutex::new(gst::FormattedSegment::<ClockTime>::new());
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(kinds, move |pad, info| {
        let Some(stream) = pad.stream_id() else { return gst::PadProbeReturn::Ok };
        let mut segment = segment.lock().unwrap_or_else(PoisonError::into_inner);
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                if let Some((start, end)) = extent(buffer, &segment) {
                    shared.timeline.saw_coded(&stream, start, end);
                }
            }
            Some(gst::PadProbeData::Event(event)) => match event.view() {
                gst::EventView::Segment(new) => {
                    if let Some(new) = new.segment().downcast_ref::<ClockTime>() {
                        *segment = new.clone();
                    }
                }
                gst::EventView::Eos(_) => shared.timeline.coded_ended(&stream),
                _ => {}
            },
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// Running time of a buffer's start and end, as far as they lie in the segment.
pub fn extent(
    buffer: &gst::BufferRef,
    segment: &gst::FormattedSegment<ClockTime>,
) -> Option<(ClockTime, ClockTime)> {
    let start = buffer.pts()?;
    // A damaged file may say anything: adding must not overflow.
    let end = start.saturating_add(buffer.duration().unwrap_or_default());
    let (start, end) = segment.clip(start, end)?;
    Some((segment.to_running_time(start)?, segment.to_running_time(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_beyond_all_time_does_not_overflow() {
        let _ = gst::init();
        let mut buffer = gst::Buffer::new();
        if let Some(inner) = buffer.get_mut() {
            inner.set_pts(ClockTime::from_mseconds(800));
            inner.set_duration(ClockTime::MAX);
        }
        let mut segment = gst::FormattedSegment::<ClockTime>::new();
        segment.set_stop(ClockTime::from_seconds(5));
        let expected = (ClockTime::from_mseconds(800), ClockTime::from_seconds(5));
        assert_eq!(extent(&buffer, &segment), Some(expected));
    }
}
