//! An audience and a subject, typed in.

use facialads_campaign::{AgeEstimate, Emotion, Gender, NoProfile, SubjectClass, Viewer};
use std::time::Duration;

/// Half the width of the interval of an age given as one number: what the age model is wrong by, on average.
const AGE_ERROR: f64 = 5.0;
/// Seconds in view of somebody for whom none are given.
const SECONDS: f64 = 10.0;

#[derive(Clone)]
pub enum Audience {
    People(Vec<Viewer>),
    None(NoProfile),
}

/// "female:27:happy,male:40", "none:possible-minor".
pub fn audience(text: &str) -> Result<Audience, String> {
    let text = text.trim();
    if text == "none" {
        return Ok(Audience::None(NoProfile::Nobody));
    }
    if let Some(reason) = text.strip_prefix("none:") {
        return reason
            .parse()
            .map(Audience::None)
            .map_err(|error: facialads_campaign::UnknownNoProfile| error.to_string());
    }
    text.split(',').map(viewer).collect::<Result<_, _>>().map(Audience::People)
}

fn viewer(text: &str) -> Result<Viewer, String> {
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    if parts.len() > 4 || parts.iter().all(|part| part.is_empty()) {
        return Err(format!(
            "\"{text}\" is nobody; write gender:age[:emotion[:seconds]], e.g. female:27:happy"
        ));
    }
    let part = |index: usize| {
        parts.get(index).copied().filter(|part| !part.is_empty() && *part != "-" && *part != "unknown")
    };
    let gender = part(0).map(|word| word.parse::<Gender>().map(|gender| (gender, 1.0))).transpose();
    let emotion = part(2).map(|word| word.parse::<Emotion>().map(|emotion| (emotion, 1.0))).transpose();
    let weight = part(3).map_or(Ok(SECONDS), |word| {
        let seconds: Option<f64> = word.parse().ok().filter(|s: &f64| s.is_finite() && *s > 0.0);
        seconds.ok_or_else(|| format!("\"{word}\" is no number of seconds"))
    });
    Ok(Viewer {
        gender: gender.map_err(|error| error.to_string())?,
        age: part(1).map(age).transpose()?,
        emotion: emotion.map_err(|error| error.to_string())?,
        weight: weight?,
    })
}

/// "27", or an interval as a model would give it: "22-32".
fn age(text: &str) -> Result<AgeEstimate, String> {
    let years = |text: &str| text.trim().parse::<u8>().ok().filter(|years| *years <= 120).map(f64::from);
    let interval = match text.split_once('-') {
        Some((low, high)) => years(low).zip(years(high)).filter(|(low, high)| low <= high),
        None => years(text).map(|years| ((years - AGE_ERROR).max(0.0), years + AGE_ERROR)),
    };
    let (low, high) = interval.ok_or_else(|| format!("\"{text}\" is no age; write 27 or 22-32"))?;
    let middle = years(text).unwrap_or(f64::midpoint(low, high));
    Ok(AgeEstimate { years: middle, low, high, confidence: 1.0 })
}

/// "Automotive=0.8", or "Automotive" for certain. What is written counts as id and as name, so that either matches.
pub fn subject(text: &str) -> Result<SubjectClass, String> {
    let (name, confidence) = match text.rsplit_once('=') {
        Some((name, confidence)) => {
            let number = confidence.trim().parse().ok().filter(|c| (0.0..=1.0).contains(c));
            (name, number.ok_or_else(|| format!("\"{confidence}\" is no confidence from 0 to 1"))?)
        }
        None => (text, 1.0),
    };
    let name = name.trim();
    if name.is_empty() {
        return Err("write a subject as Automotive=0.8".to_owned());
    }
    Ok(SubjectClass { id: name.to_owned(), name: name.to_owned(), confidence })
}

pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.filter(|d| !d.is_zero()).ok_or_else(|| "write a number of seconds above 0".to_owned())
}
