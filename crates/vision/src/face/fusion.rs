//! Attributes over a track: one look at a face is worth little (moving the box by a pixel moves an age by two years), many
//! looks are worth more.

use super::types::{Age, Emotion, Gender, Label};
use crate::decode::age_gender::Estimate;
use std::time::Duration;

/// Standard deviation in years of the estimate of a well-seen face: UTKFace mean absolute error 5.3, times sqrt(pi/2).
const AGE_DEVIATION: f32 = 6.6;
/// Standard deviation in years between looks at the same face.
const LOOK_DEVIATION: f32 = 2.4;
/// Half-width in standard deviations of an interval that holds 80 % of a normal distribution.
const INTERVAL: f32 = 1.28;
const INTERVAL_CONFIDENCE: f32 = 0.8;
/// An expression passes: what is older than this counts less than half.
const EMOTION_MEMORY: Duration = Duration::from_secs(2);
/// Shorter side in pixels from which a face counts fully; the networks see 112.
const FULL_QUALITY: f32 = 112.0;

/// Weight of a look at a face whose shorter side is `pixels`: small faces say less.
pub(super) fn quality(pixels: f32) -> f32 {
    (pixels / FULL_QUALITY).clamp(0.1, 1.0)
}

/// Part of a normal distribution below `z` standard deviations. Abramowitz & Stegun 26.2.17, off by 7.5e-8 at most.
fn normal_below(z: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let series =
        t * (0.319_381_53 + t * (-0.356_563_78 + t * (1.781_477_9 + t * (-1.821_255_9 + t * 1.330_274_4))));
    let tail = (-z * z / 2.0).exp() / (2.0 * std::f32::consts::PI).sqrt() * series;
    if z > 0.0 { 1.0 - tail } else { tail }
}

/// Age and gender, the mean over all looks, weighted by quality.
#[derive(Default)]
pub(super) struct Demographics {
    weight: f32,
    years: f32,
    female: f32,
    pub(super) looks: u32,
}

impl Demographics {
    /// `estimates`: of one look, the crop and its mirror image.
    pub(super) fn add(&mut self, estimates: &[Estimate], weight: f32) {
        if estimates.is_empty() {
            return;
        }
        let count = estimates.len() as f32;
        self.years += weight * estimates.iter().map(|e| e.years).sum::<f32>() / count;
        self.female += weight * estimates.iter().map(|e| e.female).sum::<f32>() / count;
        self.weight += weight;
        self.looks += 1;
    }

    /// `None` before the first look.
    pub(super) fn mean_years(&self) -> Option<f32> {
        (self.looks > 0).then(|| self.years / self.weight)
    }

    pub(super) fn age(&self) -> Option<Age> {
        let years = self.mean_years()?;
        let looks = self.looks.max(1) as f32;
        let half = INTERVAL * (AGE_DEVIATION.powi(2) + LOOK_DEVIATION.powi(2) / looks).sqrt();
        Some(Age { years, low: (years - half).max(0.0), high: years + half, confidence: INTERVAL_CONFIDENCE })
    }

    /// Probability of the age groups that begin with `starts` (years, rising; the last is open), summing up to 1.
    pub(super) fn age_bins<const N: usize>(&self, starts: &[f32; N]) -> [f32; N] {
        let mean = self.mean_years().unwrap_or(0.0);
        let deviation = (AGE_DEVIATION.powi(2) + LOOK_DEVIATION.powi(2)).sqrt();
        // What lies below the first group belongs to it: nobody is younger.
        let below = |i: usize| match starts.get(i) {
            Some(start) if i > 0 => normal_below((start - mean) / deviation),
            Some(_) => 0.0,
            None => 1.0,
        };
        std::array::from_fn(|i| below(i + 1) - below(i))
    }

    /// Probability of female; `None` before the first look.
    pub(super) fn female(&self) -> Option<f32> {
        (self.looks > 0).then(|| self.female / self.weight)
    }

    pub(super) fn gender(&self, threshold: f32) -> Option<Label<Gender>> {
        let female = self.female()?;
        let (value, confidence) =
            if female >= 0.5 { (Gender::Female, female) } else { (Gender::Male, 1.0 - female) };
        Some(Label { value: if confidence >= threshold { value } else { Gender::Unknown }, confidence })
    }
}

/// Emotion, a mean that forgets.
#[derive(Default)]
pub(super) struct Feelings {
    weight: f32,
    sums: [f32; 7],
    at: Duration,
}

impl Feelings {
    /// `distributions`: of one look, the crop and its mirror image.
    pub(super) fn add(&mut self, distributions: &[[f32; 7]], weight: f32, now: Duration) {
        if distributions.is_empty() {
            return;
        }
        let elapsed = now.saturating_sub(self.at).as_secs_f32();
        let kept = (-elapsed / EMOTION_MEMORY.as_secs_f32() * std::f32::consts::LN_2).exp();
        self.at = now;
        self.weight = self.weight * kept + weight;
        for (i, sum) in self.sums.iter_mut().enumerate() {
            let mean = distributions.iter().map(|d| d[i]).sum::<f32>() / distributions.len() as f32;
            *sum = *sum * kept + weight * mean;
        }
    }

    pub(super) fn emotion(&self, threshold: f32) -> Option<Label<Emotion>> {
        let (value, sum) = Emotion::KNOWN.into_iter().zip(self.sums).max_by(|a, b| a.1.total_cmp(&b.1))?;
        let confidence = if self.weight > 0.0 { sum / self.weight } else { return None };
        Some(Label { value: if confidence >= threshold { value } else { Emotion::Unknown }, confidence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_and_gender_are_means_over_the_looks_and_the_interval_narrows() {
        let mut fused = Demographics::default();
        assert!(fused.age().is_none() && fused.gender(0.8).is_none());
        fused.add(&[Estimate { years: 20.0, female: 0.9 }, Estimate { years: 30.0, female: 0.7 }], 1.0);
        let first = fused.age().unwrap();
        fused.add(&[Estimate { years: 35.0, female: 0.2 }], 1.0);
        let second = fused.age().unwrap();
        assert_eq!((first.years, second.years), (25.0, 30.0));
        assert!(second.high - second.low < first.high - first.low);
        let gender = fused.gender(0.8).unwrap();
        assert!(gender.value == Gender::Unknown && (gender.confidence - 0.5).abs() < 1e-6);
    }

    #[test]
    fn a_small_face_counts_less_than_a_large_one() {
        let mut fused = Demographics::default();
        fused.add(&[Estimate { years: 20.0, female: 1.0 }], quality(28.0));
        fused.add(&[Estimate { years: 40.0, female: 1.0 }], quality(300.0));
        assert_eq!(fused.mean_years().unwrap(), 36.0);
    }

    #[test]
    fn an_expression_gives_way_to_a_later_one() {
        let mut fused = Feelings::default();
        let happy = [0.05, 0.9, 0.01, 0.01, 0.01, 0.01, 0.01];
        let neutral = [0.9, 0.05, 0.01, 0.01, 0.01, 0.01, 0.01];
        fused.add(&[happy], 1.0, Duration::from_secs(1));
        assert!(fused.emotion(0.6).unwrap().value == Emotion::Happy);
        for second in 10..13 {
            fused.add(&[neutral], 1.0, Duration::from_secs(second));
        }
        assert!(fused.emotion(0.6).unwrap().value == Emotion::Neutral);
        fused.add(&[happy], 1.0, Duration::from_secs(13));
        assert!(fused.emotion(0.6).unwrap().value == Emotion::Unknown);
    }
}
