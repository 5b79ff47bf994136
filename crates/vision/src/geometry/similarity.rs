/// A similarity transform of the plane: scale, rotation and translation, no mirroring. As a 2 x 3 matrix
/// `[[a, -b, x], [b, a, y]]` with `a = scale · cos`, `b = scale · sin`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    a: f32,
    b: f32,
    x: f32,
    y: f32,
}

impl Similarity {
    /// Turns by `radians` (from the x axis towards the y axis: clockwise in a picture, whose y points down), scales, then
    /// moves.
    pub fn new(scale: f32, radians: f32, (x, y): (f32, f32)) -> Self {
        Self { a: scale * radians.cos(), b: scale * radians.sin(), x, y }
    }

    /// The one that brings each point of `from` closest to its partner in `to`: least sum of squared distances
    /// (S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", IEEE TPAMI 13(4),
    /// 1991; in two dimensions its singular value decomposition has this closed form).
    ///
    /// `None`: fewer than two points, different numbers of them, all of either side in one place, or not numbers.
    pub fn fit(from: &[(f32, f32)], to: &[(f32, f32)]) -> Option<Self> {
        if from.len() < 2 || from.len() != to.len() {
            return None;
        }
        let (from_x, from_y) = mean(from);
        let (to_x, to_y) = mean(to);
        let (mut spread, mut along, mut across) = (0.0, 0.0, 0.0);
        for ((px, py), (qx, qy)) in from.iter().zip(to) {
            let (px, py) = (f64::from(*px) - from_x, f64::from(*py) - from_y);
            let (qx, qy) = (f64::from(*qx) - to_x, f64::from(*qy) - to_y);
            spread += px * px + py * py;
            along += px * qx + py * qy;
            across += px * qy - py * qx;
        }
        let (a, b) = (along / spread, across / spread);
        let (x, y) = (to_x - a * from_x + b * from_y, to_y - b * from_x - a * from_y);
        let fitted = Self { a: a as f32, b: b as f32, x: x as f32, y: y as f32 };
        fitted.inverse().map(|_| fitted)
    }

    pub fn apply(&self, (x, y): (f32, f32)) -> (f32, f32) {
        (self.a * x - self.b * y + self.x, self.b * x + self.a * y + self.y)
    }

    /// First this, then `next`.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let (x, y) = next.apply((self.x, self.y));
        Self { a: next.a * self.a - next.b * self.b, b: next.b * self.a + next.a * self.b, x, y }
    }

    /// The way back. `None`: everything was brought to one point, or the numbers are none.
    pub fn inverse(&self) -> Option<Self> {
        let square = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / square, -self.b / square);
        let inverse = Self { a, b, x: b * self.y - a * self.x, y: -b * self.x - a * self.y };
        let numbers = [inverse.a, inverse.b, inverse.x, inverse.y];
        (square.is_normal() && numbers.iter().all(|n| n.is_finite())).then_some(inverse)
    }

    /// `a`, `b`, `x`, `y` of the matrix.
    pub(crate) fn matrix(&self) -> [f32; 4] {
        [self.a, self.b, self.x, self.y]
    }

    /// Length of what had length 1; above 0.
    pub fn scale(&self) -> f32 {
        self.a.hypot(self.b)
    }
    /// Radians, -π to π.
    pub fn rotation(&self) -> f32 {
        self.b.atan2(self.a)
    }
}

fn mean(points: &[(f32, f32)]) -> (f64, f64) {
    let sum = points.iter().fold((0.0, 0.0), |(x, y), p| (x + f64::from(p.0), y + f64::from(p.1)));
    (sum.0 / points.len() as f64, sum.1 / points.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: (f32, f32), b: (f32, f32), tolerance: f32) -> bool {
        (a.0 - b.0).abs() <= tolerance && (a.1 - b.1).abs() <= tolerance
    }

    #[test]
    fn a_quarter_turn_takes_the_x_axis_to_the_y_axis() {
        let turn = Similarity::new(2.0, std::f32::consts::FRAC_PI_2, (10.0, 20.0));
        assert!(close(turn.apply((1.0, 0.0)), (10.0, 22.0), 1e-5));
    }

    #[test]
    fn points_that_do_not_fit_exactly_are_missed_by_equal_shares() {
        // Two points twice as far apart as their partners, and one that is off on each side of the middle.
        let from = [(0.0, 0.0), (4.0, 0.0), (2.0, 1.0), (2.0, -1.0)];
        let to = [(0.0, 0.0), (2.0, 0.0), (1.0, 0.5), (1.0, -0.5)];
        let fitted = Similarity::fit(&from, &to).unwrap();
        assert!((fitted.scale() - 0.5).abs() < 1e-6 && fitted.rotation().abs() < 1e-6);
        let disturbed = [(0.0, 0.1), (2.0, -0.1), (1.0, 0.5), (1.0, -0.5)];
        let fitted = Similarity::fit(&from, &disturbed).unwrap();
        // Σ p × q / Σ |p|² = (-2 · 0.1 + 2 · -0.1) / 10
        assert!((fitted.rotation() - (-0.04_f32).atan2(0.5)).abs() < 1e-6);
    }

    #[test]
    fn nothing_fits_points_in_one_place_or_without_partners() {
        assert_eq!(Similarity::fit(&[(1.0, 1.0)], &[(2.0, 2.0)]), None);
        assert_eq!(Similarity::fit(&[(1.0, 1.0); 2], &[(2.0, 2.0), (3.0, 3.0)]), None);
        assert_eq!(Similarity::fit(&[(1.0, 1.0), (2.0, 2.0)], &[(2.0, 2.0); 2]), None);
        assert_eq!(Similarity::fit(&[(1.0, 1.0), (2.0, 2.0)], &[(2.0, 2.0); 3]), None);
        assert_eq!(Similarity::fit(&[(f32::NAN, 1.0), (2.0, 2.0)], &[(2.0, 2.0), (0.0, 1.0)]), None);
    }

    proptest! {
        #[test]
        fn what_was_transformed_is_found_again_and_comes_back(
            scale in 0.05_f32..20.0, radians in -3.0_f32..3.0, x in -500.0_f32..500.0, y in -500.0_f32..500.0,
            points in proptest::collection::vec((-100.0_f32..100.0, -100.0_f32..100.0), 3..8),
        ) {
            let spread = points.iter().map(|p| (p.0 - points[0].0).hypot(p.1 - points[0].1)).fold(0.0, f32::max);
            prop_assume!(spread > 10.0);
            let known = Similarity::new(scale, radians, (x, y));
            let moved: Vec<(f32, f32)> = points.iter().map(|p| known.apply(*p)).collect();
            let fitted = Similarity::fit(&points, &moved).unwrap();
            for (point, there) in points.iter().zip(&moved) {
                prop_assert!(close(fitted.apply(*point), *there, 0.02));
                prop_assert!(close(known.inverse().unwrap().apply(*there), *point, 0.1));
            }
        }
    }
}
