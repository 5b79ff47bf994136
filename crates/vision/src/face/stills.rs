//! A picture on its own: what the networks say of each face after one look, for evaluations and for calibrating.

use super::{
    Age, AgeGender, Detector, Emotion, Expression, FaceOptions, Gender, Label, Portrait,
    analyzer::{AGE_MARGIN, Allowed, EXPRESSION_MARGIN},
    fusion::{Demographics, Feelings, quality},
    minors::{CAREFUL_MARGINS, DECLARED_AGE, UNDECLARED_AGE},
};
use crate::{Frame, Result, decode::Detection};
use facialads_consent::{Measurement, Permit};
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
    age_gender: AgeGender,
    expression: Option<Expression>,
    gender_threshold: f32,
    emotion_threshold: f32,
}

impl Stills {
    /// Loads the networks: slow.
    ///
    /// # Errors
    /// As [`super::FaceAnalyzer::new`].
    pub fn new(options: &FaceOptions) -> Result<Self> {
        let load = &options.load;
        let detector = Detector::load(options.detector.as_deref(), options.threshold, load)?;
        Ok(Self {
            detector: match options.detector_size {
                Some(side) => detector.sized(side)?,
                None => detector,
            },
            age_gender: AgeGender::load(&options.age_gender, load)?,
            expression: options.expression.as_deref().map(|m| Expression::load(m, load)).transpose()?,
            gender_threshold: options.gender_threshold,
            emotion_threshold: options.emotion_threshold,
        })
    }

    /// The faces in pixels of the frame, most confident first.
    ///
    /// # Errors
    /// The network failed.
    pub fn detect(&self, permit: &Permit<Measurement>, frame: &Frame) -> Result<Vec<Detection>> {
        self.detector.detect(permit, &self.detector.shrink(frame))
    }

    /// One of the faces of [`Stills::detect`]. `None`: it is seen too badly to say anything, or there is no permit for
    /// demographics, without which nothing here may be known.
    ///
    /// # Errors
    /// The network failed.
    pub fn describe(&self, allowed: &Allowed, frame: &Frame, face: &Detection) -> Result<Option<Described>> {
        let Some(permit) = allowed.demographics else { return Ok(None) };
        let cut = |margin: f32, input| Portrait::cut(frame, &face.bounds, margin, input);
        let crops: Option<Vec<Portrait>> =
            CAREFUL_MARGINS.iter().map(|margin| cut(*margin, self.age_gender.input())).collect();
        let Some(crops) = crops else { return Ok(None) };
        let best = CAREFUL_MARGINS.iter().position(|margin| *margin == AGE_MARGIN).unwrap_or(0) * 2;
        let portraits: Vec<Portrait> = crops.into_iter().flat_map(|p| [p.mirrored(), p]).collect();
        let looks = self.age_gender.estimate(permit, &portraits)?;
        let quality = quality(face.bounds.width.min(face.bounds.height));
        let mut fused = Demographics::default();
        fused.add(looks.get(best..best + 2).unwrap_or_default(), quality);
        let (Some(age), Some(gender), Some(female)) =
            (fused.age(), fused.gender(self.gender_threshold), fused.female())
        else {
            return Ok(None);
        };
        let least_years = looks.iter().map(|look| look.years).fold(f32::INFINITY, f32::min);
        let passes_declared = age.years >= DECLARED_AGE;
        Ok(Some(Described {
            quality,
            female,
            gender,
            age,
            age_bins: fused.age_bins(&AGE_BIN_STARTS),
            emotion: self.emotion(allowed, frame, face, quality)?,
            least_years,
            passes_undeclared: passes_declared && least_years >= UNDECLARED_AGE,
            passes_declared,
        }))
    }

    fn emotion(
        &self,
        allowed: &Allowed,
        frame: &Frame,
        face: &Detection,
        quality: f32,
    ) -> Result<Option<Label<Emotion>>> {
        let (Some(permit), Some(network)) = (allowed.emotion, &self.expression) else { return Ok(None) };
        let Some(portrait) = Portrait::cut(frame, &face.bounds, EXPRESSION_MARGIN, network.input()) else {
            return Ok(None);
        };
        let looks = network.estimate(permit, &[portrait.mirrored(), portrait])?;
        let mut fused = Feelings::default();
        fused.add(&looks, quality, Duration::ZERO);
        Ok(fused.emotion(self.emotion_threshold))
    }
}
