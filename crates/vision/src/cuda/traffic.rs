//! How many bytes crossed between host and GPU: the measure for "pixels never leave the GPU".

use std::sync::atomic::{AtomicU64, Ordering};

/// What is in a copy between host and device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Pictures, whole or in part, of any size, also as a network's input.
    Pixels,
    /// Anything else: boxes, scores, tables of jobs.
    Results,
}

/// Bytes copied between host and device by this process through [`crate::cuda`] since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub pixels_to_device: u64,
    pub pixels_to_host: u64,
    pub other_to_device: u64,
    pub other_to_host: u64,
}

impl Traffic {
    /// What came on top of `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            pixels_to_device: self.pixels_to_device.saturating_sub(earlier.pixels_to_device),
            pixels_to_host: self.pixels_to_host.saturating_sub(earlier.pixels_to_host),
            other_to_device: self.other_to_device.saturating_sub(earlier.other_to_device),
            other_to_host: self.other_to_host.saturating_sub(earlier.other_to_host),
        }
    }
}

static PIXELS_TO_DEVICE: AtomicU64 = AtomicU64::new(0);
static PIXELS_TO_HOST: AtomicU64 = AtomicU64::new(0);
static OTHER_TO_DEVICE: AtomicU64 = AtomicU64::new(0);
static OTHER_TO_HOST: AtomicU64 = AtomicU64::new(0);

/// The counters now. Copies count when they are enqueued.
pub fn traffic() -> Traffic {
    Traffic {
        pixels_to_device: PIXELS_TO_DEVICE.load(Ordering::Relaxed),
        pixels_to_host: PIXELS_TO_HOST.load(Ordering::Relaxed),
        other_to_device: OTHER_TO_DEVICE.load(Ordering::Relaxed),
        other_to_host: OTHER_TO_HOST.load(Ordering::Relaxed),
    }
}

/// Counts what somebody else copied to the device: ONNX Runtime's uploads of host inputs.
pub fn count_to_device(payload: Payload, bytes: usize) {
    add(if payload == Payload::Pixels { &PIXELS_TO_DEVICE } else { &OTHER_TO_DEVICE }, bytes);
}

/// Counts what somebody else copied to the host.
pub fn count_to_host(payload: Payload, bytes: usize) {
    add(if payload == Payload::Pixels { &PIXELS_TO_HOST } else { &OTHER_TO_HOST }, bytes);
}

fn add(counter: &AtomicU64, bytes: usize) {
    counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
}
