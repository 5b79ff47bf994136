//! What `faceanalyze` tells of each frame of a clip, in step with it.

use super::clip::Clip;
use crate::eval::{
    consent::stamp,
    metrics::{interval::bin_of, mot::Seen},
    progress::Progress,
};
use anyhow::{Context, Result};
use facialads_consent::{permit, wall_clock};
use facialads_vision::{
    Allowed, FaceAnalyzer, FaceOptions, TrackedFace,
    face::{Emotion, Gender},
};
use std::{path::Path, time::Duration};

pub struct Settings {
    pub inference_interval: u32,
    pub reclassify_interval: u32,
    pub adult_declared: bool,
    pub limit: Option<usize>,
}

/// A face as told on one frame.
#[derive(Clone)]
pub struct Told {
    /// Pixels.
    pub seen: Seen,
    /// Years, and the one of the nine bins that they lie in.
    pub age: Option<(f64, usize)>,
    pub gender: Option<Gender>,
    pub emotion: Option<Emotion>,
}

pub struct Moment {
    /// From the beginning of the clip.
    pub time: Duration,
    pub faces: Vec<Told>,
}

pub struct Followed {
    pub moments: Vec<Moment>,
    pub fps: f64,
    /// What an operator should know.
    pub notes: Vec<String>,
}

/// The same steps as the element's for a file: detection where it is due, then the descriptions that are due, then what is
/// told.
pub fn follow(clip: &Path, options: &FaceOptions, settings: &Settings) -> Result<Followed> {
    let mut clip = Clip::open(clip)?;
    let analyzer = FaceAnalyzer::new(options)?;
    let mut followed = Followed { moments: Vec::new(), fps: 0.0, notes: analyzer.notes().to_vec() };
    let mut progress = Progress::new(settings.limit);
    while let Some(picture) = clip.next()? {
        if settings.limit.is_some_and(|limit| picture.number >= limit) {
            break;
        }
        progress.step();
        if picture.number == 0 {
            followed.fps = picture.fps;
            let frame = Duration::from_secs_f64(1.0 / picture.fps);
            analyzer.set_reclassify_interval(frame.saturating_mul(settings.reclassify_interval));
        }
        let detect = picture.number.is_multiple_of(settings.inference_interval.max(1) as usize);
        let time = picture.time;
        let faces = picture
            .with(|frame| {
                let size = (frame.width() as f32, frame.height() as f32);
                let told = look(&analyzer, frame, time, detect, settings.adult_declared)?;
                Ok(told.iter().map(|face| tell(face, size)).collect())
            })
            .with_context(|| format!("frame {}", picture.number))?;
        followed.moments.push(Moment { time, faces });
    }
    Ok(followed)
}

fn look(
    analyzer: &FaceAnalyzer,
    frame: &facialads_vision::Frame,
    now: Duration,
    detect: bool,
    adult_declared: bool,
) -> Result<Vec<TrackedFace>> {
    let (stamp, wall) = (stamp(adult_declared), wall_clock());
    let measurement = permit(Some(&stamp), 0, wall)?;
    if detect {
        analyzer.detect(&measurement, &analyzer.shrink(frame), stamp.zone, now)?;
    }
    let faces = analyzer.count(now);
    let (demographics, emotion) =
        (permit(Some(&stamp), faces, wall).ok(), permit(Some(&stamp), faces, wall).ok());
    let allowed = Allowed { demographics: demographics.as_ref(), emotion: emotion.as_ref(), adult_declared };
    let due = analyzer.crops_due(&allowed, now);
    if !due.is_empty() {
        analyzer.describe(&allowed, &analyzer.cut(frame, &due), now)?;
    }
    Ok(analyzer.faces(&measurement, &allowed, now))
}

fn tell(face: &TrackedFace, (width, height): (f32, f32)) -> Told {
    let years = face.age.map(|age| f64::from(age.years));
    Told {
        seen: Seen { id: i64::from(face.id), bounds: face.bounds.scaled(width, height), ignored: false },
        age: years.map(|years| (years, bin_of(years))),
        gender: face.gender.map(|label| label.value),
        emotion: face.emotion.map(|label| label.value),
    }
}
