//! What may be learned, and whose picture is wanted for it.

use super::FaceAnalyzer;
use crate::{
    Rect,
    face::{
        describer::Wanted,
        framing::Place,
        quality::{self, Hindrance},
    },
};
use facialads_consent::{Demographics, Emotion, Permit};
use std::{fmt, sync::atomic::Ordering, time::Duration};

/// What may be learned of the people on one frame, asked for anew for each frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed<'a> {
    pub demographics: Option<&'a Permit<Demographics>>,
    pub emotion: Option<&'a Permit<Emotion>>,
    /// Whether every grant declares an adult.
    pub adult_declared: bool,
}

/// A face whose picture is wanted from the frame at hand. Never printed but for where it is.
#[derive(Clone)]
pub struct CropRequest {
    id: i32,
    /// Fractions of the frame.
    bounds: Rect,
    points: Option<[(f32, f32); 5]>,
    /// See [`Wanted`].
    covered: Hindrance,
    demographics: bool,
    careful: bool,
    emotion: bool,
    pub(super) generation: u64,
}

impl fmt::Debug for CropRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CropRequest")
            .field("id", &self.id)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

impl CropRequest {
    /// Where it will be cut, as fractions of the frame.
    pub fn bounds(&self) -> Rect {
        self.bounds
    }

    /// In pixels of a frame of this size.
    pub(super) fn wanted(&self, (width, height): (f32, f32)) -> Wanted {
        let Self { id, covered, demographics, careful, emotion, .. } = *self;
        let points = self.points.map(|points| points.map(|(x, y)| (x * width, y * height)));
        let place = Place { bounds: self.bounds.scaled(width, height), points };
        Wanted { id, place, covered, demographics, careful, emotion }
    }
}

impl FaceAnalyzer {
    /// Streaming thread, before [`FaceAnalyzer::cut`]: whose picture is wanted from the frame at `now`; at most the
    /// permit's limit, largest faces first. Attributes of faces that may not be described (any more) are dropped here, so
    /// call it for each frame.
    pub fn crops_due(&self, allowed: &Allowed, now: Duration) -> Vec<CropRequest> {
        let mut requests = Vec::new();
        self.crops_due_into(allowed, now, &mut requests);
        requests
    }

    /// [`FaceAnalyzer::crops_due`] into memory that is used again; what `requests` held is replaced.
    pub fn crops_due_into(&self, allowed: &Allowed, now: Duration, requests: &mut Vec<CropRequest>) {
        requests.clear();
        let mut people = self.people();
        let epochs = [allowed.demographics.map(Permit::epoch), allowed.emotion.map(Permit::epoch)];
        for epoch in epochs.into_iter().flatten() {
            // A stale permit counts as none, see `People::limits`.
            let _ = people.admit(epoch);
        }
        people.enforce(allowed, now);
        let (for_demographics, for_emotion) = people.limits(allowed);
        let (generation, frame) = (people.generation, people.frame);
        let interval = Duration::from_nanos(self.reclassify_interval.load(Ordering::Relaxed));
        let ranked = people.ranked(now);
        for (rank, face) in ranked.iter().enumerate().take(for_demographics.max(for_emotion)) {
            // Where a hidden face should be, another one may be seen. It takes its place in the order all the same.
            if !face.in_sight {
                continue;
            }
            let others = ranked.iter().filter(|other| other.in_sight && other.id != face.id);
            let others = others.map(|other| other.bounds);
            let covered = quality::covered(&face.bounds, others);
            let mut request = CropRequest {
                id: face.id,
                bounds: face.bounds,
                points: face.points,
                covered,
                demographics: false,
                careful: false,
                emotion: false,
                generation,
            };
            let view = frame.map(|frame| request.wanted(frame).view(frame));
            if view.is_some_and(|view| !view.is_passable()) {
                continue;
            }
            let person = people.person(face.id);
            request.demographics = rank < for_demographics
                && person.demographics_due(face, allowed, interval, view.map(Hindrance::quality), now);
            request.careful = request.demographics && !allowed.adult_declared;
            request.emotion = rank < for_emotion
                && self.describer.tells_emotion()
                && person.emotion_due(face, allowed, interval, now);
            if request.demographics || request.emotion {
                person.requested = Some(now);
                requests.push(request);
            }
        }
        people.done_ranking(ranked);
    }
}
