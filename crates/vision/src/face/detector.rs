//! Finding faces in one frame.

use crate::{
    Frame, Rect, Result,
    decode::{self, Candidates, Detection, DetectionDecoder},
    model::Model,
    pool::Pool,
    preprocess::{Picture, Placement},
    runs::Runs,
    runtime::{Description, LoadOptions, Notice},
    spec::{self, Role, SecondPass},
};
use facialads_consent::{Measurement, Permit};
use std::sync::{Mutex, PoisonError};

/// The best detector, and the one that every installation has.
const PREFERRED: &str = "yunet";
const FALLBACK: &str = "ssd-mobilenet-v1";
/// As many faces as a pass may find.
const MOST_FACES: usize = 100;
/// A box that the other pass found too may show a part of a face only: it is a duplicate if this much of it lies inside the
/// other box and it is not much smaller. A much smaller box inside a larger one is another face, such as a child's.
const DUPLICATE_INSIDE: f32 = 0.8;
const DUPLICATE_AREA: f32 = 0.25;

/// A face detection network. [`super::FaceAnalyzer`] is this with a memory.
pub struct Detector {
    model: Model,
    decoder: Box<dyn DetectionDecoder>,
    threshold: f32,
    iou: f32,
    notes: Vec<String>,
    /// Memory of detections that are not going on at the moment: as many as ever went on at once.
    scratch: Mutex<Vec<Scratch>>,
    pictures: Pool<Vec<Pass>>,
}

/// What a detection works in.
#[derive(Default)]
struct Scratch {
    runs: Runs,
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
    passes: Vec<Pass>,
    /// Which memory it belongs to; see [`super::FaceAnalyzer`].
    pub(super) generation: u64,
    /// `None`: there is nothing to give back.
    pool: Option<Pool<Vec<Pass>>>,
}

#[derive(Default)]
struct Pass {
    picture: Picture,
    second: Option<SecondPass>,
}

impl Drop for DetectorInput {
    fn drop(&mut self) {
        let Some(pool) = &self.pool else { return };
        let mut passes = std::mem::take(&mut self.passes);
        passes.iter_mut().for_each(|pass| pass.picture.wipe());
        pool.give_back(passes);
    }
}

impl DetectorInput {
    /// For an analyzer that has no detector.
    pub(super) fn nothing_of(frame: &Frame) -> Self {
        Self { frame: (frame.width(), frame.height()), passes: Vec::new(), generation: 0, pool: None }
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
        notes.extend(model.note().map(str::to_owned));
        let threshold = threshold.or(model.spec().threshold).unwrap_or_else(|| decoder.default_threshold());
        let iou = model.spec().iou.unwrap_or_else(|| decoder.default_iou());
        Ok(Self {
            model,
            decoder,
            threshold,
            iou,
            notes,
            scratch: Mutex::default(),
            pictures: Pool::default(),
        })
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
        let spec = self.model.spec();
        let mut passes = self.pictures.take();
        let seconds = std::iter::once(None).chain(spec.second_pass.map(Some));
        passes.resize_with(seconds.clone().count(), Pass::default);
        for (pass, second) in passes.iter_mut().zip(seconds) {
            let part = second.map_or(1.0, |s| s.scale);
            let placement = Placement::of_frame(frame.width(), frame.height(), &spec.input, part);
            pass.second = second;
            pass.picture.make(frame, &placement, &spec.input);
        }
        let pool = Some(self.pictures.clone());
        DetectorInput { frame: (frame.width(), frame.height()), passes, generation: 0, pool }
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

    fn detect_passes(
        &self,
        permit: &Permit<Measurement>,
        input: &DetectorInput,
        least: f32,
        scratch: &mut Scratch,
        found: &mut Vec<Detection>,
    ) -> Result<()> {
        let (width, height) = input.frame_size();
        found.clear();
        for pass in &input.passes {
            self.detect_pass(permit, pass, least, width.max(height), scratch)?;
            merge(found, &mut scratch.of_pass, self.iou, &mut scratch.gone);
        }
        for face in found.iter_mut() {
            face.bounds = face.bounds.clipped(width, height);
        }
        found.retain(|face| face.bounds.is_proper());
        Ok(())
    }

    fn detect_pass(
        &self,
        permit: &Permit<Measurement>,
        pass: &Pass,
        least: f32,
        longer_side: f32,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let (size, placement) = (pass.picture.size(), pass.picture.placement());
        let Scratch { runs, candidates, of_pass: found, .. } = scratch;
        self.model.run_on_people(permit, pass.picture.values(), size, runs)?;
        let (outputs, item) = runs.outputs_of(0);
        // The second pass is not asked for what is doubtful: it looks for large faces, and those are seldom that.
        let threshold = match pass.second {
            Some(second) => second.threshold.unwrap_or(self.threshold).max(self.threshold),
            None => least,
        };
        self.decoder.candidates(outputs, item, size, threshold, candidates)?;
        candidates.suppress(self.iou, MOST_FACES);
        found.clear();
        found.extend(candidates.kept());
        for face in found.iter_mut() {
            face.bounds = placement.to_frame(&face.bounds);
            for point in face.points.iter_mut().flatten() {
                let there = placement.to_frame(&Rect::new(point.0, point.1, 0.0, 0.0));
                *point = (there.x, there.y);
            }
        }
        if let Some(second) = pass.second {
            found.retain(|f| f.bounds.width.max(f.bounds.height) >= second.min_size * longer_side);
        }
        Ok(())
    }
}

/// Whether two boxes that different passes found are of the same face.
fn same(a: &Detection, b: &Detection, iou: f32) -> bool {
    let (small, large) = (a.bounds.area().min(b.bounds.area()), a.bounds.area().max(b.bounds.area()));
    a.bounds.iou(&b.bounds) > iou
        || (a.bounds.intersection_area(&b.bounds) > DUPLICATE_INSIDE * small
            && small > DUPLICATE_AREA * large)
}

/// Joins what two passes found into the first, most confident first as both are. A face of the second counts if it is more
/// confident than every rival in the first, and takes their place. `gone`: memory to work in.
fn merge(first: &mut Vec<Detection>, second: &mut Vec<Detection>, iou: f32, gone: &mut Vec<bool>) {
    gone.clear();
    gone.resize(first.len(), false);
    second.retain(|candidate| {
        let rivals = || first.iter().enumerate().filter(|(_, rival)| same(rival, candidate, iou));
        let counts = rivals().all(|(_, rival)| rival.confidence < candidate.confidence);
        if counts {
            rivals().for_each(|(index, _)| gone[index] = true);
        }
        counts
    });
    let mut leave = gone.iter();
    first.retain(|_| leave.next() != Some(&true));
    for candidate in second.drain(..) {
        let place = first.partition_point(|face| face.confidence >= candidate.confidence);
        first.insert(place, candidate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, y: f32, side: f32, confidence: f32) -> Detection {
        Detection { bounds: Rect::new(x, y, side, side), confidence, points: None }
    }

    fn merged(mut first: Vec<Detection>, mut second: Vec<Detection>, iou: f32) -> Vec<Detection> {
        merge(&mut first, &mut second, iou, &mut Vec::new());
        first
    }

    #[test]
    fn a_face_that_both_passes_found_counts_once() {
        let both = merged(vec![face(0.0, 0.0, 100.0, 0.8)], vec![face(4.0, 4.0, 100.0, 0.9)], 0.3);
        assert_eq!(both, [face(4.0, 4.0, 100.0, 0.9)]);
        let part_of_it = merged(vec![face(10.0, 10.0, 60.0, 0.75)], vec![face(0.0, 0.0, 100.0, 0.9)], 0.5);
        assert_eq!(part_of_it, [face(0.0, 0.0, 100.0, 0.9)]);
    }

    #[test]
    fn a_small_face_in_front_of_a_large_one_is_kept() {
        let both = merged(vec![face(30.0, 30.0, 30.0, 0.8)], vec![face(0.0, 0.0, 100.0, 0.9)], 0.3);
        assert_eq!(both, [face(0.0, 0.0, 100.0, 0.9), face(30.0, 30.0, 30.0, 0.8)]);
    }
}
