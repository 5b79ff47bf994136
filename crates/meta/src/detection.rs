//! What other elements detected: `GstVideoRegionOfInterestMeta` (DL Streamer's `gvadetect`, GStreamer's own elements)
//! and, with the feature `v1_24`, the object detections of a `GstAnalyticsRelationMeta` (GStreamer's tensor decoders).

use crate::{analytics, custom};
use gst_video::VideoRegionOfInterestMeta;

/// A box that somebody found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Pixels of the frame. May reach beyond it.
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// 0..=1; 1 where the finder gave none.
    pub confidence: f64,
}

impl Detection {
    fn is_same_box(&self, other: &Self) -> bool {
        let pairs =
            [(self.x, other.x), (self.y, other.y), (self.width, other.width), (self.height, other.height)];
        pairs.iter().all(|(one, two)| (one - two).abs() <= 1.0)
    }
}

/// What was detected under this label, each once; under any label where it is empty.
///
/// DL Streamer since 2025 writes each box twice, as a region and as an object detection: boxes that agree to a pixel
/// count once.
pub fn read(buffer: &gst::BufferRef, label: &str) -> Vec<Detection> {
    let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    let mut found: Vec<Detection> =
        regions.filter(|region| is_labelled(region, label)).map(|region| of_region(&region)).collect();
    let regions = found.len();
    for other in analytics::detections(buffer, label) {
        if !found.iter().take(regions).any(|region| region.is_same_box(&other)) {
            found.push(other);
        }
    }
    found
}

fn is_labelled(region: &VideoRegionOfInterestMeta, label: &str) -> bool {
    label.is_empty() || region.roi_type() == label
}

fn of_region(region: &VideoRegionOfInterestMeta) -> Detection {
    let (x, y, width, height) = region.rect();
    let confidence = region.param("detection").and_then(|detection| detection.get::<f64>("confidence").ok());
    Detection {
        x: f64::from(x),
        y: f64::from(y),
        width: f64::from(width),
        height: f64::from(height),
        confidence: confidence.filter(|c| c.is_finite()).map_or(1.0, |c| c.clamp(0.0, 1.0)),
    }
}

/// Takes off what was detected under this label, with all that was said about it; everything detected where it is empty.
pub fn remove(buffer: &mut gst::BufferRef, label: &str) {
    custom::remove_where(buffer, |meta| {
        meta.as_meta_ref()
            .downcast_ref::<VideoRegionOfInterestMeta>()
            .is_some_and(|region| is_labelled(region, label))
    });
    analytics::remove_detections(buffer, label);
}
