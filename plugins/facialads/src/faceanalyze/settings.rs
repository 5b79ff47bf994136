//! What the user sets.

use super::upstream::DetectorSource;
use crate::analysis::{
    Async, Precision,
    batch::{DEFAULT_BATCH_SIZE, DEFAULT_BATCH_TIMEOUT},
};
use facialads_meta::face::ROI_TYPE;

/// Frames between detections. Ten looks a second at a 30 fps camera: faces hardly move between two of them, the tracker
/// predicts the rest, and a small player has the cores left for its picture.
pub const DEFAULT_INFERENCE_INTERVAL: u32 = 3;
/// Frames between two descriptions of the same face: several a second, so that a fused estimate stands within one or two.
pub const DEFAULT_RECLASSIFY_INTERVAL: u32 = 6;

#[derive(Clone, Debug)]
pub struct Settings {
    pub detector: DetectorSource,
    /// What upstream calls a face; empty: whatever it finds is one.
    pub upstream_label: Option<String>,
    pub model: Option<String>,
    pub age_gender_model: Option<String>,
    pub emotion_model: Option<String>,
    pub device: Option<String>,
    pub precision: Precision,
    pub model_instance_id: Option<String>,
    pub batch_size: u32,
    /// Milliseconds.
    pub batch_timeout: u32,
    pub inference_interval: u32,
    pub reclassify_interval: u32,
    /// 0: the model's own.
    pub threshold: f32,
    /// Pixels; 0: the model's own.
    pub detector_size: u32,
    pub run_async: Async,
    /// 0: random.
    pub seed: u64,
    pub emotion: bool,
    pub fallback: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            detector: DetectorSource::default(),
            upstream_label: Some(ROI_TYPE.to_owned()),
            model: None,
            age_gender_model: None,
            emotion_model: None,
            device: None,
            precision: Precision::default(),
            model_instance_id: None,
            batch_size: DEFAULT_BATCH_SIZE,
            batch_timeout: DEFAULT_BATCH_TIMEOUT,
            inference_interval: DEFAULT_INFERENCE_INTERVAL,
            reclassify_interval: DEFAULT_RECLASSIFY_INTERVAL,
            threshold: 0.0,
            detector_size: 0,
            run_async: Async::default(),
            seed: 0,
            emotion: false,
            fallback: true,
        }
    }
}
