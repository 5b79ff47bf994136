//! `facialads models half`: a network in 16 bits beside the one in 32.

use crate::{Error, files, half};
use facialads_vision::{
    ModelSpec,
    runtime::{Device, LoadOptions, PatternRun},
    spec::Role,
};
use std::path::{Path, PathBuf};

/// A network in 16 bits.
#[derive(Clone, Debug)]
pub struct Halved {
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Largest difference of an output on a computed picture, in parts of that output's largest value, both run on the CPU.
    pub difference: f64,
}

/// Writes `NAME.f16.onnx` beside `NAME.onnx`, after comparing the two on a computed picture.
///
/// # Errors
/// The model is not installed, cannot be halved, is of a role that is calculated in 32 bits always, or the results differ by more
/// than 5 %.
pub fn make_half(dir: &Path, name: &str) -> Result<Halved, Error> {
    let failed = |problem: String| Error::Half { name: name.to_owned(), problem };
    let file = dir.join(format!("{name}.onnx"));
    let onnx = std::fs::read(&file).map_err(|source| Error::Read { path: file.clone(), source })?;
    let spec = ModelSpec::beside(&file).map_err(|e| failed(e.to_string()))?;
    if !matches!(spec.role, Role::FaceDetector | Role::Subject) {
        return Err(failed(format!(
            "networks of the role {} are calculated in 32 bits always: what is told of a person must not depend on the processor",
            spec.role.name()
        )));
    }
    let halved = half::halve(&onnx, half::Input::Half).map_err(failed)?;
    let compared = half::halve(&onnx, half::Input::Float).map_err(failed)?;
    let difference = difference(&file, &compared, &spec).map_err(failed)?;
    const MOST: f64 = 0.05;
    if difference.is_nan() || difference > MOST {
        return Err(failed(format!("its results would be off by {:.1} %", difference * 100.0)));
    }
    let path = dir.join(format!("{name}.f16.onnx"));
    files::write(&path, &halved)?;
    Ok(Halved { path, size: halved.len() as u64, difference })
}

/// Both with an input of 32 bits, on the CPU.
fn difference(file: &Path, compared: &[u8], spec: &ModelSpec) -> Result<f64, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let other = folder.path().join("compared.onnx");
    std::fs::write(&other, compared).map_err(|e| e.to_string())?;
    let run = |file: &Path| {
        let options = LoadOptions { device: Device::Cpu, ..LoadOptions::default() };
        let size = (spec.input.width as usize, spec.input.height as usize);
        let mut run = PatternRun::load_sized(&options, file, size, 1)?;
        Ok::<_, facialads_vision::Error>(run.run()?.to_vec())
    };
    let (exact, halved) = (run(file).map_err(|e| e.to_string())?, run(&other).map_err(|e| e.to_string())?);
    let of_one = |exact: &[f32], halved: &[f32]| {
        let largest = exact.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        let off = exact.iter().zip(halved).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
        let broken = exact.len() != halved.len() || halved.iter().any(|value| !value.is_finite());
        if broken { f64::NAN } else { f64::from(off) / f64::from(largest.max(f32::MIN_POSITIVE)) }
    };
    let all: Vec<f64> =
        exact.iter().zip(&halved).map(|(exact, halved)| of_one(exact.data(), halved.data())).collect();
    if all.len() != exact.len() || all.iter().any(|off| off.is_nan()) {
        return Ok(f64::NAN);
    }
    Ok(all.into_iter().fold(0.0, f64::max))
}
