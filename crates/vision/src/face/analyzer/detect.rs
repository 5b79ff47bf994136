//! Finding and following faces.

use super::{DOUBTFUL, FaceAnalyzer, Looked};
use crate::{
    Frame, Rect, Result, View,
    face::{DetectorInput, Observation},
};
use facialads_consent::{Measurement, Permit, Zone};
use std::time::Duration;

impl FaceAnalyzer {
    /// Streaming thread: the frame as the detector wants it; without a detector nothing of it.
    pub fn shrink(&self, frame: &Frame) -> DetectorInput {
        let generation = self.people().generation;
        let nothing = || DetectorInput::nothing_of((frame.width(), frame.height()));
        let mut input = self.detector.as_ref().map_or_else(nothing, |detector| detector.shrink(frame));
        input.generation = generation;
        input
    }

    /// [`FaceAnalyzer::shrink`] of a frame in any memory. Never waits for inference: on a GPU the picture is made while the
    /// thread goes on.
    ///
    /// # Errors
    /// The GPU that the frame lies on failed; of a frame in the computer's memory never.
    pub fn shrink_view(&self, view: &View) -> Result<DetectorInput> {
        let generation = self.people().generation;
        let mut input = match &self.detector {
            Some(detector) => detector.shrink_view(view)?,
            None => DetectorInput::nothing_of(view.size()),
        };
        input.generation = generation;
        Ok(input)
    }

    /// Worker: finds the faces whose centre lies in `zone` and updates the tracks. Returns how many there are.
    ///
    /// `now`: running time of the frame that `input` was made of. Without a detector ([`FaceOptions::detect`]) the tracks
    /// stay as they are.
    ///
    /// # Errors
    /// The network failed, or [`crate::Error::Stale`]: consent ended before or meanwhile, and nothing was learned.
    pub fn detect(
        &self,
        permit: &Permit<Measurement>,
        input: &DetectorInput,
        zone: Zone,
        now: Duration,
    ) -> Result<usize> {
        let generation = self.begin(permit.epoch(), Some(input.generation))?;
        let Some(detector) = &self.detector else { return Ok(self.count(now)) };
        self.people().stats.inference_calls += detector.passes();
        let (width, height) = input.frame_size();
        self.people().tracker.shape = Some(width / height);
        let mut looked = self.looked();
        let Looked { found, observations } = &mut *looked;
        detector.detect_down_to(permit, input, DOUBTFUL, found)?;
        observations.clear();
        observations.extend(found.drain(..).map(|face| Observation::of_frame(&face, width, height)));
        self.follow(generation, observations, detector.threshold(), zone, now)
    }

    /// Worker: updates the tracks with faces that somebody else has found in the frame at `now`, as
    /// [`FaceAnalyzer::detect`] does with its own. Those whose centre lies outside `zone` are left out. Returns how many
    /// faces there are. Every one of them counts as a face, however confident. Where heads are turned to is told only once
    /// the shape of the frame is known, from [`FaceAnalyzer::cut`] of an earlier one.
    ///
    /// # Errors
    /// [`crate::Error::Stale`]: consent ended, and nothing was learned.
    pub fn observe(
        &self,
        permit: &Permit<Measurement>,
        observations: &[Observation],
        zone: Zone,
        now: Duration,
    ) -> Result<usize> {
        let generation = self.begin(permit.epoch(), None)?;
        let mut looked = self.looked();
        let mine = &mut looked.observations;
        mine.clear();
        mine.extend(observations);
        self.follow(generation, mine, f32::NEG_INFINITY, zone, now)
    }

    /// Takes what was found into the tracks, less what does not belong there.
    fn follow(
        &self,
        generation: u64,
        observations: &mut Vec<Observation>,
        threshold: f32,
        zone: Zone,
        now: Duration,
    ) -> Result<usize> {
        observations.retain(|face| {
            let (x, y) = face.bounds.centre();
            face.is_proper() && zone.contains(f64::from(x), f64::from(y))
        });
        let within = Rect::new(zone.x as f32, zone.y as f32, zone.width as f32, zone.height as f32);
        let mut people = self.people();
        people.still(generation)?;
        people.stats.detections += 1;
        people.tracker.update(observations, threshold, &within, now);
        observations.clear();
        people.tidy(now);
        Ok(people.tracker.alive(now).count())
    }
}
