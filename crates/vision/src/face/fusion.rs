//! Attributes over a track: one look at a face is worth little (moving the box by a pixel moves an age by two years), many
//! looks are worth more, but never as much as their number says: they are looks at the same face.

use super::{
    calibration::{Calibrated, Calibration},
    constants::{
        AGE_BAND, AGE_STEP, AGREEING_YEARS, EMOTION_HALF_LIFE, GENDER_FLIP, INTERVAL_COVERAGE, LABEL_SLACK,
        LOOK_CORRELATION,
    },
    types::{Age, Emotion, Gender, Label},
};
use std::time::Duration;

/// Age and gender of a track: means of calibrated years and log-odds over all looks, weighted by quality.
#[derive(Default)]
pub(super) struct Demographics {
    /// Sum of qualities: how many well-seen looks those so far are worth.
    weight: f32,
    years: f32,
    cautious_years: f32,
    logit: f32,
    pub(super) looks: u32,
    /// Looks that agreed with the mean of those before, since the last that did not.
    pub(super) agreeing: u32,
    told: Told,
}

/// What was published, so that it does not flicker.
#[derive(Default)]
struct Told {
    gender: Option<Gender>,
    /// The last that was not "unknown".
    gender_before: Option<Gender>,
    years: Option<f32>,
    /// Least and greatest age published in this track.
    band: (f32, f32),
}

impl Demographics {
    /// `quality`: 0..=1, above 0.
    pub(super) fn add(&mut self, look: Calibrated, quality: f32) {
        let agrees = self.mean_years().is_none_or(|years| (look.years - years).abs() <= AGREEING_YEARS)
            && (self.looks == 0 || (look.logit >= 0.0) == (self.logit >= 0.0));
        self.agreeing = if agrees { self.agreeing + 1 } else { 0 };
        self.years += quality * look.years;
        self.cautious_years += quality * look.cautious_years;
        self.logit += quality * look.logit;
        self.weight += quality;
        self.looks += 1;
    }

    /// `None` before the first look.
    pub(super) fn mean_years(&self) -> Option<f32> {
        (self.looks > 0).then(|| self.years / self.weight)
    }

    /// The mean that the minors' rule goes by; `None` before the first look.
    pub(super) fn cautious_years(&self) -> Option<f32> {
        (self.looks > 0).then(|| self.cautious_years / self.weight)
    }

    /// Probability of female; `None` before the first look.
    ///
    /// The mean log-odds times the number of independent looks that the looks so far are worth: for equally correlated
    /// evidence n / (1 + (n - 1) r), see [`LOOK_CORRELATION`]; less than one look for a badly seen face.
    pub(super) fn female(&self) -> Option<f32> {
        let worth = self.weight / (1.0 + (self.weight - 1.0) * LOOK_CORRELATION);
        (self.looks > 0).then(|| 1.0 / (1.0 + (-worth * self.logit / self.weight).exp()))
    }

    fn deviation(&self, calibration: &Calibration) -> f32 {
        calibration.deviation(self.mean_years().unwrap_or(0.0), self.weight)
    }

    /// Probability of the age groups that begin with `starts` (years, rising; the last is open), summing up to 1.
    pub(super) fn age_bins<const N: usize>(&self, starts: &[f32; N], calibration: &Calibration) -> [f32; N] {
        let mean = self.mean_years().unwrap_or(0.0);
        let deviation = self.deviation(calibration);
        // What lies below the first group belongs to it: nobody is younger.
        let below = |i: usize| match starts.get(i) {
            Some(start) if i > 0 => normal_below((start - mean) / deviation),
            Some(_) => 0.0,
            None => 1.0,
        };
        std::array::from_fn(|i| below(i + 1) - below(i))
    }

    /// Settles what is told from here on. Only for a face that may be described: the band of ages begins with the first.
    pub(super) fn publish(&mut self, threshold: f32) {
        let (Some(years), Some(female)) = (self.mean_years(), self.female()) else { return };
        self.told.tell_years(years);
        self.told.tell_gender(female, threshold);
    }

    /// `None` before anything was published.
    pub(super) fn age(&self, calibration: &Calibration) -> Option<Age> {
        let (mean, years) = (self.mean_years()?, self.told.years?);
        let half = calibration.half_interval(self.deviation(calibration));
        Some(Age {
            years,
            low: (mean - half).min(years).max(0.0),
            high: (mean + half).max(years),
            confidence: INTERVAL_COVERAGE,
        })
    }

    /// `None` before anything was published.
    pub(super) fn gender(&self) -> Option<Label<Gender>> {
        let (value, female) = (self.told.gender?, self.female()?);
        let confidence = match value {
            Gender::Female => female,
            Gender::Male => 1.0 - female,
            Gender::Unknown => female.max(1.0 - female),
        };
        Some(Label { value, confidence })
    }
}

impl Told {
    fn tell_years(&mut self, years: f32) {
        let Some(told) = self.years else {
            (self.years, self.band) = (Some(years), (years, years));
            return;
        };
        let (least, greatest) = self.band;
        let wanted = years.clamp(greatest - AGE_BAND, least + AGE_BAND);
        if (wanted - told).abs() >= AGE_STEP {
            self.years = Some(wanted);
            self.band = (least.min(wanted), greatest.max(wanted));
        }
    }

    /// Once told, a gender stays for a while below the threshold; the other one takes strong evidence.
    fn tell_gender(&mut self, female: f32, threshold: f32) {
        let of = |gender| if gender == Gender::Female { female } else { 1.0 - female };
        let likelier = if female >= 0.5 { Gender::Female } else { Gender::Male };
        let Some(before) = self.gender_before else {
            let sure = of(likelier) >= threshold;
            self.gender_before = sure.then_some(likelier);
            self.gender = Some(if sure { likelier } else { Gender::Unknown });
            return;
        };
        let needed = if self.gender == Some(before) { threshold - LABEL_SLACK } else { threshold };
        self.gender = Some(if of(before) >= needed.max(0.5) {
            before
        } else if likelier != before && of(likelier) >= GENDER_FLIP.max(threshold) {
            self.gender_before = Some(likelier);
            likelier
        } else {
            Gender::Unknown
        });
    }
}

/// Part of a normal distribution below `z` standard deviations. Abramowitz & Stegun 26.2.17, off by 7.5e-8 at most.
fn normal_below(z: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let series =
        t * (0.319_381_53 + t * (-0.356_563_78 + t * (1.781_477_9 + t * (-1.821_255_9 + t * 1.330_274_4))));
    let tail = (-z * z / 2.0).exp() / (2.0 * std::f32::consts::PI).sqrt() * series;
    if z > 0.0 { 1.0 - tail } else { tail }
}

/// Emotion: a mean of log-probabilities that forgets.
#[derive(Default)]
pub(super) struct Feelings {
    weight: f32,
    sums: [f32; 7],
    at: Duration,
    told: Option<Emotion>,
}

impl Feelings {
    /// `distributions`: of one look, the crop and its mirror image. `quality`: 0..=1, above 0.
    pub(super) fn add(&mut self, distributions: &[[f32; 7]], quality: f32, now: Duration, threshold: f32) {
        if distributions.is_empty() {
            return;
        }
        let elapsed = now.saturating_sub(self.at).as_secs_f32();
        let kept = (-elapsed / EMOTION_HALF_LIFE.as_secs_f32() * std::f32::consts::LN_2).exp();
        self.at = now;
        self.weight = self.weight * kept + quality;
        for (i, sum) in self.sums.iter_mut().enumerate() {
            // A probability of 0 would never be forgotten.
            let mean =
                distributions.iter().map(|d| d[i].max(1e-6).ln()).sum::<f32>() / distributions.len() as f32;
            *sum = *sum * kept + quality * mean;
        }
        self.tell(threshold);
    }

    fn probabilities(&self) -> [f32; 7] {
        let most = self.sums.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers = self.sums.map(|sum| ((sum - most) / self.weight.max(f32::MIN_POSITIVE)).exp());
        let total: f32 = powers.iter().sum();
        powers.map(|power| power / total)
    }

    fn tell(&mut self, threshold: f32) {
        let probabilities = self.probabilities();
        let of = |emotion: Emotion| {
            Emotion::KNOWN.into_iter().zip(probabilities).find(|(e, _)| *e == emotion).map_or(0.0, |(_, p)| p)
        };
        let likeliest = Emotion::KNOWN.into_iter().max_by(|a, b| of(*a).total_cmp(&of(*b)));
        self.told = match (self.told, likeliest) {
            (_, Some(emotion)) if of(emotion) >= threshold => Some(emotion),
            (Some(told), _) if told != Emotion::Unknown && of(told) >= threshold - LABEL_SLACK => Some(told),
            _ => Some(Emotion::Unknown),
        };
    }

    /// `None` before the first look.
    pub(super) fn emotion(&self) -> Option<Label<Emotion>> {
        let value = self.told?;
        let probabilities = self.probabilities();
        let told = Emotion::KNOWN.into_iter().zip(probabilities).find(|(emotion, _)| *emotion == value);
        let confidence = told.map_or_else(|| probabilities.into_iter().fold(0.0, f32::max), |(_, p)| p);
        Some(Label { value, confidence })
    }
}

#[cfg(test)]
mod tests;
