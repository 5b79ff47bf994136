//! Where an advertisement's frames and samples come from, behind one trait, so that other sources (a prepared
//! mezzanine, CUDA memory, a VAST download) can take the place of a decoded file.

mod decoded;

pub use decoded::{DecodedCreative, Options, finish_teardowns};

use gst::ClockTime;

/// What the programme looks and sounds like: the creative must deliver exactly this.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// Fixed raw video caps with a frame rate, in system memory or in CUDA memory.
    pub video: Option<gst::Caps>,
    /// Where these caps name CUDA memory: the context that the programme's frames are in. The creative's have to be in the
    /// same one, so that they can be handed over without a copy.
    pub context: Option<facialads_gstcuda::Context>,
    /// Fixed interleaved raw audio caps, one per audio pad of the programme, in pad order.
    pub audio: Vec<gst::Caps>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Readiness {
    /// Still opening, decoding, filling its queues.
    Preparing,
    /// The first frame and samples of every stream that it has are there.
    Ready,
    /// It never will be; the reason is for the operator.
    Failed(String),
}

/// One picture for the programme.
#[derive(Debug)]
pub enum Frame {
    /// The frame that belongs at this time.
    Picture(gst::Buffer),
    /// The decoder is late: the last frame again.
    Held(gst::Buffer),
    /// The creative has ended, or it has no video.
    End,
    /// It failed, and all that it had decoded before has been shown; or nothing at all has been decoded yet. It will
    /// not recover: the caller returns to the programme.
    Failed(String),
}

/// A creative that is being prepared or played. Times are the creative's own: 0 is its first frame.
/// Called from streaming threads: no call waits longer than `wait`.
pub trait Creative: Send + Sync {
    fn readiness(&self) -> Readiness;
    fn has_video(&self) -> bool;
    fn has_audio(&self) -> bool;
    /// Length of the longest stream, once known: what the container says at first, exact once the streams have been
    /// read to their end. Sound that outlasts the picture by a codec's padding (under 100 ms) does not count.
    fn duration(&self) -> Option<ClockTime>;
    /// Whether [`Self::duration`] will not change any more: an encoder's padding is only told from content once the ends
    /// of all streams were read.
    fn duration_is_exact(&self) -> bool {
        true
    }
    /// The frame for time `time`, chosen by the creative's own timeline: the last one that starts before `time` plus
    /// half a frame. Where the sound outlasts the picture, the last picture stays until the end. Buffers come without
    /// metas, flags or timestamps and share their memory: copy before writing, set the timestamps.
    fn frame(&self, time: ClockTime, wait: ClockTime) -> Frame;
    /// Fills `out` with the bytes of the samples from sample index `position` on, for programme audio pad `pad`;
    /// what is missing is silence. Returns how many samples were the creative's.
    fn samples(&self, pad: usize, position: u64, out: &mut [u8], wait: ClockTime) -> usize;
    /// Wakes every call that waits; later calls answer at once.
    fn cancel(&self);
}
