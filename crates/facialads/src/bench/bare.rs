//! The networks without a pipeline: what an element is measured against.

use super::frames::Frames;
use anyhow::Result;
use facialads_consent::{Stamp, permit, wall_clock};
use facialads_vision::{
    Device, FaceAnalyzer, FaceOptions, SubjectClassifier, SubjectOptions, inference_time,
    process::{Memory, Terms, Took, process},
    runtime::{Description, LoadOptions, Precision},
};
use std::time::{Duration, Instant};

pub struct Networks {
    pub faces: Faces,
    pub subject: Subject,
}

impl Networks {
    pub fn load(device: &Device, precision: Precision) -> Result<Self> {
        let load = LoadOptions {
            device: device.clone(),
            fallback: *device == Device::Auto,
            precision,
            ..LoadOptions::default()
        };
        Ok(Self { faces: Faces::load(&load)?, subject: Subject::load(load)? })
    }
}

pub struct Faces(FaceAnalyzer);

impl Faces {
    fn load(load: &LoadOptions) -> Result<Self> {
        let options = FaceOptions {
            expression: None,
            reclassify_interval: Duration::ZERO,
            load: load.clone(),
            ..FaceOptions::default()
        };
        Ok(Self(FaceAnalyzer::new(&options)?))
    }

    /// Where the detector runs.
    pub fn runs_on(&self) -> &Description {
        self.0.runs_on()
    }

    /// Finds the faces of every frame.
    pub fn detection(&self, frames: &Frames, stamp: &Stamp) -> Result<Duration> {
        self.0.reset();
        let begun = Instant::now();
        frames.each(|frame, now| {
            let Ok(measurement) = permit(Some(stamp), 0, wall_clock()) else { return Ok(()) };
            self.0.detect(&measurement, &self.0.shrink(frame), stamp.zone, now).map(drop)
        })?;
        Ok(begun.elapsed())
    }

    /// Finds and describes the faces of every frame. Returns how long that took, and how long the networks took of it.
    pub fn all(&self, frames: &Frames, stamp: &Stamp) -> Result<(Duration, Duration)> {
        self.0.reset();
        let (mut memory, networks_before) = (Memory::default(), inference_time());
        let begun = Instant::now();
        frames.each(|frame, now| {
            let terms = Terms { stamp, now, wall: wall_clock(), emotion: false };
            process(&self.0, frame, &terms, &mut memory, &mut Took::default())
        })?;
        Ok((begun.elapsed(), inference_time().saturating_sub(networks_before)))
    }
}

pub struct Subject(SubjectClassifier);

impl Subject {
    fn load(load: LoadOptions) -> Result<Self> {
        Ok(Self(SubjectClassifier::new(&SubjectOptions { load, ..SubjectOptions::default() })?))
    }

    /// Classifies every frame.
    pub fn all(&self, frames: &Frames) -> Result<Duration> {
        self.0.reset();
        let begun = Instant::now();
        frames.each(|frame, now| self.0.classify(&self.0.shrink(frame), now))?;
        Ok(begun.elapsed())
    }
}
