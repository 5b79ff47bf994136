//! A picture on its own: what the networks say of each face after one look, for evaluations and for calibrating.

use super::{
    Age, Detector, Emotion, FaceOptions, Gender, Label,
    analyzer::Allowed,
    buffers::Buffers,
    constants::{DECLARED_AGE, UNDECLARED_AGE},
    describer::{Describer, Wanted},
    framing::Place,
    fusion::{Demographics as Fused, Feelings},
    quality::covered,
};
use crate::{Result, View, decode::Detection};
use facialads_consent::{Demographics, Measurement, Permit};
use std::{fmt, time::Duration};

/// First year of each of [`Described::age_bins`]: 0-2, 3-9, 10-19, 20-29, 30-39, 40-49, 50-59, 60-69, 70 and over.
pub const AGE_BIN_STARTS: [f32; 9] = [0.0, 3.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0];

/// A face after a single look.
///
/// **Told here although the minors' rule would hide it**: whoever measures how well the rule works has to see the faces that
/// it vetoes. For labelled pictures only; whatever is shown to viewers goes through [`super::FaceAnalyzer`]. Never printed
/// by `Debug`.
#[derive(Clone, PartialEq)]
pub struct Described {
    /// How well the face was seen, 0..=1.
    pub quality: f32,
    /// Calibrated probability of female, 0..=1.
    pub female: f32,
    /// The same with "unknown" where it is not sure enough ([`FaceOptions::gender_threshold`]).
    pub gender: Label<Gender>,
    pub age: Age,
    /// Probability of each age group, see [`AGE_BIN_STARTS`]; they sum up to 1.
    pub age_bins: [f32; 9],
    /// `None` without a permit for emotion, or where the options name no network for it.
    pub emotion: Option<Label<Emotion>>,
    /// The least age in years that any of the minors' rule's crops gave.
    pub least_years: f32,
    /// Whether the rule would let this face pass after this one look without the viewer's declaration of being an adult.
    pub passes_undeclared: bool,
    /// The same with the declaration.
    pub passes_declared: bool,
}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Described(…)")
    }
}

/// The networks, framing and calibration of a [`super::FaceAnalyzer`], without its memory: one picture, one look.
pub struct Stills {
    detector: Detector,
    describer: Describer,
    gender_threshold: f32,
    emotion_threshold: f32,
}

impl Stills {
    /// Loads the networks: slow.
    ///
    /// # Errors
    /// As [`super::FaceAnalyzer::new`].
    pub fn new(options: &FaceOptions) -> Result<Self> {
        let detector = Detector::load(options.detector.as_deref(), options.threshold, &options.load)?;
        let describer = Describer::load(options)?;
        Ok(Self {
            detector: match options.detector_size {
                Some(side) => detector.sized(side)?,
                None => detector,
            },
            gender_threshold: describer.gender_threshold(options),
            describer,
            emotion_threshold: options.emotion_threshold,
        })
    }

    /// Least probability of a gender that is told.
    pub fn gender_threshold(&self) -> f32 {
        self.gender_threshold
    }

    /// The faces in pixels of the frame, most confident first.
    ///
    /// # Errors
    /// The network failed.
    pub fn detect<'a>(
        &self,
        permit: &Permit<Measurement>,
        frame: impl Into<View<'a>>,
    ) -> Result<Vec<Detection>> {
        self.detector.detect(permit, &self.detector.shrink_view(&frame.into())?)
    }

    /// One of the faces of [`Stills::detect`], as if nobody stood in front of it. `None`: it is seen too badly to say
    /// anything, or there is no permit for demographics, without which nothing here may be known.
    ///
    /// # Errors
    /// The network failed.
    pub fn describe<'a>(
        &self,
        allowed: &Allowed,
        frame: impl Into<View<'a>>,
        face: &Detection,
    ) -> Result<Option<Described>> {
        let Some(permit) = allowed.demographics else { return Ok(None) };
        let wanted = Wanted {
            id: 0,
            place: Place { bounds: face.bounds, points: face.points },
            covered: covered(&face.bounds, std::iter::empty()),
            demographics: true,
            careful: true,
            emotion: allowed.emotion.is_some(),
        };
        let mut buffers = self.describer.cut_view(&frame.into(), std::iter::once(wanted))?;
        let described = buffers.settle().and_then(|()| self.told(permit, allowed, &buffers));
        self.describer.pool().give_back(buffers);
        described
    }

    fn told(
        &self,
        permit: &Permit<Demographics>,
        allowed: &Allowed,
        buffers: &Buffers,
    ) -> Result<Option<Described>> {
        let calibration = &self.describer.calibration;
        let looks = self.describer.demographics(permit, buffers, 1)?;
        let Some((face, look)) = looks.of(&buffers.faces).next() else { return Ok(None) };
        let mut fused = Fused::default();
        fused.add(look.calibrated, face.quality);
        fused.publish(self.gender_threshold);
        let (Some(age), Some(gender), Some(female), Some(least_years)) =
            (fused.age(calibration), fused.gender(), fused.female(), look.least)
        else {
            return Ok(None);
        };
        let passes_declared = look.calibrated.cautious_years >= DECLARED_AGE;
        Ok(Some(Described {
            quality: face.quality,
            female,
            gender,
            age,
            age_bins: fused.age_bins(&AGE_BIN_STARTS, calibration),
            emotion: self.emotion(allowed, buffers)?,
            least_years,
            passes_undeclared: passes_declared && least_years >= UNDECLARED_AGE,
            passes_declared,
        }))
    }

    fn emotion(&self, allowed: &Allowed, buffers: &Buffers) -> Result<Option<Label<Emotion>>> {
        let Some(permit) = allowed.emotion else { return Ok(None) };
        let Some(mut looks) = self.describer.feeling(&buffers.faces, |_| true) else { return Ok(None) };
        self.describer.emotions(permit, buffers, &mut looks)?;
        let mut fused = Feelings::default();
        for (face, distributions) in looks.of(&buffers.faces) {
            fused.add(distributions, face.quality, Duration::ZERO, self.emotion_threshold);
        }
        Ok(fused.emotion())
    }
}
