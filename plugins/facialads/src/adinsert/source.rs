//! Opening creatives.

use super::creative::{Creative, Format};
use gst::ClockTime;
use std::sync::Arc;

/// Opens creatives. Called on threads of ours, never on a streaming thread; must return at once all the same, and
/// report what goes wrong through [`Creative::readiness`].
pub trait CreativeSource: Send + Sync {
    /// `uri` is a file's path or an address. A creative that is not ready within `preroll_timeout` is given up.
    fn open(&self, uri: &str, format: &Format, preroll_timeout: ClockTime) -> Arc<dyn Creative>;
}

/// Decodes files and addresses while they play.
pub(super) struct Decoded;

impl CreativeSource for Decoded {
    fn open(&self, uri: &str, format: &Format, preroll_timeout: ClockTime) -> Arc<dyn Creative> {
        use super::creative::{DecodedCreative, Options};
        DecodedCreative::open(uri, format, Options { preroll_timeout, ..Options::default() })
    }
}
