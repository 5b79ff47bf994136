//! The element: properties, pads, and the path of a buffer.

use super::{
    engine::{Engine, Stats},
    leader::Leader,
    settings::{DEFAULT_INTERVAL, DEFAULT_TOP, DEFAULT_WINDOW, Settings},
};
use crate::{
    analysis::{
        Async, Clockwork, InUse, Precision,
        batch::{DEFAULT_BATCH_SIZE, DEFAULT_BATCH_TIMEOUT},
        notices,
        report::{Once, Statistics, warn},
    },
    gpu::PipelineGpu,
    video::{Reader, Unreadable, pads_of_any_raw_format},
};
use facialads_meta::{Subject, SubjectClass};
use facialads_vision::SubjectClassifier;
use gst::{glib, subclass::prelude::*};
use gst_base::{prelude::*, subclass::prelude::*};
use std::{
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "subjectclassify",
        gst::DebugColorFlags::empty(),
        Some("Subject of the programme"),
    )
});

/// What lives between start and stop; the streaming thread's.
#[derive(Default)]
struct State {
    reader: Option<Reader>,
    /// `None` where the model could not be loaded: buffers pass without a subject.
    engine: Option<Engine>,
    clock: Clockwork,
    /// Running time at which the stream began; stands for the start of its first shot.
    began: Option<gst::ClockTime>,
    /// Whether it is decided which thread runs inference.
    settled: bool,
    leader: Leader,
    said: Once,
}

#[derive(glib::Properties, Default)]
#[properties(wrapper_type = super::SubjectClassify)]
pub struct SubjectClassify {
    #[property(name = "model", get, set, type = Option<String>, member = model, mutable_ready,
        nick = "Classifier", blurb = "Name of an installed model, or path of an .onnx file with its .toml beside it; unset: efficientnet-lite0")]
    #[property(name = "map", get, set, type = Option<String>, member = map, mutable_ready,
        nick = "Subject map", blurb = "Path of the TOML file that maps the model's classes to the IAB Content Taxonomy; unset: the one built in, for ImageNet's 1000 classes")]
    #[property(name = "device", get, set, type = Option<String>, member = device, mutable_ready,
        nick = "Device", blurb = "Where the network runs: auto, cpu, cuda, cuda:N, tensorrt, tensorrt:N, openvino, openvino:NAME; unset: auto, an NVIDIA GPU where ONNX Runtime has CUDA, else OpenVINO where it is installed, else ONNX Runtime (cpu); docs/models.md")]
    #[property(name = "precision", get, set, type = Precision, member = precision, builder(Precision::F32).mutable_ready()
        .nick("Precision").blurb("How exactly the network calculates: f32, or what OpenVINO or CUDA is fastest with on this device (fast), which moves probabilities slightly. ONNX Runtime on the CPU ignores it; docs/models.md"))]
    #[property(name = "batch-size", get, set, type = u32, member = batch_size, minimum = 1, maximum = 64, default = DEFAULT_BATCH_SIZE, mutable_ready,
        nick = "Batch size", blurb = "Most pictures that elements which share a network (model-instance-id) run together; 1: each runs its own. Pays on GPUs with several streams")]
    #[property(name = "batch-timeout", get, set, type = u32, member = batch_timeout, minimum = 0, maximum = 1000, default = DEFAULT_BATCH_TIMEOUT, mutable_ready,
        nick = "Batch timeout", blurb = "Milliseconds that the first picture of a batch waits for those of other streams")]
    #[property(name = "model-instance-id", get, set, type = Option<String>, member = model_instance_id, mutable_ready,
        nick = "Model instance", blurb = "Elements of one process with the same id, model, device and precision share one loaded network; unset: all of them do")]
    #[property(name = "interval", get, set, type = f64, member = interval, minimum = 0.0, maximum = 3600.0, default = DEFAULT_INTERVAL, mutable_ready,
        nick = "Interval", blurb = "Seconds of running time between two frames that are classified; 0: every frame")]
    #[property(name = "window", get, set, type = f64, member = window, minimum = 0.0, maximum = 3600.0, default = DEFAULT_WINDOW, mutable_ready,
        nick = "Window", blurb = "Seconds of running time over which classifications are averaged")]
    #[property(name = "top", get, set, type = u32, member = top, minimum = 1, maximum = 100, default = DEFAULT_TOP, mutable_ready,
        nick = "Top", blurb = "Most classes on a buffer, likeliest first")]
    #[property(name = "threshold", get, set, type = f32, member = threshold, minimum = 0.0, maximum = 1.0, default = 0.0, mutable_ready,
        nick = "Threshold", blurb = "Least confidence of a class, 0 to 1; 0: what the map says")]
    #[property(name = "r#async", get, set, type = Async, member = run_async, builder(Async::Auto).mutable_ready()
        .nick("Asynchronous").blurb("Whether inference runs beside the stream (frames never wait, and carry the newest result) or in step with it (repeatable)"))]
    #[property(name = "fallback", get, set, type = bool, member = fallback, default = true, mutable_ready,
        nick = "Fall back", blurb = "When a device cannot be used take the next best; when the model cannot be used at all, warn and let pictures pass without a subject. Off: either is an error")]
    settings: Mutex<Settings>,
    #[property(name = "stats", get = Self::statistics, type = Statistics,
        nick = "Statistics", blurb = "Frames seen, classified and skipped, changes of subject, milliseconds spent; see the documentation")]
    stats: Mutex<Stats>,
    gpu: PipelineGpu,
    state: Mutex<State>,
    in_use: Mutex<InUse>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[glib::object_subclass]
impl ObjectSubclass for SubjectClassify {
    const NAME: &'static str = "GstFacialAdsSubjectClassify";
    type Type = super::SubjectClassify;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for SubjectClassify {}
impl GstObjectImpl for SubjectClassify {}

impl ElementImpl for SubjectClassify {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Subject classifier",
                "Filter/Analyzer/Video",
                "Says what the programme is about, in classes of the IAB Content Taxonomy 3.1",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(pads_of_any_raw_format);
        TEMPLATES.as_ref()
    }

    fn set_context(&self, context: &gst::Context) {
        self.gpu.set_context(&*self.obj(), context);
        self.parent_set_context(context);
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady {
            let device = lock(&self.settings).device.clone().unwrap_or_default();
            self.gpu.start(&*self.obj(), &device);
        }
        let result = self.parent_change_state(transition);
        if transition == gst::StateChange::ReadyToNull {
            self.gpu.stop();
        }
        result
    }
}

impl BaseTransformImpl for SubjectClassify {
    // In place, but not passthrough: the meta needs a buffer of our own. One that others hold too is replaced by a copy
    // that shares its memory; pixels are never copied.
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        *lock(&self.stats) = Stats::default();
        *lock(&self.in_use) = InUse::default();
        let engine = match Engine::load(&settings) {
            Ok(engine) => Some(engine),
            Err(error) if settings.fallback => {
                self.warn_unclassified(&error.to_string());
                None
            }
            Err(error) => return Err(gst::error_msg!(gst::ResourceError::NotFound, ("{}", error))),
        };
        if let Some(engine) = &engine {
            for note in engine.classifier().notes() {
                warn(&*self.obj(), gst::ResourceError::Settings, "note", note);
            }
            let classifier = engine.classifier();
            *lock(&self.in_use) = InUse::of(classifier.model(), classifier.runs_on());
        }
        *lock(&self.state) = State { engine, ..State::default() };
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        // Dropped outside the lock: the worker is waited for.
        let state = std::mem::take(&mut *lock(&self.state));
        drop(state);
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "caps {incaps} describe no picture"))?;
        let mut state = lock(&self.state);
        state.clock.set_rate(info.fps());
        let reader = self.reader(&incaps.to_owned());
        // The GPU's name is known once a frame was looked at.
        let memory = reader.as_ref().map_or("", Reader::memory);
        lock(&self.in_use).memory = memory;
        state.reader = match reader {
            Ok(reader) => Some(reader),
            Err(error) if lock(&self.settings).fallback => {
                self.warn_unclassified(&error.to_string());
                None
            }
            Err(error) => {
                gst::element_imp_error!(self, gst::StreamError::Format, ("{error}"));
                return Err(gst::loggable_error!(CAT, "{error}"));
            }
        };
        Ok(())
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        self.gpu.answer(&*self.obj(), query) || BaseTransformImplExt::parent_query(self, direction, query)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if matches!(event.view(), gst::EventView::FlushStop(_) | gst::EventView::StreamStart(_)) {
            lock(&self.state).begin_anew();
        }
        self.parent_sink_event(event)
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        lock(&self.stats).frames += 1;
        self.tell_notices(state);
        let (now, jumped_back) = state.clock.running_time(&self.obj().segment(), buffer);
        if jumped_back {
            state.begin_anew();
        }
        let began = *state.began.get_or_insert(now);
        self.settle_thread(state);
        self.look(state, buffer, now)?;
        if let Some(subject) = state.engine.as_ref().and_then(|engine| self.subject(engine, began)) {
            subject.attach(buffer);
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

impl State {
    /// A jump in time or another stream.
    fn begin_anew(&mut self) {
        if let Some(engine) = &mut self.engine {
            engine.reset();
        }
        self.clock.restart();
        self.began = None;
        self.leader = Leader::default();
    }
}

impl SubjectClassify {
    /// Says what became known of the network, and notes where it runs now.
    fn tell_notices(&self, state: &State) {
        let Some(classifier) = state.engine.as_ref().map(Engine::classifier) else { return };
        let notices = classifier.notices();
        if !notices.is_empty() {
            lock(&self.in_use).moved(classifier.runs_on());
            notices::tell(&*self.obj(), notices);
        }
    }

    /// Classifies the frame if it is due, and tells the bus when the subject has changed.
    fn look(
        &self,
        state: &mut State,
        buffer: &gst::BufferRef,
        now: gst::ClockTime,
    ) -> Result<(), gst::FlowError> {
        let State { engine: Some(engine), reader: Some(reader), .. } = state else { return Ok(()) };
        let begun = Instant::now();
        // Not the shared ones: `stats` can be read while the network runs.
        let mut stats = lock(&self.stats).clone();
        let mut result = engine.collect(&mut stats).map_err(|e| e.to_string());
        if engine.is_due(now.into(), &mut stats) {
            let in_step = match reader.look(buffer, |frame| engine.look(frame, now.into(), &mut stats)) {
                Ok(looked) => looked.map_err(|e| e.to_string()),
                Err(unreadable) => {
                    stats.errors += 1;
                    Err(unreadable.to_string())
                }
            };
            result =
                result.and_then(|collected| in_step.map(|()| collected || !engine.is_beside_the_stream()));
            stats.streaming.add(begun.elapsed());
            lock(&self.in_use).looked_at(reader);
        }
        if engine.is_broken() {
            result = Err("the thread that runs the network has died".into());
        }
        let changed = result.as_ref().is_ok_and(|new| *new)
            && engine.reading().is_some_and(|reading| state.leader.changes(&reading.classes));
        stats.changes += u64::from(changed);
        *lock(&self.stats) = stats;
        if changed {
            self.tell(state, now);
        }
        result.map(drop).or_else(|problem| self.failed(state, &problem))
    }

    /// The newest reading as it travels.
    fn subject(&self, engine: &Engine, began: gst::ClockTime) -> Option<Subject> {
        let reading = engine.reading()?;
        let top = usize::try_from(lock(&self.settings).top).unwrap_or(usize::MAX);
        Some(Subject {
            taxonomy: SubjectClassifier::TAXONOMY.to_owned(),
            classes: reading
                .classes
                .iter()
                .take(top)
                .map(|class| SubjectClass {
                    id: class.id.clone(),
                    name: class.name.clone(),
                    confidence: f64::from(class.confidence),
                })
                .collect(),
            // Shots are told apart by a later version: until then the stream is one.
            shot: 0,
            shot_start: began,
            safety: reading.safety.clone(),
        })
    }

    /// Posts `facialads-subject`.
    fn tell(&self, state: &State, now: gst::ClockTime) {
        let began = state.began.unwrap_or(now);
        let Some(subject) = state.engine.as_ref().and_then(|engine| self.subject(engine, began)) else {
            return;
        };
        let class = |class: &SubjectClass| {
            gst::Structure::builder("class")
                .field("id", &class.id)
                .field("name", &class.name)
                .field("confidence", class.confidence)
                .build()
        };
        let top = subject.classes.first();
        let structure = gst::Structure::builder("facialads-subject")
            .field("running-time", now)
            .field("taxonomy", &subject.taxonomy)
            .field_if_some("id", top.map(|class| &class.id))
            .field_if_some("name", top.map(|class| &class.name))
            .field_if_some("confidence", top.map(|class| class.confidence))
            .field("classes", gst::Array::new(subject.classes.iter().map(class)))
            .field("safety", gst::Array::new(subject.safety.iter().map(String::as_str)))
            .build();
        let _ = self.obj().post_message(gst::message::Element::builder(structure).src(&*self.obj()).build());
    }

    /// On the first frame: whether to wait for results.
    fn settle_thread(&self, state: &mut State) {
        if std::mem::replace(&mut state.settled, true) {
            return;
        }
        let wanted = lock(&self.settings).run_async;
        let Some(engine) = state.engine.as_mut().filter(|_| wanted.resolve(self.obj().sink_pads().first()))
        else {
            return;
        };
        match engine.run_beside_the_stream() {
            Ok(()) => lock(&self.in_use).running_async = true,
            Err(e) => {
                self.warn(state, "thread", &format!("no thread for inference ({e}): frames wait for it"))
            }
        }
    }

    fn warn(&self, state: &mut State, reason: &'static str, text: &str) {
        if state.said.first(reason) {
            warn(&*self.obj(), gst::ResourceError::Failed, reason, text);
        }
    }

    /// For frames with these caps, ready to read the first one.
    fn reader(&self, caps: &gst::Caps) -> Result<Reader, Unreadable> {
        let mut reader = Reader::new(caps)?;
        let context = self.gpu.context_of_frames(&*self.obj(), caps);
        match reader.prepare(context.as_ref()) {
            Err(problem) if lock(&self.settings).fallback => {
                let text = format!("{problem}; frames are copied to system memory to be looked at");
                warn(&*self.obj(), gst::ResourceError::Failed, "note", &text);
                reader.read_on_host()?;
            }
            prepared => prepared?,
        }
        Ok(reader)
    }

    fn warn_unclassified(&self, problem: &str) {
        let text = format!("{problem}. Pictures pass without a subject");
        warn(&*self.obj(), gst::ResourceError::NotFound, "unclassified", &text);
    }

    /// A network that failed to run, or a picture that could not be read: this frame adds nothing.
    fn failed(&self, state: &mut State, problem: &str) -> Result<(), gst::FlowError> {
        if lock(&self.settings).fallback {
            self.warn(state, "failed", &format!("{problem}; such pictures are not classified"));
            return Ok(());
        }
        gst::element_imp_error!(self, gst::StreamError::Failed, ("{}", problem));
        Err(gst::FlowError::Error)
    }

    /// The `stats` property; survives the way to NULL, so that a finished run can be asked about.
    fn statistics(&self) -> Statistics {
        lock(&self.stats).to_structure(&lock(&self.in_use))
    }
}
