//! Cutting faces out of a frame for the networks that describe them: what is cut, and whether it is worth a look, is decided
//! in one place for frames in the computer's memory ([`host`]) and for those in a GPU's ([`gpu`]).

mod gpu;
mod host;

pub(super) use gpu::{GpuCrops, Planner};
pub(super) use host::{HostCrops, HostCutter};

use super::{
    buffers::FaceCrops,
    calibration::Calibration,
    constants::{CAREFUL_MARGINS, EXPRESSION_MARGIN},
    describer::Wanted,
    framing::Framing,
    quality::Hindrance,
};
use crate::{preprocess::Cut, spec::InputSpec};

/// Networks that pictures are made for.
pub(super) const NETWORKS: usize = 3;

/// Which network a picture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// Age and gender: the first network or the second.
    Age(usize),
    Expression,
}

impl For {
    pub(super) fn index(self) -> usize {
        match self {
            Self::Age(number) => number.min(NETWORKS - 2),
            Self::Expression => NETWORKS - 1,
        }
    }
}

/// Makes pictures, or plans to.
pub(super) trait Cutter {
    /// Width and height of the frame.
    fn frame(&self) -> (u32, u32);
    /// Pictures that there are for a network.
    fn pictures(&self, network: For, input: &InputSpec) -> usize;
    /// Adds a picture and its mirror image. `None`: it cannot be made.
    fn add(&mut self, network: For, input: &InputSpec, cut: &Cut) -> Option<()>;
    /// What the picture that was added last tells of how well the face is seen; `None`: that will be known later. `margin`: with
    /// which it was cut to a square, if it was. `view`: what is known without the picture.
    fn judge(
        &mut self,
        network: For,
        input: &InputSpec,
        margin: Option<f32>,
        view: Hindrance,
    ) -> Option<Hindrance>;
}

/// The networks, and how they want faces cut.
pub(super) struct Recipe<'a> {
    pub(super) age: [Option<&'a InputSpec>; 2],
    pub(super) expression: Option<&'a InputSpec>,
    pub(super) calibration: &'a Calibration,
}

impl Recipe<'_> {
    /// Adds the pictures of a face. `None`: it is too small, no longer on the picture, or seen too badly to say anything; what
    /// was added for it until then is of no use.
    pub(super) fn cut(&self, face: &Wanted, cutter: &mut impl Cutter) -> Option<FaceCrops> {
        let frame = cutter.frame();
        let view = face.view((frame.0 as f32, frame.1 as f32));
        if !view.is_passable() {
            return None;
        }
        let mut of_face = OfFace { face, frame, view, seen: None };
        let margins: &[f32] = match (face.demographics, face.careful) {
            (false, _) => &[],
            (true, false) => &[0.0],
            (true, true) => &CAREFUL_MARGINS,
        };
        let mut first = 0;
        for (number, (input, (framing, margin))) in self.age.iter().zip(self.calibration.framing).enumerate()
        {
            let Some(input) = input else { continue };
            let network = For::Age(number);
            first = cutter.pictures(network, input);
            for more in margins {
                of_face.add(cutter, network, input, (framing, margin + more))?;
            }
        }
        let mut felt = None;
        if let Some(input) = self.expression.filter(|_| face.emotion) {
            felt = Some(cutter.pictures(For::Expression, input));
            of_face.add(cutter, For::Expression, input, (Framing::Box, EXPRESSION_MARGIN))?;
        }
        // Judged is the first picture; without one there is nothing to look at.
        let seen = of_face.seen?;
        Some(FaceCrops {
            id: face.id,
            view: view.quality(),
            quality: seen.map_or(f32::NAN, |seen| view.and(seen).quality()),
            careful: face.careful,
            age: first..first + 2 * margins.len(),
            expression: felt,
        })
    }
}

/// A face that is being cut out.
struct OfFace<'a> {
    face: &'a Wanted,
    frame: (u32, u32),
    view: Hindrance,
    /// What its first picture told, if there is one, and if that is known.
    seen: Option<Option<Hindrance>>,
}

impl OfFace<'_> {
    fn add(
        &mut self,
        cutter: &mut impl Cutter,
        network: For,
        input: &InputSpec,
        (framing, margin): (Framing, f32),
    ) -> Option<()> {
        let cut = framing.cut_of(self.frame, &self.face.place, margin, input)?;
        cutter.add(network, input, &cut)?;
        if self.seen.is_some() {
            return Some(());
        }
        let squared = (framing == Framing::Upright).then_some(margin);
        let seen = cutter.judge(network, input, squared, self.view);
        self.seen = Some(seen);
        seen.is_none_or(|seen| self.view.and(seen).is_passable()).then_some(())
    }
}
