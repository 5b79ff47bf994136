//! The element: properties, pads, and the path of a buffer.

use super::{
    engine::Engine,
    gate::Floor,
    settings::{DEFAULT_INFERENCE_INTERVAL, DEFAULT_RECLASSIFY_INTERVAL, Settings},
    stats::Stats,
    summary,
    upstream::DetectorSource,
};
use crate::{
    analysis::{
        Async, Clockwork, InUse, Precision,
        batch::{DEFAULT_BATCH_SIZE, DEFAULT_BATCH_TIMEOUT},
        report::{Once, Statistics, warn},
    },
    gpu::PipelineGpu,
    video::{Reader, Unreadable, pads_of_any_raw_format},
};
use facialads_meta::event::Gate;
use facialads_vision::FaceAnalyzer;
use gst::{glib, subclass::prelude::*};
use gst_base::{prelude::*, subclass::prelude::*};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("faceanalyze", gst::DebugColorFlags::empty(), Some("Faces of consenting viewers"))
});

/// What lives between start and stop; the streaming thread's.
#[derive(Default)]
pub(super) struct State {
    pub reader: Option<Reader>,
    /// `None` where the models could not be loaded: buffers pass without being looked at.
    pub engine: Option<Engine>,
    /// Whether it is decided which thread runs inference.
    pub settled: bool,
    /// Newest epoch of consent seen on a buffer.
    pub epoch: Option<u64>,
    pub clock: Clockwork,
    pub pace: summary::Pace,
    pub said: Once,
}

#[derive(glib::Properties, Default)]
#[properties(wrapper_type = super::FaceAnalyze)]
pub struct FaceAnalyze {
    #[property(name = "model", get, set, type = Option<String>, member = model, mutable_ready,
        nick = "Face detector", blurb = "Name of an installed model, or path of an .onnx file with its .toml beside it; unset: yunet where it is installed, else ssd-mobilenet-v1")]
    #[property(name = "detector", get, set, type = DetectorSource, member = detector, builder(DetectorSource::Model).mutable_ready()
        .nick("Detector").blurb("Who finds the faces: the network of the property model, or an element upstream, whose metas are read instead; then no detection network is loaded, and model, detector-size and inference-interval mean nothing"))]
    #[property(name = "upstream-label", get, set, type = Option<String>, member = upstream_label, default = Some("face"), mutable_ready,
        nick = "Upstream label", blurb = "With detector=upstream: what upstream calls a face, as type of a region of interest or of an object detection (GstAnalytics); empty: everything that it finds is a face. What is found under this label is replaced by the faces that are followed here")]
    #[property(name = "age-gender-model", get, set, type = Option<String>, member = age_gender_model, mutable_ready,
        nick = "Age and gender model", blurb = "Name of an installed model or path of an .onnx file; unset: age-gender. It is run only where viewers agreed to demographics")]
    #[property(name = "emotion-model", get, set, type = Option<String>, member = emotion_model, mutable_ready,
        nick = "Expression model", blurb = "Name of an installed model or path of an .onnx file; unset: expression. Loaded only with emotion=true")]
    #[property(name = "device", get, set, type = Option<String>, member = device, mutable_ready,
        nick = "Device", blurb = "Where the networks run: auto, cpu, cuda, cuda:N, tensorrt, tensorrt:N, openvino, openvino:NAME; unset: auto, an NVIDIA GPU where ONNX Runtime has CUDA, else OpenVINO where it is installed, else ONNX Runtime (cpu); docs/models.md")]
    #[property(name = "precision", get, set, type = Precision, member = precision, builder(Precision::F32).mutable_ready()
        .nick("Precision").blurb("How exactly the networks calculate: f32, or what OpenVINO or CUDA is fastest with on this device (fast), which moves boxes by up to 1 % of a face's width. Age, gender and emotion are calculated in 32 bits either way, though of those boxes. ONNX Runtime on the CPU ignores it; docs/models.md"))]
    #[property(name = "batch-size", get, set, type = u32, member = batch_size, minimum = 1, maximum = 64, default = DEFAULT_BATCH_SIZE, mutable_ready,
        nick = "Batch size", blurb = "Most pictures that elements which share a network (model-instance-id) run together; 1: each runs its own. Pays on GPUs with several streams")]
    #[property(name = "batch-timeout", get, set, type = u32, member = batch_timeout, minimum = 0, maximum = 1000, default = DEFAULT_BATCH_TIMEOUT, mutable_ready,
        nick = "Batch timeout", blurb = "Milliseconds that the first picture of a batch waits for those of other streams")]
    #[property(name = "model-instance-id", get, set, type = Option<String>, member = model_instance_id, mutable_ready,
        nick = "Model instance", blurb = "Elements of one process with the same id, model, device and precision share one loaded network; unset: all of them do")]
    #[property(name = "inference-interval", get, set, type = u32, member = inference_interval, minimum = 1, maximum = 100_000, default = DEFAULT_INFERENCE_INTERVAL, mutable_ready,
        nick = "Inference interval", blurb = "Look for faces in every Nth frame; in between their places are predicted")]
    #[property(name = "reclassify-interval", get, set, type = u32, member = reclassify_interval, minimum = 1, maximum = 100_000, default = DEFAULT_RECLASSIFY_INTERVAL, mutable_ready,
        nick = "Reclassify interval", blurb = "Describe a face again after so many frames; estimates are averaged for as long as it is followed")]
    #[property(name = "threshold", get, set, type = f32, member = threshold, minimum = 0.0, maximum = 1.0, default = 0.0, mutable_ready,
        nick = "Threshold", blurb = "Least confidence of a face, 0 to 1; 0: what suits the model")]
    #[property(name = "detector-size", get, set, type = u32, member = detector_size, minimum = 0, maximum = 4096, default = 0, mutable_ready,
        nick = "Detector size", blurb = "Longer side of the picture that the detector sees, in pixels: larger finds smaller faces and takes longer; 0: what suits the model. Only for models that take any size")]
    #[property(name = "r#async", get, set, type = Async, member = run_async, builder(Async::Auto).mutable_ready()
        .nick("Asynchronous").blurb("Whether inference runs beside the stream (frames never wait, and carry the newest result) or in step with it (every frame waits for its own, repeatable)"))]
    #[property(name = "seed", get, set, type = u64, member = seed, default = 0, mutable_ready,
        nick = "Seed", blurb = "Makes track ids the same in every run, for tests; 0: random ids")]
    #[property(name = "emotion", get, set, type = bool, member = emotion, default = false, mutable_ready,
        nick = "Emotion", blurb = "Estimate emotion of viewers who agreed to it. Refused on workplace and education sites (EU AI Act, Art. 5(1)(f))")]
    #[property(name = "fallback", get, set, type = bool, member = fallback, default = true, mutable_ready,
        nick = "Fall back", blurb = "When a device cannot be used take the next best; when a model cannot be used at all, warn and let pictures pass without looking at them. Off: either is an error")]
    pub(super) settings: Mutex<Settings>,
    #[property(name = "stats", get = Self::statistics, type = Statistics,
        nick = "Statistics", blurb = "Frames seen, analysed, skipped and without consent, inference calls, faces, milliseconds spent; see the documentation")]
    pub(super) stats: Mutex<Stats>,
    gpu: PipelineGpu,
    pub(super) state: Mutex<State>,
    /// For the gate's event, which must not wait for a running inference as it would for `state`.
    pub(super) analyzer: Mutex<Option<Arc<FaceAnalyzer>>>,
    pub(super) floor: Floor,
    /// What was left of the hold after a possible minor when the element last stopped: stopping lifts nothing.
    pub(super) hold: Mutex<std::time::Duration>,
    pub(super) in_use: Mutex<InUse>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[glib::object_subclass]
impl ObjectSubclass for FaceAnalyze {
    const NAME: &'static str = "GstFacialAdsFaceAnalyze";
    type Type = super::FaceAnalyze;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for FaceAnalyze {}
impl GstObjectImpl for FaceAnalyze {}

impl ElementImpl for FaceAnalyze {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Face analyser",
                "Filter/Analyzer/Video",
                "Finds, follows and describes the faces of viewers who agreed to it; looks at nothing without consent",
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

impl BaseTransformImpl for FaceAnalyze {
    // In place, but not passthrough: metas need a buffer of our own. One that others hold too is replaced by a copy that
    // shares its memory; pixels are never copied.
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        self.floor.reset();
        *lock(&self.stats) = Stats::default();
        *lock(&self.in_use) = InUse::default();
        let engine = match Engine::load(&settings) {
            Ok(engine) => Some(engine),
            Err(error) if settings.fallback => {
                self.warn_unanalysed(&error.to_string());
                None
            }
            Err(error) => return Err(gst::error_msg!(gst::ResourceError::NotFound, ("{}", error))),
        };
        if let Some(engine) = &engine {
            let analyzer = engine.analyzer();
            analyzer.resume_hold(*lock(&self.hold));
            for note in analyzer.notes() {
                warn(&*self.obj(), gst::ResourceError::Settings, "note", note);
            }
            *lock(&self.in_use) = InUse::of(analyzer.detector_model(), analyzer.runs_on());
        }
        *lock(&self.analyzer) = engine.as_ref().map(|engine| engine.analyzer().clone());
        *lock(&self.state) = State { engine, ..State::default() };
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.count_inference();
        if let Some(analyzer) = lock(&self.analyzer).take() {
            *lock(&self.hold) = analyzer.hold_left();
        }
        // Dropped outside the lock: the worker is waited for.
        let state = std::mem::take(&mut *lock(&self.state));
        drop(state);
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "caps {incaps} describe no picture"))?;
        let mut state = lock(&self.state);
        let frame = state.clock.set_rate(info.fps());
        if let Some(engine) = &state.engine {
            engine.set_frame_time(frame.into());
        }
        let reader = self.reader(&incaps.to_owned());
        // The GPU's name is known once a frame was looked at.
        let memory = reader.as_ref().map_or("", Reader::memory);
        lock(&self.in_use).memory = memory;
        state.reader = match reader {
            Ok(reader) => Some(reader),
            Err(error) if lock(&self.settings).fallback => {
                self.warn_unanalysed(&error.to_string());
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
        if let Some(gate) = Gate::parse(&event) {
            self.gate_changed(&gate);
        }
        if matches!(event.view(), gst::EventView::FlushStop(_) | gst::EventView::StreamStart(_)) {
            let mut state = lock(&self.state);
            if let Some(engine) = &mut state.engine {
                engine.reset();
            }
            state.clock.restart();
        }
        if matches!(event.view(), gst::EventView::Eos(_)) {
            self.post_statistics();
        }
        self.parent_sink_event(event)
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.transform(&mut lock(&self.state), buffer)
    }
}

impl FaceAnalyze {
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

    fn warn_unanalysed(&self, problem: &str) {
        let text = format!("{problem}. Pictures pass without being looked at");
        warn(&*self.obj(), gst::ResourceError::NotFound, "unanalysed", &text);
    }

    /// The `stats` property; survives the way to NULL, so that a finished run can be asked about.
    fn statistics(&self) -> Statistics {
        self.count_inference();
        lock(&self.stats).to_structure(&lock(&self.in_use))
    }

    /// At the end of a stream, for those who cannot read a property of a finished pipeline, `gst-launch-1.0 -m` among them.
    fn post_statistics(&self) {
        let Statistics(statistics) = self.statistics();
        let message = gst::message::Element::builder(statistics).src(&*self.obj()).build();
        let _ = self.obj().post_message(message);
    }

    fn count_inference(&self) {
        if let Some(analyzer) = lock(&self.analyzer).as_ref() {
            lock(&self.stats).inference_calls = analyzer.stats().inference_calls;
        }
    }
}
