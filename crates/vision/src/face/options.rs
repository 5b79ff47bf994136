use crate::runtime::LoadOptions;
use std::time::Duration;

/// What a [`super::FaceAnalyzer`] is made of. Models are names of installed ones or paths of `.onnx` files.
#[derive(Clone, Debug)]
pub struct FaceOptions {
    /// `None`: `yunet` where installed, else `ssd-mobilenet-v1`.
    pub detector: Option<String>,
    /// `false`: no detector is loaded; faces are found elsewhere and told by [`super::FaceAnalyzer::observe`].
    pub detect: bool,
    /// Age and gender. `None`: `faceres` where installed, together with `age-gender` where that is installed too; else
    /// `age-gender`.
    pub age_gender: Option<String>,
    /// `None`: emotion is not looked at, even where it is allowed.
    pub expression: Option<String>,
    /// Its precision is the detector's; what describes a person calculates in 32 bits always.
    pub load: LoadOptions,
    /// Least confidence of a detection, 0..=1. `None`: the model's.
    pub threshold: Option<f32>,
    /// Longer side in pixels of the picture that the detector sees, rounded up to what the network can take; only for
    /// models that take any size. `None`: the model's.
    pub detector_size: Option<u32>,
    /// Time between two descriptions of one face.
    pub reclassify_interval: Duration,
    /// How long a face may go undetected before its track ends. Told of it is for 300 ms of that; for the number of people
    /// in the zone, which consent is held against, it counts all the time.
    pub max_missing: Duration,
    /// Least probability of a gender that is told; below it is [`super::Gender::Unknown`]. `None`: the one measured for the
    /// networks, from which on at least 95 % are right.
    pub gender_threshold: Option<f32>,
    /// The same for emotion. 0.6 after the temperature: 78-82 % right on 27-33 % of faces.
    pub emotion_threshold: f32,
    /// Makes track ids repeatable, for tests.
    pub seed: Option<u64>,
}

impl Default for FaceOptions {
    fn default() -> Self {
        Self {
            detector: None,
            detect: true,
            age_gender: None,
            expression: Some("expression".into()),
            load: LoadOptions { fallback: true, ..LoadOptions::default() },
            threshold: None,
            detector_size: None,
            reclassify_interval: Duration::from_millis(500),
            max_missing: Duration::from_millis(2500),
            gender_threshold: None,
            emotion_threshold: 0.6,
            seed: None,
        }
    }
}
