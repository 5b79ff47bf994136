//! A programme of numbered frames and samples through `adinsert`, and what came out of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod cuda;
pub mod double;
pub mod gpu_decoder;

use crate::common::{self, numbered::*};
use gst::prelude::*;
use gst_video::prelude::*;
use gstfacialads::adinsert::{AdInsert, CreativeSource};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

pub const SECOND: u64 = 1_000_000_000;
pub const PROGRAMME: u8 = 9;
pub const FPS: (i32, i32) = (30, 1);
pub const RATE: i32 = 48_000;

/// The creatives that several tests share, made once.
pub fn ad(name: &str, spec: &Spec) -> PathBuf {
    common::init();
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    static MADE: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let path = DIR.get_or_init(|| tempfile::tempdir().unwrap()).path().join(name);
    let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !made.iter().any(|m| m == name) {
        make_creative(&path, spec);
        made.push(name.to_owned());
    }
    path
}

/// A value of the programme's sound: negative, where a creative's ramp is positive and silence is 0.
pub fn programme_sample(index: u64) -> i16 {
    -ramp(index)
}

type Probe = Box<dyn Fn(&mut gst::BufferRef, u64) + Send + Sync>;

pub struct Programme {
    pub seconds: f64,
    pub fps: (i32, i32),
    pub size: (i32, i32),
    pub audio_pads: usize,
    /// Length of the sound where it differs.
    pub audio_seconds: Option<f64>,
    pub samples_per_buffer: u64,
    pub live: bool,
    /// Called on every frame before it is pushed.
    pub on_frame: Option<Probe>,
    /// (frame, caps) from which on the picture has other caps.
    pub new_caps: Option<(u64, (i32, i32))>,
    /// In a GPU's memory; needs a driver, or a stand-in for it.
    pub cuda: Option<cuda::Frames>,
}

impl Default for Programme {
    fn default() -> Self {
        Self {
            seconds: 30.0,
            fps: FPS,
            size: (160, 120),
            audio_pads: 1,
            audio_seconds: None,
            samples_per_buffer: 1024,
            live: false,
            on_frame: None,
            new_caps: None,
            cuda: None,
        }
    }
}

impl Programme {
    pub fn of(seconds: f64) -> Self {
        Self { seconds, ..Self::default() }
    }
    pub fn live(seconds: f64) -> Self {
        Self { seconds, live: true, samples_per_buffer: 480, ..Self::default() }
    }
    pub fn frames(&self) -> u64 {
        (self.seconds * f64::from(self.fps.0) / f64::from(self.fps.1)).round() as u64
    }
    pub fn samples(&self) -> u64 {
        (self.audio_seconds.unwrap_or(self.seconds) * f64::from(RATE)).round() as u64
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct FrameOut {
    pub pts: u64,
    pub duration: u64,
    pub number: Option<Numbered>,
    /// Of all pixels.
    pub digest: u64,
    pub dts: Option<u64>,
    /// Whether any of our metas are on it.
    pub faces: usize,
    pub subject: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SoundOut {
    pub pts: u64,
    pub duration: u64,
    pub gap: bool,
    pub samples: Vec<i16>,
}

#[derive(Default)]
pub struct Output {
    pub frames: Vec<FrameOut>,
    pub sound: Vec<Vec<SoundOut>>,
    pub key_units: Vec<u64>,
}

pub struct Bench {
    pub pipeline: gst::Pipeline,
    pub ads: AdInsert,
    pub output: Arc<Mutex<Output>>,
    pub messages: Arc<Mutex<Vec<gst::Structure>>>,
    pub warnings: Arc<Mutex<Vec<String>>>,
    /// What was told upstream on the audience's pad.
    pub running: Arc<Mutex<Vec<facialads_meta::event::Running>>>,
    feeders: Vec<Box<dyn FnOnce() + Send>>,
    sinks: Vec<gst_app::AppSink>,
}

/// What the audience's camera shows on one frame.
#[derive(Clone)]
pub enum View {
    /// The gate is closed: a GAP event.
    Gap,
    /// A picture with this written on it.
    Picture {
        verdict: Option<facialads_meta::Audience>,
        stamp: Option<facialads_meta::Stamp>,
        faces: Vec<facialads_meta::Face>,
    },
    /// The gate's event.
    Gate { epoch: u64, open: bool },
}

impl Bench {
    /// Adds the audience's branch: 25 frames a second, `view` says what is on frame `n`; `pause` before each.
    pub fn with_audience(
        mut self,
        seconds: f64,
        pause: Duration,
        view: impl Fn(u64) -> View + Send + 'static,
    ) -> Self {
        let caps = video_caps("GRAY8", 16, 16, (25, 1));
        let source = self.source(&caps, false);
        source.link_pads(Some("src"), &self.ads, Some("sink_audience")).unwrap();
        let running = self.running.clone();
        source.static_pad("src").unwrap().add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            let event = info.event().unwrap();
            if let Some(what) = facialads_meta::event::Running::parse(event) {
                running.lock().unwrap().push(what);
            }
            gst::PadProbeReturn::Ok
        });
        self.feeders.push(Box::new(move || {
            for index in 0..(seconds * 25.0) as u64 {
                std::thread::sleep(pause);
                let pts = gst::ClockTime::from_mseconds(index * 40);
                let duration = gst::ClockTime::from_mseconds(40);
                let (verdict, stamp, faces) = match view(index) {
                    View::Picture { verdict, stamp, faces } => (verdict, stamp, faces),
                    View::Gate { epoch, open } => {
                        let gate = facialads_meta::event::Gate {
                            epoch,
                            open,
                            screen: "default".into(),
                            reason: "a test".into(),
                        };
                        source.static_pad("src").unwrap().push_event(gate.to_event());
                        continue;
                    }
                    View::Gap => {
                        let gap = gst::event::Gap::builder(pts).duration(duration).build();
                        source.static_pad("src").unwrap().push_event(gap);
                        continue;
                    }
                };
                let mut buffer = gst::Buffer::from_mut_slice(vec![0u8; 256]);
                let inner = buffer.get_mut().unwrap();
                inner.set_pts(pts);
                inner.set_duration(duration);
                if let Some(stamp) = &stamp {
                    facialads_meta::consent::attach(stamp, inner);
                }
                if let Some(verdict) = &verdict {
                    verdict.attach(inner);
                }
                for face in &faces {
                    face.attach(inner, 16, 16);
                }
                if source.push_buffer(buffer).is_err() {
                    return;
                }
            }
            let _ = source.end_of_stream();
        }));
        self
    }

    /// `settings` as on a command line: `("breaks", "10")`.
    pub fn new(programme: Programme, settings: &[(&str, &str)]) -> Self {
        common::init();
        let pipeline = gst::Pipeline::new();
        let element = gst::ElementFactory::make("adinsert").name("ads").build().unwrap();
        for (name, value) in settings {
            element.set_property_from_str(name, value);
        }
        let ads = element.clone().downcast::<AdInsert>().unwrap();
        pipeline.add(&element).unwrap();
        let mut bench = Self {
            pipeline,
            ads,
            output: Arc::default(),
            messages: Arc::default(),
            warnings: Arc::default(),
            running: Arc::default(),
            feeders: Vec::new(),
            sinks: Vec::new(),
        };
        bench.watch_bus();
        let programme = Arc::new(programme);
        bench.add_video(&programme);
        for pad in 0..programme.audio_pads {
            bench.add_audio(&programme, pad);
        }
        bench
    }

    pub fn with_source(self, source: Arc<dyn CreativeSource>) -> Self {
        self.ads.set_creative_source(source);
        self
    }

    fn watch_bus(&self) {
        let (messages, warnings) = (self.messages.clone(), self.warnings.clone());
        self.pipeline.bus().unwrap().set_sync_handler(move |_, message| {
            match message.view() {
                gst::MessageView::Element(e) => {
                    if let Some(s) = e.structure().filter(|s| s.name().starts_with("facialads-")) {
                        messages.lock().unwrap().push(s.to_owned());
                    }
                }
                gst::MessageView::Warning(w) => warnings.lock().unwrap().push(w.error().to_string()),
                _ => {}
            }
            gst::BusSyncReply::Pass
        });
    }

    fn source(&self, caps: &gst::Caps, live: bool) -> gst_app::AppSrc {
        let source = gst_app::AppSrc::builder()
            .caps(caps)
            .format(gst::Format::Time)
            .is_live(live)
            .block(!live)
            .max_bytes(4 << 20)
            .build();
        self.pipeline.add(&source).unwrap();
        source
    }

    fn through(&self, source: &gst::Element, sink_pad: &str, src_pad: &str) -> gst_app::AppSink {
        let queue = gst::ElementFactory::make("queue").build().unwrap();
        let sink = gst_app::AppSink::builder().sync(false).async_(false).build();
        self.pipeline.add_many([&queue, sink.upcast_ref()]).unwrap();
        source.link(&queue).unwrap();
        queue.link_pads(Some("src"), &self.ads, Some(sink_pad)).unwrap();
        self.ads.link_pads(Some(src_pad), &sink, None).unwrap();
        sink
    }

    fn add_video(&mut self, programme: &Arc<Programme>) {
        let caps = video_caps("I420", programme.size.0, programme.size.1, programme.fps);
        let source = self.source(&caps, programme.live);
        let sink = match &programme.cuda {
            None => self.through(source.upcast_ref(), "sink_video", "src_video"),
            Some(frames) => self.through_cuda(&source, frames),
        };
        let output = self.output.clone();
        let keys = self.output.clone();
        sink.static_pad("sink").unwrap().add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(event) = info.event()
                && let Ok(key) = gst_video::DownstreamForceKeyUnitEvent::parse(event)
            {
                keys.lock().unwrap().key_units.push(key.running_time.unwrap().nseconds());
            }
            gst::PadProbeReturn::Ok
        });
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
                    let buffer = sample.buffer().unwrap();
                    let frame = FrameOut {
                        pts: buffer.pts().unwrap().nseconds(),
                        duration: buffer.duration().unwrap().nseconds(),
                        number: read_index(buffer, &info),
                        digest: digest(buffer, &info),
                        dts: buffer.dts().map(|d| d.nseconds()),
                        faces: facialads_meta::Face::read(buffer).len(),
                        subject: facialads_meta::Subject::read(buffer).is_some(),
                    };
                    output.lock().unwrap().frames.push(frame);
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
        self.sinks.push(sink);
        let (programme, pipeline) = (programme.clone(), self.pipeline.clone());
        self.feeders.push(Box::new(move || feed_video(&source, &programme, &pipeline)));
    }

    fn add_audio(&mut self, programme: &Arc<Programme>, pad: usize) {
        let source = self.source(&audio_caps("S16LE", RATE, 1), programme.live);
        let sink =
            self.through(source.upcast_ref(), &format!("sink_audio_{pad}"), &format!("src_audio_{pad}"));
        self.output.lock().unwrap().sound.push(Vec::new());
        let output = self.output.clone();
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    let buffer = sample.buffer().unwrap();
                    let map = buffer.map_readable().unwrap();
                    let sound = SoundOut {
                        pts: buffer.pts().unwrap().nseconds(),
                        duration: buffer.duration().unwrap().nseconds(),
                        gap: buffer.flags().contains(gst::BufferFlags::GAP),
                        samples: map.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect(),
                    };
                    output.lock().unwrap().sound[pad].push(sound);
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
        self.sinks.push(sink);
        let (programme, pipeline) = (programme.clone(), self.pipeline.clone());
        self.feeders.push(Box::new(move || feed_audio(&source, &programme, &pipeline)));
    }

    /// Starts feeding and playing.
    pub fn start(&mut self) {
        self.pipeline.set_state(gst::State::Playing).unwrap();
        for feeder in self.feeders.drain(..) {
            std::thread::spawn(feeder);
        }
    }

    /// The test pushes the picture itself.
    pub fn start_without_feeding_video(&mut self) {
        drop(self.feeders.remove(0));
        self.start();
    }

    /// Waits for a condition on this bench; fails the test when it never comes true.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        for _ in 0..3000 {
            if condition(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what} never came; messages: {:?}", self.messages.lock().unwrap());
    }

    pub fn frames_out(&self) -> usize {
        self.output.lock().unwrap().frames.len()
    }

    pub fn wait_for_end(&self) {
        let bus = self.pipeline.bus().unwrap();
        let end = bus.timed_pop_filtered(
            gst::ClockTime::from_seconds(120),
            &[gst::MessageType::Eos, gst::MessageType::Error],
        );
        match end.as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Eos(_)) => {}
            other => panic!("no end: {other:?}; messages {:?}", self.messages.lock().unwrap()),
        }
    }

    pub fn stop(self) -> Run {
        let stats = self.ads.property::<gst::Structure>("stats");
        self.pipeline.set_state(gst::State::Null).unwrap();
        let output = std::mem::take(&mut *self.output.lock().unwrap());
        let messages = self.messages.lock().unwrap().clone();
        let warnings = self.warnings.lock().unwrap().clone();
        let running = self.running.lock().unwrap().clone();
        Run { output, messages, warnings, running, stats }
    }

    /// From start to end.
    pub fn run(mut self) -> Run {
        self.start();
        self.wait_for_end();
        self.stop()
    }
}

/// Lets a live source deliver no earlier than a camera would.
fn pace(pipeline: &gst::Pipeline, live: bool, due: gst::ClockTime) {
    while live && pipeline.current_running_time().unwrap_or_default() < due {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn feed_video(source: &gst_app::AppSrc, programme: &Programme, pipeline: &gst::Pipeline) {
    let mut size = programme.size;
    for index in 0..programme.frames() {
        if let Some(cuda::Frames::Uploaded(frames)) = &programme.cuda {
            pace(pipeline, programme.live, time_of(index, programme.fps));
            if !frames.push(source, index) {
                return;
            }
            continue;
        }
        if let Some((at, new)) = programme.new_caps
            && at == index
        {
            size = new;
            source.set_caps(Some(&video_caps("I420", size.0, size.1, programme.fps)));
        }
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, size.0 as u32, size.1 as u32)
            .build()
            .unwrap();
        let start = time_of(index, programme.fps);
        let mut buffer = programme_frame(&info, index, programme.fps);
        let inner = buffer.get_mut().unwrap();
        if let Some(on_frame) = &programme.on_frame {
            on_frame(inner, index);
        }
        pace(pipeline, programme.live, start);
        if source.push_buffer(buffer).is_err() {
            return;
        }
    }
    let _ = source.end_of_stream();
}

/// Frame `index` of the programme with its place in time.
pub fn programme_frame(info: &gst_video::VideoInfo, index: u64, fps: (i32, i32)) -> gst::Buffer {
    let mut buffer = numbered_frame(info, Numbered { tag: PROGRAMME, index: index as u32 });
    let start = time_of(index, fps);
    let inner = buffer.get_mut().unwrap();
    inner.set_pts(start);
    inner.set_dts(start);
    inner.set_offset(index);
    inner.set_duration(time_of(index + 1, fps) - start);
    buffer
}

/// Of the pixels of an 8-bit planar picture, wherever its planes lie.
fn digest(buffer: &gst::BufferRef, info: &gst_video::VideoInfo) -> u64 {
    use std::hash::{Hash, Hasher};
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).unwrap();
    let mut hasher = std::hash::DefaultHasher::new();
    for component in 0..frame.n_components() {
        let stride = frame.comp_stride(component) as usize;
        let data = frame.comp_data(component).unwrap();
        for row in data.chunks(stride).take(frame.comp_height(component) as usize) {
            row[..frame.comp_width(component) as usize].hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn feed_audio(source: &gst_app::AppSrc, programme: &Programme, pipeline: &gst::Pipeline) {
    let mut index = 0;
    while index < programme.samples() {
        let count = programme.samples_per_buffer.min(programme.samples() - index);
        let bytes: Vec<u8> = (index..index + count).flat_map(|i| programme_sample(i).to_le_bytes()).collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        let start = time_of(index, (RATE, 1));
        let inner = buffer.get_mut().unwrap();
        inner.set_pts(start);
        inner.set_duration(time_of(index + count, (RATE, 1)) - start);
        pace(pipeline, programme.live, start);
        if source.push_buffer(buffer).is_err() {
            return;
        }
        index += count;
    }
    let _ = source.end_of_stream();
}

/// What came out, with questions about it.
pub struct Run {
    pub output: Output,
    pub messages: Vec<gst::Structure>,
    pub warnings: Vec<String>,
    pub running: Vec<facialads_meta::event::Running>,
    pub stats: gst::Structure,
}

impl Run {
    pub fn frames(&self) -> usize {
        self.output.frames.len()
    }
    /// Positions in the output of the frames that are not the programme's.
    pub fn ad_positions(&self) -> Vec<usize> {
        let own = |f: &FrameOut| f.number.is_some_and(|n| n.tag == PROGRAMME);
        (0..self.frames()).filter(|i| !own(&self.output.frames[*i])).collect()
    }
    /// First and last position of the ad frames, and how many there are.
    pub fn ad_span(&self) -> Option<(usize, usize, usize)> {
        let ads = self.ad_positions();
        Some((*ads.first()?, *ads.last()?, ads.len()))
    }
    /// The creative's frame numbers, in the order of the output.
    pub fn ad_numbers(&self, tag: u8) -> Vec<u32> {
        let frames = self.output.frames.iter().filter_map(|f| f.number);
        frames.filter(|n| n.tag == tag).map(|n| n.index).collect()
    }
    pub fn programme_numbers(&self) -> Vec<u32> {
        self.ad_numbers(PROGRAMME)
    }
    /// Frames that do not begin where the one before ended.
    pub fn video_gaps(&self) -> usize {
        self.output.frames.windows(2).filter(|p| p[0].pts + p[0].duration != p[1].pts).count()
    }
    /// Buffers that do not begin where the one before ended, to half a sample.
    pub fn audio_gaps(&self) -> usize {
        let half = SECOND / RATE as u64 / 2;
        let gap = |p: &[SoundOut]| (p[0].pts + p[0].duration).abs_diff(p[1].pts) > half;
        self.output.sound.iter().map(|s| s.windows(2).filter(|p| gap(p)).count()).sum()
    }
    pub fn sound(&self, pad: usize) -> Vec<i16> {
        self.output.sound[pad].iter().flat_map(|s| s.samples.iter().copied()).collect()
    }
    /// First and one past the last sample that is not the programme's, and how many there are.
    pub fn ad_sound(&self, pad: usize) -> Option<(usize, usize, usize)> {
        let sound = self.sound(pad);
        let ads: Vec<_> = (0..sound.len()).filter(|i| sound[*i] >= 0).collect();
        Some((*ads.first()?, *ads.last()? + 1, ads.len()))
    }
    pub fn count(&self, name: &str) -> u64 {
        self.stats.get(name).unwrap()
    }
    pub fn ad_states(&self) -> Vec<String> {
        self.ad_messages().iter().map(|m| m.get("state").unwrap()).collect()
    }
    pub fn ad_messages(&self) -> Vec<&gst::Structure> {
        self.messages.iter().filter(|m| m.name() == "facialads-ad").collect()
    }
    pub fn decisions(&self) -> Vec<&gst::Structure> {
        self.messages.iter().filter(|m| m.name() == "facialads-decision").collect()
    }
    pub fn reasons(&self) -> Vec<String> {
        let skipped = self.ad_messages().into_iter().filter(|m| m.get::<&str>("state") == Ok("skipped"));
        skipped.map(|m| m.get::<String>("reason").unwrap()).collect()
    }
    /// The programme plays as if there were no element.
    pub fn assert_untouched(&self, programme: &Programme) {
        assert_eq!(self.frames() as u64, programme.frames());
        assert_eq!(self.ad_span(), None);
        assert_eq!(self.video_gaps() + self.audio_gaps(), 0);
        for pad in 0..programme.audio_pads {
            let expected: Vec<_> = (0..programme.samples()).map(programme_sample).collect();
            assert!(self.sound(pad) == expected, "the sound of pad {pad} was touched");
        }
    }
}

pub fn path_text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

pub fn start_break(bench: &Bench, duration: u64) -> bool {
    bench.ads.emit_by_name::<bool>("start-break", &[&duration])
}
pub fn end_break(bench: &Bench) {
    bench.ads.emit_by_name::<()>("end-break", &[]);
}
