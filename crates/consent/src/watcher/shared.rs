//! What the watcher's thread and its readers share.

use super::{Clock, Reason};
use crate::{Stamp, next_epoch};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A heartbeat older than this is a closed gate.
const STALE: Duration = Duration::from_millis(80);

/// Whether buffers pass.
#[derive(Clone, Debug, PartialEq)]
pub enum GateState {
    Open(Arc<Stamp>),
    Closed(Reason),
}

/// The gate at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Grows with every change of the state or of the stamp; the stamp carries the same.
    pub epoch: u64,
    pub state: GateState,
}

impl Reading {
    pub fn is_open(&self) -> bool {
        matches!(self.state, GateState::Open(_))
    }
}

/// What the watcher found; the stamp has no epoch yet.
#[derive(Debug)]
pub enum Verdict {
    Open(Stamp),
    Closed(Reason),
}

impl Verdict {
    fn says_the_same_as(&self, state: &GateState) -> bool {
        match (self, state) {
            (Self::Open(new), GateState::Open(old)) => {
                *new == Stamp { epoch: new.epoch, ..Stamp::clone(old) }
            }
            (Self::Closed(new), GateState::Closed(old)) => new == old,
            _ => false,
        }
    }

    fn into_reading(self) -> Reading {
        let epoch = next_epoch();
        let state = match self {
            Self::Open(stamp) => GateState::Open(Arc::new(Stamp { epoch, ..stamp })),
            Self::Closed(reason) => GateState::Closed(reason),
        };
        Reading { epoch, state }
    }
}

type Changed = Box<dyn Fn(&Reading) + Send + Sync>;

pub struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    beaten: Condvar,
    /// Held while a change is set and told, so that changes are told in the order of their epochs.
    telling: Mutex<Changed>,
}

struct State {
    reading: Reading,
    /// When the last heartbeat was, by the monotonic clock.
    beat: Option<Duration>,
    beats: u64,
    stopping: bool,
}

impl Shared {
    pub fn new(clock: Arc<dyn Clock>, changed: Changed) -> Self {
        let reading = Verdict::Closed(Reason::NotReadYet).into_reading();
        let state = State { reading, beat: None, beats: 0, stopping: false };
        Self { clock, state: Mutex::new(state), beaten: Condvar::new(), telling: Mutex::new(changed) }
    }

    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Held for moments only: nothing is done under it that waits.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn publish(&self, verdict: Verdict) {
        let telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(&telling, verdict);
    }

    /// Like `publish`, but only if nobody else is telling a change: for threads that may not wait.
    pub fn try_publish(&self, verdict: Verdict) {
        if let Ok(telling) = self.telling.try_lock() {
            self.tell(&telling, verdict);
        }
    }

    fn tell(&self, changed: &Changed, verdict: Verdict) {
        let reading = {
            let mut state = self.state();
            if verdict.says_the_same_as(&state.reading.state) {
                return;
            }
            state.reading = verdict.into_reading();
            state.reading.clone()
        };
        changed(&reading);
    }

    pub fn reading(&self) -> Reading {
        let (reading, beat) = {
            let state = self.state();
            (state.reading.clone(), state.beat)
        };
        let now = self.clock.monotonic();
        let fresh = beat.is_some_and(|beat| now.saturating_sub(beat) <= STALE);
        let close = |reason| Reading { epoch: reading.epoch, state: GateState::Closed(reason) };
        match &reading.state {
            GateState::Open(_) if !fresh => close(Reason::NoHeartbeat),
            GateState::Open(stamp) if super::expired(stamp.expires, self.clock.wall()) => {
                close(Reason::Expired { screen: stamp.screen.clone() })
            }
            _ => reading,
        }
    }

    pub fn announced(&self) -> Reading {
        self.state().reading.clone()
    }

    pub fn beat(&self) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        state.beat = Some(now);
        state.beats = state.beats.saturating_add(1);
        self.beaten.notify_all();
    }

    pub fn beats(&self) -> u64 {
        self.state().beats
    }

    /// Waits until `enough` of the number of beats, or until it is stopped.
    pub fn wait(&self, timeout: Duration, enough: impl Fn(u64) -> bool) -> bool {
        let waiting = |state: &mut State| !enough(state.beats) && !state.stopping;
        let state = self.state();
        let result = self.beaten.wait_timeout_while(state, timeout, waiting);
        let (state, _) = result.unwrap_or_else(PoisonError::into_inner);
        enough(state.beats)
    }

    /// Sleeps for `time`, or until stopped.
    pub fn pause(&self, time: Duration) {
        let state = self.state();
        let _ = self.beaten.wait_timeout_while(state, time, |state| !state.stopping);
    }

    pub fn stopping(&self) -> bool {
        self.state().stopping
    }

    pub fn stop(&self) {
        self.state().stopping = true;
        self.beaten.notify_all();
    }
}
