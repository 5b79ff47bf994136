//! The networks that describe a face: which pictures they are shown, and how their answers are joined. No memory of people.

use super::{
    AgeGender, Expression, FaceOptions,
    attributes::picture_len,
    buffers::{Buffers, FaceCrops, Pool},
    calibration::{Averaged, Calibrated, Calibration},
    constants::CAREFUL_MAIN,
    cutting::{For, HostCutter, Planner, Recipe},
    framing::Place,
    quality::{self, Hindrance},
};
use crate::{
    Frame, Result, View,
    cuda::{CudaFrame, Gpu, Workspace},
    decode::age_gender::Estimate,
    model::Pictures,
    on_gpu::Part,
    pool::Pool as WorkPool,
    runtime::{Description, Notice},
    spec,
};
use facialads_consent::{Demographics, Emotion, Permit};
use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Preferred for age and gender, and what every installation has.
const PREFERRED: &str = "faceres";
const FALLBACK: &str = "age-gender";

/// The networks that [`FaceOptions::age_gender`] stands for: the one that is named, or those that are used where none is,
/// of which there may be two whose answers are joined.
pub fn age_gender_networks(named: Option<&str>) -> (&str, Option<&'static str>) {
    match named {
        Some(name) => (name, None),
        None if spec::find(PREFERRED).is_ok() => (PREFERRED, spec::find(FALLBACK).ok().map(|_| FALLBACK)),
        None => (FALLBACK, None),
    }
}

pub(super) struct Describer {
    age_gender: AgeGender,
    /// Every face is shown to it too, and both answers are joined.
    second: Option<AgeGender>,
    expression: Option<Expression>,
    pub(super) calibration: Calibration,
    notes: Vec<String>,
    pool: Pool,
    /// The worker's alone, so it never waits for it.
    estimates: Mutex<Estimated>,
    felt: Mutex<Felt>,
    kernels: WorkPool<Workspace>,
}

/// Memory of [`Looks`].
#[derive(Default)]
struct Estimated {
    of_networks: [Vec<Estimate>; 2],
    /// Empty between looks.
    parts: Vec<Part>,
}

/// What is wanted of a face.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) id: i32,
    pub(super) place: Place,
    /// Other faces in front of it.
    pub(super) covered: Hindrance,
    pub(super) demographics: bool,
    /// With the eight crops that the minors' rule asks for.
    pub(super) careful: bool,
    pub(super) emotion: bool,
}

impl Wanted {
    /// What is known without the picture, in a frame of this width and height.
    pub(super) fn view(&self, frame: (f32, f32)) -> Hindrance {
        quality::of_view(&self.place.bounds, self.place.points.as_ref(), frame).and(self.covered)
    }
}

/// What one look at a face gave.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) calibrated: Calibrated,
    /// Least years that any crop gave in any network, where the crops were made for the minors' rule.
    pub(super) least: Option<f32>,
}

impl Describer {
    /// # Errors
    /// A model is missing, damaged or unfit, the runtime cannot be opened, or the device cannot start.
    pub(super) fn load(options: &FaceOptions) -> Result<Self> {
        // The calibration was measured in 32 bits, and whether somebody passes for a minor must not depend on the processor.
        let load = &options.load.exact();
        let mut notes = Vec::new();
        let (first, second) = age_gender_networks(options.age_gender.as_deref());
        let age_gender = AgeGender::load(first, load)?;
        let second = second.map(|name| AgeGender::load(name, load)).transpose()?;
        let expression = options.expression.as_deref().map(|m| Expression::load(m, load)).transpose()?;
        let told = [age_gender.note(), second.as_ref().and_then(AgeGender::note)];
        notes.extend(told.into_iter().flatten().map(str::to_owned));
        notes.extend(expression.as_ref().and_then(Expression::note).map(str::to_owned));
        let calibration = Calibration::of(age_gender.name(), second.as_ref().map(AgeGender::name));
        Ok(Self {
            age_gender,
            second,
            expression,
            calibration,
            notes,
            pool: Pool::default(),
            estimates: Mutex::default(),
            felt: Mutex::default(),
            kernels: WorkPool::default(),
        })
    }

    /// Least probability of a gender that is told.
    pub(super) fn gender_threshold(&self, options: &FaceOptions) -> f32 {
        options.gender_threshold.unwrap_or(self.calibration.gender_threshold)
    }

    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }
    /// What became known of the networks since the last call.
    pub(super) fn notices(&self) -> impl Iterator<Item = Notice> {
        let second = self.second.iter().flat_map(AgeGender::notices);
        let expression = self.expression.iter().flat_map(Expression::notices);
        self.age_gender.notices().into_iter().chain(second).chain(expression)
    }
    /// The GPU that a network is on.
    pub(super) fn gpu(&self) -> Option<&Gpu> {
        self.age_networks().find_map(|(_, network)| network.gpu())
    }
    /// Where the network for age and gender runs; of two that are joined, the first.
    pub(super) fn runs_on(&self) -> &Description {
        self.age_gender.describe()
    }
    pub(super) fn age_gender_model(&self) -> &str {
        self.age_gender.name()
    }
    pub(super) fn expression_model(&self) -> Option<&str> {
        self.expression.as_ref().map(Expression::name)
    }
    pub(super) fn tells_emotion(&self) -> bool {
        self.expression.is_some()
    }
    /// Runs of a network for age and gender of any number of faces.
    pub(super) fn age_gender_runs(&self) -> u64 {
        1 + u64::from(self.second.is_some())
    }
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    fn age_networks(&self) -> impl Iterator<Item = (usize, &AgeGender)> {
        std::iter::once(&self.age_gender).chain(&self.second).enumerate()
    }

    fn recipe(&self) -> Recipe<'_> {
        Recipe {
            age: [Some(self.age_gender.input()), self.second.as_ref().map(AgeGender::input)],
            expression: self.expression.as_ref().map(Expression::input),
            calibration: &self.calibration,
        }
    }

    /// Cuts the faces out of `frame`, each followed by its mirror image. Left out: faces that are too small, no longer on the
    /// picture, or seen too badly to say anything.
    pub(super) fn cut(&self, frame: &Frame, wanted: impl Iterator<Item = Wanted>) -> Buffers {
        let (mut buffers, recipe) = (self.pool.take(), self.recipe());
        buffers.on_gpu = false;
        for face in wanted {
            let before = buffers.host.lengths();
            match recipe.cut(&face, &mut HostCutter { frame, crops: &mut buffers.host }) {
                Some(crops) => buffers.faces.push(crops),
                None => buffers.host.shorten(before),
            }
        }
        buffers
    }

    /// The same out of a frame in a GPU's memory, enqueued on its stream. What the pictures tell of how well a face is seen is
    /// known to [`Buffers::settle`].
    pub(super) fn cut_on_gpu(
        &self,
        frame: &CudaFrame,
        wanted: impl Iterator<Item = Wanted>,
    ) -> Result<Buffers> {
        let (mut buffers, recipe) = (self.pool.take(), self.recipe());
        buffers.on_gpu = true;
        for face in wanted {
            let before = buffers.gpu.lengths();
            match recipe.cut(&face, &mut Planner { frame: frame.size(), crops: &mut buffers.gpu }) {
                Some(crops) => buffers.faces.push(crops),
                None => buffers.gpu.shorten(before),
            }
        }
        let of = |network: &AgeGender| network.half_input();
        let halves = [Some(of(&self.age_gender)), self.second.as_ref().map(of)];
        let [first, second] = recipe.age;
        let inputs = [
            first.zip(halves[0]),
            second.zip(halves[1]),
            recipe.expression.zip(self.expression.as_ref().map(Expression::half_input)),
        ];
        match buffers.gpu.enqueue(frame, inputs, &buffers.faces, &self.kernels) {
            Ok(()) => Ok(buffers),
            Err(error) => {
                self.pool.give_back(buffers);
                Err(error)
            }
        }
    }

    /// [`Describer::cut`] out of a frame in any memory.
    pub(super) fn cut_view(&self, view: &View, wanted: impl Iterator<Item = Wanted>) -> Result<Buffers> {
        match view {
            View::Host(frame) => Ok(self.cut(frame, wanted)),
            View::Cuda(frame) => self.cut_on_gpu(frame, wanted),
        }
    }

    /// What age and gender the first `faces` of the faces in `buffers` seem to have: all their pictures in one run of each
    /// network.
    pub(super) fn demographics(
        &self,
        permit: &Permit<Demographics>,
        buffers: &Buffers,
        faces: usize,
    ) -> Result<Looks<'_>> {
        let faces = buffers.faces.get(..faces).unwrap_or(&buffers.faces);
        let pictures = faces.iter().map(|face| face.age.end).max().unwrap_or(0);
        let mut estimates = self.estimates.lock().unwrap_or_else(PoisonError::into_inner);
        let Estimated { of_networks, parts } = &mut *estimates;
        of_networks.iter_mut().for_each(Vec::clear);
        if pictures > 0 {
            for (i, network) in self.age_networks() {
                if buffers.on_gpu {
                    buffers.gpu.age(i, faces, parts);
                    let looked = network.look(permit, Pictures::Gpu(parts));
                    parts.clear();
                    looked?;
                } else {
                    let wanted = pictures * picture_len(network.input());
                    let values = buffers.host.of(For::Age(i)).get(..wanted).unwrap_or_default();
                    network.look(permit, Pictures::Host(values))?;
                }
            }
            // On a GPU both are under way by now.
            for ((_, network), estimates) in self.age_networks().zip(of_networks) {
                network.estimates(pictures, estimates)?;
            }
        }
        Ok(Looks { estimates, calibration: self.calibration })
    }

    /// Of `faces`, those whose emotion is asked for; `None` if there are none.
    pub(super) fn feeling(
        &self,
        faces: &[FaceCrops],
        wanted: impl Fn(&FaceCrops) -> bool,
    ) -> Option<FeltLooks<'_>> {
        let mut felt = self.felt.lock().unwrap_or_else(PoisonError::into_inner);
        let Felt { faces: indices, pictures, distributions, .. } = &mut *felt;
        indices.clear();
        pictures.clear();
        distributions.clear();
        for (i, face) in faces.iter().enumerate().filter(|(_, face)| wanted(face)) {
            if let Some(at) = face.expression {
                indices.push(i);
                pictures.extend([at, at + 1]);
            }
        }
        (!pictures.is_empty()).then_some(FeltLooks(felt))
    }

    /// What those faces seem to feel, in one run.
    pub(super) fn emotions(
        &self,
        permit: &Permit<Emotion>,
        buffers: &Buffers,
        looks: &mut FeltLooks,
    ) -> Result<()> {
        let Some(network) = &self.expression else { return Ok(()) };
        let Felt { pictures, distributions, parts, .. } = &mut *looks.0;
        if !buffers.on_gpu {
            return network.estimate_pictures(
                permit,
                buffers.host.of(For::Expression),
                pictures,
                distributions,
            );
        }
        buffers.gpu.expression(pictures, parts);
        let looked = network.estimate_parts(permit, parts, distributions);
        parts.clear();
        looked
    }
}

/// What networks said of the pictures of some faces.
pub(super) struct Looks<'a> {
    estimates: MutexGuard<'a, Estimated>,
    calibration: Calibration,
}

impl Looks<'_> {
    /// Each of `faces` that pictures were made of, and its look.
    pub(super) fn of<'b>(&'b self, faces: &'b [FaceCrops]) -> impl Iterator<Item = (&'b FaceCrops, Look)> {
        let [first, second] = &self.estimates.of_networks;
        faces
            .iter()
            .filter(|face| !face.age.is_empty())
            .filter_map(move |face| Some((face, self.joined(face, first, second)?)))
    }

    fn joined(&self, face: &FaceCrops, first: &[Estimate], second: &[Estimate]) -> Option<Look> {
        let of = |estimates: &[Estimate], range: Range<usize>| estimates.get(range).and_then(Averaged::over);
        let start = face.age.start + if face.careful { 2 * CAREFUL_MAIN } else { 0 };
        let main = start..start + 2;
        let calibrated = self.calibration.apply(of(first, main.clone())?, of(second, main));
        let pictures = [first, second].map(|estimates| estimates.get(face.age.clone()).unwrap_or_default());
        let least = pictures.into_iter().flatten().map(|look| look.years).fold(f32::INFINITY, f32::min);
        Some(Look { calibrated, least: face.careful.then_some(least) })
    }
}

/// Memory of [`FeltLooks`].
#[derive(Default)]
struct Felt {
    /// Indices of faces.
    faces: Vec<usize>,
    /// Two of each.
    pictures: Vec<usize>,
    distributions: Vec<[f32; 7]>,
    /// Empty between looks.
    parts: Vec<Part>,
}

/// What some faces seem to feel.
pub(super) struct FeltLooks<'a>(MutexGuard<'a, Felt>);

impl FeltLooks<'_> {
    /// Each face that was asked for, with the distributions of its picture and the mirror image.
    pub(super) fn of<'b>(
        &'b self,
        faces: &'b [FaceCrops],
    ) -> impl Iterator<Item = (&'b FaceCrops, &'b [[f32; 7]])> {
        let of_face = |(i, looks): (&usize, &'b [[f32; 7]])| Some((faces.get(*i)?, looks));
        self.0.faces.iter().zip(self.0.distributions.chunks_exact(2)).filter_map(of_face)
    }
}
