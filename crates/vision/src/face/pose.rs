//! Where a head is turned to, from five landmarks.
//!
//! Scaled orthographic pose (POS of DeMenthon and Davis, "Model-based object pose in 25 lines of code", IJCV 15, 1995): the
//! landmarks are the picture of a generic face that was turned, scaled and shifted. The turned axes follow from the
//! landmarks by one product with the pseudo-inverse of the model, and are then made perpendicular and of one length. No
//! iteration towards true perspective: a face is shallow against its distance from a screen's camera.
//!
//! The model, in units of half the distance of the eyes, x to the right of the picture (the person's left), y down, z away
//! from the camera. Across and down it is the median of what YuNet says of the labelled FairFace faces that were turned and
//! leaning by less than 8 degrees, made symmetric: a smile at a camera is the usual face in front of one. In depth it is the mean of the Basel Face Model (Paysan et al. 2009) at the same five points, as given
//! with Deng et al. 2019, "Accurate 3D face reconstruction with weakly-supervised learning" (the tip of the nose 42 mm in front
//! of the corners of the eyes at a pupil distance of 62 mm, the mouth 9 mm).
//!
//! What to expect: exact for that model seen from afar. Noses and mouths differ, so that pitch has an offset of up to ten
//! degrees from person to person and with the expression, and yaw is told too large or small by a fifth.

/// Right eye, left eye, nose, right and left corner of the mouth (the person's own right) of a face that looks straight at
/// the camera: x right in the picture, y down, z away from the camera.
pub const MODEL: [[f64; 3]; 5] =
    [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.18, -1.35], [-0.89, 1.94, -0.29], [0.89, 1.94, -0.29]];

/// How a head is turned, in degrees. All zero: it faces the camera. The head leans first, nods then, and turns last:
/// with x, y, z as in [`MODEL`], R = Ry(yaw) Rx(-pitch) Rz(roll).
#[derive(Clone, Copy, PartialEq)]
pub struct HeadPose {
    /// Positive: turned to the person's own right, which is the left of the picture.
    pub yaw: f32,
    /// Positive: looks up.
    pub pitch: f32,
    /// Positive: leans clockwise in the picture, to the person's own left shoulder.
    pub roll: f32,
}

impl std::fmt::Debug for HeadPose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeadPose(…)")
    }
}

impl HeadPose {
    /// From landmarks in units that are the same across and down, such as pixels. `None`: they are no face (in one place, or
    /// no numbers) or a mirrored one.
    pub fn of(points: &[(f32, f32); 5]) -> Option<Self> {
        // The first two rows of the rotation, times the scale.
        let (across, down) = turned_axes(points)?;
        let (across, down) = (unit(across)?, unit(down)?);
        // The nearest pair that is perpendicular: sum and difference of two unit vectors always are.
        let (sum, difference) = (unit(add(across, down, 1.0))?, unit(add(across, down, -1.0))?);
        let (i, j) = (unit(add(sum, difference, 1.0))?, unit(add(sum, difference, -1.0))?);
        let k = cross(i, j);
        // Where the face looks is minus the third column.
        let [yaw, pitch, roll] = [i[2].atan2(k[2]), j[2].atan2(i[2].hypot(k[2])), j[0].atan2(j[1])]
            .map(|radians| radians.to_degrees() as f32);
        (k[2] > 0.0 && yaw.is_finite() && pitch.is_finite() && roll.is_finite()).then_some(Self {
            yaw,
            pitch,
            roll,
        })
    }

    /// 1 straight at the camera, 0 at a right angle to it: the cosine of the angle between where the face looks and the
    /// camera, cos(yaw) cos(pitch).
    pub fn facing(&self) -> f32 {
        (self.yaw.to_radians().cos() * self.pitch.to_radians().cos()).clamp(0.0, 1.0)
    }
}

type Vector = [f64; 3];

/// Least squares: the two rows that take the model to the points, both less their means.
fn turned_axes(points: &[(f32, f32); 5]) -> Option<(Vector, Vector)> {
    let mean = |coordinate: fn(&(f32, f32)) -> f32| points.iter().map(coordinate).sum::<f32>() / 5.0;
    let (cx, cy) = (mean(|p| p.0), mean(|p| p.1));
    let centre = MODEL.iter().fold([0.0; 3], |sum, p| add(sum, *p, 0.2));
    let (mut gram, mut x, mut y) = ([[0.0; 3]; 3], [0.0; 3], [0.0; 3]);
    for (model, point) in MODEL.iter().zip(points) {
        let model = add(*model, centre, -1.0);
        for (row, value) in gram.iter_mut().zip(model) {
            *row = add(*row, model, value);
        }
        x = add(x, model, f64::from(point.0 - cx));
        y = add(y, model, f64::from(point.1 - cy));
    }
    // Gram's inverse by its cofactors.
    let [a, b, c] = gram;
    let (bc, ca, ab) = (cross(b, c), cross(c, a), cross(a, b));
    let determinant = dot(a, bc);
    let solve = |v: Vector| {
        let sum = add(add([bc[0] * v[0], bc[1] * v[0], bc[2] * v[0]], ca, v[1]), ab, v[2]);
        sum.map(|component| component / determinant)
    };
    (determinant > 0.0).then(|| (solve(x), solve(y)))
}

fn add(a: Vector, b: Vector, times: f64) -> Vector {
    [a[0] + times * b[0], a[1] + times * b[1], a[2] + times * b[2]]
}
fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
/// `None`: it has no direction.
fn unit(v: Vector) -> Option<Vector> {
    let length = dot(v, v).sqrt();
    (length > 1e-9 && length.is_finite()).then(|| v.map(|component| component / length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The model turned as documented, seen from `distance` half eye distances; infinite: from afar.
    fn seen(yaw: f64, pitch: f64, roll: f64, scale: f64, distance: f64) -> [(f32, f32); 5] {
        let (sy, cy) = yaw.to_radians().sin_cos();
        let (sp, cp) = (-pitch).to_radians().sin_cos();
        let (sr, cr) = roll.to_radians().sin_cos();
        MODEL.map(|[x, y, z]| {
            let (x, y) = (cr * x - sr * y, sr * x + cr * y);
            let (y, z) = (cp * y - sp * z, sp * y + cp * z);
            let (x, z) = (cy * x + sy * z, -sy * x + cy * z);
            let nearer = if distance.is_finite() { distance / (distance + z) } else { 1.0 };
            ((320.0 + scale * x * nearer) as f32, (180.0 + scale * y * nearer) as f32)
        })
    }

    #[test]
    fn signs_are_as_documented() {
        let frontal = seen(0.0, 0.0, 0.0, 30.0, f64::INFINITY);
        let straight = HeadPose::of(&frontal).unwrap();
        assert!(straight.yaw.abs() < 0.01 && straight.pitch.abs() < 0.01 && straight.roll.abs() < 0.01);
        assert!((straight.facing() - 1.0).abs() < 1e-6);
        // The nose moves to the left of the picture as the head turns to its own right, and up as it looks up.
        let moved = |nose: (f32, f32)| {
            let mut points = frontal;
            points[2] = (points[2].0 + nose.0, points[2].1 + nose.1);
            HeadPose::of(&points).unwrap()
        };
        assert!(moved((-5.0, 0.0)).yaw > 5.0 && moved((0.0, -5.0)).pitch > 5.0);
        // The eye on the right of the picture is the lower one.
        let leaning = seen(0.0, 0.0, 20.0, 30.0, f64::INFINITY);
        assert!(leaning[1].1 > leaning[0].1 + 5.0 && HeadPose::of(&leaning).unwrap().roll > 15.0);
    }

    #[test]
    fn what_is_no_face_has_no_pose() {
        assert!(HeadPose::of(&[(5.0, 5.0); 5]).is_none());
        assert!(HeadPose::of(&[(f32::NAN, 0.0); 5]).is_none());
        let frontal = seen(0.0, 0.0, 0.0, 30.0, f64::INFINITY);
        assert!(HeadPose::of(&frontal.map(|(x, y)| (-x, y))).is_none(), "mirrored");
    }

    proptest! {
        #[test]
        fn a_known_rotation_is_found(
            yaw in -75.0..75.0_f64, pitch in -50.0..50.0_f64, roll in -60.0..60.0_f64, scale in 5.0..200.0_f64,
        ) {
            let pose = HeadPose::of(&seen(yaw, pitch, roll, scale, f64::INFINITY)).unwrap();
            prop_assert!((f64::from(pose.yaw) - yaw).abs() < 0.1);
            prop_assert!((f64::from(pose.pitch) - pitch).abs() < 0.1);
            prop_assert!((f64::from(pose.roll) - roll).abs() < 0.1);
            let facing = yaw.to_radians().cos() * pitch.to_radians().cos();
            prop_assert!((f64::from(pose.facing()) - facing).abs() < 0.002);
        }

        /// At arm's length (0.6 m, 19 half eye distances) and with landmarks off by 4 % of the distance of the eyes.
        #[test]
        fn perspective_and_inexact_landmarks_cost_some_degrees(
            yaw in -45.0..45.0_f64, pitch in -30.0..30.0_f64, roll in -30.0..30.0_f64,
            off in proptest::array::uniform10(-0.04..0.04_f64),
        ) {
            let mut points = seen(yaw, pitch, roll, 50.0, 19.0);
            for (point, off) in points.iter_mut().zip(off.chunks(2)) {
                *point = (point.0 + (off[0] * 100.0) as f32, point.1 + (off[1] * 100.0) as f32);
            }
            let pose = HeadPose::of(&points).unwrap();
            prop_assert!((f64::from(pose.yaw) - yaw).abs() < 15.0, "{} {yaw}", pose.yaw);
            prop_assert!((f64::from(pose.pitch) - pitch).abs() < 15.0, "{} {pitch}", pose.pitch);
            prop_assert!((f64::from(pose.roll) - roll).abs() < 12.0, "{} {roll}", pose.roll);
        }

        #[test]
        fn nothing_panics(points in proptest::array::uniform10(any::<f32>())) {
            let points = std::array::from_fn(|i| (points[2 * i], points[2 * i + 1]));
            let _ = HeadPose::of(&points).map(|pose| pose.facing());
        }
    }
}
