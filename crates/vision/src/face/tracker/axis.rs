//! A Kalman filter of one coordinate: where it is and how fast it moves.
//!
//! SORT (Bewley et al. 2016) and ByteTrack (Zhang et al. 2022) filter a box's centre, size and aspect with constant
//! velocities in one state of eight. Their matrices are block-diagonal and their noises diagonal, so the filter falls
//! apart, exactly, into filters of one coordinate, which need no matrices.
//!
//! Time is continuous here: those filters count frames, and with them a dropped frame or another rate changes what the
//! constants mean. Velocity follows an Ornstein-Uhlenbeck process: pushed by white noise of density `noise` and forgotten
//! with the time constant `memory`. Over a few frames that is a constant velocity; over the seconds for which a face is
//! hidden it comes to rest, since nobody walks on for ever, while the uncertainty grows. Its transition over `dt` is the
//! same whether it is made in one step or in many, so neither the frame rate nor the detection interval matters.

/// How a coordinate moves. Lengths are in the coordinate's own unit (for positions: the box's size).
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    /// Seconds after which 1/e of a velocity is left.
    pub(super) memory: f64,
    /// Root of the density of the noise that drives velocity, units / s^1.5.
    pub(super) noise: f64,
    /// Standard deviation of the velocity of what is seen for the first time, units / s.
    pub(super) first_velocity: f64,
    /// Standard deviation of a measurement, units.
    pub(super) measurement: f64,
}

/// The estimate: position, velocity and their covariance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) position: f64,
    pub(super) velocity: f64,
    /// Variances of position and velocity, and their covariance.
    pub(super) pp: f64,
    vv: f64,
    pv: f64,
}

impl Axis {
    /// Seen for the first time at `position`. `unit`: how much one unit of `motion` is.
    pub(super) fn new(position: f64, motion: &Motion, unit: f64) -> Self {
        let pp = (motion.measurement * unit).powi(2);
        let vv = (motion.first_velocity * unit).powi(2);
        Self { position, velocity: 0.0, pp, vv, pv: 0.0 }
    }

    /// Where it is expected after `dt` seconds, without the covariance.
    pub(super) fn position_after(&self, motion: &Motion, dt: f64) -> f64 {
        self.position + self.velocity * reach(motion, dt)
    }

    /// What is known after `dt` seconds in which it was not measured.
    #[must_use]
    pub(super) fn predicted(&self, motion: &Motion, unit: f64, dt: f64) -> Self {
        let (memory, q) = (motion.memory, (motion.noise * unit).powi(2));
        let kept = (-dt / memory).exp();
        let reach = reach(motion, dt);
        let pp = q * memory.powi(2) * (dt - 2.0 * reach + memory / 2.0 * (1.0 - kept * kept));
        let pv = q / 2.0 * reach * reach;
        let vv = q * memory / 2.0 * (1.0 - kept * kept);
        Self {
            position: self.position + self.velocity * reach,
            velocity: self.velocity * kept,
            pp: self.pp + 2.0 * reach * self.pv + reach * reach * self.vv + pp.max(0.0),
            pv: kept * (self.pv + reach * self.vv) + pv,
            vv: kept * kept * self.vv + vv,
        }
    }

    /// Takes in a measurement with the standard deviation `deviation`, in the coordinate's unit.
    #[must_use]
    pub(super) fn measured(&self, at: f64, deviation: f64) -> Self {
        let variance = self.pp + deviation.powi(2);
        if variance <= 0.0 {
            return Self { position: at, ..*self };
        }
        let (gain, velocity_gain) = (self.pp / variance, self.pv / variance);
        let innovation = at - self.position;
        Self {
            position: self.position + gain * innovation,
            velocity: self.velocity + velocity_gain * innovation,
            pp: (1.0 - gain) * self.pp,
            pv: (1.0 - gain) * self.pv,
            vv: (self.vv - velocity_gain * self.pv).max(0.0),
        }
    }
}

/// How far a velocity of 1 carries in `dt` seconds.
fn reach(motion: &Motion, dt: f64) -> f64 {
    -motion.memory * (-dt / motion.memory).exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOTION: Motion = Motion { memory: 4.0, noise: 0.7, first_velocity: 3.0, measurement: 0.05 };

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3)
    }

    #[test]
    fn over_a_few_frames_it_is_the_constant_velocity_filter() {
        let axis = Axis { velocity: 2.0, ..Axis::new(1.0, &MOTION, 1.0) };
        let next = axis.predicted(&MOTION, 1.0, 0.04);
        assert!((next.position - 1.08).abs() < 0.001);
        let added = next.pp - axis.pp - axis.vv * reach(&MOTION, 0.04).powi(2);
        assert!((added / (0.49 * 0.04_f64.powi(3) / 3.0) - 1.0).abs() < 0.05, "{added}");
    }

    #[test]
    fn a_steady_motion_is_learned_at_any_rate() {
        for rate in [10.0, 15.0, 25.0, 30.0, 60.0] {
            let mut axis = Axis::new(0.0, &MOTION, 1.0);
            for frame in 1..=(rate as i32) {
                let t = f64::from(frame) / rate;
                axis = axis.predicted(&MOTION, 1.0, 1.0 / rate).measured(2.0 * t, 0.05);
            }
            assert!(
                (axis.position - 2.0).abs() < 0.05 && (axis.velocity - 2.0).abs() < 0.15,
                "{rate}: {axis:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn one_step_is_as_good_as_many(first in 0.0..3.0_f64, second in 0.0..3.0_f64, velocity in -5.0..5.0_f64) {
            let axis = Axis { velocity, ..Axis::new(0.3, &MOTION, 0.1) };
            let many = axis.predicted(&MOTION, 0.1, first).predicted(&MOTION, 0.1, second);
            let one = axis.predicted(&MOTION, 0.1, first + second);
            prop_assert!(near(many.position, one.position) && near(many.velocity, one.velocity));
            prop_assert!(near(many.pp, one.pp) && near(many.pv, one.pv) && near(many.vv, one.vv));
        }

        #[test]
        fn the_covariance_stays_one(
            steps in proptest::collection::vec((0.0..5.0_f64, -10.0..10.0_f64, 0.001..0.5_f64), 1..60),
        ) {
            let mut axis = Axis::new(0.0, &MOTION, 0.2);
            for (dt, at, deviation) in steps {
                axis = axis.predicted(&MOTION, 0.2, dt).measured(at, deviation);
                prop_assert!(axis.position.is_finite() && axis.velocity.is_finite());
                prop_assert!(axis.pp >= 0.0 && axis.vv >= 0.0);
                prop_assert!(axis.pp * axis.vv - axis.pv * axis.pv >= -1e-9);
            }
        }
    }
}
