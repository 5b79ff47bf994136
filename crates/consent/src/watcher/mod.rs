//! Learns of changes in the store and keeps the gate's state for a streaming thread to read without waiting.

mod clock;
mod reason;
mod shared;
mod source;

pub use clock::{Clock, SystemClock};
pub use reason::Reason;
pub use shared::{GateState, Reading};

use crate::{GateRules, Grant, Standing, StoreError, WallClock, stamp_for};
use clock::SetBack;
use shared::{Shared, Verdict};
use source::{Source, Trouble};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

/// How often the store is looked at.
const POLL: Duration = Duration::from_millis(20);

/// What to watch.
#[derive(Clone, Debug)]
pub struct Watch {
    pub store: PathBuf,
    pub rules: GateRules,
}

/// A thread that looks at the store every 20 ms. Dropping it, or [`stop`](Self::stop), ends the thread.
pub struct Watcher {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Watcher {
    /// Starts watching. `changed` is called with every change, in the order of epochs and before the next is looked for,
    /// from the watcher's thread; while it runs no heartbeat is given, so it must not wait.
    ///
    /// The store may be missing: the gate opens as soon as there is one with a grant.
    pub fn start(watch: Watch, changed: impl Fn(&Reading) + Send + Sync + 'static) -> std::io::Result<Self> {
        Self::start_with(watch, Arc::new(SystemClock::default()), changed)
    }

    /// Like [`start`](Self::start), by a clock of the caller's.
    pub fn start_with(
        watch: Watch,
        clock: Arc<dyn Clock>,
        changed: impl Fn(&Reading) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(clock, Box::new(changed)));
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("consent-watcher".into()).spawn(move || {
            let source = Source::new(watch.store, watch.rules.screen.clone());
            let mut look = Look { source, rules: watch.rules, set_back: SetBack::default(), distrusted: 0 };
            while !theirs.stopping() {
                // The beat is given after the verdict is out: a fresh heartbeat vouches for the state.
                theirs.publish(look.verdict(theirs.clock()));
                theirs.beat();
                theirs.pause(POLL);
            }
        })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// The state now. Never waits for the store. A heartbeat older than 80 ms reads as closed, under the same epoch,
    /// for as long as it lasts.
    pub fn reading(&self) -> Reading {
        self.shared.reading()
    }

    /// The state that `changed` was last called with, without the doubts of [`reading`](Self::reading).
    pub fn announced(&self) -> Reading {
        self.shared.announced()
    }

    /// Waits until the store was looked at once, at most `timeout`; whether it was.
    pub fn wait_first(&self, timeout: Duration) -> bool {
        self.shared.wait(timeout, |beats| beats > 0)
    }

    /// Waits for a heartbeat that is given after this call, at most `timeout`; whether there was one. For pipelines
    /// that have no clock to keep up with: on a busy machine it is better to wait than to lose frames of a file.
    pub fn wait_beat(&self, timeout: Duration) -> bool {
        let seen = self.shared.beats();
        self.shared.wait(timeout, move |beats| beats > seen)
    }

    /// Closes the gate under a new epoch because the watcher has stopped answering. The watcher opens it again when it
    /// answers. Does nothing while a change is being told.
    pub fn give_up_waiting(&self) {
        self.shared.try_publish(Verdict::Closed(Reason::NoHeartbeat));
    }

    /// Ends the thread and waits for it, unless it is the one that asks.
    pub fn stop(&self) {
        self.shared.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        if thread.thread().id() != std::thread::current().id() {
            // A panic in `changed` has been printed; the gate is closed for lack of a heartbeat.
            let _ = thread.join();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Look {
    source: Source,
    rules: GateRules,
    set_back: SetBack,
    /// Grants up to this number were given before the clock was set back.
    distrusted: i64,
}

impl Look {
    fn verdict(&mut self, clock: &dyn Clock) -> Verdict {
        let set_back = self.set_back.happened(clock);
        let now = clock.wall();
        let rows = match self.source.look(now) {
            Ok(rows) => rows,
            Err(Trouble::Replaced) => {
                // Another file counts from the start.
                self.distrusted = 0;
                return Verdict::Closed(Reason::Replaced);
            }
            Err(Trouble::Store(error)) => {
                if set_back && !matches!(error, StoreError::Missing(_)) {
                    self.distrusted = i64::MAX;
                }
                return Verdict::Closed(Reason::of_store(error, &self.rules.screen));
            }
        };
        self.distrusted = self.distrusted.max(rows.last_ahead);
        if set_back || self.distrusted == i64::MAX {
            self.distrusted = rows.last_number;
        }
        let holds =
            |grant: &&Grant| grant.number > self.distrusted && grant.standing(now) == Standing::Active;
        let grants: Vec<Grant> = rows.grants.iter().filter(holds).cloned().collect();
        if grants.is_empty() {
            return Verdict::Closed(Reason::of_last(rows.last_standing(now), &self.rules.screen));
        }
        match stamp_for(&grants, &self.rules, 0) {
            Some(stamp) => Verdict::Open(stamp),
            None => Verdict::Closed(Reason::NothingInCommon { screen: self.rules.screen.clone() }),
        }
    }
}

/// Whether a stamp still holds by the clock.
pub(crate) fn expired(expires: WallClock, now: WallClock) -> bool {
    now >= expires
}
