//! Finding faces in one frame.

mod merge;
mod passes;

use crate::{
    Frame, Result, View,
    cuda::{Gpu, Workspace, decode::DeviceDecoder, sources},
    decode::{self, Candidates, Detection, DetectionDecoder},
    model::Model,
    pool::Pool,
    preprocess::Placement,
    runs::Runs,
    runtime::{Description, LoadOptions, Notice},
    small::Small,
    spec::{self, Role},
};
use facialads_consent::{Measurement, Permit};
use std::sync::{Arc, Mutex, PoisonError};

/// The best detector, and the one that every installation has.
const PREFERRED: &str = "yunet";
const FALLBACK: &str = "ssd-mobilenet-v1";
/// As many faces as a pass may find.
const MOST_FACES: usize = 100;

/// A face detection network. [`super::FaceAnalyzer`] is this with a memory.
pub struct Detector {
    model: Model,
    decoder: Box<dyn DetectionDecoder>,
    /// Where outputs on a GPU can be decoded there.
    decoder_there: Option<Arc<DeviceDecoder>>,
    threshold: f32,
    iou: f32,
    notes: Vec<String>,
    /// Memory of detections that are not going on at the moment: as many as ever went on at once.
    scratch: Mutex<Vec<Scratch>>,
    pictures: Pool<Small>,
    kernels: Pool<Workspace>,
}

/// What a detection works in.
#[derive(Default)]
struct Scratch {
    /// Of each pass.
    runs: Vec<PassRuns>,
    candidates: Candidates,
    /// What the pass at hand found.
    of_pass: Vec<Detection>,
    /// Which faces of the first pass gave way to one of the second.
    gone: Vec<bool>,
}

/// A frame made small for the detector. Holds no reference to the frame; is wiped when it is dropped, and its memory used
/// for the next frame.
pub struct DetectorInput {
    frame: (u32, u32),
    /// A picture for each pass.
    small: Small,
    /// Which memory it belongs to; see [`super::FaceAnalyzer`].
    pub(super) generation: u64,
    /// `None`: there is nothing to give back.
    pool: Option<Pool<Small>>,
}

#[derive(Default)]
struct PassRuns {
    runs: Runs,
    /// Whether it is under way on a GPU, and decoded there.
    decoded_there: bool,
}

impl Drop for DetectorInput {
    fn drop(&mut self) {
        let Some(pool) = &self.pool else { return };
        let mut small = std::mem::take(&mut self.small);
        small.wipe();
        pool.give_back(small);
    }
}

impl DetectorInput {
    /// For an analyzer that has no detector.
    pub(super) fn nothing_of(frame: (u32, u32)) -> Self {
        Self { frame, small: Small::default(), generation: 0, pool: None }
    }

    /// Width and height of the frame.
    pub(super) fn frame_size(&self) -> (f32, f32) {
        (self.frame.0 as f32, self.frame.1 as f32)
    }
}

impl Detector {
    /// `model`: name of an installed model or path of an `.onnx` file; `None`: `yunet` where it is installed, else
    /// `ssd-mobilenet-v1`. `threshold`: least confidence, 0..=1; `None`: the model's.
    ///
    /// # Errors
    /// The model is missing, damaged or unfit, ONNX Runtime cannot be opened, or the device cannot start.
    pub fn load(model: Option<&str>, threshold: Option<f32>, options: &LoadOptions) -> Result<Self> {
        let mut notes = Vec::new();
        let name = match model {
            Some(name) => name,
            None if spec::find(PREFERRED).is_ok() => PREFERRED,
            None => {
                notes.push(format!(
                    "the detector {PREFERRED} is not installed; {FALLBACK} finds half as many faces in a fifth of the speed \
                     (`facialads models install {PREFERRED}`)"
                ));
                FALLBACK
            }
        };
        let model = Model::load(name, Role::FaceDetector, options)?;
        let decoder = decode::detector(model.spec(), model.describe())?;
        let decoder_there = DeviceDecoder::bind(model.spec(), model.describe()).map(Arc::new);
        notes.extend(model.note().map(str::to_owned));
        let threshold = threshold.or(model.spec().threshold).unwrap_or_else(|| decoder.default_threshold());
        let iou = model.spec().iou.unwrap_or_else(|| decoder.default_iou());
        Ok(Self {
            model,
            decoder,
            decoder_there,
            threshold,
            iou,
            notes,
            scratch: Mutex::default(),
            pictures: Pool::default(),
            kernels: Pool::default(),
        })
    }

    /// Compiles and loads what frames in the memory of `gpu` need, so that the first one need not wait for it: up to some
    /// seconds the first time on a machine, never on a streaming thread. Without it the first frame takes as long.
    ///
    /// # Errors
    /// Kernels cannot be compiled, or the GPU failed.
    pub fn prepare(&self, gpu: &Gpu) -> Result<()> {
        gpu.prepare(&sources::PICTURE)?;
        match (&self.decoder_there, self.model.gpu()) {
            (Some(decoder), Some(gpu)) => decoder.prepare(gpu),
            _ => Ok(()),
        }
    }

    pub(super) fn gpu(&self) -> Option<&Gpu> {
        self.model.gpu()
    }

    /// The same with a larger or smaller picture: `side` pixels along the longer side, rounded up to what the network can
    /// take. Larger finds smaller faces and takes longer.
    ///
    /// # Errors
    /// [`Error::Size`]: the network takes pictures of one size only, or none this large.
    pub fn sized(mut self, side: u32) -> Result<Self> {
        self.model.resize(side)?;
        Ok(self)
    }

    /// Name of the model, for metadata.
    pub fn name(&self) -> &str {
        &self.model.spec().name
    }
    /// The network: its inputs, outputs, and where it runs.
    pub fn describe(&self) -> &Description {
        self.model.describe()
    }
    /// What an operator should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
    /// What became known of the network since the last call.
    pub fn notices(&self) -> Vec<Notice> {
        self.model.notices()
    }
    /// Whether both run on one instance of a network.
    pub fn shares_network_with(&self, other: &Self) -> bool {
        self.model.shares_network_with(&other.model)
    }
    /// Least confidence of the faces that [`Detector::detect`] gives back, 0..=1.
    pub fn threshold(&self) -> f32 {
        self.threshold
    }
    /// Runs of the network per picture.
    pub fn passes(&self) -> u64 {
        1 + u64::from(self.model.spec().second_pass.is_some())
    }

    /// The frame as the network wants it.
    pub fn shrink(&self, frame: &Frame) -> DetectorInput {
        let mut small = self.pictures.take();
        // Only a GPU can fail.
        let _ = self.fill(&View::Host(frame), &mut small);
        self.input((frame.width(), frame.height()), small)
    }

    /// The same of a frame in any memory. On a GPU the picture is made while the thread goes on.
    ///
    /// # Errors
    /// The GPU that the frame lies on failed; of a frame in the computer's memory never.
    pub fn shrink_view(&self, view: &View) -> Result<DetectorInput> {
        let mut small = self.pictures.take();
        match self.fill(view, &mut small) {
            Ok(()) => Ok(self.input(view.size(), small)),
            Err(error) => {
                self.pictures.give_back(small);
                Err(error)
            }
        }
    }

    fn fill(&self, view: &View, small: &mut Small) -> Result<()> {
        let (input, (width, height)) = (&self.model.spec().input, view.size());
        let second = self.model.spec().second_pass.map(|second| second.scale);
        let parts = std::iter::once(1.0).chain(second);
        let placements = parts.map(|part| Placement::of_frame(width, height, input, part));
        small.make(view, placements, input, self.model.half_input(), &self.kernels)
    }

    fn input(&self, frame: (u32, u32), small: Small) -> DetectorInput {
        DetectorInput { frame, small, generation: 0, pool: Some(self.pictures.clone()) }
    }

    /// The faces, in pixels of the frame and clipped to it, most confident first. See [`Detector::detect_into`].
    ///
    /// # Errors
    /// The network failed, or gave outputs that do not belong to its input.
    pub fn detect(&self, permit: &Permit<Measurement>, input: &DetectorInput) -> Result<Vec<Detection>> {
        let mut found = Vec::new();
        self.detect_into(permit, input, &mut found)?;
        Ok(found)
    }

    /// As [`Detector::detect`], in place of what `found` held. Decoding takes no memory once it has seen a few pictures.
    ///
    /// # Errors
    /// As [`Detector::detect`]; `found` is empty then.
    pub fn detect_into(
        &self,
        permit: &Permit<Measurement>,
        input: &DetectorInput,
        found: &mut Vec<Detection>,
    ) -> Result<()> {
        self.detect_down_to(permit, input, self.threshold, found)
    }

    /// As [`Detector::detect_into`], and after those faces what the network is less sure of, down to the confidence `least`: a
    /// tracker may continue with such a detection, alone it is no face. The others are among it unchanged, because a
    /// detection never suppresses one that is surer.
    ///
    /// # Errors
    /// As [`Detector::detect_into`].
    pub fn detect_down_to(
        &self,
        permit: &Permit<Measurement>,
        input: &DetectorInput,
        least: f32,
        found: &mut Vec<Detection>,
    ) -> Result<()> {
        let pool = || self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = pool().pop().unwrap_or_default();
        let result = self.detect_passes(permit, input, least.min(self.threshold), &mut scratch, found);
        pool().push(scratch);
        if result.is_err() {
            found.clear();
        }
        result
    }
}
