//! The detector on every picture, twice: as the product runs it, which is timed, and with a lower threshold for the curve of
//! precision over recall.

use super::truth::Labelled;
use crate::eval::{consent::Permits, metrics::detection::Face, picture::Picture, progress::Progress};
use anyhow::{Context, Result};
use facialads_vision::{FaceOptions, Frame, Rect, face::Detector};
use std::time::{Duration, Instant};

pub struct Looked {
    pub pictures: Vec<Seen>,
    pub unreadable: u64,
}

/// One picture. Boxes come with their confidence, most confident first, in pixels.
pub struct Seen {
    pub faces: Vec<Face>,
    /// At the product's threshold.
    pub told: Vec<(Rect, f32)>,
    /// From the floor on.
    pub all: Vec<(Rect, f32)>,
    pub took: Duration,
}

pub fn all(pictures: &[Labelled], options: &FaceOptions, floor: f32) -> Result<Looked> {
    let load = |threshold: Option<f32>| -> Result<Detector> {
        let detector = Detector::load(options.detector.as_deref(), threshold, &options.load)?;
        Ok(match options.detector_size {
            Some(side) => detector.sized(side)?,
            None => detector,
        })
    };
    let (product, curious) = (load(options.threshold)?, load(Some(floor))?);
    let mut looked = Looked { pictures: Vec::new(), unreadable: 0 };
    let mut progress = Progress::new(Some(pictures.len()));
    for labelled in pictures {
        progress.step();
        let picture = match Picture::open(&labelled.file) {
            Ok(picture) => picture,
            Err(problem) => {
                progress.say(&format!("{}: {problem:#}", labelled.file.display()));
                looked.unreadable += 1;
                continue;
            }
        };
        let frame = picture.frame()?;
        let begun = Instant::now();
        let told = boxes(&product, &frame).with_context(|| labelled.file.display().to_string())?;
        let took = begun.elapsed();
        let all = boxes(&curious, &frame).with_context(|| labelled.file.display().to_string())?;
        looked.pictures.push(Seen { faces: labelled.faces.clone(), told, all, took });
    }
    Ok(looked)
}

fn boxes(detector: &Detector, frame: &Frame) -> Result<Vec<(Rect, f32)>> {
    let permits = Permits::new(false, false)?;
    let found = detector.detect(&permits.measurement, &detector.shrink(frame))?;
    Ok(found.into_iter().map(|face| (face.bounds, face.confidence)).collect())
}
