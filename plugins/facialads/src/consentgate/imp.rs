use super::{
    running::Running,
    settings::{DEFAULT_SCREEN, DEFAULT_ZONE, Settings},
    types::{Basis, Policy, Purposes, Site},
};
use crate::analysis::report::Statistics;
use facialads_consent::{GateState, Stamp};
use gst::{glib, prelude::*, subclass::prelude::*};
use std::sync::{
    Arc, LazyLock, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

pub static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("consentgate", gst::DebugColorFlags::empty(), Some("Consent gate"))
});

#[derive(glib::Properties)]
#[properties(wrapper_type = super::ConsentGate)]
pub struct ConsentGate {
    #[property(name = "screen", get, set, type = String, member = screen, default = DEFAULT_SCREEN, mutable_ready,
        nick = "Screen", blurb = "Name of the screen that people stand in front of: grants are given for one screen, and hold for no other")]
    #[property(name = "store", get, set, type = Option<String>, member = store, mutable_ready,
        nick = "Consent store", blurb = "File with the grants, made by `facialads consent grant`; unset: consent.db in $FACIALADS_STATE, else in the user's state folder")]
    #[property(name = "zone", get, set, type = String, member = zone, default = DEFAULT_ZONE, mutable_ready,
        nick = "Zone", blurb = "Part of the picture in which consenting viewers stand, as x,y,width,height in fractions of the frame; faces elsewhere are not looked at")]
    #[property(name = "site", get, set, type = Site, member = site, builder(Site::Public).mutable_ready()
        .nick("Site").blurb("What kind of place the screen stands in; on workplace and education sites the element refuses to start with emotion asked for (EU AI Act, Art. 5(1)(f))"))]
    #[property(name = "policy", get, set, type = Policy, member = policy, builder(Policy::Strict).mutable_ready()
        .nick("Policy").blurb("What happens when there are more faces in the zone than grants"))]
    #[property(name = "purposes", get, set, type = Purposes, member = purposes, mutable_ready,
        nick = "Purposes", blurb = "What the pipeline may use at most, joined by +; nothing beyond it is allowed, whatever was granted. None: measurement+demographics, and for viewers' consent personalisation")]
    #[property(name = "lawful-basis", get, set, type = Basis, member = basis, builder(Basis::ViewerConsent).mutable_ready()
        .nick("Lawful basis").blurb("Why faces may be looked at: because each viewer agreed, or because they are part of the programme and the operator answers for it with a statement"))]
    #[property(name = "statement", get, set, type = Option<String>, member = statement, mutable_ready,
        nick = "Statement", blurb = "With lawful-basis=published-content, and required there: why these faces may be analysed and who decided it; goes into the ledger")]
    #[property(name = "ledger", get, set, type = Option<String>, member = ledger, mutable_ready,
        nick = "Ledger", blurb = "File in which every opening and closing of the gate is recorded; unset: none is")]
    settings: Mutex<Settings>,
    #[property(name = "stats", get = Self::statistics, type = Statistics,
        nick = "Statistics", blurb = "Whether the gate is open, its epoch and reason, buffers passed and dropped")]
    running: Mutex<Option<Arc<Running>>>,
    passed: AtomicU64,
    dropped: AtomicU64,
    sinkpad: gst::Pad,
    srcpad: gst::Pad,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[glib::object_subclass]
impl ObjectSubclass for ConsentGate {
    const NAME: &'static str = "GstFacialAdsConsentGate";
    type Type = super::ConsentGate;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let flags =
            gst::PadFlags::PROXY_CAPS | gst::PadFlags::PROXY_ALLOCATION | gst::PadFlags::PROXY_SCHEDULING;
        let sinkpad = gst::Pad::builder_from_template(&template(class, "sink"))
            .chain_function(|pad, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |gate| gate.chain(pad, buffer),
                )
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |gate| gate.sink_event(pad, event))
            })
            .flags(flags)
            .build();
        let srcpad = gst::Pad::builder_from_template(&template(class, "src")).flags(flags).build();
        Self {
            settings: Mutex::default(),
            running: Mutex::default(),
            passed: AtomicU64::default(),
            dropped: AtomicU64::default(),
            sinkpad,
            srcpad,
        }
    }
}

/// One of our own two templates.
#[allow(clippy::expect_used)]
fn template(class: &<ConsentGate as ObjectSubclass>::Class, name: &str) -> gst::PadTemplate {
    class.pad_template(name).expect("both templates are given below")
}

#[glib::derived_properties]
impl ObjectImpl for ConsentGate {
    fn constructed(&self) {
        self.parent_constructed();
        let element = self.obj();
        for pad in [&self.sinkpad, &self.srcpad] {
            if let Err(error) = element.add_pad(pad) {
                gst::error!(CAT, imp = self, "cannot add pad: {error}");
            }
        }
    }
}

impl GstObjectImpl for ConsentGate {}

impl ElementImpl for ConsentGate {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Consent gate",
                "Filter/Video",
                "Lets frames of viewers through only while their consent holds, and stamps on each what was agreed",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let any = gst::Caps::new_any();
            [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                .into_iter()
                .filter_map(|(name, direction)| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &any).ok()
                })
                .collect()
        });
        TEMPLATES.as_ref()
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            self.start()?;
        }
        let result = self.parent_change_state(transition);
        let failed_start = transition == gst::StateChange::ReadyToPaused && result.is_err();
        if transition == gst::StateChange::PausedToReady || failed_start {
            self.stop();
        }
        result
    }
}

impl ConsentGate {
    fn start(&self) -> Result<(), gst::StateChangeError> {
        let settings = lock(&self.settings).clone();
        self.passed.store(0, Ordering::Relaxed);
        self.dropped.store(0, Ordering::Relaxed);
        match Running::start(&settings, self.obj().downgrade()) {
            Ok(running) => {
                *lock(&self.running) = Some(Arc::new(running));
                Ok(())
            }
            Err(error) => {
                gst::element_imp_error!(self, gst::ResourceError::Settings, ("{error}"));
                Err(gst::StateChangeError)
            }
        }
    }

    fn stop(&self) {
        let running = lock(&self.running).take();
        // Outside the lock: the thread is waited for, and what it calls may be asking for the statistics.
        if let Some(running) = running {
            running.stop();
        }
    }

    fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        if matches!(event.view(), gst::EventView::FlushStop(_) | gst::EventView::StreamStart(_))
            && let Some(running) = lock(&self.running).as_ref()
        {
            running.tell_again();
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    fn chain(&self, _pad: &gst::Pad, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let Some(running) = lock(&self.running).clone() else { return Err(gst::FlowError::Flushing) };
        let (reading, news) = running.for_buffer(|| self.is_live());
        if let Some(news) = news {
            // The event out of band has told it sooner to whoever was there; this one is in the order of the buffers.
            self.srcpad.push_event(running.announcer().gate(&news).to_serialized_event());
        }
        match reading.state {
            GateState::Open(stamp) => self.pass(&running, &stamp, buffer),
            GateState::Closed(_) => self.withhold(&running, &buffer),
        }
    }

    fn pass(
        &self,
        running: &Running,
        stamp: &Stamp,
        mut buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let writable = buffer.make_mut();
        facialads_meta::consent::attach(stamp, writable);
        if running.interrupted.swap(false, Ordering::Relaxed) {
            writable.set_flags(gst::BufferFlags::DISCONT);
        }
        self.passed.fetch_add(1, Ordering::Relaxed);
        self.srcpad.push(buffer)
    }

    /// Drops a buffer and says that nothing comes for its time, so that downstream prerolls and does not wait.
    fn withhold(
        &self,
        running: &Running,
        buffer: &gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        running.interrupted.store(true, Ordering::Relaxed);
        self.dropped.fetch_add(1, Ordering::Relaxed);
        // A gap before caps would make a sink preroll without knowing what for.
        let ready =
            self.srcpad.has_current_caps() && self.srcpad.sticky_event::<gst::event::Segment>(0).is_some();
        if let (true, Some(pts)) = (ready, buffer.pts()) {
            let gap = gst::event::Gap::builder(pts).duration(buffer.duration()).build();
            self.srcpad.push_event(gap);
        }
        let flags = self.srcpad.pad_flags();
        if flags.contains(gst::PadFlags::FLUSHING) {
            Err(gst::FlowError::Flushing)
        } else if flags.contains(gst::PadFlags::EOS) {
            Err(gst::FlowError::Eos)
        } else {
            Ok(gst::FlowSuccess::Ok)
        }
    }

    fn is_live(&self) -> bool {
        let mut query = gst::query::Latency::new();
        self.sinkpad.peer_query(&mut query) && query.result().0
    }

    /// The `stats` property. The counts survive the way to NULL, so that a finished run can be asked about.
    fn statistics(&self) -> Statistics {
        let running = lock(&self.running).clone();
        let (open, epoch, reason) = match &running {
            None => (false, 0, "not started".to_owned()),
            Some(running) => {
                let reading = running.reading();
                (reading.is_open(), reading.epoch, running.announcer().reason(&reading.state))
            }
        };
        Statistics(
            gst::Structure::builder("facialads-consentgate-stats")
                .field("open", open)
                .field("epoch", epoch)
                .field("passed", self.passed.load(Ordering::Relaxed))
                .field("dropped", self.dropped.load(Ordering::Relaxed))
                .field("reason", reason)
                .build(),
        )
    }
}
