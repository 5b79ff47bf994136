use super::{
    blend::{blend, can_be_drawn_on},
    device::DeviceBlend,
    layout::Layout,
    paint::{self, Scene},
    schedule::Schedule,
    settings::{DEFAULT_FONT, Settings},
    text::Texts,
};
use crate::{
    faceanalyze::gate::Floor,
    gpu::PipelineGpu,
    video::{Unreadable, pads_of_any_raw_format},
};
use facialads_meta::{
    Audience, Face,
    event::{Gate, Running},
};
use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::{prelude::*, subclass::prelude::*};
use gst_video::VideoInfo;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("audienceoverlay", gst::DebugColorFlags::empty(), Some("Audience overlay"))
});

#[derive(Default)]
struct State {
    info: Option<VideoInfo>,
    texts: Texts,
    /// Of frames in CUDA memory.
    device: Option<DeviceBlend>,
    warned: bool,
}

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::AudienceOverlay)]
pub struct AudienceOverlay {
    #[property(name = "boxes", get, set, type = bool, member = boxes, default = true,
        nick = "Boxes", blurb = "Draw a box around each face, in a colour of its track, with the track's id")]
    #[property(name = "attributes", get, set, type = bool, member = attributes, default = true,
        nick = "Attributes", blurb = "Write age interval, gender and emotion beside each box, as far as known and agreed to")]
    #[property(name = "status", get, set, type = bool, member = status, default = true,
        nick = "Status", blurb = "Write at the lower edge what was agreed to, until when, how many faces there are and whether they may be targeted")]
    #[property(name = "running", get, set, type = bool, member = running, default = true,
        nick = "Running", blurb = "Write at the upper edge what adinsert plays, why, and the programme's subject")]
    #[property(name = "font", get, set, type = String, member = font, default = DEFAULT_FONT,
        nick = "Font", blurb = "Font of all text, as Pango spells it without a size, e.g. \"DejaVu Sans Bold\"")]
    #[property(name = "scale", get, set, type = f64, member = scale, minimum = 0.25, maximum = 8.0, default = 1.0,
        nick = "Scale", blurb = "Size of text and lines; 1 is a 36th of the frame's height, and never under 10 pixels")]
    settings: Mutex<Settings>,
    state: Mutex<State>,
    /// What adinsert said. Apart from the state, so that its thread never waits for a frame being drawn.
    schedule: Mutex<Schedule>,
    floor: Floor,
    gpu: PipelineGpu,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[glib::object_subclass]
impl ObjectSubclass for AudienceOverlay {
    const NAME: &'static str = "GstFacialAdsAudienceOverlay";
    type Type = super::AudienceOverlay;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for AudienceOverlay {}
impl GstObjectImpl for AudienceOverlay {}

impl ElementImpl for AudienceOverlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Audience overlay",
                "Filter/Editor/Video",
                "Draws faces, what is known of them, the state of consent and what plays onto the picture, for engineers",
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
        let result = self.parent_change_state(transition);
        if transition == gst::StateChange::ReadyToNull {
            self.gpu.stop();
        }
        result
    }
}

impl BaseTransformImpl for AudienceOverlay {
    // In place: a frame on which nothing is drawn is never mapped, so none of its pixels are copied.
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.floor.reset();
        lock(&self.schedule).clear();
        *lock(&self.state) = State::default();
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.state) = State::default();
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "caps {incaps} describe no picture"))?;
        let device = facialads_gstcuda::is_cuda(incaps).then(|| self.device(incaps, &info)).transpose();
        let problem = match &device {
            Ok(None) if !can_be_drawn_on(&info) => {
                let format = info.format();
                Some(format!(
                    "Nothing can be drawn on {format} pictures; put `videoconvert` before audienceoverlay"
                ))
            }
            Ok(_) => None,
            Err(problem) => Some(undrawable(problem)),
        };
        self.obj().set_passthrough(problem.is_some());
        let mut state = lock(&self.state);
        state.info = problem.is_none().then_some(info);
        state.device = device.unwrap_or_default();
        self.warn_once(state, problem);
        Ok(())
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        self.gpu.answer(&*self.obj(), query) || BaseTransformImplExt::parent_query(self, direction, query)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if let Some(gate) = Gate::parse(&event) {
            self.floor.apply(&gate);
            let mut state = lock(&self.state);
            state.texts.forget();
            state.device.iter_mut().for_each(DeviceBlend::forget);
        }
        if matches!(event.view(), gst::EventView::FlushStop(_)) {
            // Running time starts again.
            lock(&self.schedule).clear();
        }
        self.parent_sink_event(event)
    }

    fn src_event(&self, event: gst::Event) -> bool {
        if let Some(running) = Running::parse(&event) {
            lock(&self.schedule).add(running);
        }
        self.parent_src_event(event)
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let settings = lock(&self.settings).clone();
        let segment = self.obj().segment();
        let time = segment.downcast_ref::<gst::ClockTime>().and_then(|s| s.to_running_time(buffer.pts()));
        let running = lock(&self.schedule).at(time);
        let mut state = lock(&self.state);
        let State { info: Some(info), texts, device, .. } = &mut *state else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let (stamp, audience) = (facialads_meta::consent::read(buffer), Audience::read(buffer));
        let scene = Scene {
            faces: &Face::read(buffer),
            stamp: stamp.as_ref(),
            audience: audience.as_ref(),
            running: running.as_ref(),
            valid: stamp.as_ref().is_none_or(|stamp| self.floor.allows(stamp.epoch)),
            now: facialads_consent::wall_clock(),
        };
        let layout = Layout::new(info.width(), info.height(), settings.scale);
        let pieces = match paint::compose(&scene, &settings, &layout, texts) {
            Ok(pieces) => pieces,
            Err(problem) => {
                gst::warning!(CAT, imp = self, "not drawn: {problem}");
                return Ok(gst::FlowSuccess::Ok);
            }
        };
        // Whatever happens, the picture goes on, without a drawing.
        match device {
            None => {
                if let Err(problem) = blend(buffer, info, &pieces) {
                    gst::warning!(CAT, imp = self, "not drawn: {problem}");
                }
            }
            Some(device) => {
                if let Err(problem) = device.blend(buffer, &pieces) {
                    gst::warning!(CAT, imp = self, "not drawn: {problem}");
                    self.warn_once(state, Some(undrawable(&problem)));
                }
            }
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

impl AudienceOverlay {
    /// For frames in CUDA memory, ready to draw on the first one.
    fn device(&self, caps: &gst::CapsRef, info: &VideoInfo) -> Result<DeviceBlend, Unreadable> {
        let mut device = DeviceBlend::new(info)?;
        // Where nobody knows the context yet, the first frame brings it.
        if let Some(context) = self.gpu.context_of_frames(&*self.obj(), caps) {
            device.prepare(&context)?;
        }
        Ok(device)
    }

    /// The first thing that keeps pictures from being drawn on is told to the operator; all are in the log.
    fn warn_once(&self, mut state: MutexGuard<'_, State>, problem: Option<String>) {
        let Some(problem) = problem else { return };
        if !std::mem::replace(&mut state.warned, true) {
            // A handler may ask for properties.
            drop(state);
            gst::element_imp_warning!(self, gst::StreamError::Format, ("{problem}"));
        }
    }
}

fn undrawable(problem: &Unreadable) -> String {
    format!(
        "Nothing can be drawn on pictures in CUDA memory: {problem}; or put `cudadownload` before audienceoverlay"
    )
}
