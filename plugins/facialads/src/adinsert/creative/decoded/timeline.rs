//! What is known about a creative as a whole: which streams it has, where its time begins and ends, whether it failed.
//!
//! Times that come in are running times of the private pipeline; [`Timeline::origin`] is where the creative's own time
//! is 0.

use gst::ClockTime;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Encoders pad the sound to whole packets (AAC up to 2048 samples, Vorbis up to 8192): sound that outlasts the picture
/// by less than this is no content.
const PADDING: ClockTime = ClockTime::from_mseconds(100);

/// Which of the streams that the programme can use the creative has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    pub video: bool,
    pub audio: bool,
}

#[derive(Default)]
struct Stream {
    start: Option<ClockTime>,
    end: Option<ClockTime>,
    ended: bool,
}

impl Stream {
    fn saw(&mut self, start: ClockTime, end: ClockTime) {
        self.start.get_or_insert(start);
        self.end = self.end.max(Some(end));
    }
    fn exact(&self) -> Option<ClockTime> {
        self.end.filter(|_| self.ended)
    }
}

/// Stream ids of what is delivered.
#[derive(Default)]
struct Selected {
    video: Option<String>,
    audio: Option<String>,
}

#[derive(Default)]
struct Known {
    selected: Option<Selected>,
    video: Stream,
    audio: Stream,
    /// By stream id, before decoding: read far ahead, so the end is known early.
    coded: HashMap<String, Stream>,
    container: Option<ClockTime>,
    failure: Option<String>,
}

impl Known {
    fn streams(&self) -> Option<Streams> {
        self.selected.as_ref().map(|s| Streams { video: s.video.is_some(), audio: s.audio.is_some() })
    }
    fn coded_end(&self, stream: Option<&String>) -> Option<ClockTime> {
        self.coded.get(stream?)?.exact()
    }
}

pub struct Timeline {
    wanted: Streams,
    known: Mutex<Known>,
    origin: OnceLock<ClockTime>,
}

/// Which stream something was seen in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Video,
    Audio,
}

impl Timeline {
    pub fn new(video: bool, audio: bool) -> Self {
        Self { wanted: Streams { video, audio }, known: Mutex::default(), origin: OnceLock::new() }
    }
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub fn wanted(&self) -> Streams {
        self.wanted
    }
    /// Whether this is the first failure.
    pub fn fail(&self, reason: &str) -> bool {
        let mut known = self.known();
        let first = known.failure.is_none();
        known.failure.get_or_insert_with(|| reason.to_owned());
        first
    }
    pub fn failure(&self) -> Option<String> {
        self.known().failure.clone()
    }
    /// The streams that will be delivered; `None` until that is known.
    pub fn streams(&self) -> Option<Streams> {
        self.known().streams()
    }
    /// Takes the ids of the streams that the decoder delivers.
    pub fn select(&self, video: Option<String>, audio: Option<String>) {
        let selected = Selected {
            video: video.filter(|_| self.wanted.video),
            audio: audio.filter(|_| self.wanted.audio),
        };
        self.known().selected = Some(selected);
    }
    /// Decoded data from `start` to `end`.
    pub fn saw(&self, kind: Kind, start: ClockTime, end: ClockTime) {
        let mut known = self.known();
        match kind {
            Kind::Video => known.video.saw(start, end),
            Kind::Audio => known.audio.saw(start, end),
        }
    }
    pub fn ended(&self, kind: Kind) {
        let mut known = self.known();
        match kind {
            Kind::Video => known.video.ended = true,
            Kind::Audio => known.audio.ended = true,
        }
    }
    /// Data of a stream before decoding.
    pub fn saw_coded(&self, stream: &str, start: ClockTime, end: ClockTime) {
        let mut known = self.known();
        if let Some(seen) = known.coded.get_mut(stream) {
            seen.saw(start, end);
        } else {
            known.coded.entry(stream.to_owned()).or_default().saw(start, end);
        }
    }
    pub fn coded_ended(&self, stream: &str) {
        if let Some(seen) = self.known().coded.get_mut(stream) {
            seen.ended = true;
        }
    }
    pub fn needs_container(&self) -> bool {
        self.known().container.is_none()
    }
    pub fn set_container(&self, duration: ClockTime) {
        self.known().container = Some(duration);
    }

    /// Running time of the private pipeline at which the creative's time is 0: its first frame, or its first sample
    /// where it has no video. `None` until that is there. Never changes.
    pub fn origin(&self) -> Option<ClockTime> {
        if let Some(origin) = self.origin.get() {
            return Some(*origin);
        }
        let known = self.known();
        let no_video = known.streams().is_some_and(|s| !s.video) || known.video.ended;
        let origin = known.video.start.or_else(|| known.audio.start.filter(|_| no_video))?;
        Some(*self.origin.get_or_init(|| origin))
    }

    /// Whether the ends of all streams that are delivered are known.
    pub fn duration_is_exact(&self) -> bool {
        let known = self.known();
        let Some(selected) = known.selected.as_ref() else { return false };
        let ends = [(&selected.video, &known.video), (&selected.audio, &known.audio)];
        ends.into_iter().all(|(id, decoded)| {
            id.is_none() || decoded.exact().is_some() || known.coded_end(id.as_ref()).is_some()
        })
    }

    /// See [`super::super::Creative::duration`].
    pub fn duration(&self) -> Option<ClockTime> {
        let origin = self.origin().unwrap_or_default();
        let known = self.known();
        let streams = known.streams().unwrap_or_default();
        let ids = known.selected.as_ref();
        let coded_video = known.coded_end(ids.and_then(|s| s.video.as_ref()));
        let coded_audio = known.coded_end(ids.and_then(|s| s.audio.as_ref()));
        // videorate cuts a last frame that is longer than one of the programme's.
        let video = known.video.exact().max(coded_video).filter(|_| streams.video);
        let audio = known.audio.exact().or(coded_audio).filter(|_| streams.audio);
        let end = match (streams.video, video, streams.audio, audio) {
            (true, Some(video), true, Some(audio)) => Some(longest(video, audio)),
            (true, Some(video), false, _) => Some(video),
            (false, _, true, Some(audio)) => Some(audio),
            (true, Some(video), true, None) => Some(known.container.map_or(video, |all| longest(video, all))),
            _ => known.container.or(audio),
        };
        end.map(|end| end.saturating_sub(origin))
    }
}

fn longest(video: ClockTime, audio: ClockTime) -> ClockTime {
    if audio > video.saturating_add(PADDING) { audio } else { video }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: ClockTime = ClockTime::MSECOND;

    fn timeline() -> Timeline {
        let timeline = Timeline::new(true, true);
        timeline.select(Some("v".into()), Some("a".into()));
        timeline
    }

    #[test]
    fn time_begins_with_the_first_frame_even_when_sound_comes_before_it() {
        let timeline = timeline();
        timeline.saw(Kind::Audio, ClockTime::ZERO, 20 * MS);
        assert_eq!(timeline.origin(), None);
        timeline.saw(Kind::Video, 80 * MS, 120 * MS);
        assert_eq!(timeline.origin(), Some(80 * MS));
    }

    #[test]
    fn without_video_time_begins_with_the_first_sample() {
        let timeline = Timeline::new(true, true);
        timeline.saw(Kind::Audio, 30 * MS, 50 * MS);
        assert_eq!(timeline.origin(), None, "a video stream may still turn up");
        timeline.select(None, Some("a".into()));
        assert_eq!(timeline.origin(), Some(30 * MS));
    }

    #[test]
    fn padding_of_the_sound_does_not_make_a_creative_longer() {
        let timeline = timeline();
        timeline.set_container(5_040 * MS);
        assert_eq!(timeline.duration(), Some(5_040 * MS));
        timeline.saw_coded("v", ClockTime::ZERO, 5_000 * MS);
        timeline.coded_ended("v");
        assert_eq!(timeline.duration(), Some(5_000 * MS));
    }

    #[test]
    fn sound_that_goes_on_makes_it_longer() {
        let timeline = timeline();
        timeline.saw(Kind::Video, ClockTime::ZERO, 5_000 * MS);
        timeline.saw(Kind::Audio, ClockTime::ZERO, 6_000 * MS);
        timeline.ended(Kind::Video);
        timeline.ended(Kind::Audio);
        assert_eq!(timeline.duration(), Some(6_000 * MS));
    }

    #[test]
    fn the_first_reason_for_a_failure_stays() {
        let timeline = timeline();
        assert!(timeline.fail("no such file"));
        assert!(!timeline.fail("internal data stream error"));
        assert_eq!(timeline.failure().as_deref(), Some("no such file"));
    }
}
