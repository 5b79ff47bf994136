//! A creative that is decoded while it plays: a private pipeline, prepared ahead, whose errors, threads and teardown
//! never reach the programme.
//!
//! ```text
//! uridecodebin ─ queue ─ videoconvertscale ─ videorate ─ appsink → video::Queue → frame()
//!               └ tee ─ queue ─ audioconvert ─ audioresample ─ appsink → audio::Queues → samples()   (one per pad)
//! ```
//!
//! Not uridecodebin3: in GStreamer 1.22 it sometimes loses the first data and never recovers, deadlocks or crashes when it
//! is stopped while data flows (one stop in a thousand), and keeps the end of one stream back until all have ended.

mod audio;
mod branch;
mod chains;
mod coded;
mod failure;
mod source;
mod teardown;
mod timeline;
mod video;

pub use teardown::finish_teardowns;

use super::{Creative, Format, Frame, Readiness};
use gst::ClockTime;
use std::{
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use timeline::Timeline;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "adinsert-creative",
        gst::DebugColorFlags::empty(),
        Some("Advertisements being decoded for adinsert"),
    )
});

/// How a creative is prepared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// A creative that is not ready this long after it was opened has failed. There must be a limit: GStreamer 1.22
    /// reports nothing at all for some truncated files.
    pub preroll_timeout: ClockTime,
    /// Converted frames kept ahead of the programme.
    pub frames_ahead: usize,
    /// Converted sound kept ahead of the programme.
    pub sound_ahead: ClockTime,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            preroll_timeout: ClockTime::from_seconds(5),
            frames_ahead: 8,
            sound_ahead: ClockTime::from_seconds(2),
        }
    }
}

/// What the pipeline's threads and the creative share.
struct Shared {
    source: String,
    timeline: Timeline,
    video: Option<video::Queue>,
    audio: audio::Queues,
    cancelled: AtomicBool,
    pipeline: Mutex<Option<gst::Pipeline>>,
}

impl Shared {
    /// The first reason stays; later errors are its consequences.
    fn fail(&self, reason: &str) {
        if self.timeline.fail(reason) {
            gst::warning!(CAT, "{reason}");
            self.audio.fail();
            self.wake();
        }
    }
    fn wake(&self) {
        if let Some(video) = &self.video {
            video.wake();
        }
        self.audio.wake();
    }
    fn stop(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        if let Some(video) = &self.video {
            video.stop();
        }
        self.audio.stop();
    }
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }
}

/// A file or an address being decoded into the programme's format.
pub struct DecodedCreative {
    shared: Arc<Shared>,
    opened: Instant,
    options: Options,
}

impl DecodedCreative {
    /// Starts to prepare a creative and returns at once. `uri` is a URI or a path (a relative one is relative to the
    /// process's working directory). Whatever is wrong with it becomes [`Readiness::Failed`].
    pub fn open(uri: &str, format: &Format, options: Options) -> Arc<dyn Creative> {
        let opened = Instant::now();
        let source = source::Source::parse(uri);
        let (video, video_problem) = match format.video.as_ref().map(|caps| video::Queue::new(caps, &options))
        {
            Some(Ok(queue)) => (Some(queue), None),
            Some(Err(problem)) => (None, Some(problem)),
            None => (None, None),
        };
        let (audio, audio_problem) = audio::Queues::new(&format.audio, &options);
        let shared = Arc::new(Shared {
            source: source.display.clone(),
            timeline: Timeline::new(video.is_some(), !format.audio.is_empty()),
            video,
            audio,
            cancelled: AtomicBool::new(false),
            pipeline: Mutex::default(),
        });
        if let Some(problem) = video_problem.or(audio_problem) {
            shared.fail(&format!("{}: {problem}", source.display));
        } else {
            let (theirs, format) = (shared.clone(), format.clone());
            // Opening a file on a sleeping disk or a network share blocks in the state change.
            let started = std::thread::Builder::new()
                .name("ad-open".into())
                .spawn(move || branch::start(&theirs, &source, &format));
            if let Err(error) = started {
                shared.fail(&format!("{}: no thread to open it on: {error}", shared.source));
            }
        }
        Arc::new(Self { shared, opened, options })
    }
}

impl Creative for DecodedCreative {
    fn readiness(&self) -> Readiness {
        let shared = &self.shared;
        if let Some(reason) = shared.timeline.failure() {
            return Readiness::Failed(reason);
        }
        if shared.is_cancelled() {
            return Readiness::Failed(format!("{}: cancelled", shared.source));
        }
        let Some(streams) = shared.timeline.streams() else {
            return self.preparing();
        };
        let video = !streams.video || shared.video.as_ref().is_some_and(video::Queue::has_started);
        let audio = !streams.audio || shared.audio.has_started();
        if !(video && audio) {
            return self.preparing();
        }
        if self.has_video() || self.has_audio() {
            return Readiness::Ready;
        }
        shared.fail(&failure::nothing_inside(&shared.source, shared.video.is_some(), shared.audio.wanted()));
        Readiness::Failed(shared.timeline.failure().unwrap_or_default())
    }
    fn has_video(&self) -> bool {
        self.shared.timeline.streams().is_some_and(|s| s.video)
            && self.shared.video.as_ref().is_some_and(video::Queue::has_content)
    }
    fn has_audio(&self) -> bool {
        self.shared.timeline.streams().is_some_and(|s| s.audio) && self.shared.audio.has_content()
    }
    fn duration(&self) -> Option<ClockTime> {
        self.shared.timeline.duration()
    }
    fn duration_is_exact(&self) -> bool {
        self.shared.timeline.duration_is_exact()
    }
    fn frame(&self, time: ClockTime, wait: ClockTime) -> Frame {
        match &self.shared.video {
            Some(video) => video.frame(time, deadline(wait), &self.shared),
            None => Frame::End,
        }
    }
    fn samples(&self, pad: usize, position: u64, out: &mut [u8], wait: ClockTime) -> usize {
        self.shared.audio.samples(pad, position, out, deadline(wait), &self.shared.timeline)
    }
    fn cancel(&self) {
        self.shared.stop();
    }
}

impl DecodedCreative {
    fn preparing(&self) -> Readiness {
        let limit = Duration::from_nanos(self.options.preroll_timeout.nseconds());
        if self.opened.elapsed() < limit {
            return Readiness::Preparing;
        }
        let shared = &self.shared;
        shared.fail(&failure::too_late(
            &shared.source,
            self.options.preroll_timeout,
            shared.timeline.streams().is_some(),
        ));
        Readiness::Failed(shared.timeline.failure().unwrap_or_default())
    }
}

impl Drop for DecodedCreative {
    fn drop(&mut self) {
        self.shared.stop();
        let pipeline = self.shared.pipeline.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(pipeline) = pipeline {
            teardown::hand_over(pipeline);
        }
    }
}

fn deadline(wait: ClockTime) -> Instant {
    Instant::now() + Duration::from_nanos(wait.nseconds())
}
