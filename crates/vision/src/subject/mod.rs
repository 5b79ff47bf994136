//! What the programme is about: a classification of its frames, averaged and mapped to the IAB Content Taxonomy 3.1.
//! About pictures that are broadcast, not about viewers: no permit is asked for.

use crate::{Error, Frame, Result, runtime::LoadOptions};
use std::{path::PathBuf, time::Duration};

/// What a [`SubjectClassifier`] is made of.
#[derive(Clone, Debug)]
pub struct SubjectOptions {
    /// Name of an installed model or path of an `.onnx` file.
    pub model: String,
    pub load: LoadOptions,
    /// Map from the model's classes to the taxonomy; `None`: the one built in, for ImageNet's 1000 classes.
    pub map: Option<PathBuf>,
    /// How far back frames count.
    pub window: Duration,
    /// Least confidence of a class that is told, 0..=1. `None`: the map's.
    pub threshold: Option<f32>,
}

impl Default for SubjectOptions {
    fn default() -> Self {
        Self {
            model: "efficientnet-lite0".into(),
            load: LoadOptions { fallback: true, ..LoadOptions::default() },
            map: None,
            window: Duration::from_secs(3),
            threshold: None,
        }
    }
}

/// A class of the taxonomy.
#[derive(Clone, Debug, PartialEq)]
pub struct SubjectClass {
    /// IAB unique id: a string, 31 of the 704 are not numbers.
    pub id: String,
    pub name: String,
    /// Mean over the window, 0..=1.
    pub confidence: f32,
}

/// What the last frames were about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubjectReading {
    /// Likeliest first; empty if nothing is certain enough.
    pub classes: Vec<SubjectClass>,
    /// Brand-safety flags, e.g. "weapons".
    pub safety: Vec<String>,
    /// Frames that were averaged.
    pub samples: usize,
}

/// A frame made small for the classifier. Holds no reference to the frame.
pub struct ClassifierInput {}

/// Classifies frames. Shared between a streaming thread and a worker (`Arc<SubjectClassifier>`).
pub struct SubjectClassifier {}

impl SubjectClassifier {
    /// The taxonomy that [`SubjectClass::id`] belongs to.
    pub const TAXONOMY: &str = "iab-content-3.1";

    /// Loads the network: slow, never on a streaming thread.
    ///
    /// # Errors
    /// The model is missing, damaged or unfit, its labels and the map do not meet, or ONNX Runtime cannot be opened.
    pub fn new(options: &SubjectOptions) -> Result<Self> {
        let _ = options;
        Err(Error::Library { problem: "not built yet".into() })
    }

    pub fn notes(&self) -> &[String] {
        &[]
    }
    pub fn model(&self) -> &str {
        ""
    }

    /// Streaming thread: the frame as the classifier wants it.
    pub fn shrink(&self, frame: &Frame) -> ClassifierInput {
        let _ = frame;
        ClassifierInput {}
    }

    /// Worker: classifies and adds to the window. `now`: running time of the frame.
    ///
    /// # Errors
    /// The network failed.
    pub fn classify(&self, input: &ClassifierInput, now: Duration) -> Result<()> {
        let _ = (input, now);
        Ok(())
    }

    /// The mean over the window that ends at `now`.
    pub fn reading(&self, now: Duration) -> SubjectReading {
        let _ = now;
        SubjectReading::default()
    }

    /// A new stream, shot, or a jump in time: empties the window.
    pub fn reset(&self) {}
}
