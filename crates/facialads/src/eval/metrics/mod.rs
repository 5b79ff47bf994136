//! The figures themselves: pure functions of numbers, each with its source and tests against values computed by hand.
//! Nothing here reads a file, a picture or a clock.

pub mod abstention;
pub mod assignment;
pub mod bootstrap;
pub mod calibration;
pub mod detection;
pub mod fairness;
pub mod identity;
pub mod interval;
pub mod mot;
pub mod random;
pub mod share;
pub mod spread;

#[cfg(test)]
pub(crate) fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}
