//! Running time of buffers, those without a timestamp included.

/// Where caps name no rate: 25 frames a second.
const UNKNOWN: gst::ClockTime = gst::ClockTime::from_mseconds(40);

#[derive(Debug)]
pub struct Clockwork {
    frame: gst::ClockTime,
    last: Option<gst::ClockTime>,
}

impl Default for Clockwork {
    fn default() -> Self {
        Self { frame: UNKNOWN, last: None }
    }
}

impl Clockwork {
    /// Takes in the caps' frames per second; 0 is "variable". Returns what a frame lasts, as far as that can be said.
    pub fn set_rate(&mut self, fps: gst::Fraction) -> gst::ClockTime {
        let parts = u64::try_from(fps.numer()).ok().zip(u64::try_from(fps.denom()).ok());
        self.frame = parts.filter(|(frames, _)| *frames > 0).map_or(UNKNOWN, |(frames, seconds)| {
            gst::ClockTime::from_nseconds(seconds * 1_000_000_000 / frames)
        });
        self.frame
    }

    /// A new stream, or a jump in time that is known of.
    pub fn restart(&mut self) {
        self.last = None;
    }

    /// Running time of a buffer, and whether time has jumped back. A buffer without a timestamp, or outside its segment,
    /// comes a frame after the one before it.
    pub fn running_time(
        &mut self,
        segment: &gst::Segment,
        buffer: &gst::BufferRef,
    ) -> (gst::ClockTime, bool) {
        let now = segment
            .downcast_ref::<gst::ClockTime>()
            .and_then(|segment| segment.to_running_time(buffer.pts()))
            .unwrap_or_else(|| self.last.map_or(gst::ClockTime::ZERO, |last| last + self.frame));
        let jumped_back = self.last.is_some_and(|last| now < last);
        self.last = Some(now);
        (now, jumped_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(pts: Option<u64>) -> gst::Buffer {
        let mut buffer = gst::Buffer::new();
        buffer.make_mut().set_pts(pts.map(gst::ClockTime::from_mseconds));
        buffer
    }

    #[test]
    fn buffers_without_timestamps_follow_each_other_at_the_frame_rate() {
        gst::init().unwrap();
        let segment = gst::FormattedSegment::<gst::ClockTime>::new().upcast();
        let mut clock = Clockwork::default();
        clock.set_rate(gst::Fraction::new(50, 1));
        let mut at = |pts| clock.running_time(&segment, &buffer(pts)).0.mseconds();
        assert_eq!([at(None), at(None), at(Some(100)), at(None)], [0, 20, 100, 120]);
    }

    #[test]
    fn no_frame_rate_counts_as_25_and_a_jump_back_is_noticed() {
        gst::init().unwrap();
        let segment = gst::FormattedSegment::<gst::ClockTime>::new().upcast();
        let mut clock = Clockwork::default();
        clock.set_rate(gst::Fraction::new(0, 1));
        assert!(!clock.running_time(&segment, &buffer(Some(1000))).1);
        assert_eq!(clock.running_time(&segment, &buffer(None)).0.mseconds(), 1040);
        assert!(clock.running_time(&segment, &buffer(Some(500))).1);
    }
}
