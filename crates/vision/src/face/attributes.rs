//! Describing faces: the networks behind age, gender, emotion and landmarks, each under its own permit.

use super::{Emotion as Feeling, portrait::Portrait};
use crate::{
    Error, Result,
    decode::{
        Outputs,
        age_gender::{self, Estimate},
        classification::{self, Classification},
        landmarks68::Landmarks68,
    },
    model::Model,
    runs::Runs,
    runtime::LoadOptions,
    spec::{InputSpec, Role},
};
use facialads_consent::{Demographics, Emotion, Measurement, Permit, PurposeKind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The default expression network is badly overconfident (expected calibration error 0.29 on real faces); its logits are
/// divided by this.
const TEMPERATURE: f32 = 4.5;

/// What goes into a network and comes out of it: memory that is used again.
#[derive(Default)]
struct Batch {
    values: Vec<f32>,
    runs: Runs,
}

/// The worker's alone, so it never waits for it.
#[derive(Default)]
struct Batches(Mutex<Batch>);

impl Batches {
    /// All portraits in one run. What comes out is overwritten by the next.
    fn run<P: PurposeKind>(
        &self,
        model: &Model,
        permit: &Permit<P>,
        portraits: &[Portrait],
    ) -> Result<MutexGuard<'_, Batch>> {
        let mut batch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Batch { values, runs } = &mut *batch;
        values.clear();
        portraits.iter().for_each(|portrait| values.extend_from_slice(&portrait.values));
        match portraits.first() {
            Some(first) => model.run_on_people(permit, values, first.size(), runs)?,
            None => runs.begin(true),
        }
        Ok(batch)
    }
}

fn outputs(model: &Model) -> Outputs<'_> {
    Outputs { spec: model.spec(), network: model.describe() }
}

macro_rules! common {
    () => {
        /// Name of the model, for metadata.
        pub fn name(&self) -> &str {
            &self.model.spec().name
        }
        /// What [`Portrait::cut`] needs to know.
        pub fn input(&self) -> &InputSpec {
            &self.model.spec().input
        }
        /// What an operator should know.
        pub fn note(&self) -> Option<&str> {
            self.model.note()
        }
    };
}

/// Estimates age and gender.
pub struct AgeGender {
    model: Model,
    decoder: age_gender::AgeGender,
    batches: Batches,
}

impl AgeGender {
    /// # Errors
    /// The model is missing, damaged or unfit, ONNX Runtime cannot be opened, or the device cannot start.
    pub fn load(model: &str, options: &LoadOptions) -> Result<Self> {
        let model = Model::load(model, Role::AgeGender, options)?;
        let decoder = age_gender::AgeGender::bind(&outputs(&model))?;
        Ok(Self { model, decoder, batches: Batches::default() })
    }
    common!();

    /// One estimate per portrait.
    ///
    /// # Errors
    /// The network failed.
    pub fn estimate(&self, permit: &Permit<Demographics>, portraits: &[Portrait]) -> Result<Vec<Estimate>> {
        let batch = self.batches.run(&self.model, permit, portraits)?;
        let decode = |i| {
            let (outputs, item) = batch.runs.outputs_of(i);
            self.decoder.decode(outputs, item)
        };
        (0..portraits.len()).map(decode).collect()
    }
}

/// Estimates emotion.
pub struct Expression {
    model: Model,
    decoder: Classification,
    batches: Batches,
    /// Which emotion each output is.
    classes: Vec<Feeling>,
}

impl Expression {
    /// # Errors
    /// As [`AgeGender::load`]; also labels that are not emotions.
    pub fn load(model: &str, options: &LoadOptions) -> Result<Self> {
        let model = Model::load(model, Role::Expression, options)?;
        let decoder = Classification::bind(&outputs(&model))?;
        let class = |label: &String| {
            Feeling::KNOWN.into_iter().find(|known| known.name() == label).ok_or_else(|| Error::Shape {
                model: model.spec().name.clone(),
                decoder: model.spec().decoder.name(),
                problem: format!(
                    "the label \"{label}\" is not one of {}",
                    Feeling::KNOWN.map(Feeling::name).join(", ")
                ),
            })
        };
        let classes = model.spec().labels.iter().map(class).collect::<Result<_>>()?;
        Ok(Self { model, decoder, classes, batches: Batches::default() })
    }
    common!();

    /// One distribution per portrait, in the order of [`Feeling::KNOWN`], made honest by a temperature.
    ///
    /// # Errors
    /// The network failed.
    pub fn estimate(&self, permit: &Permit<Emotion>, portraits: &[Portrait]) -> Result<Vec<[f32; 7]>> {
        self.raw(permit, portraits).map(|raw| raw.iter().map(|p| self.cooled(p)).collect())
    }

    /// As the network says it, in the order of its labels.
    ///
    /// # Errors
    /// The network failed.
    pub fn raw(&self, permit: &Permit<Emotion>, portraits: &[Portrait]) -> Result<Vec<Vec<f32>>> {
        let batch = self.batches.run(&self.model, permit, portraits)?;
        let decode = |i| {
            let (outputs, item) = batch.runs.outputs_of(i);
            self.decoder.decode(outputs, item)
        };
        (0..portraits.len()).map(decode).collect()
    }

    fn cooled(&self, probabilities: &[f32]) -> [f32; 7] {
        let mut known = [0.0; 7];
        let cooled = classification::cooled(probabilities, TEMPERATURE);
        for (class, probability) in self.classes.iter().zip(cooled) {
            if let Some(slot) = Feeling::KNOWN.iter().position(|k| k == class) {
                known[slot] += probability;
            }
        }
        known
    }
}

/// Finds 68 points of a face. They are geometry, not an attribute: measurement allows them.
pub struct Landmarks {
    model: Model,
    decoder: Landmarks68,
    batches: Batches,
}

impl Landmarks {
    /// # Errors
    /// As [`AgeGender::load`].
    pub fn load(model: &str, options: &LoadOptions) -> Result<Self> {
        let model = Model::load(model, Role::Landmarks, options)?;
        let decoder = Landmarks68::bind(&outputs(&model))?;
        Ok(Self { model, decoder, batches: Batches::default() })
    }
    common!();

    /// The points of each portrait in pixels of the frame that it was cut out of.
    ///
    /// # Errors
    /// The network failed.
    pub fn find(&self, permit: &Permit<Measurement>, portraits: &[Portrait]) -> Result<Vec<Vec<(f32, f32)>>> {
        let batch = self.batches.run(&self.model, permit, portraits)?;
        let decode = |(i, portrait): (usize, &Portrait)| {
            let (outputs, item) = batch.runs.outputs_of(i);
            let points = self.decoder.decode(outputs, item, &portrait.placement)?;
            Ok(points.into_iter().map(|point| portrait.to_frame(point)).collect())
        };
        portraits.iter().enumerate().map(decode).collect()
    }
}
