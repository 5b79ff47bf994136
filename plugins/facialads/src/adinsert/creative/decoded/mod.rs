//! A creative that is decoded while it plays: a private pipeline, prepared ahead, whose errors, threads and teardown
//! never reach the programme.
//!
//! ```text
//! uridecodebin ─ queue ─ videoconvertscale ─ videorate ─ appsink → video::Queue → frame()      (see route for CUDA memory)
//!               └ tee ─ queue ─ audioconvert ─ audioresample ─ appsink → audio::Queues → samples()   (one per pad)
//! ```
//!
//! Not uridecodebin3: in GStreamer 1.22 it sometimes loses the first data and never recovers, deadlocks or crashes when it
//! is stopped while data flows (one stop in a thousand), and keeps the end of one stream back until all have ended.

mod audio;
mod autoplug;
mod branch;
mod chains;
mod coded;
mod decoders;
mod failure;
mod route;
mod source;
mod teardown;
mod timeline;
mod video;

pub use teardown::finish_teardowns;

use super::{Creative, Format, Frame, Readiness};
use decoders::Preference;
use facialads_gstcuda::Context;
use gst::{ClockTime, glib, prelude::*};
use route::Memory;
use std::{
    sync::{
        Arc, LazyLock, Mutex, PoisonError, RwLock,
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
    /// Converted frames kept ahead of the programme in system memory.
    pub frames_ahead: usize,
    /// Converted frames kept ahead of the programme in a GPU's memory, which analysis needs too: fewer. Four are 130 ms at 30 frames
    /// a second, 12 MB at 1080p and 50 MB at 2160p in NV12; three more wait in system memory where they were decoded there.
    pub frames_ahead_on_gpu: usize,
    /// Converted sound kept ahead of the programme.
    pub sound_ahead: ClockTime,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            preroll_timeout: ClockTime::from_seconds(5),
            frames_ahead: 8,
            frames_ahead_on_gpu: 4,
            sound_ahead: ClockTime::from_seconds(2),
        }
    }
}

impl Options {
    fn frames_ahead(&self, memory: Memory) -> usize {
        match memory {
            Memory::System => self.frames_ahead,
            Memory::Cuda => self.frames_ahead_on_gpu,
        }
    }
}

/// What the pipeline's threads and the creative share.
struct Shared {
    source: String,
    /// The programme's, where that is in CUDA memory.
    context: Option<Context>,
    decoders: Preference,
    /// A decoder on the GPU was chosen.
    decodes_on_gpu: AtomicBool,
    uploader: Mutex<Option<glib::WeakRef<gst::Element>>>,
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
    fn uploads_with(&self, uploader: &gst::Element) {
        *self.uploader.lock().unwrap_or_else(PoisonError::into_inner) = Some(uploader.downgrade());
    }
    /// Whether it was the uploader that broke the flow. It says so to nobody else than the element before it.
    fn upload_failed(&self) -> bool {
        let uploader = self.uploader.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let before =
            uploader.and_then(|weak| weak.upgrade()).and_then(|element| element.static_pad("sink")?.peer());
        before.is_some_and(|pad| pad.last_flow_result() == Err(gst::FlowError::Error))
    }
}

/// A file or an address being decoded into the programme's format.
pub struct DecodedCreative {
    /// The decoding that is under way: the first, or the second, without the GPU's decoder, where that one failed.
    shared: RwLock<Arc<Shared>>,
    source: source::Source,
    format: Format,
    opened: Instant,
    options: Options,
}

impl DecodedCreative {
    /// Starts to prepare a creative and returns at once. `uri` is a URI or a path (a relative one is relative to the
    /// process's working directory). Whatever is wrong with it becomes [`Readiness::Failed`].
    pub fn open(uri: &str, format: &Format, options: Options) -> Arc<dyn Creative> {
        let opened = Instant::now();
        let source = source::Source::parse(uri);
        let shared = start(&source, format, &options, first_choice(format));
        Arc::new(Self { shared: RwLock::new(shared), source, format: format.clone(), opened, options })
    }
}

/// The programme's GPU decodes its advertisements too, where it can.
fn first_choice(format: &Format) -> Preference {
    let cuda = format.video.as_ref().and_then(|caps| Memory::of(caps)) == Some(Memory::Cuda);
    match &format.context {
        _ if !cuda => Preference::Any,
        Some(context) => Preference::Gpu(context.device()),
        None => Preference::Cpu,
    }
}

fn start(source: &source::Source, format: &Format, options: &Options, decoders: Preference) -> Arc<Shared> {
    let (video, video_problem) = match format.video.as_ref().map(|caps| video::Queue::new(caps, options)) {
        Some(Ok(queue)) => (Some(queue), None),
        Some(Err(problem)) => (None, Some(problem)),
        None => (None, None),
    };
    let cuda = video.as_ref().is_some_and(|video| video.memory() == Memory::Cuda);
    let context = format.context.clone().filter(|_| cuda);
    let context_problem = (cuda && context.is_none()).then(|| {
        "the programme is in CUDA memory, but no element near adinsert tells its CUDA context".to_owned()
    });
    let (audio, audio_problem) = audio::Queues::new(&format.audio, options);
    let shared = Arc::new(Shared {
        source: source.display.clone(),
        context,
        decoders,
        decodes_on_gpu: AtomicBool::new(false),
        uploader: Mutex::default(),
        timeline: Timeline::new(video.is_some(), !format.audio.is_empty()),
        video,
        audio,
        cancelled: AtomicBool::new(false),
        pipeline: Mutex::default(),
    });
    if let Some(problem) = video_problem.or(context_problem).or(audio_problem) {
        shared.fail(&format!("{}: {problem}", source.display));
        return shared;
    }
    let (theirs, source, format) = (shared.clone(), source.clone(), format.clone());
    // Opening a file on a sleeping disk or a network share blocks in the state change.
    let started = std::thread::Builder::new()
        .name("ad-open".into())
        .spawn(move || branch::start(&theirs, &source, &format));
    if let Err(error) = started {
        shared.fail(&format!("{}: no thread to open it on: {error}", shared.source));
    }
    shared
}

impl Creative for DecodedCreative {
    fn readiness(&self) -> Readiness {
        let shared = self.shared();
        if let Some(reason) = shared.timeline.failure() {
            return if self.try_without_gpu(&shared) {
                Readiness::Preparing
            } else {
                Readiness::Failed(reason)
            };
        }
        if shared.is_cancelled() {
            return Readiness::Failed(format!("{}: cancelled", shared.source));
        }
        let Some(streams) = shared.timeline.streams() else {
            return self.preparing(&shared);
        };
        let video = !streams.video || shared.video.as_ref().is_some_and(video::Queue::has_started);
        let audio = !streams.audio || shared.audio.has_started();
        if !(video && audio) {
            return self.preparing(&shared);
        }
        if has_video(&shared) || has_audio(&shared) {
            return Readiness::Ready;
        }
        shared.fail(&failure::nothing_inside(&shared.source, shared.video.is_some(), shared.audio.wanted()));
        Readiness::Failed(shared.timeline.failure().unwrap_or_default())
    }
    fn has_video(&self) -> bool {
        has_video(&self.shared())
    }
    fn has_audio(&self) -> bool {
        has_audio(&self.shared())
    }
    fn duration(&self) -> Option<ClockTime> {
        self.shared().timeline.duration()
    }
    fn duration_is_exact(&self) -> bool {
        self.shared().timeline.duration_is_exact()
    }
    fn frame(&self, time: ClockTime, wait: ClockTime) -> Frame {
        let shared = self.shared();
        match &shared.video {
            Some(video) => video.frame(time, deadline(wait), &shared),
            None => Frame::End,
        }
    }
    fn samples(&self, pad: usize, position: u64, out: &mut [u8], wait: ClockTime) -> usize {
        let shared = self.shared();
        shared.audio.samples(pad, position, out, deadline(wait), &shared.timeline)
    }
    fn cancel(&self) {
        self.shared().stop();
    }
}

fn has_video(shared: &Shared) -> bool {
    shared.timeline.streams().is_some_and(|s| s.video)
        && shared.video.as_ref().is_some_and(video::Queue::has_content)
}

fn has_audio(shared: &Shared) -> bool {
    shared.timeline.streams().is_some_and(|s| s.audio) && shared.audio.has_content()
}

impl DecodedCreative {
    fn shared(&self) -> Arc<Shared> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn preparing(&self, shared: &Shared) -> Readiness {
        let limit = Duration::from_nanos(self.options.preroll_timeout.nseconds());
        if self.opened.elapsed() < limit {
            return Readiness::Preparing;
        }
        shared.fail(&failure::too_late(
            &shared.source,
            self.options.preroll_timeout,
            shared.timeline.streams().is_some(),
        ));
        Readiness::Failed(shared.timeline.failure().unwrap_or_default())
    }

    /// A file that the GPU's decoder, or the conversion behind it, does not take (a profile, a size, no session left) is decoded
    /// on the CPU, once, while there is time. Only before anything of it was ready: on air nobody changes decoders.
    fn try_without_gpu(&self, failed: &Arc<Shared>) -> bool {
        let in_time = self.opened.elapsed() < Duration::from_nanos(self.options.preroll_timeout.nseconds());
        let worth_it = failed.decodes_on_gpu.load(Ordering::SeqCst) && failed.decoders != Preference::Cpu;
        let begun = failed.video.as_ref().is_some_and(video::Queue::has_content);
        if !worth_it || !in_time || begun || failed.is_cancelled() {
            return false;
        }
        let mut current = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, failed) {
            // Somebody else asked at the same time.
            return true;
        }
        gst::info!(CAT, "{}: not on the GPU, so it is decoded on the CPU", failed.source);
        *current = start(&self.source, &self.format, &self.options, Preference::Cpu);
        if failed.is_cancelled() {
            current.stop();
        }
        drop(current);
        failed.stop();
        tear_down(failed);
        true
    }
}

fn tear_down(shared: &Shared) {
    let pipeline = shared.pipeline.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(pipeline) = pipeline {
        teardown::hand_over(pipeline);
    }
}

impl Drop for DecodedCreative {
    fn drop(&mut self) {
        let shared = self.shared();
        shared.stop();
        tear_down(&shared);
    }
}

fn deadline(wait: ClockTime) -> Instant {
    Instant::now() + Duration::from_nanos(wait.nseconds())
}
