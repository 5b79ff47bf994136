//! A face's box in motion: centre, size and shape, each filtered on its own (see [`super::axis`]).

use super::axis::{Axis, Motion};
use crate::Rect;

/// The centre, in units of the box's width or height: at another distance from the camera the same person moves as many
/// faces a second. ByteTrack's noises (measurement 1/20 of the height, velocity 1/160 of it a frame) are a pedestrian's, whose
/// box is ten times as large as the face. A face is 0.2 m high and a walker passes 5 to 7 of them a second; the noise allows
/// for a change of that speed by half a face a second within half a second, and was chosen on the clips of `tests/tracking.rs`
/// and the walks of `simulation.rs` (docs/benchmarks.md, "Tracking").
const ACROSS: Motion = Motion { memory: 4.0, noise: 0.6, first_velocity: 2.0, measurement: 0.05 };
/// Upright people walk across the picture, or towards the camera, and move little up and down.
const DOWN: Motion = Motion { memory: 4.0, noise: 0.4, first_velocity: 0.7, measurement: 0.05 };
/// Logarithm of the height: people come nearer by half in a second at most.
pub(super) const SIZE: Motion = Motion { memory: 1.0, noise: 0.25, first_velocity: 0.3, measurement: 0.06 };
/// Logarithm of width over height, which changes as the head turns.
const SHAPE: Motion = Motion { memory: 0.5, noise: 0.25, first_velocity: 0.1, measurement: 0.06 };
/// A detection below the threshold is of a face half hidden or blurred, and its box is as much worse.
const DOUBTFUL: f64 = 2.0;
/// How much of the half that is missing counts, which is wrong in the same way look after look.
const HIDDEN: f64 = 4.0;
/// A predicted size stays within this factor (as a logarithm) of the one last seen.
const MOST_GROWTH: f64 = 0.5;

/// Where a box is and how it moves, as of the last time it was measured. Lengths are fractions of the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moving {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) size: Axis,
    shape: Axis,
}

/// What is measured of a box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) size: f64,
    shape: f64,
}

impl Measured {
    /// `bounds` must be proper.
    pub(super) fn of(bounds: &Rect) -> Self {
        let (x, y) = bounds.centre();
        let (width, height) = (f64::from(bounds.width), f64::from(bounds.height));
        Self { x: x.into(), y: y.into(), width, height, size: height.ln(), shape: (width / height).ln() }
    }
}

impl Moving {
    pub(super) fn new(bounds: &Rect) -> Self {
        let at = Measured::of(bounds);
        Self {
            x: Axis::new(at.x, &ACROSS, at.width),
            y: Axis::new(at.y, &DOWN, at.height),
            size: Axis::new(at.size, &SIZE, 1.0),
            shape: Axis::new(at.shape, &SHAPE, 1.0),
        }
    }

    /// Height and width.
    pub(super) fn height(&self) -> f64 {
        self.size.position.exp()
    }
    pub(super) fn width(&self) -> f64 {
        (self.size.position + self.shape.position).exp()
    }

    #[must_use]
    pub(super) fn predicted(&self, dt: f64) -> Self {
        let (width, height) = (self.width(), self.height());
        let mut next = Self {
            x: self.x.predicted(&ACROSS, width, dt),
            y: self.y.predicted(&DOWN, height, dt),
            size: self.size.predicted(&SIZE, 1.0, dt),
            shape: self.shape.predicted(&SHAPE, 1.0, dt),
        };
        next.size.position = within_reach(next.size.position, self.size.position);
        next.shape.position = within_reach(next.shape.position, self.shape.position);
        next
    }

    /// Where `bounds`, seen when this was measured, is expected `dt` seconds later. What is told of a face and cut out of
    /// the picture lies where the detector saw it: the filter's own place lags behind a head that turns or a camera that shakes.
    pub(super) fn carried(&self, bounds: &Rect, dt: f64) -> Rect {
        let along = |axis: &Axis, motion: &Motion| (axis.position_after(motion, dt) - axis.position) as f32;
        let growth = |axis: &Axis, motion: &Motion| {
            (within_reach(axis.position_after(motion, dt), axis.position) - axis.position).exp() as f32
        };
        let height = bounds.height * growth(&self.size, &SIZE);
        let width = bounds.width * growth(&self.size, &SIZE) * growth(&self.shape, &SHAPE);
        let (x, y) = bounds.centre();
        let (x, y) = (x + along(&self.x, &ACROSS), y + along(&self.y, &DOWN));
        Rect::new(x - width / 2.0, y - height / 2.0, width, height)
    }

    /// The filter's box after `dt` seconds.
    pub(super) fn bounds_after(&self, dt: f64) -> Rect {
        let size = within_reach(self.size.position_after(&SIZE, dt), self.size.position);
        let shape = within_reach(self.shape.position_after(&SHAPE, dt), self.shape.position);
        let (height, width) = (size.exp(), (size + shape).exp());
        let (x, y) = (self.x.position_after(&ACROSS, dt), self.y.position_after(&DOWN, dt));
        Rect::new((x - width / 2.0) as f32, (y - height / 2.0) as f32, width as f32, height as f32)
    }

    /// Takes in a detection at the moment that this was predicted for. `doubtful`: it was below the threshold.
    #[must_use]
    pub(super) fn measured(&self, at: &Measured, doubtful: bool) -> Self {
        let worse = if doubtful { DOUBTFUL } else { 1.0 };
        let (wide, high) = self.deviations(at);
        // Narrower or lower than it should be, by what part.
        let (narrow, low) =
            ((self.width() / at.width).ln().max(0.0), (self.height() / at.height).ln().max(0.0));
        Self {
            x: self.x.measured(at.x, worse * wide),
            y: self.y.measured(at.y, worse * high),
            size: self.size.measured(at.size, worse * SIZE.measurement.hypot(low)),
            shape: self.shape.measured(at.shape, worse * SHAPE.measurement.hypot(narrow)),
        }
    }

    /// Standard deviations of the centre of a detection, across and down.
    ///
    /// A face that slides behind something is detected as the part that is still to be seen, whose centre is off by half of
    /// what is missing, and always to the same side: taken for a motion, that would brake the face just before it has to
    /// be followed blindly. So what is missing of the expected box counts as uncertainty.
    pub(super) fn deviations(&self, at: &Measured) -> (f64, f64) {
        let one = |expected: f64, seen: f64| {
            (ACROSS.measurement * expected).hypot(HIDDEN * (expected - seen).max(0.0) / 2.0)
        };
        (one(self.width(), at.width), one(self.height(), at.height))
    }
}

fn within_reach(value: f64, of: f64) -> f64 {
    value.clamp(of - MOST_GROWTH, of + MOST_GROWTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_comes_out_as_it_went_in() {
        let bounds = Rect::new(0.2, 0.3, 0.1, 0.15);
        let back = Moving::new(&bounds).bounds_after(1.0);
        for (a, b) in [(back.x, 0.2), (back.y, 0.3), (back.width, 0.1), (back.height, 0.15)] {
            assert!((a - b).abs() < 1e-6, "{back:?}");
        }
    }

    #[test]
    fn a_face_that_comes_nearer_is_expected_larger_but_not_without_bounds() {
        let mut moving = Moving::new(&Rect::new(0.4, 0.4, 0.1, 0.1));
        for step in 1..=10 {
            let side = 0.1 * 1.04_f32.powi(step);
            let at = Measured::of(&Rect::new(0.45 - side / 2.0, 0.45 - side / 2.0, side, side));
            moving = moving.predicted(0.1).measured(&at, false);
        }
        let (now, soon, late) =
            (moving.height(), moving.bounds_after(0.3).height, moving.bounds_after(60.0).height);
        assert!(f64::from(soon) > now * 1.04 && f64::from(late) < now * 1.7, "{now} {soon} {late}");
    }
}
