//! How long the GPU takes for each stage, for `facialads bench`.

use super::{event::Event, stream::Stream};
use crate::Result;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Measures are thrown away while more than this many wait to be read: nobody reads them.
const MOST_WAITING: usize = 100_000;

static ON: AtomicBool = AtomicBool::new(false);
static MEASURES: Mutex<Vec<Measure>> = Mutex::new(Vec::new());
static MOVED: AtomicU64 = AtomicU64::new(0);

struct Measure {
    stage: &'static str,
    begin: Event,
    end: Event,
}

/// What a stage took on the GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageTime {
    /// "picture", "crop", "detector", …
    pub stage: &'static str,
    /// How often it ran.
    pub count: u64,
    /// Milliseconds, all runs together.
    pub total: f64,
    /// Milliseconds of the slowest run.
    pub worst: f64,
}

/// Times what is put into a stream while it lives, if timing is on; else it costs nothing.
#[must_use = "it times what is enqueued until it is dropped"]
pub struct StageTimer<'a> {
    stage: &'static str,
    stream: &'a Stream,
    begin: Option<Event>,
}

/// Switches the timing of stages on or off, for the whole process. It is off at first.
pub fn time_stages(on: bool) {
    ON.store(on, Ordering::Relaxed);
}

impl Stream {
    /// Times a stage: everything that is put into the stream from here until the guard is dropped.
    pub fn stage(&self, stage: &'static str) -> StageTimer<'_> {
        StageTimer { stage, stream: self, begin: self.begin_stage() }
    }

    /// [`Stream::stage`] where the stream cannot be borrowed in between.
    pub(crate) fn begin_stage(&self) -> Option<Event> {
        // What cannot be measured is not: the work itself will say what is wrong.
        if is_on() { self.record().ok() } else { None }
    }

    /// The end of what [`Stream::begin_stage`] has begun.
    pub(crate) fn end_stage(&self, stage: &'static str, begin: Option<Event>) {
        let Some(begin) = begin else { return };
        let Ok(end) = self.record() else { return };
        let mut measures = MEASURES.lock().unwrap_or_else(PoisonError::into_inner);
        if measures.len() < MOST_WAITING {
            measures.push(Measure { stage, begin, end });
        }
    }
}

impl Drop for StageTimer<'_> {
    fn drop(&mut self) {
        self.stream.end_stage(self.stage, self.begin.take());
    }
}

/// Whether stages are timed.
pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

pub(super) fn count_moved(bytes: u64) {
    MOVED.fetch_add(bytes, Ordering::Relaxed);
}

/// The least bytes that the kernels which read frames have moved in the GPU's memory since the last call: what their time is to
/// be compared with. Counted only while stages are timed.
pub fn bytes_moved() -> u64 {
    MOVED.swap(0, Ordering::Relaxed)
}

/// Waits for what was measured since the last call, and sums it up, in the order of the stages' names.
///
/// # Errors
/// Work in a stream failed.
pub fn stage_times() -> Result<Vec<StageTime>> {
    let measures = std::mem::take(&mut *MEASURES.lock().unwrap_or_else(PoisonError::into_inner));
    let mut times: Vec<StageTime> = Vec::new();
    for Measure { stage, begin, end } in measures {
        end.wait()?;
        let took = f64::from(end.milliseconds_since(&begin)?);
        let index = match times.iter().position(|time| time.stage == stage) {
            Some(index) => index,
            None => {
                times.push(StageTime { stage, count: 0, total: 0.0, worst: 0.0 });
                times.len() - 1
            }
        };
        let time = &mut times[index];
        time.count += 1;
        time.total += took;
        time.worst = time.worst.max(took);
    }
    times.sort_by_key(|time| time.stage);
    Ok(times)
}
