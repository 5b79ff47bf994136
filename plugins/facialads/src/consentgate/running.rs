//! What lives between start and stop.

use super::{
    announce::Announcer,
    settings::{Settings, Unusable},
    types::Basis,
};
use facialads_consent::{GateState, Reading, Reason, Watch, Watcher, next_epoch, published_stamp};
use facialads_ledger::Ledger;
use gst::glib;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long starting waits for the store to be read once, so that a file is not cut at its head.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// How long a watcher may be silent before it is taken for dead, which closes the gate for everybody.
const SILENCE: Duration = Duration::from_secs(1);

pub struct Running {
    source: Source,
    announcer: Arc<Announcer>,
    started: Instant,
    /// Epoch that was last told in the order of the buffers; 0 for none.
    told: AtomicU64,
    /// Whether buffers were dropped since one last passed.
    pub interrupted: AtomicBool,
    /// When the watcher fell silent, in milliseconds after `started`; `u64::MAX` while it answers.
    silent_since: AtomicU64,
}

enum Source {
    Watched(Watcher),
    Published(Reading),
}

impl Running {
    pub fn start(settings: &Settings, element: glib::WeakRef<super::ConsentGate>) -> Result<Self, Unusable> {
        let rules = settings.rules()?;
        let basis = match settings.basis {
            Basis::ViewerConsent => facialads_consent::Basis::ViewerConsent,
            Basis::PublishedContent => facialads_consent::Basis::PublishedContent,
        };
        let announcer = |statement| {
            Arc::new(Announcer {
                element,
                screen: rules.screen.clone(),
                basis,
                statement,
                ledger: settings.ledger_path().map(|path| Ledger::shared(&path)),
            })
        };
        let (source, announcer) = match settings.basis {
            Basis::PublishedContent => {
                let statement = settings.statement.clone().unwrap_or_default();
                let stamp = published_stamp(&rules, &statement, next_epoch())?;
                let reading = Reading { epoch: stamp.epoch, state: GateState::Open(Arc::new(stamp)) };
                let announcer = announcer(Some(statement));
                announcer.tell(&reading);
                (Source::Published(reading), announcer)
            }
            Basis::ViewerConsent => {
                let store = settings.store_path()?;
                let announcer = announcer(None);
                let told = Arc::clone(&announcer);
                let watcher = Watcher::start(Watch { store, rules }, move |reading| told.tell(reading))?;
                watcher.wait_first(FIRST_LOOK);
                (Source::Watched(watcher), announcer)
            }
        };
        Ok(Self {
            source,
            announcer,
            started: Instant::now(),
            told: AtomicU64::new(0),
            interrupted: AtomicBool::new(false),
            silent_since: AtomicU64::new(u64::MAX),
        })
    }

    /// The state now, doubts included.
    pub fn reading(&self) -> Reading {
        match &self.source {
            Source::Watched(watcher) => watcher.reading(),
            Source::Published(reading) => reading.clone(),
        }
    }

    /// The state that was last announced, doubts aside.
    fn announced(&self) -> Reading {
        match &self.source {
            Source::Watched(watcher) => watcher.announced(),
            Source::Published(reading) => reading.clone(),
        }
    }

    /// The state for a buffer, and the change to tell in the stream before it, if there was one since the last buffer.
    /// Both are of one epoch, so that nothing is stamped with an epoch that was already told to have ended.
    pub fn for_buffer(&self, is_live: impl Fn() -> bool) -> (Reading, Option<Reading>) {
        loop {
            let reading = self.reading_for_buffer(&is_live);
            let announced = self.announced();
            if announced.epoch == reading.epoch {
                let news = self.told.swap(announced.epoch, Ordering::Relaxed) != announced.epoch;
                return (reading, news.then_some(announced));
            }
        }
    }

    pub fn announcer(&self) -> &Announcer {
        &self.announcer
    }

    /// The state for a buffer. When the watcher falls silent, which on a busy machine happens for moments, a live stream
    /// loses frames; any other waits for a sign of life rather than depend on chance, a second at most.
    fn reading_for_buffer(&self, is_live: &impl Fn() -> bool) -> Reading {
        let reading = self.reading();
        let Source::Watched(watcher) = &self.source else { return reading };
        if reading.state != GateState::Closed(Reason::NoHeartbeat) {
            self.silent_since.store(u64::MAX, Ordering::Relaxed);
            return reading;
        }
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        let since =
            match self.silent_since.compare_exchange(u64::MAX, now, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => now,
                Err(since) => since,
            };
        let silence = Duration::from_millis(now.saturating_sub(since));
        if silence < SILENCE && !is_live() && watcher.wait_beat(SILENCE) {
            return self.reading();
        }
        let silence = self.started.elapsed().saturating_sub(Duration::from_millis(since));
        if silence >= SILENCE {
            watcher.give_up_waiting();
        }
        reading
    }

    /// What was told in the stream may have been thrown away with it: it is told again.
    pub fn tell_again(&self) {
        self.told.store(0, Ordering::Relaxed);
    }

    /// Ends the watcher's thread and tells that the gate is closed. For a thread that may wait.
    pub fn stop(&self) {
        let last = self.announced();
        if let Source::Watched(watcher) = &self.source {
            watcher.stop();
        }
        if last.is_open() {
            let closed = Reading { epoch: next_epoch(), state: GateState::Closed(Reason::Stopped) };
            self.announcer.tell(&closed);
        }
    }
}
