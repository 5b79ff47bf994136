//! The element: properties, signals, states.

use super::{
    CreativeSource, live,
    pads::{self, AudioLane, VideoLane},
    session::{Session, Setup, lock},
    settings::*,
    source::Decoded,
    stats,
};
use crate::analysis::report::{Statistics, warn};
use facialads_campaign::Catalogue;
use facialads_gstcuda::ElementContext;
use facialads_ledger::{Ledger, Notice, Observer};
use gst::{glib, prelude::*, subclass::prelude::*};
use std::{
    path::Path,
    sync::{Arc, LazyLock, Mutex},
};

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("adinsert", gst::DebugColorFlags::empty(), Some("Splicing of advertisements"))
});

#[derive(glib::Properties)]
#[properties(wrapper_type = super::AdInsert)]
pub struct AdInsert {
    #[property(name = "mode", get, set, type = InsertMode, member = mode, builder(InsertMode::default()).mutable_ready()
        .nick("Mode").blurb("Whether an advertisement covers the programme or pushes it back"))]
    #[property(name = "breaks", get, set, type = Option<String>, member = breaks, mutable_ready,
        nick = "Breaks", blurb = "Starts of breaks in seconds, with \"+\" and a length where they have one: \"10,40+15\". Without a length a break lasts as long as its creative. Positions in the file, or running time where live")]
    #[property(name = "ads", get, set, type = Option<String>, member = ads, mutable_ready,
        nick = "Advertisements", blurb = "Files or addresses to play in this order, separated by commas, each at most once in a break; with campaigns, what is tried when none of them can play")]
    #[property(name = "campaigns", get, set, type = Option<String>, member = campaigns, mutable_ready,
        nick = "Campaigns", blurb = "TOML files or folders with campaigns, separated by commas; what is wrong in them is told with its place, and the rest is used")]
    #[property(name = "house-ad", get, set, type = Option<String>, member = house_ad, mutable_ready,
        nick = "House ad", blurb = "File or address that is kept ready: for live breaks without lead, and when everything else fails")]
    #[property(name = "screen", get, set, type = Option<String>, member = screen, default = Some(DEFAULT_SCREEN), mutable_ready,
        nick = "Screen", blurb = "Name of the screen, as it stands in the ledger and in frequency caps")]
    #[property(name = "ledger", get, set, type = Option<String>, member = ledger, mutable_ready,
        nick = "Ledger", blurb = "File in which decisions and impressions are recorded for reports; unset: nothing is recorded")]
    #[property(name = "min-lead", get, set, type = u64, member = min_lead, default = DEFAULT_MIN_LEAD, mutable_ready,
        nick = "Lead", blurb = "How long before a break its creative is decided on and prepared, in nanoseconds")]
    #[property(name = "window", get, set, type = u64, member = window, default = DEFAULT_WINDOW, mutable_ready,
        nick = "Window", blurb = "For how long before a decision the audience is considered, in nanoseconds")]
    #[property(name = "preroll-timeout", get, set, type = u64, member = preroll_timeout, default = DEFAULT_PREROLL_TIMEOUT, mutable_ready,
        nick = "Preroll timeout", blurb = "A creative that is not ready so long after it was opened is given up for the next, in nanoseconds; where live, half of what is left of the lead if that is shorter")]
    #[property(name = "hold-limit", get, set, type = u64, member = hold_limit, default = DEFAULT_HOLD_LIMIT, mutable_ready,
        nick = "Hold limit", blurb = "When a creative's picture has stood still for so long because its decoder is late, the programme returns, in nanoseconds")]
    #[property(name = "audience-timeout", get, set, type = u64, member = audience_timeout, default = DEFAULT_AUDIENCE_TIMEOUT, mutable_ready,
        nick = "Audience timeout", blurb = "For how long a decision in a file pipeline waits for the audience's input to catch up with the programme, in nanoseconds")]
    #[property(name = "live", get, set, type = Live, member = live, builder(Live::default()).mutable_ready()
        .nick("Live").blurb("Whether the programme may wait for its advertisements"))]
    settings: Mutex<Settings>,
    #[property(name = "stats", get = Self::statistics, type = Statistics,
        nick = "Statistics", blurb = "splices, completed, skipped, refused, decisions, ad-frames, held-frames, ad-samples, silence-samples, max-chain-time, waited, audience-waited (ns), observations, live")]
    source: Mutex<Arc<dyn CreativeSource>>,
    /// Read and parsed at READY, for the sessions that follow.
    setup: Mutex<Option<Prepared>>,
    /// Of the session that runs, or ran last.
    counters: Mutex<stats::Shared>,
    session: Mutex<Option<Arc<Session>>>,
    /// What the application or a neighbour gave; which context the programme is in is told by its buffers.
    pub(super) cuda: ElementContext,
    pub(super) video: VideoLane,
    pub(super) audio: Mutex<Vec<Arc<AudioLane>>>,
    pub(super) audience: pads::AudienceLane,
}

/// What was read and opened at READY.
struct Prepared {
    /// Start and length of each break.
    breaks: Vec<(facialads_splice::Time, Option<facialads_splice::Time>)>,
    catalogue: Catalogue,
    ledger: Option<Ledger>,
    _watch: Option<Observer>,
}

impl AdInsert {
    pub(super) fn set_source(&self, source: Arc<dyn CreativeSource>) {
        *lock(&self.source) = source;
    }
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        lock(&self.session).clone()
    }

    fn statistics(&self) -> Statistics {
        Statistics(lock(&self.counters).structure())
    }

    /// Everything that can be wrong with the settings is said here. Wrong breaks are an error: nobody wants a channel
    /// to run without its breaks unnoticed. Wrong campaigns are a warning: the others, `ads` and the programme go on.
    fn prepare(&self) -> Result<(), gst::StateChangeError> {
        let settings = lock(&self.settings).clone();
        let element = self.obj();
        let breaks =
            facialads_splice::parse(settings.breaks.as_deref().unwrap_or_default()).map_err(|e| {
                gst::element_imp_error!(self, gst::LibraryError::Settings, ("{e}"));
                gst::StateChangeError
            })?;
        let paths = settings.campaigns();
        let loaded = Catalogue::inspect(&paths);
        if !loaded.diagnostics.is_empty() {
            let lines: Vec<_> = loaded.diagnostics.iter().map(ToString::to_string).collect();
            warn(&*element, gst::ResourceError::Settings, "campaigns", &lines.join("\n"));
        }
        let ledger = settings.ledger.as_deref().filter(|path| !path.is_empty());
        let ledger = ledger.map(|path| Ledger::shared(Path::new(path)));
        let watch = ledger.as_ref().map(|ledger| self.watch(ledger));
        *lock(&self.setup) = Some(Prepared { breaks, catalogue: loaded.catalogue, ledger, _watch: watch });
        Ok(())
    }

    /// A store that cannot be written is told; the programme and its advertisements go on.
    fn watch(&self, ledger: &Ledger) -> Observer {
        let element = self.obj().downgrade();
        ledger.observe(move |notice| {
            let Some(element) = element.upgrade() else { return };
            match notice {
                Notice::Stopped { error, hint } => {
                    let text = format!("the ledger records nothing: {error} ({hint})");
                    warn(&element, gst::ResourceError::Write, "ledger", &text);
                }
                Notice::Resumed { dropped } => {
                    let text = format!("the ledger records again; {dropped} events were lost");
                    warn(&element, gst::ResourceError::Write, "ledger-resumed", &text);
                }
            }
        })
    }

    fn start(&self) {
        let settings = lock(&self.settings).clone();
        let (breaks, catalogue, ledger) = lock(&self.setup)
            .as_ref()
            .map(|p| (p.breaks.clone(), p.catalogue.clone(), p.ledger.clone()))
            .unwrap_or_default();
        let source = lock(&self.source).clone();
        let setup = Setup { settings, breaks, catalogue, ledger, source };
        let session = Arc::new(Session::new(&self.obj(), setup));
        self.video.reset();
        self.audience.reset();
        lock(&session.audience).set_linked(self.audience.pad().is_some_and(|p| p.is_linked()));
        let lanes = lock(&self.audio).clone();
        for lane in lanes {
            lane.begin(session.add_audio());
        }
        *lock(&self.counters) = session.stats.clone();
        *lock(&self.session) = Some(session);
    }

    /// Wakes whoever waits, before the pads are shut down.
    fn stop(&self) {
        if let Some(session) = self.session() {
            session.stop();
        }
    }

    /// Asks upstream whether it is live, and where the cues lie: once for every segment.
    pub(super) fn settle(&self, session: &Arc<Session>, timeline: &super::timeline::Timeline, picture: bool) {
        live::ask(self, session);
        session.place_cues(timeline, picture);
    }
}

#[glib::object_subclass]
impl ObjectSubclass for AdInsert {
    const NAME: &'static str = "GstFacialAdsInsert";
    type Type = super::AdInsert;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        Self {
            settings: Mutex::default(),
            source: Mutex::new(Arc::new(Decoded)),
            setup: Mutex::default(),
            counters: Mutex::default(),
            session: Mutex::default(),
            cuda: ElementContext::default(),
            video: VideoLane::new(class),
            audio: Mutex::default(),
            audience: pads::AudienceLane::default(),
        }
    }
}

#[glib::derived_properties]
impl ObjectImpl for AdInsert {
    fn constructed(&self) {
        self.parent_constructed();
        for pad in [&self.video.sink, &self.video.src] {
            if let Err(error) = self.obj().add_pad(pad) {
                gst::error!(CAT, imp = self, "{error}");
            }
        }
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        use glib::subclass::Signal;
        static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(|| {
            vec![
                // Begins a break at once, of this many nanoseconds (0: as long as its creative). FALSE: not running, or
                // nothing to show is set. What becomes of it is told by messages.
                Signal::builder("start-break")
                    .action()
                    .param_types([u64::static_type()])
                    .return_type::<bool>()
                    .class_handler(|args| {
                        let element = args.first()?.get::<super::AdInsert>().ok()?;
                        let duration = args.get(1)?.get::<u64>().ok()?;
                        let session = element.imp().session();
                        let started = session
                            .is_some_and(|s| s.start_break(Some(duration).filter(|duration| *duration > 0)));
                        Some(started.to_value())
                    })
                    .build(),
                // Ends the break that is on air, or cancels the one that is about to come.
                Signal::builder("end-break")
                    .action()
                    .class_handler(|args| {
                        let element = args.first()?.get::<super::AdInsert>().ok()?;
                        if let Some(session) = element.imp().session() {
                            session.end_break();
                        }
                        None
                    })
                    .build(),
            ]
        });
        &SIGNALS
    }
}

impl GstObjectImpl for AdInsert {}

impl ElementImpl for AdInsert {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Advertisement inserter",
                "Filter/Editor/Video/Audio",
                "Splices advertisements, chosen for the audience and the programme, into the programme frame by frame",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        pads::templates()
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        if template.name_template() == pads::AUDIENCE {
            return self.request_audience();
        }
        self.request_audio(name)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        self.release(pad);
    }

    fn set_context(&self, context: &gst::Context) {
        self.cuda.set_context(&*self.obj(), context, None);
        self.parent_set_context(context);
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::NullToReady => self.prepare()?,
            gst::StateChange::ReadyToPaused => self.start(),
            gst::StateChange::PausedToReady => self.stop(),
            _ => {}
        }
        let result = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady {
            // The last frame of an advertisement that was on air at the end.
            self.video.reset();
        }
        if transition == gst::StateChange::ReadyToNull {
            // The ledger is closed, and what was read is read anew at the next start.
            *lock(&self.setup) = None;
            *lock(&self.session) = None;
            self.cuda.clear();
            // A process that ends now must not leave decoders running; one that hangs must not keep it from ending.
            if !super::creative::finish_teardowns(std::time::Duration::from_secs(2)) {
                gst::warning!(CAT, imp = self, "an advertisement is still being stopped");
            }
        }
        result
    }
}
