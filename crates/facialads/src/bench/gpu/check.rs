//! `facialads bench --provider … --check`: whether a provider gives the CPU's results, on real frames.

use super::{
    compare::{Comparison, Seen, Tolerance},
    frames::GpuFrames,
};
use crate::bench::{consent, frames::Frames};
use anyhow::{Context, Result, bail};
use facialads_consent::{Purposes, Stamp, permit, wall_clock};
use facialads_vision::{
    Device, FaceAnalyzer, FaceOptions, SubjectClassifier, SubjectOptions, View,
    cuda::{Gpu, GpuInfo, Traffic, ordinal_of, traffic},
    face::Gender,
    process::{Memory, Permits, Terms, Took, process},
    runtime::{Card, LoadOptions, Precision},
};
use serde::Serialize;
use std::{fmt, time::Duration};

/// The verdict.
#[derive(Serialize)]
pub struct Verdict {
    pub gpu: Option<String>,
    pub runtime: String,
    pub precision: String,
    pub comparisons: Vec<Comparison>,
    /// Bytes of pictures that crossed between host and GPU while frames in its memory were analysed. Not zero: that way failed.
    pub pixel_bytes: Option<u64>,
    pub passed: bool,
}

/// How frames reach the analysis.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Host,
    OnGpu,
}

/// Everything that is looked at, in either memory.
struct Material<'a> {
    faces: &'a Frames,
    programme: &'a Frames,
    on_gpu: Option<(GpuFrames, GpuFrames)>,
}

/// Every frame's faces, and its subject's probabilities.
struct Results {
    faces: Vec<Vec<Seen>>,
    subjects: Vec<Vec<f32>>,
    runtime: String,
    crossed: Traffic,
}

/// Compares `device` with the CPU on every frame of the two clips: from the host's memory and, for a GPU, from its own.
///
/// # Errors
/// The device or a network cannot be used.
pub fn check(device: &Device, precision: Precision, faces: &Frames, programme: &Frames) -> Result<Verdict> {
    let gpu = gpu_of(device)?;
    let on_gpu = match &gpu {
        Some(gpu) => Some((GpuFrames::upload(gpu, faces)?, GpuFrames::upload(gpu, programme)?)),
        None => None,
    };
    let material = Material { faces, programme, on_gpu };
    let reference = run(&Device::Cpu, Precision::F32, Way::Host, &material).context("the CPU's own run")?;
    let tolerance = if precision == Precision::F32 { Tolerance::EXACT } else { Tolerance::HALF };
    let mut comparisons = Vec::new();
    let host = run(device, precision, Way::Host, &material).with_context(|| format!("{device}"))?;
    comparisons.push(compare("frames in the computer's memory", &reference, &host, tolerance));
    let mut pixel_bytes = None;
    if gpu.is_some() {
        let there = run(device, precision, Way::OnGpu, &material)
            .with_context(|| format!("{device}, frames in the GPU's memory"))?;
        comparisons.push(compare("frames in the GPU's memory", &reference, &there, tolerance));
        pixel_bytes = Some(there.crossed.pixels_to_host + there.crossed.pixels_to_device);
    }
    let passed = comparisons.iter().all(|c| c.passed) && pixel_bytes.unwrap_or(0) == 0;
    Ok(Verdict {
        gpu: gpu.as_ref().map(|gpu| describe(gpu.info())),
        runtime: host.runtime,
        precision: precision.to_string(),
        comparisons,
        pixel_bytes,
        passed,
    })
}

/// The GPU that a device stands for; `None` of one that is not ours to place frames on.
pub fn gpu_of(device: &Device) -> Result<Option<Gpu>> {
    let card = match device {
        Device::Cuda(card) | Device::TensorRt(card) => card,
        _ => return Ok(None),
    };
    let ordinal = match card {
        Card::Number(number) => *number,
        Card::Uuid(prefix) => ordinal_of(prefix)?,
    };
    Ok(Some(Gpu::primary(ordinal)?))
}

pub fn describe(info: &GpuInfo) -> String {
    let (major, minor) = info.compute;
    let (driver, point) = info.driver;
    let gigabytes = info.memory as f64 / f64::from(1 << 30);
    format!(
        "{}, {gigabytes:.0} GiB, compute capability {major}.{minor}, driver for CUDA {driver}.{point}",
        info.name
    )
}

fn run(device: &Device, precision: Precision, way: Way, material: &Material) -> Result<Results> {
    let load = LoadOptions { device: device.clone(), precision, ..LoadOptions::default() };
    let options = FaceOptions {
        load: load.clone(),
        reclassify_interval: Duration::ZERO,
        gender_threshold: Some(0.0),
        seed: Some(1),
        ..FaceOptions::default()
    };
    let analyzer = FaceAnalyzer::new(&options)?;
    let classifier = SubjectClassifier::new(&SubjectOptions { load, ..SubjectOptions::default() })?;
    let stamp = Stamp { purposes: Purposes::all(), ..consent() };
    let (mut faces, mut subjects, mut memory) = (Vec::new(), Vec::new(), Memory::default());
    let mut look = |view: View, now: Duration| {
        faces.push(analyse(&analyzer, view, &stamp, now, &mut memory)?);
        Ok(())
    };
    let classes = usize::MAX;
    let mut classify = |view: View| {
        let mut labels = classifier.labels(&classifier.shrink_view(&view)?, classes)?;
        // Class by class, not by rank: two that are equally likely may change places.
        labels.sort_by(|a, b| a.0.cmp(&b.0));
        subjects.push(labels.into_iter().map(|(_, probability)| probability).collect());
        Ok(())
    };
    let before = traffic();
    match (way, &material.on_gpu) {
        (Way::Host, _) => {
            material.faces.each(|frame, now| look(frame.into(), now))?;
            material.programme.each(|frame, _| classify(frame.into()))?;
        }
        (Way::OnGpu, Some((of_faces, of_programme))) => {
            of_faces.each(|frame, now| look(frame.into(), now))?;
            of_programme.each(|frame, _| classify(frame.into()))?;
        }
        (Way::OnGpu, None) => bail!("no frames on a GPU"),
    }
    let crossed = traffic().since(&before);
    Ok(Results { faces, subjects, runtime: analyzer.runs_on().runtime.clone(), crossed })
}

fn analyse(
    analyzer: &FaceAnalyzer,
    view: View,
    stamp: &Stamp,
    now: Duration,
    memory: &mut Memory,
) -> facialads_vision::Result<Vec<Seen>> {
    let terms = Terms { stamp, now, wall: wall_clock(), emotion: true };
    process(analyzer, view, &terms, memory, &mut Took::default())?;
    let (width, height) = view.size();
    let Ok(measurement) = permit(Some(stamp), 0, terms.wall) else { return Ok(Vec::new()) };
    let permits = Permits::of(analyzer, &terms);
    let faces = analyzer.faces(&measurement, &permits.allowed(), now).into_iter();
    let female = |label: facialads_vision::face::Label<Gender>| match label.value {
        Gender::Female => Some(label.confidence),
        Gender::Male => Some(1.0 - label.confidence),
        Gender::Unknown => None,
    };
    Ok(faces
        .map(|face| Seen {
            bounds: face.bounds.scaled(width as f32, height as f32),
            confidence: face.confidence,
            years: face.age.map(|age| age.years),
            female: face.gender.and_then(female),
        })
        .collect())
}

fn compare(way: &str, reference: &Results, other: &Results, tolerance: Tolerance) -> Comparison {
    // Below it the network is not asked for more than a continuation of a track.
    const THRESHOLD: f32 = 0.7;
    let mut comparison = Comparison::new(way, tolerance);
    for (a, b) in reference.faces.iter().zip(&other.faces) {
        comparison.faces(a, b, THRESHOLD);
    }
    for (a, b) in reference.subjects.iter().zip(&other.subjects) {
        comparison.subject(a, b);
    }
    comparison.judged()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(gpu) = &self.gpu {
            writeln!(f, "{gpu}")?;
        }
        writeln!(f, "{} in {}, compared with ONNX Runtime on the CPU in f32", self.runtime, self.precision)?;
        for comparison in &self.comparisons {
            writeln!(f, "{comparison}")?;
        }
        if let Some(bytes) = self.pixel_bytes {
            writeln!(f, "bytes of pictures between host and GPU while frames were there: {bytes}")?;
        }
        writeln!(f, "{}", if self.passed { "PASSED" } else { "FAILED" })
    }
}
