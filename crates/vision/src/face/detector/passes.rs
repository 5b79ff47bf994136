//! Looking at a picture once or twice, wherever it and the network are.

use super::{Detector, DetectorInput, MOST_FACES, PassRuns, Scratch, merge::merge};
use crate::{
    Rect, Result, cuda::decode::Suppression, decode::Detection, on_gpu::Faces, preprocess::Placement,
    runtime::Whom, spec::SecondPass,
};
use facialads_consent::{Measurement, Permit};

impl Detector {
    pub(super) fn detect_passes(
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
