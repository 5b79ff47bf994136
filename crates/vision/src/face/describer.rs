//! The networks that describe a face: which pictures they are shown, and how their answers are joined. No memory of people.

use super::{
    AgeGender, Expression, FaceOptions,
    attributes::picture_len,
    buffers::{Buffers, FaceCrops, Pool},
    calibration::{Averaged, Calibrated, Calibration},
    constants::{CAREFUL_MAIN, CAREFUL_MARGINS, EXPRESSION_MARGIN},
    framing::{Framing, Place},
    portrait::mirror,
    quality::{self, Hindrance},
};
use crate::{
    Frame, Result,
    decode::age_gender::Estimate,
    preprocess::CutScratch,
    runtime::{Description, Notice},
    spec::{self, InputSpec},
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
    estimates: Mutex<[Vec<Estimate>; 2]>,
    felt: Mutex<Felt>,
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

    /// Cuts the faces out of `frame`, each followed by its mirror image. Left out: faces that are too small, no longer on the
    /// picture, or seen too badly to say anything.
    pub(super) fn cut(&self, frame: &Frame, wanted: impl Iterator<Item = Wanted>) -> Buffers {
        let mut buffers = self.pool.take();
        for face in wanted {
            let before = buffers.lengths();
            if self.cut_face(frame, &face, &mut buffers).is_none() {
                buffers.shorten(before);
            }
        }
        buffers
    }

    fn cut_face(&self, frame: &Frame, face: &Wanted, buffers: &mut Buffers) -> Option<()> {
        let Buffers { faces, age, expression, memory } = buffers;
        let view = face.view((frame.width() as f32, frame.height() as f32));
        if !view.is_passable() {
            return None;
        }
        let mut seen: Option<Hindrance> = None;
        let mut is_passable = |picture: &[f32], input: &InputSpec, margin: Option<f32>| {
            let seen = *seen.get_or_insert_with(|| quality::of_picture(picture, input, margin));
            view.and(seen).is_passable()
        };
        let margins: &[f32] = match (face.demographics, face.careful) {
            (false, _) => &[],
            (true, false) => &[0.0],
            (true, true) => &CAREFUL_MARGINS,
        };
        let mut first = 0;
        for (i, network) in self.age_networks() {
            let (Some(pictures), Some((framing, margin))) = (age.get_mut(i), self.calibration.framing.get(i))
            else {
                return None;
            };
            let input = network.input();
            first = pictures.len() / picture_len(input);
            for more in margins {
                let margin = margin + more;
                let cut = append(frame, &face.place, *framing, margin, input, memory, pictures)?;
                let squared = (*framing == Framing::Upright).then_some(margin);
                if !is_passable(cut, input, squared) {
                    return None;
                }
            }
        }
        let mut felt = None;
        if let Some(network) = self.expression.as_ref().filter(|_| face.emotion) {
            let input = network.input();
            felt = Some(expression.len() / picture_len(input));
            let cut = append(frame, &face.place, Framing::Box, EXPRESSION_MARGIN, input, memory, expression)?;
            if !is_passable(cut, input, None) {
                return None;
            }
        }
        if margins.is_empty() && felt.is_none() {
            return None;
        }
        faces.push(FaceCrops {
            id: face.id,
            view: view.quality(),
            quality: view.and(seen?).quality(),
            careful: face.careful,
            age: first..first + 2 * margins.len(),
            expression: felt,
        });
        Some(())
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
        for ((i, network), estimates) in self.age_networks().zip(&mut *estimates) {
            let wanted = pictures * picture_len(network.input());
            let values = buffers.age.get(i).and_then(|values| values.get(..wanted)).unwrap_or_default();
            network.estimate_pictures(permit, values, estimates)?;
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
        let Felt { faces: indices, pictures, distributions } = &mut *felt;
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
        let Felt { pictures, distributions, .. } = &mut *looks.0;
        network.estimate_pictures(permit, &buffers.expression, pictures, distributions)
    }
}

/// What networks said of the pictures of some faces.
pub(super) struct Looks<'a> {
    estimates: MutexGuard<'a, [Vec<Estimate>; 2]>,
    calibration: Calibration,
}

impl Looks<'_> {
    /// Each of `faces` that pictures were made of, and its look.
    pub(super) fn of<'b>(&'b self, faces: &'b [FaceCrops]) -> impl Iterator<Item = (&'b FaceCrops, Look)> {
        let [first, second] = &*self.estimates;
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

/// Cuts a face and its mirror image to the end of `pictures`, and shows the former.
fn append<'a>(
    frame: &Frame,
    face: &Place,
    framing: Framing,
    margin: f32,
    input: &InputSpec,
    memory: &mut CutScratch,
    pictures: &'a mut Vec<f32>,
) -> Option<&'a [f32]> {
    let (start, length) = (pictures.len(), picture_len(input));
    pictures.resize(start + 2 * length, 0.0);
    let (picture, mirrored) = pictures.get_mut(start..)?.split_at_mut(length);
    framing.cut(frame, face, margin, input, memory, picture)?;
    mirrored.copy_from_slice(picture);
    mirror(mirrored, input.width as usize, input.layout);
    Some(picture)
}
