//! Running pictures of several streams together.

use std::time::Duration;

/// The property `batch-size`: everybody alone. A CPU gains nothing from batches, and one stream has nobody to share with.
pub const DEFAULT_BATCH_SIZE: u32 = 1;
/// The property `batch-timeout` in milliseconds: an eighth of a frame at 25 a second.
pub const DEFAULT_BATCH_TIMEOUT: u32 = 5;

/// The property `batch-timeout` as the networks take it.
pub fn timeout(milliseconds: u32) -> Duration {
    Duration::from_millis(milliseconds.into())
}
