use std::sync::atomic::{AtomicU64, Ordering};

static ON_PEOPLE: AtomicU64 = AtomicU64::new(0);

/// How often a network has been run on a picture of people in this process. Without consent it stays what it was: the
/// demonstration and the tests print it.
pub fn inference_calls() -> u64 {
    ON_PEOPLE.load(Ordering::SeqCst)
}

pub(crate) fn count_on_people() {
    ON_PEOPLE.fetch_add(1, Ordering::SeqCst);
}
