//! How well an audience and a subject fit a target.

use super::{Reason, SubjectView};
use crate::{AgeEstimate, AgeRange, ConsentedAudience, NoProfile, Target, Viewer};

/// A viewer's age counts as wanted from half of its interval inside the range on: more likely in than out.
pub(super) const MIN_AGE_OVERLAP: f64 = 0.5;
/// A gender counts from a probability of one half on.
pub(super) const MIN_GENDER: f64 = 0.5;
/// An expression counts from here on: there are seven of them, so a clear favourite is often below one half.
pub(super) const MIN_EMOTION: f64 = 0.4;
/// Less than a quarter of the time watched by people that it wants, and a campaign is not for this audience.
pub(super) const MIN_AUDIENCE_FIT: f64 = 0.25;
/// A class below this is not what the programme is about.
pub(super) const MIN_SUBJECT: f64 = 0.1;
/// Exclusions are careful: half of that is enough to keep a campaign away.
pub(super) const EXCLUDE_SUBJECT: f64 = 0.05;

/// How many things a target asks for: age, gender, emotion and subject, 0..=4.
pub(super) fn specificity(target: &Target) -> f64 {
    [target.age.is_some(), target.gender.is_some(), !target.emotions.is_empty(), !target.subjects.is_empty()]
        .into_iter()
        .map(|asked| f64::from(u8::from(asked)))
        .sum()
}

/// Share of the watched time that belongs to people whom the target wants, each weighted by how surely they are wanted.
/// 1 where the target asks nothing about people.
pub(super) fn audience(
    target: &Target,
    audience: Result<&ConsentedAudience, NoProfile>,
) -> Result<f64, Reason> {
    if !target.wants_people() {
        return Ok(1.0);
    }
    let viewers = audience.map_err(|reason| Reason::NoProfile { reason })?.viewers();
    if viewers.is_empty() {
        return Err(Reason::NoProfile { reason: NoProfile::Nobody });
    }
    let watched: f64 = viewers.iter().map(weight).sum();
    let wanted: f64 = viewers.iter().map(|v| weight(v) * ViewerFit::of(target, v).total()).sum();
    let fit = wanted / watched;
    // Also refuses NaN: nobody was watched for any time.
    if fit >= MIN_AUDIENCE_FIT { Ok(fit) } else { Err(Reason::AudienceNotMatched) }
}

pub(super) fn weight(viewer: &Viewer) -> f64 {
    if viewer.weight.is_finite() { viewer.weight.max(0.0) } else { 0.0 }
}

/// How well one viewer fits, 0..=1 for each thing; `None` where the target does not ask.
pub(super) struct ViewerFit {
    pub age: Option<f64>,
    pub gender: Option<f64>,
    pub emotion: Option<f64>,
}

impl ViewerFit {
    pub fn of(target: &Target, viewer: &Viewer) -> Self {
        let gender = target.gender.map(|wanted| {
            viewer.gender.filter(|(gender, _)| wanted.matches(*gender)).map_or(0.0, |(_, p)| probability(p))
        });
        let emotion = (!target.emotions.is_empty()).then(|| {
            viewer.emotion.filter(|(e, _)| target.emotions.contains(e)).map_or(0.0, |(_, p)| probability(p))
        });
        Self {
            age: target.age.map(|range| viewer.age.map_or(0.0, |age| age_overlap(&age, range))),
            gender,
            emotion,
        }
    }

    /// The product, and 0 as soon as one of them is too unsure to count.
    pub fn total(&self) -> f64 {
        [(self.age, MIN_AGE_OVERLAP), (self.gender, MIN_GENDER), (self.emotion, MIN_EMOTION)]
            .into_iter()
            .map(|(fit, least)| fit.map_or(1.0, |fit| if fit >= least { fit } else { 0.0 }))
            .product()
    }
}

fn probability(p: f64) -> f64 {
    if p.is_finite() { p.clamp(0.0, 1.0) } else { 0.0 }
}

/// Share of the estimate's interval that lies in the range. Somebody who is 45 stays so until the 46th birthday.
fn age_overlap(age: &AgeEstimate, range: AgeRange) -> f64 {
    let (min, end) = (f64::from(range.min), f64::from(range.max) + 1.0);
    if !age.low.is_finite() || !age.high.is_finite() || age.low > age.high {
        return 0.0;
    }
    let width = age.high - age.low;
    if width <= 0.0 {
        return if age.low >= min && age.low < end { 1.0 } else { 0.0 };
    }
    ((age.high.min(end) - age.low.max(min)) / width).clamp(0.0, 1.0)
}

/// The class of the programme that a target asked for.
pub(super) struct MatchedSubject {
    pub name: String,
    /// Its confidence as a share of the most probable class's, 0..=1.
    pub fit: f64,
}

/// `Ok(None)` where the target asks for no subject.
pub(super) fn subject(target: &Target, view: Option<&SubjectView>) -> Result<Option<MatchedSubject>, Reason> {
    if target.subjects.is_empty() {
        return Ok(None);
    }
    let wanted = || target.subjects.iter().map(|s| s.0.clone()).collect();
    let view =
        view.filter(|v| !v.classes.is_empty()).ok_or_else(|| Reason::SubjectUnknown { wanted: wanted() })?;
    let top = view.classes.iter().map(|c| probability(c.confidence)).fold(0.0, f64::max);
    view.classes
        .iter()
        .filter(|class| target.subjects.iter().any(|s| s.matches(&class.id, &class.name)))
        .map(|class| (class, probability(class.confidence)))
        .filter(|(_, confidence)| *confidence >= MIN_SUBJECT)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(class, confidence)| Some(MatchedSubject { name: class.name.clone(), fit: confidence / top }))
        .ok_or_else(|| Reason::SubjectMissing { wanted: wanted() })
}

/// Subjects and brand-safety flags of the programme beside which the campaign must not stand.
pub(super) fn exclusions(target: &Target, view: Option<&SubjectView>) -> Vec<Reason> {
    let Some(view) = view else { return Vec::new() };
    let subjects = view
        .classes
        .iter()
        // A confidence that is no number counts as present.
        .filter(|class| class.confidence.is_nan() || class.confidence >= EXCLUDE_SUBJECT)
        .filter(|class| target.exclude_subjects.iter().any(|s| s.matches(&class.id, &class.name)))
        .map(|class| Reason::ExcludedSubject { name: class.name.clone() });
    let flags = view
        .safety
        .iter()
        .filter(|flag| target.exclude_safety.iter().any(|wanted| wanted.eq_ignore_ascii_case(flag)))
        .map(|flag| Reason::ExcludedSafety { flag: flag.clone() });
    subjects.chain(flags).collect()
}
