//! Exact conversions between nanoseconds, frames and samples.

/// Nanoseconds; of running time unless said otherwise.
pub type Time = u64;

pub const SECOND: Time = 1_000_000_000;

/// `value * multiplier / divisor`, to the nearest, saturating. With a value below 2^64 and factors below 2^62 the
/// product stays below 2^126.
fn scale(value: u64, multiplier: u64, divisor: u64) -> u64 {
    let divisor = u128::from(divisor.max(1));
    let scaled = (u128::from(value) * u128::from(multiplier) + divisor / 2) / divisor;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// Frames per second as an exact, positive fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    frames: u64,
    seconds: u64,
}

impl FrameRate {
    /// `None` for a rate of zero (caps of variable frame rate) or a fraction that is none.
    pub fn new(numerator: i32, denominator: i32) -> Option<Self> {
        let frames = u64::try_from(numerator).ok().filter(|n| *n > 0)?;
        let seconds = u64::try_from(denominator).ok().filter(|n| *n > 0)?;
        Some(Self { frames, seconds })
    }
    /// Time of frame number `frames` when frame 0 is at 0.
    pub fn time(self, frames: u64) -> Time {
        scale(frames, SECOND * self.seconds, self.frames)
    }
    /// The frame nearest to `time`; also the number of frames that a stretch of that length holds.
    pub fn frames(self, time: Time) -> u64 {
        scale(time, self.frames, SECOND * self.seconds)
    }
    /// Half a frame's duration.
    pub fn half(self) -> Time {
        self.time(1) / 2
    }
}

/// The instants at which the programme's frames lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Running time of the first frame.
    pub origin: Time,
    pub rate: FrameRate,
}

impl Grid {
    /// Number of the frame nearest to `time`; 0 for everything before the first.
    pub fn index(self, time: Time) -> u64 {
        self.rate.frames(time.saturating_sub(self.origin))
    }
    pub fn time(self, index: u64) -> Time {
        self.origin.saturating_add(self.rate.time(index))
    }
}

/// Number of the sample nearest to `time`, at `rate` samples per second.
pub fn samples(time: Time, rate: u32) -> u64 {
    scale(time, u64::from(rate), SECOND)
}

/// Time of a sample.
pub fn sample_time(sample: u64, rate: u32) -> Time {
    scale(sample, SECOND, u64::from(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntsc_does_not_drift_in_a_year() {
        let rate = FrameRate::new(30_000, 1001).unwrap();
        let year = rate.frames(365 * 86_400 * SECOND);
        for frame in [0, 1, 29, 107_892, year, year + 1] {
            assert_eq!(rate.frames(rate.time(frame)), frame);
        }
        assert_eq!(rate.time(30_000), 1001 * SECOND);
    }

    #[test]
    fn a_rate_of_zero_is_no_rate() {
        assert_eq!(FrameRate::new(0, 1), None);
        assert_eq!(FrameRate::new(25, 0), None);
        assert_eq!(FrameRate::new(-25, 1), None);
    }

    #[test]
    fn a_time_before_the_first_frame_belongs_to_it() {
        let grid = Grid { origin: SECOND, rate: FrameRate::new(25, 1).unwrap() };
        assert_eq!(grid.index(0), 0);
        assert_eq!(grid.index(SECOND + 19_999_999), 0);
        assert_eq!(grid.index(SECOND + 20_000_001), 1);
    }

    #[test]
    fn nothing_overflows_at_the_end_of_time() {
        let rate = FrameRate::new(i32::MAX, 1).unwrap();
        assert_eq!(rate.frames(u64::MAX), u64::MAX);
        let slow = FrameRate::new(1, i32::MAX).unwrap();
        assert_eq!(slow.time(u64::MAX), u64::MAX);
        assert_eq!(samples(u64::MAX, 192_000), (u128::from(u64::MAX) * 192_000 / 1_000_000_000 + 1) as u64);
    }
}
