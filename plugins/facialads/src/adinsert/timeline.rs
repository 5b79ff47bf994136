//! From a pad's timestamps to running time.

use facialads_splice::Time;
use gst::ClockTime;

/// A pad's segment. Running time is only given out where breaks make sense: forward, at normal speed, in time.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    segment: Option<gst::FormattedSegment<ClockTime>>,
}

impl Timeline {
    pub fn set(&mut self, segment: &gst::Segment) {
        self.segment = segment.downcast_ref::<ClockTime>().filter(|s| s.rate() == 1.0).cloned();
    }
    pub fn clear(&mut self) {
        self.segment = None;
    }
    /// `None` for times outside of the segment, for fast and backward playback and for streams not in time.
    pub fn running(&self, pts: Option<ClockTime>) -> Option<Time> {
        self.segment.as_ref()?.to_running_time(pts?).map(ClockTime::nseconds)
    }
    /// Running time of a position in the file; `None` where it is not played.
    pub fn of_stream_time(&self, stream: Time) -> Option<Time> {
        let segment = self.segment.as_ref()?;
        let position = segment.position_from_stream_time(ClockTime::try_from(stream).ok()?)?;
        // A cue at the very end of a segment belongs to the one that follows.
        if segment.stop().is_some_and(|stop| position >= stop) {
            return None;
        }
        segment.to_running_time(position).map(ClockTime::nseconds)
    }
}

/// GStreamer's "no time" cannot come out of ours: saturates below it.
pub(super) fn clock_time(time: Time) -> ClockTime {
    ClockTime::from_nseconds(time.min(ClockTime::MAX.nseconds()))
}
