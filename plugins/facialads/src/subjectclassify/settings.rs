//! What the user sets.

use crate::analysis::{
    Async, Precision,
    batch::{DEFAULT_BATCH_SIZE, DEFAULT_BATCH_TIMEOUT},
};

/// Seconds between looks: a shot lasts a few seconds, so each gets several.
pub const DEFAULT_INTERVAL: f64 = 0.5;
/// Seconds that are averaged.
pub const DEFAULT_WINDOW: f64 = 3.0;
/// Classes on a buffer.
pub const DEFAULT_TOP: u32 = 3;

#[derive(Clone, Debug)]
pub struct Settings {
    pub model: Option<String>,
    pub map: Option<String>,
    pub device: Option<String>,
    pub precision: Precision,
    pub model_instance_id: Option<String>,
    pub batch_size: u32,
    /// Milliseconds.
    pub batch_timeout: u32,
    pub interval: f64,
    pub window: f64,
    pub top: u32,
    /// 0: the map's own.
    pub threshold: f32,
    pub run_async: Async,
    pub fallback: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: None,
            map: None,
            device: None,
            precision: Precision::default(),
            model_instance_id: None,
            batch_size: DEFAULT_BATCH_SIZE,
            batch_timeout: DEFAULT_BATCH_TIMEOUT,
            interval: DEFAULT_INTERVAL,
            window: DEFAULT_WINDOW,
            top: DEFAULT_TOP,
            threshold: 0.0,
            run_async: Async::default(),
            fallback: true,
        }
    }
}
