mod crops;
mod describe;
mod detect;
mod requests;
mod tell;

pub use crops::Crops;
pub use requests::{Allowed, CropRequest};

use super::{Detector, FaceOptions, FaceStats, Observation, describer::Describer, ids::Ids, people::People};
use crate::{
    Result,
    cuda::{Gpu, sources},
    decode::Detection,
    runtime::{Description, Notice},
};
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Confidence from which a detection may continue a track that it fits, though it is below the detector's threshold:
/// ByteTrack's second stage. A face half turned away or half hidden seldom falls below it.
const DOUBTFUL: f32 = 0.3;

/// Finds, follows and describes faces. Shared between a streaming thread and a worker (`Arc<FaceAnalyzer>`).
///
/// Times (`now`) are running time. Frames may change their size at any time.
pub struct FaceAnalyzer {
    /// `None` where faces are found elsewhere.
    detector: Option<Detector>,
    describer: Describer,
    notes: Vec<String>,
    /// Nanoseconds.
    reclassify_interval: AtomicU64,
    gender_threshold: f32,
    emotion_threshold: f32,
    /// Held for moments only, never during inference.
    people: Mutex<People>,
    /// Held by the worker while it looks.
    looked: Mutex<Looked>,
}

/// Memory of a look, kept so that the next one need not ask for it; empty in between.
#[derive(Default)]
struct Looked {
    found: Vec<Detection>,
    observations: Vec<Observation>,
}

fn prepare(detector: Option<&Detector>, gpu: &Gpu) -> Result<()> {
    gpu.prepare(&sources::CROP)?;
    gpu.prepare(&sources::QUALITY)?;
    detector.map_or(Ok(()), |detector| detector.prepare(gpu))
}

fn nanoseconds(interval: Duration) -> u64 {
    u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX)
}

impl FaceAnalyzer {
    /// Loads the networks: slow, never on a streaming thread.
    ///
    /// # Errors
    /// A model is missing, damaged or unfit, ONNX Runtime cannot be opened, or the device cannot start.
    pub fn new(options: &FaceOptions) -> Result<Self> {
        let load = &options.load;
        let detector = || {
            let detector = Detector::load(options.detector.as_deref(), options.threshold, load)?;
            match options.detector_size {
                Some(side) => detector.sized(side),
                None => Ok(detector),
            }
        };
        let detector = options.detect.then(detector).transpose()?;
        let describer = Describer::load(options)?;
        let mut notes = detector.as_ref().map_or_else(Vec::new, |detector| detector.notes().to_vec());
        notes.extend_from_slice(describer.notes());
        let gpu = detector.as_ref().and_then(Detector::gpu).or_else(|| describer.gpu());
        if let Some(Err(error)) = gpu.map(|gpu| prepare(detector.as_ref(), gpu)) {
            notes.push(format!("frames in a GPU's memory cannot be looked at, others can: {error}"));
        }
        Ok(Self {
            detector,
            gender_threshold: describer.gender_threshold(options),
            describer,
            notes,
            reclassify_interval: AtomicU64::new(nanoseconds(options.reclassify_interval)),
            emotion_threshold: options.emotion_threshold,
            people: Mutex::new(People::new(Ids::new(options.seed), options.max_missing)),
            looked: Mutex::default(),
        })
    }

    /// Compiles and loads what frames in the memory of `gpu` need, so that the first one need not wait for it: up to some
    /// seconds the first time on a machine, never on a streaming thread. [`FaceAnalyzer::new`] has done it for the GPU that the
    /// networks are on; for a context of somebody else's, call this when it becomes known.
    ///
    /// # Errors
    /// Kernels cannot be compiled, or the GPU failed.
    pub fn prepare(&self, gpu: &Gpu) -> Result<()> {
        prepare(self.detector.as_ref(), gpu)
    }

    /// What an operator should know: devices that were fallen back from, a lesser detector than the best.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
    /// What became known of the networks since the last call: one has moved to another device, or TensorRT builds an engine.
    pub fn notices(&self) -> Vec<Notice> {
        let detector = self.detector.iter().flat_map(Detector::notices);
        detector.chain(self.describer.notices()).collect()
    }
    /// Name of the detection model, for metadata; "upstream" where faces are found elsewhere.
    pub fn detector_model(&self) -> &str {
        self.detector.as_ref().map_or("upstream", Detector::name)
    }
    /// Where the detection network runs, by which runtime and in which precision; where faces are found elsewhere, the
    /// network for age and gender.
    pub fn runs_on(&self) -> &Description {
        self.detector.as_ref().map_or_else(|| self.describer.runs_on(), Detector::describe)
    }
    /// Name of the age and gender model, for metadata; of two that are joined, the first.
    pub fn age_gender_model(&self) -> &str {
        self.describer.age_gender_model()
    }
    /// Name of the expression model, for metadata; `None` where emotion is not looked at.
    pub fn expression_model(&self) -> Option<&str> {
        self.describer.expression_model()
    }

    /// Changes [`FaceOptions::reclassify_interval`]: who counts in frames learns their duration late, and it may change.
    pub fn set_reclassify_interval(&self, interval: Duration) {
        self.reclassify_interval.store(nanoseconds(interval), Ordering::Relaxed);
    }

    /// One look at a time: whoever comes second waits for the first.
    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a permit and, where given, the memory that an input was made for. Returns the memory's generation.
    fn begin(&self, epoch: u64, made_for: Option<u64>) -> Result<u64> {
        let mut people = self.people();
        let before = people.generation;
        people.admit(epoch)?;
        // What was made before the first permit of a newer epoch came belongs to that epoch, if the permit says so.
        match made_for {
            Some(generation) if generation != before => people.still(generation)?,
            _ => {}
        }
        Ok(people.generation)
    }

    /// Consent ended or changed: drops everything learned under epochs before `valid_from`, also results still being made.
    /// Permits of such epochs are refused from here on. Only the 30 s hold after a possible minor stays.
    pub fn forget(&self, valid_from: u64) {
        self.people().forget_before(valid_from);
    }

    /// A jump in time (a seek, a new segment): tracks end; epoch and hold stay.
    pub fn reset(&self) {
        let mut people = self.people();
        people.forget();
        people.hold.jump();
    }

    /// The pipeline starts anew and with it the gate's epochs: everything is forgotten but the hold.
    pub fn restart(&self) {
        self.people().restart();
    }

    /// What is left of the 30 s hold after a possible minor, to be handed to the analyzer that takes this one's place.
    pub fn hold_left(&self) -> Duration {
        self.people().hold.left()
    }

    /// Goes on with the hold of the analyzer before this one.
    pub fn resume_hold(&self, left: Duration) {
        self.people().hold.resume(left);
    }

    pub fn stats(&self) -> FaceStats {
        self.people().stats
    }
}
