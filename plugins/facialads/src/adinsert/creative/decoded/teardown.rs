//! Taking private pipelines down without anybody waiting for it: stopping a decoder joins its threads, and stopping a
//! stalled network source may take seconds.

use super::CAT;
use gst::prelude::*;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Threads that tear down at once, at most: one that hangs must not hold up the others, a hundred drops must not make
/// a hundred threads.
const WORKERS: usize = 4;

/// Takes a pipeline to its end. Blocks: never on a streaming thread of the programme.
pub fn stop(pipeline: &gst::Pipeline) {
    if let Err(error) = pipeline.set_state(gst::State::Null) {
        gst::warning!(CAT, "an ad's pipeline did not stop: {error}");
    }
    if let Some(bus) = pipeline.bus() {
        bus.unset_sync_handler();
        bus.set_flushing(true);
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<gst::Pipeline>,
    workers: usize,
}

static STATE: Mutex<State> = Mutex::new(State { waiting: VecDeque::new(), workers: 0 });
static CHANGED: Condvar = Condvar::new();

/// Hands a pipeline to a thread that stops it. Never blocks.
pub fn hand_over(pipeline: gst::Pipeline) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    state.waiting.push_back(pipeline);
    if state.workers >= WORKERS {
        return;
    }
    match std::thread::Builder::new().name("ad-teardown".into()).spawn(work) {
        Ok(_) => state.workers += 1,
        Err(error) if state.workers == 0 => {
            // The next one to be torn down will try again and take this one with it.
            gst::error!(CAT, "no thread to stop an ad's pipeline on: {error}");
        }
        Err(_) => {}
    }
}

fn work() {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(pipeline) = state.waiting.pop_front() {
        drop(state);
        stop(&pipeline);
        drop(pipeline);
        state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    }
    state.workers -= 1;
    CHANGED.notify_all();
}

/// Waits until every creative that was dropped has been torn down, at most `limit`, so that a process can end without
/// decoders still running. Returns whether all are gone. For an element's way to NULL, not for a streaming thread.
pub fn finish_teardowns(limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    while state.workers > 0 || !state.waiting.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        state = CHANGED.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    true
}
