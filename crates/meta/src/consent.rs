//! Consent on a buffer.

pub use facialads_consent::Stamp;

pub fn register() {}

/// Stamps a buffer, replacing any stamp on it.
pub fn attach(_stamp: &Stamp, _buffer: &mut gst::BufferRef) {}

/// The stamp on a buffer. `None` where there is none or where it cannot be read: nothing is allowed.
pub fn read(_buffer: &gst::BufferRef) -> Option<Stamp> {
    None
}

pub fn remove(_buffer: &mut gst::BufferRef) {}
