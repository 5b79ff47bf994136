//! Counters, for the property `stats`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident = $name:literal),+ $(,)?) => {
        #[derive(Debug, Default)]
        pub(super) struct Counters { $($(#[$doc])* pub $field: AtomicU64,)+ pub live: AtomicBool }
        impl Counters {
            pub fn structure(&self) -> gst::Structure {
                gst::Structure::builder("adinsert-stats")
                    $(.field($name, self.$field.load(Ordering::Relaxed)))+
                    .field("live", self.live.load(Ordering::Relaxed))
                    .build()
            }
        }
    };
}
counters! {
    /// Creatives of which a frame was shown.
    splices = "splices",
    /// Creatives that were shown whole.
    completed = "completed",
    /// Breaks, or further creatives of one, that were not shown.
    skipped = "skipped",
    /// Creatives that were chosen and failed before they were on air.
    refused = "refused",
    decisions = "decisions",
    ad_frames = "ad-frames",
    /// Frames shown again because the decoder was late.
    held_frames = "held-frames",
    /// Samples of silence in place of a creative's.
    silence_samples = "silence-samples",
    ad_samples = "ad-samples",
    /// Longest time in a chain function without the push, in nanoseconds.
    max_chain_time = "max-chain-time",
    /// How long programmes from files waited, in nanoseconds: for creatives, and decisions for the audience.
    waited = "waited",
    audience_waited = "audience-waited",
    /// Times that something was forgotten because consent ended or began anew.
    forgotten = "forgotten",
    /// Observations of the audience that are kept now.
    observations = "observations",
}

pub(super) type Shared = Arc<Counters>;

impl Counters {
    pub fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
    pub fn add_time(counter: &AtomicU64, time: Duration) {
        Self::add(counter, nanoseconds(time));
    }
    pub fn chain_took(&self, time: Duration) {
        self.max_chain_time.fetch_max(nanoseconds(time), Ordering::Relaxed);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
