//! The result, for people and as JSON.

use serde::Serialize;
use std::fmt;

#[derive(Serialize)]
pub struct Report {
    pub machine: String,
    pub runtime: String,
    /// What detector and subject calculated in.
    pub precision: String,
    pub provider: String,
    pub faces: String,
    pub programme: String,
    pub runs: u32,
    pub rows: Vec<Row>,
}

/// One element and what it is compared with; speeds in frames a second, one per run.
#[derive(Serialize)]
pub struct Row {
    pub what: String,
    pub fps: f64,
    pub reference: String,
    pub reference_fps: f64,
    /// Speed of the element as a part of the reference's.
    pub ratio: f64,
    pub all_fps: Vec<f64>,
    pub all_reference_fps: Vec<f64>,
}

impl Row {
    pub fn new(what: &str, fps: Vec<f64>, reference: &str, reference_fps: Vec<f64>) -> Self {
        let (element, bare) = (median(&fps), median(&reference_fps));
        Self {
            what: what.to_owned(),
            fps: element,
            reference: reference.to_owned(),
            reference_fps: bare,
            ratio: if bare > 0.0 { element / bare } else { 0.0 },
            all_fps: fps,
            all_reference_fps: reference_fps,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} in {} on {}", self.machine, self.runtime, self.precision, self.provider)?;
        writeln!(f, "{}; {}; median of {} interleaved runs", self.faces, self.programme, self.runs)?;
        writeln!(f)?;
        writeln!(f, "{:<34}{:>10}  {:<28}{:>10}{:>8}", "element", "fps", "against", "fps", "ratio")?;
        for row in &self.rows {
            let Row { what, fps, reference, reference_fps, ratio, .. } = row;
            writeln!(f, "{what:<34}{fps:>10.1}  {reference:<28}{reference_fps:>10.1}{ratio:>8.3}")?;
        }
        Ok(())
    }
}

/// 0 of nothing.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// Processor and number of cores, as far as the system tells.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        line.split(':').nth(1).map(|name| name.trim().to_owned())
    });
    format!("{}, {cores} cores", cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_medians_and_the_ratio_is_theirs() {
        let row = Row::new("a", vec![9.0, 1.0, 5.0], "b", vec![10.0, 30.0]);
        assert_eq!((row.fps, row.reference_fps, row.ratio), (5.0, 20.0, 0.25));
        assert_eq!(median(&[]), 0.0);
    }
}
