//! The thread that writes.

use crate::{
    Event, EventKind, Notice, Settings,
    buckets::Buckets,
    chain::Content,
    event::new_id,
    history::Plays,
    ledger::Shared,
    store::{Store, StoreError, Write},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// No frequency cap looks further back (the campaign loader refuses longer ones).
const HISTORY: SignedDuration = SignedDuration::from_hours(31 * 24);
/// How many events one commit takes at most.
const BATCH: usize = 512;
/// How often hours that are over and the retention are looked at.
const TICK: Duration = Duration::from_secs(1);
const PURGE_EVERY: Duration = Duration::from_secs(60 * 60);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(30);

pub(crate) struct Writer {
    pub path: PathBuf,
    pub settings: Settings,
    pub shared: Arc<Shared>,
    pub plays: Arc<Plays>,
    store: Option<Store>,
    buckets: Buckets,
    /// Taken from the queue, not yet on disk.
    pending: Pending,
    retry: Duration,
    purged: Option<Instant>,
    /// Until the first successful opening.
    history_missing: bool,
}

#[derive(Default)]
struct Pending {
    writes: Vec<Write>,
    events: Vec<EventKind>,
}

impl Writer {
    pub fn new(path: PathBuf, settings: Settings, shared: Arc<Shared>, plays: Arc<Plays>) -> Self {
        Self {
            path,
            settings,
            shared,
            plays,
            store: None,
            buckets: Buckets::default(),
            pending: Pending::default(),
            retry: FIRST_RETRY,
            purged: None,
            history_missing: true,
        }
    }

    /// Runs until the last handle has gone and everything is written, or cannot be.
    pub fn run(mut self) {
        loop {
            let result = self.work();
            self.shared.history_is_loaded();
            match result {
                Ok(()) => self.succeeded(),
                Err(error) => self.failed(&error),
            }
            let closing = match self.shared.error() {
                // Fewer than three people are forgotten with the buckets here.
                None => self.shared.wait_for_events(TICK, self.pending.events.is_empty()),
                Some(_) => {
                    let closing = self.shared.wait_before_retry(self.retry);
                    self.retry = (self.retry * 2).min(LAST_RETRY);
                    closing
                }
            };
            if closing && (self.shared.error().is_some() || self.shared.is_drained()) {
                self.give_up();
                return;
            }
        }
    }

    fn work(&mut self) -> Result<(), StoreError> {
        self.open()?;
        self.housekeeping()?;
        self.take();
        let Some(store) = &mut self.store else { return Ok(()) };
        if !self.pending.writes.is_empty() {
            store.write(&self.pending.writes)?;
        }
        self.shared.written(self.pending.events.len());
        self.pending = Pending::default();
        Ok(())
    }

    fn open(&mut self) -> Result<(), StoreError> {
        if self.store.is_some() {
            return Ok(());
        }
        let store = Store::open(&self.path, self.settings.largest)?;
        if self.history_missing {
            let since = Timestamp::now().checked_sub(HISTORY).unwrap_or(Timestamp::MIN);
            for (screen, creative, at) in store.plays(since)? {
                self.plays.add(&screen, creative, at);
            }
            self.history_missing = false;
        }
        self.store = Some(store);
        Ok(())
    }

    /// Hours that are over, and what is past its retention: on opening (the program may have been off when it came due)
    /// and every hour.
    fn housekeeping(&mut self) -> Result<(), StoreError> {
        let now = Timestamp::now();
        self.pending.writes.extend(self.buckets.over(now).into_iter().map(Write::Bucket));
        if self.purged.is_some_and(|at| at.elapsed() < PURGE_EVERY) {
            return Ok(());
        }
        let keep = SignedDuration::from_hours(i64::from(self.settings.retention_days) * 24);
        if let (Some(store), Ok(cutoff)) = (&mut self.store, now.checked_sub(keep)) {
            store.purge(cutoff)?;
        }
        self.plays.forget_before(now.checked_sub(HISTORY).unwrap_or(Timestamp::MIN));
        self.purged = Some(Instant::now());
        Ok(())
    }

    /// Takes the next batch off the queue, unless one is still waiting to be written.
    fn take(&mut self) {
        if !self.pending.events.is_empty() {
            return;
        }
        for event in self.shared.take(BATCH) {
            self.pending.events.push(event.kind());
            match event {
                Event::Audience(audience) => {
                    self.pending.writes.extend(self.buckets.add(&audience).map(Write::Bucket));
                }
                Event::Gate(gate) => {
                    // Somebody may have withdrawn: another process took that, and here only the gate's change is seen.
                    self.buckets.forget(&gate.screen);
                    self.pending.writes.extend(row(Event::Gate(gate)));
                }
                Event::Forget { screen } => self.buckets.forget(&screen),
                Event::Consent(change) if change.change == crate::ConsentKind::Withdrawn => {
                    self.buckets.forget(&change.screen);
                    self.pending.writes.extend(row(Event::Consent(change)));
                }
                event => self.pending.writes.extend(row(event)),
            }
        }
    }

    fn succeeded(&mut self) {
        self.retry = FIRST_RETRY;
        if let Some(dropped) = self.shared.resumed() {
            self.shared.notify(&Notice::Resumed { dropped });
        }
    }

    fn failed(&mut self, error: &StoreError) {
        // Opened anew at the next attempt: after some errors a connection is of no more use.
        self.store = None;
        let text = format!("{}: {error}", self.path.display());
        if self.shared.stopped(&text) {
            self.shared.notify(&Notice::Stopped { error: text, hint: error.hint().to_owned() });
        }
    }

    /// What cannot be written before the program ends is counted as lost.
    fn give_up(&mut self) {
        let rest = self.shared.take(usize::MAX);
        let kinds = self.pending.events.drain(..).chain(rest.iter().map(Event::kind)).collect::<Vec<_>>();
        self.shared.lost(&kinds);
        self.shared.closed();
    }
}

/// The log row of an event. `None` only if it cannot be written as JSON, which these types always can.
fn row(event: Event) -> Option<Write> {
    let kind = event.kind();
    let (at, link, body, receipts) = match event {
        Event::Decision(decision) => (decision.at, decision.id.clone(), json(&decision)?, decision.receipts),
        Event::Impression(shown) => (shown.at, shown.decision.clone(), json(&shown)?, Vec::new()),
        Event::Skipped(skipped) => (skipped.at, new_id(), json(&skipped)?, Vec::new()),
        Event::Gate(gate) => (gate.at, new_id(), json(&gate)?, Vec::new()),
        Event::Consent(change) => (change.at, new_id(), json(&change)?, change.receipt.into_iter().collect()),
        Event::Audience(_) | Event::Forget { .. } => return None,
    };
    let content = Content { kind: kind.name().to_owned(), at: at.as_millisecond(), link, body };
    Some(Write::Row { content, receipts })
}

fn json(record: &impl Serialize) -> Option<String> {
    serde_json::to_string(record).ok()
}
