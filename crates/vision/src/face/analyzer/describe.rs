//! Describing the faces that are followed.

use super::{Allowed, Crops, FaceAnalyzer};
use crate::{
    Result,
    face::{
        buffers::{Buffers, FaceCrops},
        minors::Standing,
    },
};
use facialads_consent::{Demographics, Emotion, Permit};
use std::time::Duration;

impl FaceAnalyzer {
    /// Worker: estimates age, gender and emotion as far as permitted, and fuses them over each track. `now`: running time of
    /// the frame that `crops` were cut out of.
    ///
    /// # Errors
    /// The network failed, or [`crate::Error::Stale`]: consent ended before or meanwhile, and nothing was learned.
    pub fn describe(&self, allowed: &Allowed, crops: &Crops, now: Duration) -> Result<()> {
        if crops.is_empty() {
            return Ok(());
        }
        let buffers = &mut *crops.buffers();
        if let Some(permit) = allowed.demographics {
            let generation = self.begin(permit.epoch(), Some(crops.generation))?;
            buffers.settle()?;
            self.describe_age_gender(permit, buffers, allowed.adult_declared, now, generation)?;
        }
        if let Some(permit) = allowed.emotion {
            let generation = self.begin(permit.epoch(), Some(crops.generation))?;
            buffers.settle()?;
            self.describe_emotion(permit, buffers, allowed, now, generation)?;
        }
        Ok(())
    }

    fn describe_age_gender(
        &self,
        permit: &Permit<Demographics>,
        buffers: &Buffers,
        adult_declared: bool,
        now: Duration,
        generation: u64,
    ) -> Result<()> {
        let faces = &buffers.faces;
        let faces = faces.get(..permit.limit()).unwrap_or(faces);
        let wanted = |face: &FaceCrops| !face.age.is_empty();
        // Crops that were made under a declaration which no longer holds cannot tell what is asked now.
        let unfit = |face: &FaceCrops| wanted(face) && !adult_declared && !face.careful;
        if !faces.iter().any(wanted) || faces.iter().any(unfit) {
            return Ok(());
        }
        self.people().stats.inference_calls += self.describer.age_gender_runs();
        let looks = self.describer.demographics(permit, buffers, faces.len())?;
        let mut people = self.people();
        people.still(generation)?;
        for (face, look) in looks.of(faces) {
            if !people.tracker.has(face.id) {
                continue;
            }
            people.stats.descriptions += 1;
            let person = people.person(face.id);
            person.requested = None;
            person.described = Some(now);
            person.best_view = person.best_view.max(face.view);
            if person.standing == Standing::Vetoed {
                continue;
            }
            person.demographics.add(look.calibrated, face.quality);
            let mean = person.demographics.cautious_years().unwrap_or(f32::NAN);
            person.standing =
                person.standing.judged(adult_declared, mean, person.demographics.looks, look.least);
            if person.standing.passes(adult_declared) {
                person.demographics.publish(self.gender_threshold);
            }
            if person.standing == Standing::Vetoed {
                person.veto();
                people.hold.renew(now);
            }
        }
        Ok(())
    }

    fn describe_emotion(
        &self,
        permit: &Permit<Emotion>,
        buffers: &Buffers,
        allowed: &Allowed,
        now: Duration,
        generation: u64,
    ) -> Result<()> {
        let faces = &buffers.faces;
        let faces = faces.get(..permit.limit()).unwrap_or(faces);
        let passed = {
            let mut people = self.people();
            let may = |face: &FaceCrops| {
                face.expression.is_some()
                    && people.known(face.id).is_some_and(|person| person.may_be_described(allowed))
            };
            let passed = self.describer.feeling(faces, may);
            people.stats.inference_calls += u64::from(passed.is_some());
            passed
        };
        let Some(mut feelings) = passed else { return Ok(()) };
        self.describer.emotions(permit, buffers, &mut feelings)?;
        let mut people = self.people();
        people.still(generation)?;
        for (face, looks) in feelings.of(faces) {
            if people.known(face.id).is_some_and(|person| person.standing != Standing::Vetoed) {
                people.stats.descriptions += 1;
                let person = people.person(face.id);
                person.requested = None;
                person.felt = Some(now);
                person.feelings.add(looks, face.quality, now, self.emotion_threshold);
            }
        }
        Ok(())
    }
}
