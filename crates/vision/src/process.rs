//! One frame, from its pixels to what is known of the people on it, on the calling thread: what a pipeline does that waits
//! for its results. One that does not wait takes the same steps on two threads, see the table at the top of this crate.

use crate::{
    FaceAnalyzer, Result, View,
    face::{Allowed, CropRequest},
};
use facialads_consent::{Demographics, Emotion, Measurement, Permit, Stamp, WallClock, permit};
use std::time::{Duration, Instant};

/// Under which consent a frame is looked at, and when.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub stamp: &'a Stamp,
    /// Running time of the frame.
    pub now: Duration,
    /// Wall clock, against which consent is held.
    pub wall: WallClock,
    /// Whether emotion is asked for; consent decides whether it may be.
    pub emotion: bool,
}

/// Permits to describe the people who are in view, as far as consent gives them.
pub struct Permits {
    demographics: Option<Permit<Demographics>>,
    emotion: Option<Permit<Emotion>>,
    adult: bool,
}

impl Permits {
    /// For as many faces as `analyzer` knows of now.
    pub fn of(analyzer: &FaceAnalyzer, terms: &Terms) -> Self {
        let faces = analyzer.count(terms.now);
        Self {
            demographics: permit(Some(terms.stamp), faces, terms.wall).ok(),
            emotion: if terms.emotion { permit(Some(terms.stamp), faces, terms.wall).ok() } else { None },
            adult: terms.stamp.adult,
        }
    }

    pub fn allowed(&self) -> Allowed<'_> {
        Allowed {
            demographics: self.demographics.as_ref(),
            emotion: self.emotion.as_ref(),
            adult_declared: self.adult,
        }
    }
}

/// How long the parts of a frame's work took; `None`: there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    pub detection: Option<Duration>,
    pub description: Option<Duration>,
}

/// Memory that is used again for the next frame.
#[derive(Default)]
pub struct Memory(Vec<CropRequest>);

/// Finds the faces on `frame` (a [`crate::Frame`] or a [`View`]), follows them, and describes those whose turn it is. Afterwards ask
/// [`FaceAnalyzer::faces`]. Takes no memory once it has seen a few frames with as many faces. Without consent to measurement
/// nothing is done.
///
/// # Errors
/// As [`FaceAnalyzer::shrink_view`], [`FaceAnalyzer::detect`] and [`FaceAnalyzer::describe`]. `took` tells of the parts that were done or tried.
pub fn process<'a>(
    analyzer: &FaceAnalyzer,
    frame: impl Into<View<'a>>,
    terms: &Terms,
    memory: &mut Memory,
    took: &mut Took,
) -> Result<()> {
    let Ok(measurement) = permit::<Measurement>(Some(terms.stamp), 0, terms.wall) else { return Ok(()) };
    let view = frame.into();
    let input = analyzer.shrink_view(&view)?;
    let begun = Instant::now();
    let found = analyzer.detect(&measurement, &input, terms.stamp.zone, terms.now);
    took.detection = Some(begun.elapsed());
    found?;
    let permits = Permits::of(analyzer, terms);
    analyzer.crops_due_into(&permits.allowed(), terms.now, &mut memory.0);
    describe(analyzer, view, terms, &permits, &memory.0, took)
}

/// The second half of [`process`]: cuts the faces in `requests` out of `frame` and describes them under `permits`.
///
/// # Errors
/// As [`FaceAnalyzer::cut_view`] and [`FaceAnalyzer::describe`].
pub fn describe<'a>(
    analyzer: &FaceAnalyzer,
    frame: impl Into<View<'a>>,
    terms: &Terms,
    permits: &Permits,
    requests: &[CropRequest],
    took: &mut Took,
) -> Result<()> {
    if requests.is_empty() {
        return Ok(());
    }
    let crops = analyzer.cut_view(&frame.into(), requests)?;
    if crops.is_empty() {
        return Ok(());
    }
    let begun = Instant::now();
    let described = analyzer.describe(&permits.allowed(), &crops, terms.now);
    took.description = Some(begun.elapsed());
    described
}
