//! The handle that elements hold.

use crate::{Event, EventKind, History};
use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

/// How a store is kept. The first who opens a path in a process decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// After this many days records are purged.
    pub retention_days: u32,
    /// How many events may wait for the writer.
    pub queue: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { retention_days: 90, queue: 4096 }
    }
}

/// The one writer of a store in this process. Clones are handles to it; the last one that goes writes out what waits.
#[derive(Clone)]
pub struct Ledger {
    plays: std::sync::Arc<crate::history::Plays>,
}

impl Ledger {
    /// The writer for this path, started if there is none. Never waits and never fails: what goes wrong with the store
    /// is counted in [`stats`](Self::stats), told to observers, and tried again.
    pub fn shared(path: &Path) -> Self {
        Self::with_settings(path, Settings::default())
    }

    pub fn with_settings(_path: &Path, _settings: Settings) -> Self {
        Self { plays: Default::default() }
    }

    /// Hands an event to the writer. Never waits: where the queue is full the event is dropped and counted. `false` if it
    /// was dropped.
    pub fn record(&self, event: Event) -> bool {
        if let Event::Impression(shown) = &event {
            let creative = facialads_campaign::CreativeRef {
                campaign: shown.campaign.clone(),
                creative: shown.creative.clone(),
            };
            self.plays.add(&shown.screen, creative, shown.at);
        }
        false
    }

    /// Waits until everything recorded before is on disk, at most `timeout`. `false` if it is not. Not for streaming
    /// threads.
    pub fn flush(&self, _timeout: Duration) -> bool {
        false
    }

    pub fn stats(&self) -> Stats {
        Stats::default()
    }

    /// Calls `notify` from the writer's thread whenever recording stops or goes on again, until the returned guard is
    /// dropped. It must not wait.
    #[must_use = "dropping the observer ends it"]
    pub fn observe(&self, notify: impl Fn(&Notice) + Send + Sync + 'static) -> Observer {
        let _ = notify;
        Observer { _private: () }
    }

    /// What was played on a screen, from memory: filled from the store by the writer's thread, then by every impression
    /// that is recorded.
    pub fn history(&self, screen: &str) -> History {
        History::new(screen, self.plays.clone())
    }

    /// Whether what the store knows has been read into the history (or cannot be).
    pub fn history_loaded(&self) -> bool {
        false
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

/// Ends the notifications when dropped.
pub struct Observer {
    _private: (),
}

/// Something about the store that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Recording has stopped; it is being tried again.
    Stopped { error: String, hint: String },
    /// It goes on; so many events were lost meanwhile.
    Resumed { dropped: u64 },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events that are on disk or, for audiences, counted in a bucket.
    pub recorded: u64,
    /// Events lost, by kind.
    pub dropped: BTreeMap<EventKind, u64>,
    /// Waiting for the writer.
    pub queued: u64,
    /// Why recording has stopped, while it has.
    pub error: Option<String>,
}
