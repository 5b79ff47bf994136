use super::{FaceOptions, FaceStats, TrackedFace, Verdict};
use crate::{Error, Frame, Result};
use facialads_consent::{Demographics, Emotion, Measurement, Permit, Personalisation, Zone};
use std::time::Duration;

/// A frame made small for the detector. Holds no reference to the frame.
pub struct DetectorInput {}

/// A face whose picture is wanted from a coming frame.
pub struct CropRequest {}

/// Pictures of faces, cut out of one frame.
pub struct Crops {}

impl Crops {
    pub fn is_empty(&self) -> bool {
        true
    }
}

/// Finds, follows and describes faces. Shared between a streaming thread and a worker (`Arc<FaceAnalyzer>`).
///
/// Times (`now`) are running time. Frames may change their size at any time.
pub struct FaceAnalyzer {}

impl FaceAnalyzer {
    /// Loads the networks: slow, never on a streaming thread.
    ///
    /// # Errors
    /// A model is missing, damaged or unfit, ONNX Runtime cannot be opened, or the device cannot start.
    pub fn new(options: &FaceOptions) -> Result<Self> {
        let _ = options;
        Err(Error::Library { problem: "not built yet".into() })
    }

    /// What an operator should know: devices that were fallen back from, a lesser detector than the best.
    pub fn notes(&self) -> &[String] {
        &[]
    }
    /// Name of the detection model, for metadata.
    pub fn detector_model(&self) -> &str {
        ""
    }
    /// Name of the age and gender model, for metadata.
    pub fn age_gender_model(&self) -> &str {
        ""
    }
    /// Name of the expression model, for metadata; `None` where emotion is not looked at.
    pub fn expression_model(&self) -> Option<&str> {
        None
    }

    /// Streaming thread: the frame as the detector wants it.
    pub fn shrink(&self, frame: &Frame) -> DetectorInput {
        let _ = frame;
        DetectorInput {}
    }

    /// Worker: finds the faces whose centre lies in `zone` and updates the tracks. Returns how many there are.
    ///
    /// `now`: running time of the frame that `input` was made of.
    ///
    /// # Errors
    /// The network failed, or [`Error::Stale`]: the permit is of an epoch that was forgotten.
    pub fn detect(
        &self,
        permit: &Permit<Measurement>,
        input: &DetectorInput,
        zone: Zone,
        now: Duration,
    ) -> Result<usize> {
        let _ = (permit, input, zone, now);
        Ok(0)
    }

    /// Faces in the zone now (after the last detection, less those gone missing): what `permit` wants to know.
    pub fn count(&self, now: Duration) -> usize {
        let _ = now;
        0
    }

    /// Streaming thread, before [`FaceAnalyzer::cut`]: whose picture is wanted from the frame at `now`; at most the
    /// permit's limit, largest faces first. Attributes of faces that may not be described (any more) are dropped here.
    pub fn crops_due(
        &self,
        demographics: Option<&Permit<Demographics>>,
        emotion: Option<&Permit<Emotion>>,
        adult_declared: bool,
        now: Duration,
    ) -> Vec<CropRequest> {
        let _ = (demographics, emotion, adult_declared, now);
        Vec::new()
    }

    /// Streaming thread: copies the faces out of the frame, at the size that the networks want.
    pub fn cut(&self, frame: &Frame, requests: &[CropRequest]) -> Crops {
        let _ = (frame, requests);
        Crops {}
    }

    /// Worker: estimates age, gender and emotion as far as permitted, and fuses them over each track. `adult_declared`:
    /// whether every grant declares an adult. `now`: running time of the frame that `crops` were cut out of.
    ///
    /// # Errors
    /// The network failed, or [`Error::Stale`].
    pub fn describe(
        &self,
        demographics: Option<&Permit<Demographics>>,
        emotion: Option<&Permit<Emotion>>,
        crops: &Crops,
        adult_declared: bool,
        now: Duration,
    ) -> Result<()> {
        let _ = (demographics, emotion, crops, adult_declared, now);
        Ok(())
    }

    /// The faces in the zone, where they are predicted to be at `now`, largest first. Attributes only under a permit, only
    /// of as many of the largest faces as it allows, and never of one that may be a minor's.
    pub fn faces(
        &self,
        permit: &Permit<Measurement>,
        demographics: Option<&Permit<Demographics>>,
        emotion: Option<&Permit<Emotion>>,
        now: Duration,
    ) -> Vec<TrackedFace> {
        let _ = (permit, demographics, emotion, now);
        Vec::new()
    }

    /// Whether these people may be targeted by profile at `now`.
    pub fn targeting(&self, permit: Option<&Permit<Personalisation>>, now: Duration) -> Verdict {
        let _ = (permit, now);
        Verdict::NotPermitted
    }

    /// Consent ended or changed: drops everything learned from faces, and results still being made. Permits of epochs
    /// before `valid_from` are refused from here on. Only the 30 s hold after a possible minor stays.
    pub fn forget(&self, valid_from: u64) {
        let _ = valid_from;
    }

    /// A new stream, or a jump in time: tracks end; epoch and hold stay.
    pub fn reset(&self) {}

    pub fn stats(&self) -> FaceStats {
        FaceStats::default()
    }
}
