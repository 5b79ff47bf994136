//! What the `stats` property counts. Numbers of frames and calls; nothing about a person.

use crate::analysis::{
    InUse,
    report::{Statistics, Timing},
};

#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Buffers that came in.
    pub frames: u64,
    /// Of those, how many a detector looked at.
    pub analysed: u64,
    /// Due for detection, but the worker was still busy with an earlier one.
    pub skipped: u64,
    /// Buffers without valid consent.
    pub no_consent: u64,
    /// Results that came after their consent had ended, and were thrown away.
    pub stale: u64,
    /// Buffers that could not be read, and runs of a network that failed.
    pub errors: u64,
    /// Runs of any network, batches counted once.
    pub inference_calls: u64,
    /// Face metas attached, all buffers together.
    pub faces: u64,
    /// Time on the streaming thread per analysed frame.
    pub streaming: Timing,
    /// Time of a detection with its tracking, of the description of one frame's crops.
    pub detection: Timing,
    pub description: Timing,
    /// From handing a frame to the worker until its result was there.
    pub latency: Timing,
}

impl Stats {
    pub fn to_structure(&self, in_use: &InUse) -> Statistics {
        let mut structure = gst::Structure::builder("facialads-faceanalyze-stats")
            .field("frames", self.frames)
            .field("analysed", self.analysed)
            .field("skipped", self.skipped)
            .field("frames-without-consent", self.no_consent)
            .field("results-after-consent", self.stale)
            .field("errors", self.errors)
            .field("inference-calls", self.inference_calls)
            .field("faces", self.faces)
            .field("streaming-ms", self.streaming.mean_ms())
            .field("streaming-max-ms", self.streaming.longest_ms())
            .field("detection-ms", self.detection.mean_ms())
            .field("detection-max-ms", self.detection.longest_ms())
            .field("description-ms", self.description.mean_ms())
            .field("description-max-ms", self.description.longest_ms())
            .field("latency-ms", self.latency.mean_ms())
            .field("latency-max-ms", self.latency.longest_ms())
            .build();
        in_use.add_to(&mut structure);
        Statistics(structure)
    }
}
