//! Faces that an element upstream has found, for `detector=upstream`.

use facialads_meta::detection;
use facialads_vision::{Rect, face::Observation};
use gst::glib;

/// Who finds the faces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFacialAdsDetector")]
pub enum DetectorSource {
    #[default]
    #[enum_value(name = "This element, with the network of the property model", nick = "model")]
    Model,
    #[enum_value(name = "An element upstream: faces are taken from metas on the buffers", nick = "upstream")]
    Upstream,
}

/// Tells a frame on which upstream found nobody from one at which it did not look.
///
/// Detections come as metas and so does nothing; an upstream that looks at every fifth frame leaves four without any.
/// It looks as often as its detections ever came: the least distance in frames between two frames that had any.
#[derive(Debug, Default)]
pub struct Cadence {
    /// Frames since the last that had detections; `None` before the first.
    since: Option<u32>,
    /// Frames from look to look; `None` while not known.
    interval: Option<u32>,
}

impl Cadence {
    /// Whether upstream has looked at the frame at hand, on which it `found` any faces or none.
    pub fn looked(&mut self, found: bool) -> bool {
        let since = self.since.map(|since| since.saturating_add(1));
        if found {
            if let Some(since) = since {
                self.interval = Some(self.interval.map_or(since, |interval| interval.min(since)));
            }
            self.since = Some(0);
            return true;
        }
        self.since = since;
        // What has never found anybody changes nothing by finding nobody.
        self.interval.zip(since).is_some_and(|(interval, since)| since % interval == 0)
    }

    /// Another stream.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// The detections with this label on a buffer whose picture has `width` x `height` pixels, as far as they lie on it.
/// `threshold`: least confidence.
pub fn observations(
    buffer: &gst::BufferRef,
    label: &str,
    threshold: f32,
    width: u32,
    height: u32,
) -> Vec<Observation> {
    let (width, height) = (width.max(1) as f32, height.max(1) as f32);
    detection::read(buffer, label)
        .into_iter()
        .map(|found| Observation {
            bounds: Rect::new(
                found.x as f32 / width,
                found.y as f32 / height,
                found.width as f32 / width,
                found.height as f32 / height,
            )
            .clipped(1.0, 1.0),
            confidence: found.confidence as f32,
            points: None,
        })
        .filter(|face| face.is_proper() && face.confidence >= threshold)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter a frame, `x` where upstream found faces; `!` marks what counts as looked at.
    fn judged(frames: &str) -> String {
        let mut cadence = Cadence::default();
        frames.chars().map(|frame| if cadence.looked(frame == 'x') { '!' } else { '.' }).collect()
    }

    #[test]
    fn nobody_on_a_frame_counts_only_where_upstream_looks() {
        assert_eq!(judged("xxxx..."), "!!!!!!!", "every frame");
        assert_eq!(judged("x....x....x.........."), "!....!....!....!....!", "every fifth");
        assert_eq!(judged("x...."), "!....", "once: nobody knows");
        assert_eq!(judged("....."), ".....", "never: nothing to forget");
    }

    #[test]
    fn a_face_that_comes_back_does_not_make_upstream_slower() {
        assert_eq!(judged("xx...x."), "!!!!!!!");
    }

    #[test]
    fn boxes_are_fractions_of_the_frame_and_end_at_its_edges() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.make_mut();
        gst_video::VideoRegionOfInterestMeta::add(buffer, "face", (150, 0, 100, 50));
        gst_video::VideoRegionOfInterestMeta::add(buffer, "face", (300, 0, 100, 50));
        gst_video::VideoRegionOfInterestMeta::add(buffer, "car", (0, 0, 10, 10));
        let found = observations(buffer, "face", 0.5, 200, 100);
        assert_eq!(found.len(), 1, "one outside the picture, one no face");
        assert_eq!(found[0].bounds, Rect::new(0.75, 0.0, 0.25, 0.5));
        assert_eq!((found[0].confidence, found[0].points), (1.0, None));
        assert_eq!(observations(buffer, "", 0.5, 200, 100).len(), 2, "an empty label is any");
        assert_eq!(observations(buffer, "car", 0.5, 200, 100).len(), 1);
    }

    #[test]
    fn the_detection_structure_has_the_confidence() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.make_mut();
        for (confidence, x) in [(0.4, 0), (0.8, 50), (f64::NAN, 100), (7.0, 150)] {
            let mut region = gst_video::VideoRegionOfInterestMeta::add(buffer, "face", (x, 0, 40, 40));
            region.add_param(gst::Structure::builder("detection").field("confidence", confidence).build());
        }
        let confidences = |least| -> Vec<f32> {
            observations(buffer, "face", least, 200, 100).iter().map(|face| face.confidence).collect()
        };
        assert_eq!(confidences(0.0), [0.4, 0.8, 1.0, 1.0]);
        assert_eq!(confidences(0.5), [0.8, 1.0, 1.0]);
    }
}
