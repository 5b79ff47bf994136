use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

static ON_PEOPLE: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds.
static TIME_ON_PEOPLE: AtomicU64 = AtomicU64::new(0);

/// How often a network has been run on a picture of people in this process. Without consent it stays what it was: the
/// demonstration and the tests print it.
pub fn inference_calls() -> u64 {
    ON_PEOPLE.load(Ordering::SeqCst)
}

/// How long networks have run on pictures of people in this process, on all threads together: what the rest is measured
/// against.
pub fn inference_time() -> Duration {
    Duration::from_nanos(TIME_ON_PEOPLE.load(Ordering::Relaxed))
}

/// Counts a run of a network on a picture of people, as somebody asked for it.
pub(crate) fn count_on_people() {
    ON_PEOPLE.fetch_add(1, Ordering::SeqCst);
}

/// Whom a network looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    People,
    Programme,
}

impl Whom {
    /// Times a run, be it of one who asked or of several together.
    pub(crate) fn time<T>(self, run: impl FnOnce() -> T) -> T {
        match self {
            Self::People => time_on_people(run),
            Self::Programme => run(),
        }
    }
}

fn time_on_people<T>(run: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = run();
    let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    TIME_ON_PEOPLE.fetch_add(took, Ordering::Relaxed);
    result
}
