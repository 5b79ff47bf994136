//! Describing faces: the networks behind age, gender, emotion and landmarks, each under its own permit.

use super::{Emotion as Feeling, constants::EXPRESSION_TEMPERATURE, portrait::Portrait};
use crate::{
    Error, Result,
    cuda::Gpu,
    decode::{
        Outputs,
        age_distribution::AgeDistribution,
        age_gender::{self, Estimate},
        classification::Classification,
        landmarks68::Landmarks68,
    },
    model::{Model, Pictures},
    on_gpu::Part,
    runs::Runs,
    runtime::{Description, LoadOptions, Notice, Tensor, Whom},
    spec::{Decoder, InputSpec, Role},
};
use facialads_consent::{Demographics, Emotion, Measurement, Permit, PurposeKind};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All portraits in one run. What comes out is overwritten by the next.
    fn run<P: PurposeKind>(
        &self,
        model: &Model,
        permit: &Permit<P>,
        portraits: &[Portrait],
    ) -> Result<MutexGuard<'_, Batch>> {
        let mut batch = self.lock();
        let Batch { values, runs } = &mut *batch;
        values.clear();
        portraits.iter().for_each(|portrait| values.extend_from_slice(&portrait.values));
        match portraits.first() {
            Some(first) => {
                model.run_on_people(permit, Pictures::Host(values), first.size(), runs)?;
                runs.settle(Whom::People)?;
            }
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
        /// The network: its inputs, outputs, and where it runs.
        pub fn describe(&self) -> &Description {
            self.model.describe()
        }
        /// What an operator should know.
        pub fn note(&self) -> Option<&str> {
            self.model.note()
        }
        /// What became known of the network since the last call.
        pub fn notices(&self) -> Vec<Notice> {
            self.model.notices()
        }
    };
}

/// How an age and gender network's outputs are read.
enum AgeGenderDecoder {
    Years(age_gender::AgeGender),
    Distribution(AgeDistribution),
}

impl AgeGenderDecoder {
    fn decode(&self, outputs: &[Tensor], picture: usize) -> Result<Estimate> {
        match self {
            Self::Years(decoder) => decoder.decode(outputs, picture),
            Self::Distribution(decoder) => decoder.decode(outputs, picture),
        }
    }
}

/// Estimates age and gender.
pub struct AgeGender {
    model: Model,
    decoder: AgeGenderDecoder,
    batches: Batches,
}

impl AgeGender {
    /// # Errors
    /// The model is missing, damaged or unfit, ONNX Runtime cannot be opened, or the device cannot start.
    pub fn load(model: &str, options: &LoadOptions) -> Result<Self> {
        let model = Model::load(model, Role::AgeGender, options)?;
        let outputs = outputs(&model);
        let decoder = match model.spec().decoder {
            Decoder::AgeDistribution => AgeGenderDecoder::Distribution(AgeDistribution::bind(&outputs)?),
            _ => AgeGenderDecoder::Years(age_gender::AgeGender::bind(&outputs)?),
        };
        Ok(Self { model, decoder, batches: Batches::default() })
    }
    common!();

    /// Whether pictures for it should have 16-bit numbers, where they are made on a GPU.
    pub(super) fn half_input(&self) -> bool {
        self.model.half_input()
    }

    pub(super) fn gpu(&self) -> Option<&Gpu> {
        self.model.gpu()
    }

    /// One estimate per portrait, as the network says it: not calibrated.
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

    /// Shows `pictures` to the network, which lie one after the other as it wants them, in one run; on a GPU without waiting for
    /// it. [`AgeGender::estimates`] tells what comes of it.
    pub(super) fn look(&self, permit: &Permit<Demographics>, pictures: Pictures) -> Result<()> {
        self.model.run_on_people(permit, pictures, size(self.input()), &mut self.batches.lock().runs)
    }

    /// One estimate for each of the `count` pictures of [`AgeGender::look`]. Replaces what `estimates` held.
    pub(super) fn estimates(&self, count: usize, estimates: &mut Vec<Estimate>) -> Result<()> {
        estimates.clear();
        let mut batch = self.batches.lock();
        batch.runs.settle(Whom::People)?;
        for i in 0..count {
            let (outputs, item) = batch.runs.outputs_of(i);
            estimates.push(self.decoder.decode(outputs, item)?);
        }
        Ok(())
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

    /// Whether pictures for it should have 16-bit numbers, where they are made on a GPU.
    pub(super) fn half_input(&self) -> bool {
        self.model.half_input()
    }

    /// One distribution per portrait, in the order of [`Feeling::KNOWN`], made honest by a temperature.
    ///
    /// # Errors
    /// The network failed.
    pub fn estimate(&self, permit: &Permit<Emotion>, portraits: &[Portrait]) -> Result<Vec<[f32; 7]>> {
        let batch = self.batches.run(&self.model, permit, portraits)?;
        (0..portraits.len()).map(|i| self.cooled(&batch.runs, i)).collect()
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

    /// As [`Expression::estimate`] for those of `pictures` (as in [`AgeGender::look`]) that `wanted` names, in one run. Replaces
    /// what `distributions` held.
    pub(super) fn estimate_pictures(
        &self,
        permit: &Permit<Emotion>,
        pictures: &[f32],
        wanted: &[usize],
        distributions: &mut Vec<[f32; 7]>,
    ) -> Result<()> {
        distributions.clear();
        let mut batch = self.batches.lock();
        let Batch { values, runs } = &mut *batch;
        let length = picture_len(self.input());
        values.clear();
        for index in wanted {
            values.extend_from_slice(pictures.get(index * length..(index + 1) * length).unwrap_or_default());
        }
        let outcome = self.model.run_on_people(permit, Pictures::Host(values), size(self.input()), runs);
        // Nothing of anybody's face stays in memory.
        values.fill(0.0);
        outcome?;
        self.distributions(wanted.len(), runs, distributions)
    }

    /// The same for pictures in a GPU's memory.
    pub(super) fn estimate_parts(
        &self,
        permit: &Permit<Emotion>,
        parts: &[Part],
        distributions: &mut Vec<[f32; 7]>,
    ) -> Result<()> {
        distributions.clear();
        let runs = &mut self.batches.lock().runs;
        self.model.run_on_people(permit, Pictures::Gpu(parts), size(self.input()), runs)?;
        self.distributions(parts.iter().map(Part::count).sum(), runs, distributions)
    }

    fn distributions(&self, count: usize, runs: &mut Runs, distributions: &mut Vec<[f32; 7]>) -> Result<()> {
        runs.settle(Whom::People)?;
        for i in 0..count {
            distributions.push(self.cooled(runs, i)?);
        }
        Ok(())
    }

    fn cooled(&self, runs: &Runs, picture: usize) -> Result<[f32; 7]> {
        let mut known = [0.0; 7];
        let (outputs, item) = runs.outputs_of(picture);
        self.decoder.decode_cooled(outputs, item, EXPRESSION_TEMPERATURE, |class, probability| {
            let emotion = self.classes.get(class);
            if let Some(slot) = Feeling::KNOWN.iter().position(|known| Some(known) == emotion) {
                known[slot] += probability;
            }
        })?;
        Ok(known)
    }
}

/// Width and height of a network's picture.
pub(super) fn size(input: &InputSpec) -> (usize, usize) {
    (input.width as usize, input.height as usize)
}
/// Values of a network's picture.
pub(super) fn picture_len(input: &InputSpec) -> usize {
    let (width, height) = size(input);
    (3 * width * height).max(1)
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
