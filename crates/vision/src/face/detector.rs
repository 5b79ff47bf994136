//! Finding faces in one frame.

use crate::{
    Frame, Rect, Result, View,
    cuda::{
        Gpu, Workspace,
        decode::{DeviceDecoder, Suppression},
        sources,
    },
    decode::{self, Candidates, Detection, DetectionDecoder},
    model::Model,
    on_gpu::Faces,
    pool::Pool,
    preprocess::Placement,
    runs::Runs,
    runtime::{Description, LoadOptions, Notice, Whom},
    small::Small,
    spec::{self, Role, SecondPass},
};
use facialads_consent::{Measurement, Permit};
use std::sync::{Arc, Mutex, PoisonError};

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
        let passes = input.small.len();
        scratch.runs.resize_with(passes.max(scratch.runs.len()), PassRuns::default);
        // On a GPU all passes are under way before the first is waited for.
        for pass in 0..passes {
            self.begin_pass(permit, input, pass, least, scratch)?;
        }
        for pass in 0..passes {
            self.finish_pass(permit, input, pass, least, scratch)?;
            merge(found, &mut scratch.of_pass, self.iou, &mut scratch.gone);
        }
        for face in found.iter_mut() {
            face.bounds = face.bounds.clipped(width, height);
        }
        found.retain(|face| face.bounds.is_proper());
        Ok(())
    }

    /// The second pass, and those after it that there are not.
    fn second(&self, pass: usize) -> Option<SecondPass> {
        self.model.spec().second_pass.filter(|_| pass > 0)
    }

    /// Least confidence of what a pass finds. The second pass is not asked for what is doubtful: it looks for large faces, and
    /// those are seldom that.
    fn threshold_of(&self, pass: usize, least: f32) -> f32 {
        match self.second(pass) {
            Some(second) => second.threshold.unwrap_or(self.threshold).max(self.threshold),
            None => least,
        }
    }

    /// Where picture and network are on a GPU, enqueues the run and the decoding there.
    fn begin_pass(
        &self,
        permit: &Permit<Measurement>,
        input: &DetectorInput,
        pass: usize,
        least: f32,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Some(PassRuns { runs, decoded_there }) = scratch.runs.get_mut(pass) else { return Ok(()) };
        *decoded_there = false;
        let (Some(part), Some(decoder)) = (input.small.part(pass), &self.decoder_there) else {
            return Ok(());
        };
        let size = size(&input.small.placement(pass));
        let suppression = Suppression { iou: self.iou, most: MOST_FACES };
        let threshold = self.threshold_of(pass, least);
        Faces::prepare(&mut runs.on_gpu.taker, decoder, threshold, suppression, size);
        *decoded_there = self.model.find_people(permit, &[part], size, runs)?;
        Ok(())
    }

    /// Waits for the run, or does it; leaves what was found in the scratch, in pixels of the frame.
    fn finish_pass(
        &self,
        permit: &Permit<Measurement>,
        input: &DetectorInput,
        pass: usize,
        least: f32,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let placement = input.small.placement(pass);
        let size = size(&placement);
        let Scratch { runs, candidates, of_pass: found, .. } = scratch;
        found.clear();
        let Some(PassRuns { runs, decoded_there }) = runs.get_mut(pass) else { return Ok(()) };
        if std::mem::take(decoded_there) {
            Whom::People
                .time(|| runs.on_gpu.taker.read_faces().map(|faces| found.extend_from_slice(faces)))?;
        } else {
            input.small.with(pass, |picture| self.model.run_on_people(permit, picture, size, runs))?;
            runs.settle(Whom::People)?;
            let (outputs, item) = runs.outputs_of(0);
            self.decoder.candidates(outputs, item, size, self.threshold_of(pass, least), candidates)?;
            candidates.suppress(self.iou, MOST_FACES);
            found.extend(candidates.kept());
        }
        for face in found.iter_mut() {
            face.bounds = placement.to_frame(&face.bounds);
            for point in face.points.iter_mut().flatten() {
                let there = placement.to_frame(&Rect::new(point.0, point.1, 0.0, 0.0));
                *point = (there.x, there.y);
            }
        }
        if let Some(second) = self.second(pass) {
            let (width, height) = input.frame_size();
            let least = second.min_size * width.max(height);
            found.retain(|face| face.bounds.width.max(face.bounds.height) >= least);
        }
        Ok(())
    }
}

/// Width and height of a network's picture.
fn size(placement: &Placement) -> (usize, usize) {
    (placement.out_width, placement.out_height)
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
