//! Tracks and what is told of them over time, without any truth.

use super::follow::{Followed, Told};
use crate::eval::metrics::{share::Share, spread};
use facialads_vision::{
    Rect,
    face::{Emotion, Gender},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// A track that begins so soon after another ended in the same place may be the same person.
const SOON: Duration = Duration::from_secs(2);
/// In the same place: centres at most this many widths apart …
const NEAR: f32 = 1.0;
/// … and of similar size.
const SIMILAR: f32 = 2.0;

#[derive(Serialize, Deserialize)]
pub struct Stability {
    pub tracks: u64,
    pub frames_with_faces: u64,
    /// Seconds from the first to the last frame of a track.
    pub longest: Option<f64>,
    pub median: Option<f64>,
    /// Tracks that begin within 2 s where another has ended: perhaps one person with two ids.
    pub fragment_hints: u64,
    /// Changes from one told label to another, for a minute of a face in view. Gender and emotion: changes between two known
    /// answers; with "unknown" between them they count too. Age: from one of the nine bins to another.
    pub gender_flips_per_minute: Option<f64>,
    pub age_flips_per_minute: Option<f64>,
    pub emotion_flips_per_minute: Option<f64>,
    /// Changes between an answer and "unknown", for a minute of a face in view.
    pub gender_flicker_per_minute: Option<f64>,
    /// Oldest less youngest age told of one track, in years.
    pub age_spread_largest: Option<f64>,
    pub age_spread_median: Option<f64>,
    /// Of faces on frames: not described (yet, or not allowed to be).
    pub undescribed: Share,
    /// Of those described: "unknown".
    pub gender_unknown: Share,
    pub emotion_unknown: Share,
    /// Seconds from the first sight of a track to its first age; tracks that are never described are not in it.
    pub first_description_median: Option<f64>,
    pub first_description_longest: Option<f64>,
    /// One entry a track, in the order in which they appeared. No attribute of anybody.
    pub each: Vec<TrackReport>,
}

#[derive(Serialize, Deserialize)]
pub struct TrackReport {
    /// Seconds.
    pub first: f64,
    pub last: f64,
    pub frames: u64,
    pub first_description: Option<f64>,
    pub age_spread: Option<f64>,
    pub gender_flips: u64,
    pub gender_flicker: u64,
    pub age_flips: u64,
    pub emotion_flips: u64,
}

struct Track<'a> {
    first: Duration,
    last: Duration,
    faces: Vec<(Duration, &'a Told)>,
}

impl Stability {
    pub fn new(followed: &Followed) -> Self {
        let tracks = tracks(followed);
        let each: Vec<TrackReport> = tracks.iter().map(TrackReport::new).collect();
        let faces = || followed.moments.iter().flat_map(|moment| &moment.faces);
        let frame = if followed.fps > 0.0 { 1.0 / followed.fps } else { 0.0 };
        let minutes = faces().count() as f64 * frame / 60.0;
        let a_minute = |count: &dyn Fn(&TrackReport) -> u64| {
            (minutes > 0.0).then(|| each.iter().map(count).sum::<u64>() as f64 / minutes)
        };
        let lengths: Vec<f64> = each.iter().map(|track| track.last - track.first).collect();
        let spreads: Vec<f64> = each.iter().filter_map(|track| track.age_spread).collect();
        let waits: Vec<f64> = each.iter().filter_map(|track| track.first_description).collect();
        Self {
            tracks: each.len() as u64,
            frames_with_faces: followed.moments.iter().filter(|m| !m.faces.is_empty()).count() as u64,
            longest: spread::quantile(&lengths, 1.0),
            median: spread::median(&lengths),
            fragment_hints: fragment_hints(&tracks),
            gender_flips_per_minute: a_minute(&|track| track.gender_flips),
            age_flips_per_minute: a_minute(&|track| track.age_flips),
            emotion_flips_per_minute: a_minute(&|track| track.emotion_flips),
            gender_flicker_per_minute: a_minute(&|track| track.gender_flicker),
            age_spread_largest: spread::quantile(&spreads, 1.0),
            age_spread_median: spread::median(&spreads),
            undescribed: Share::of(faces().map(|face| face.age.is_none())),
            gender_unknown: Share::of(faces().filter_map(|face| Some(face.gender? == Gender::Unknown))),
            emotion_unknown: Share::of(faces().filter_map(|face| Some(face.emotion? == Emotion::Unknown))),
            first_description_median: spread::median(&waits),
            first_description_longest: spread::quantile(&waits, 1.0),
            each,
        }
    }
}

/// In the order of their first frames.
fn tracks(followed: &Followed) -> Vec<Track<'_>> {
    let mut tracks: Vec<Track> = Vec::new();
    let mut index: BTreeMap<i64, usize> = BTreeMap::new();
    for moment in &followed.moments {
        for face in &moment.faces {
            let at = *index.entry(face.seen.id).or_insert_with(|| {
                tracks.push(Track { first: moment.time, last: moment.time, faces: Vec::new() });
                tracks.len() - 1
            });
            tracks[at].last = moment.time;
            tracks[at].faces.push((moment.time, face));
        }
    }
    tracks
}

impl TrackReport {
    fn new(track: &Track) -> Self {
        let faces = || track.faces.iter().map(|(_, face)| *face);
        let ages: Vec<f64> = faces().filter_map(|face| Some(face.age?.0)).collect();
        let described = track.faces.iter().find(|(_, face)| face.age.is_some());
        let known_gender = |face: &Told| face.gender.filter(|gender| *gender != Gender::Unknown);
        let known_emotion = |face: &Told| face.emotion.filter(|emotion| *emotion != Emotion::Unknown);
        Self {
            first: track.first.as_secs_f64(),
            last: track.last.as_secs_f64(),
            frames: track.faces.len() as u64,
            first_description: described.map(|(at, _)| at.saturating_sub(track.first).as_secs_f64()),
            age_spread: spread::range(&ages),
            gender_flips: changes(faces().filter_map(known_gender)),
            gender_flicker: changes(faces().filter_map(|face| Some(face.gender? == Gender::Unknown))),
            age_flips: changes(faces().filter_map(|face| Some(face.age?.1))),
            emotion_flips: changes(faces().filter_map(known_emotion)),
        }
    }
}

/// How often a value differs from the one before.
fn changes<T: PartialEq>(values: impl Iterator<Item = T>) -> u64 {
    let (mut last, mut count) = (None, 0);
    for value in values {
        count += u64::from(last.as_ref().is_some_and(|last| *last != value));
        last = Some(value);
    }
    count
}

fn fragment_hints(tracks: &[Track]) -> u64 {
    let begins_where_another_ended = |new: &Track| {
        let Some((_, start)) = new.faces.first() else { return false };
        tracks.iter().any(|old| {
            let ended = old.last < new.first && new.first.saturating_sub(old.last) <= SOON;
            ended && old.faces.last().is_some_and(|(_, end)| same_place(&end.seen.bounds, &start.seen.bounds))
        })
    };
    tracks.iter().filter(|track| begins_where_another_ended(track)).count() as u64
}

fn same_place(a: &Rect, b: &Rect) -> bool {
    let ((ax, ay), (bx, by)) = (a.centre(), b.centre());
    let (small, large) = (a.width.min(b.width), a.width.max(b.width));
    (ax - bx).hypot(ay - by) <= NEAR * large && large <= SIMILAR * small
}

#[cfg(test)]
mod tests {
    use super::super::follow::Moment;
    use super::*;
    use crate::eval::metrics::{interval::bin_of, mot::Seen};

    fn told(id: i64, x: f32, age: Option<f64>, gender: Option<Gender>) -> Told {
        Told {
            seen: Seen { id, bounds: Rect::new(x, 0.0, 40.0, 40.0), ignored: false },
            age: age.map(|years| (years, bin_of(years))),
            gender,
            emotion: None,
        }
    }
    fn clip(frames: Vec<Vec<Told>>) -> Followed {
        let moment = |(n, faces): (usize, Vec<Told>)| Moment { time: Duration::from_secs(n as u64), faces };
        Followed {
            moments: frames.into_iter().enumerate().map(moment).collect(),
            fps: 1.0,
            notes: Vec::new(),
        }
    }

    #[test]
    fn flips_flicker_and_spread_of_a_track_by_hand() {
        let (female, male, unknown) = (Some(Gender::Female), Some(Gender::Male), Some(Gender::Unknown));
        let stability = Stability::new(&clip(vec![
            vec![told(5, 0.0, None, None)],
            vec![told(5, 0.0, Some(28.0), female)],
            vec![told(5, 0.0, Some(31.0), unknown)],
            vec![told(5, 0.0, Some(33.0), male)],
            vec![told(5, 0.0, Some(29.5), male)],
            vec![],
        ]));
        assert_eq!((stability.tracks, stability.frames_with_faces), (1, 5));
        let track = &stability.each[0];
        assert_eq!((track.gender_flips, track.gender_flicker, track.age_flips), (1, 2, 2));
        assert_eq!((track.age_spread, track.first_description, track.frames), (Some(5.0), Some(1.0), 5));
        // One flip in five seconds of a face in view.
        assert!((stability.gender_flips_per_minute.unwrap() - 12.0).abs() < 1e-9);
        assert_eq!((stability.undescribed.right, stability.gender_unknown.share), (1, Some(0.25)));
        assert_eq!(stability.emotion_unknown.of, 0);
    }

    #[test]
    fn a_new_id_in_the_old_place_soon_after_is_a_hint() {
        let face = |id, x| vec![told(id, x, None, None)];
        assert_eq!(Stability::new(&clip(vec![face(1, 0.0), vec![], face(2, 10.0)])).fragment_hints, 1);
        assert_eq!(Stability::new(&clip(vec![face(1, 0.0), vec![], face(2, 300.0)])).fragment_hints, 0);
        assert_eq!(
            Stability::new(&clip(vec![face(1, 0.0), vec![], vec![], vec![], face(2, 0.0)])).fragment_hints,
            0
        );
        assert_eq!(Stability::new(&clip(Vec::new())).gender_flips_per_minute, None);
    }
}
