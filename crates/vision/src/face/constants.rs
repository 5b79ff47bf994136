//! Every number that the description of faces depends on, with the measurement behind it.
//!
//! `docs/models.md`, "How a face is described", has the same table for readers; a test compares the two.
//! "Lab" figures: FairFace, the 746 faces of `shared/data/faces` with YuNet's boxes, even-numbered files for choosing and
//! odd-numbered ones for reporting; `facialads eval faces LABELS.csv` repeats them. "MODELS" figures: 1,483 faces of FairFace.

use std::time::Duration;

// --- Framing -------------------------------------------------------------------------------------------------------------

/// Part of the box's size by which it is made wider and higher for age and gender.
/// MODELS: gender 83.2 → 85.1 %, age groups ±1 89.7 → 91.9 % against the box as it is, both with the mirrored crop.
pub(super) const AGE_MARGIN: f32 = 0.2;
/// The same for the network `faceres`. Lab: turned upright by the eye line, with the mirrored crop, 88.5 % of adults' genders
/// right, aligned to five landmarks 87.7; tight alignment makes `age-gender` worse (86.4 → 83.5 %).
pub(super) const FACERES_MARGIN: f32 = 0.3;
/// The same for emotion. MODELS, with the mirrored crop.
pub(super) const EXPRESSION_MARGIN: f32 = 0.1;
/// What the minors' rule adds to the margin: four crops, each mirrored and not, so eight.
/// MODELS: people under 20 whose least estimate is 30 or more: 1.5 %, against 4.9 % with a single crop.
pub(super) const CAREFUL_MARGINS: [f32; 4] = [-0.2, -0.1, 0.0, 0.1];
/// Which of them adds nothing.
pub(super) const CAREFUL_MAIN: usize = 2;

// --- Quality -------------------------------------------------------------------------------------------------------------
// A hindrance is an error in years that it adds to an age; with all errors e, quality is B² / (B² + Σ e²), B being the error
// of a well-seen face. Lab: faces made small, blurred, dark and bright artificially, and the poses of all 736. On real faces,
// quality below 0.35 (8 % of them): age off by 9.5 to 12 years instead of 6; it finds the bad tail and does not rank the good.

/// B in years. Lab.
pub(super) const BASE_ERROR: f32 = 8.0;
/// Looks of less quality are thrown away. Lab: keeps 90 % of the faces; gender of adults 89.2 → 90.4 % right, age off by 6.30
/// → 5.85 years.
pub(super) const LEAST_QUALITY: f32 = 0.5;
/// Nothing is described below this shorter side in pixels. Lab: at 24, age is off by 7.4 years and half of the share of genders
/// that can be told is gone.
pub(super) const LEAST_SIDE: f32 = 24.0;
/// Size: error = first * (second / shorter side in pixels) ^ third. Lab: 16 px 10.0, 24 px 5.3, 32 px 3.7, 48 px 2.3 years.
pub(super) const SIZE_ERROR: (f32, f32, f32) = (10.0, 16.0, 1.4);
/// Blur: error = first * (second / detail) ^ third, at most the fourth; see `quality::Clarity::detail`. Lab: blurred by 1.5 / 3 /
/// 5 % of the shorter side 3.4 / 8.0 / 15.7 years.
pub(super) const BLUR_ERROR: (f32, f32, f32, f32) = (3.4, 12.9, 0.7, 25.0);
/// Blur is judged at this many pixels a side, and not at all by networks that see fewer than half.
pub(super) const DETAIL_SIDE: usize = 112;
/// How detail grows with the power of (1 + margin), the face being shown smaller. Measured on 59 faces of FairFace, sizes 16 to
/// 48 px and blurs of 1.5 and 3 %: 2.4 to 3.1.
pub(super) const DETAIL_MARGIN_POWER: f32 = 2.9;
/// Pose: error in years at full effect; yaw begins and is full at (offset of the nose from the middle of the eyes along their
/// line, over their distance); pitch likewise (nose below the eyes, over mouth below the eyes). Lab: yaw of 0.6 and more
/// gender 73.5 % right, age off by 11.4; pitch below 0.42 age off by 14.9.
pub(super) const POSE_ERROR: f32 = 14.0;
pub(super) const YAW: (f32, f32) = (0.35, 0.65);
pub(super) const PITCH: (f32, f32) = (0.50, 0.40);
/// Part of the box, grown by [`AGE_MARGIN`], that lies outside the frame, and part of the box that other faces' boxes cover:
/// error in years at full effect, where it begins, where it is full. Not measured: set so that a quarter of the face away is too
/// much, as a yaw of 0.53 is.
pub(super) const HIDDEN_ERROR: f32 = 14.0;
pub(super) const OUTSIDE: (f32, f32) = (0.15, 0.45);
pub(super) const COVERED: (f32, f32) = (0.05, 0.35);
/// Darkness: error = this over the mean brightness (0..=255). Lab: mean 31 → 4.9, 15 → 9.8 years.
pub(super) const DARK_ERROR: f32 = 150.0;
/// Mean brightness up to which the detail of a dark picture is made up for, since its contrast is as small.
pub(super) const USUAL_BRIGHTNESS: f32 = 104.0;
/// Burnt-out pixels: brightness (0..=255) above which a pixel is one, and error if all are. Lab: 43 % of them → 8.7 years.
pub(super) const BURNT: f32 = 239.0;
pub(super) const BURNT_ERROR: f32 = 20.0;

// --- Fusion over a track ---------------------------------------------------------------------------------------------------

/// How alike errors of looks at the same face are (0: independent, 1: the same): the evidence of n looks is worth
/// n / (1 + (n - 1) * this) looks, never more than 1 / this. A network that takes a man for a woman does so in every frame.
pub(super) const LOOK_CORRELATION: f32 = 0.9;
/// Standard deviation in years between looks at the same face. MODELS: a box moved by a pixel moves an age by up to 2.4.
pub(super) const LOOK_DEVIATION: f32 = 2.4;
/// Part of the ages that the interval holds, and its half-width in standard deviations of a normal distribution;
/// [`super::calibration`] widens it by the measured factor.
pub(super) const INTERVAL_COVERAGE: f32 = 0.8;
pub(super) const INTERVAL_DEVIATIONS: f32 = 1.2816;
/// A published age changes by at least this many years, and stays within a band of [`AGE_BAND`] years for the whole track.
/// The interval goes on telling what is known.
pub(super) const AGE_STEP: f32 = 1.0;
pub(super) const AGE_BAND: f32 = 5.0;
/// A label that is told stays until its probability has fallen this far below the threshold at which it is told.
pub(super) const LABEL_SLACK: f32 = 0.1;
/// Probability at which the other gender is told within the same track. Below it a track that changes its mind is "unknown".
pub(super) const GENDER_FLIP: f32 = 0.97;

// --- Emotion ---------------------------------------------------------------------------------------------------------------

/// Logits of the expression network are divided by this. MODELS: expected calibration error 0.29 without; with it, and at
/// probabilities of 0.6 or more, 78 to 82 % right on 27 to 33 % of faces.
pub(super) const EXPRESSION_TEMPERATURE: f32 = 4.5;
/// What is older than this counts less than half. Expressions of the face last 0.5 to 4 s (Ekman 2003, "Emotions Revealed").
pub(super) const EMOTION_HALF_LIFE: Duration = Duration::from_secs(1);

// --- Minors (PRIVACY.md row 6) -----------------------------------------------------------------------------------------------

/// Least age estimate of a viewer who declared being an adult: the mean over the track of each look's least over the networks.
/// Of those under 20 pass with one look: 18 % with `age-gender` alone (MODELS), 10.2 % [6.8, 15.1] with both networks
/// (`facialads eval faces`), and 72 / 88 / 99 % of those of 20-29 / 30-39 / 40 and over.
pub(super) const DECLARED_AGE: f32 = 21.0;
/// Least age estimate in every careful crop of every network without the declaration. Of those under 20 pass: 1.5 % with
/// `age-gender` alone (MODELS), 2 of 206 with both networks (`facialads eval faces`; 1.0 % [0.3, 3.5]), and 9 / 36 % of those of
/// 20-29 / 30-39.
pub(super) const UNDECLARED_AGE: f32 = 30.0;
/// How long nobody in the zone is targeted after the face left.
pub(super) const HOLD: Duration = Duration::from_secs(30);
/// Looks at a face before the mean over its track is believed either way.
pub(super) const SETTLED_LOOKS: u32 = 3;

// --- Effort ----------------------------------------------------------------------------------------------------------------

/// A request whose result has not come by then is made again.
pub(super) const RETRY: Duration = Duration::from_millis(250);
/// A look agrees with the track if it is within this many years of its mean and its gender is on the same side.
pub(super) const AGREEING_YEARS: f32 = 6.0;
/// After every two looks that agreed since the track settled, the time to the next one doubles, up to this multiple of
/// `reclassify-interval`.
pub(super) const LONGEST_BACK_OFF: u32 = 8;
/// A view this many times better than the best so far is looked at without waiting for a doubled interval.
pub(super) const MUCH_BETTER: f32 = 1.25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_tells_the_same_numbers() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/models.md");
        let text = std::fs::read_to_string(file).unwrap();
        let seconds = |duration: Duration| duration.as_secs_f32();
        for (name, value) in [
            ("AGE_MARGIN", AGE_MARGIN),
            ("FACERES_MARGIN", FACERES_MARGIN),
            ("EXPRESSION_MARGIN", EXPRESSION_MARGIN),
            ("EXPRESSION_TEMPERATURE", EXPRESSION_TEMPERATURE),
            ("BASE_ERROR", BASE_ERROR),
            ("LEAST_QUALITY", LEAST_QUALITY),
            ("LEAST_SIDE", LEAST_SIDE),
            ("LOOK_CORRELATION", LOOK_CORRELATION),
            ("LOOK_DEVIATION", LOOK_DEVIATION),
            ("AGE_STEP", AGE_STEP),
            ("AGE_BAND", AGE_BAND),
            ("LABEL_SLACK", LABEL_SLACK),
            ("GENDER_FLIP", GENDER_FLIP),
            ("EMOTION_HALF_LIFE", seconds(EMOTION_HALF_LIFE)),
            ("SETTLED_LOOKS", SETTLED_LOOKS as f32),
            ("LONGEST_BACK_OFF", LONGEST_BACK_OFF as f32),
            ("AGREEING_YEARS", AGREEING_YEARS),
            ("MUCH_BETTER", MUCH_BETTER),
            ("UNDECLARED_AGE", UNDECLARED_AGE),
            ("DECLARED_AGE", DECLARED_AGE),
            ("HOLD", seconds(HOLD)),
        ] {
            assert!(text.contains(&format!("| `{name}` | {value} |")), "{name} is {value}");
        }
    }
}
