//! Landmarks over a track, steadied.

use crate::Rect;

/// Five points: right eye, left eye, nose, right and left corner of the mouth (the person's own right).
pub(crate) type Points = [(f32, f32); 5];

/// Seconds after which a new position counts for 63 %: about three looks of thirty a second. YuNet's landmarks shake by two
/// to four hundredths of the face's width from frame to frame, a head turns by a right angle in half a second.
const SETTLES: f64 = 0.1;

/// The mean of the last looks, relative to the box (its centre and size), so that it does not lag behind a face in motion.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Landmarks(Option<Points>);

impl Landmarks {
    /// `elapsed`: seconds since the last look. Without points the old ones stay.
    pub(super) fn seen(&mut self, points: Option<&Points>, bounds: &Rect, elapsed: f64) {
        let Some(points) = points else { return };
        let (cx, cy) = bounds.centre();
        let relative = points.map(|(x, y)| ((x - cx) / bounds.width, (y - cy) / bounds.height));
        let gain = (-(-elapsed / SETTLES).exp_m1()) as f32;
        let blend = |old: f32, new: f32| old + gain * (new - old);
        self.0 = Some(match self.0 {
            Some(old) => {
                let mut mean = relative;
                for (mean, old) in mean.iter_mut().zip(old) {
                    *mean = (blend(old.0, mean.0), blend(old.1, mean.1));
                }
                mean
            }
            None => relative,
        });
    }

    /// Where they are in a face whose box is `bounds`.
    pub(super) fn on(&self, bounds: &Rect) -> Option<Points> {
        let (cx, cy) = bounds.centre();
        self.0.map(|points| points.map(|(x, y)| (cx + x * bounds.width, cy + y * bounds.height)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_move_with_the_box_and_settle_within_it() {
        let place = |x: f32, nose: f32| {
            let bounds = Rect::new(x, 0.2, 0.1, 0.2);
            (
                bounds,
                [(0.3, 0.3), (0.7, 0.3), (nose, 0.5), (0.3, 0.7), (0.7, 0.7)]
                    .map(|(a, b): (f32, f32)| (x + a * 0.1, 0.2 + b * 0.2)),
            )
        };
        let mut landmarks = Landmarks::default();
        let (bounds, points) = place(0.1, 0.5);
        landmarks.seen(Some(&points), &bounds, 0.0);
        let (moved, points) = place(0.5, 0.7);
        landmarks.seen(Some(&points), &moved, 0.1);
        let nose = (landmarks.on(&moved).unwrap()[2].0 - 0.5) / 0.1;
        assert!((nose - (0.5 + 0.2 * 0.632)).abs() < 1e-3, "{nose}");
        landmarks.seen(None, &moved, 10.0);
        assert!(landmarks.on(&moved).is_some());
    }
}
