//! What analysis costs a GPU: milliseconds of its time per stage, frames a second of many streams side by side, bytes across the
//! bus and memory, against the two floors below which nothing can be: the networks alone, and the memory's bandwidth.

use super::{check::describe, frames::GpuFrames};
use crate::bench::{
    Command, consent,
    frames::Frames,
    job::{self, Outcome},
};
use anyhow::{Context, Result, bail};
use facialads_consent::{Purposes, Stamp, wall_clock};
use facialads_vision::{
    Device, FaceAnalyzer, FaceOptions,
    cuda::{Gpu, StageTime, Traffic, bytes_moved, stage_times, time_stages, traffic},
    process::{Memory, Terms, Took, process},
    runtime::LoadOptions,
};
use serde::Serialize;
use std::{
    fmt,
    path::Path,
    sync::Barrier,
    time::{Duration, Instant},
};

/// Heights of the pictures; their width is 16 to 9.
const HEIGHTS: [u32; 3] = [720, 1080, 2160];
/// Most frames of a clip that are kept in the GPU's memory: 4K ones take 12 MB each.
const MOST_FRAMES: u32 = 120;
/// How long a frame waits for those of other streams.
const BATCH_TIMEOUT: Duration = Duration::from_millis(2);
/// A second of 30 fps is watched live.
const LIVE_FPS: f64 = 30.0;

/// Figures of one GPU.
#[derive(Serialize)]
pub struct Figures {
    pub gpu: String,
    pub runtime: String,
    pub precision: String,
    /// Copying within the GPU's memory: bytes read and written a second.
    pub bandwidth_gb_s: f64,
    pub resolutions: Vec<Resolution>,
    pub streams: Vec<Side>,
    /// Of the whole job, where a coded clip was given.
    pub whole_job: Option<WholeJob>,
}

/// Decoding, finding, following and describing on a coded clip: `uridecodebin ! faceanalyze`, every frame searched.
#[derive(Serialize)]
pub struct WholeJob {
    pub fps: f64,
    pub faces_a_frame: f64,
    /// Bytes of pictures that crossed between host and GPU, a frame; those of a decoder that is not on the GPU are not counted.
    pub pixels_across: f64,
}

/// One stream whose every frame is searched, and everybody on it described anew.
#[derive(Serialize)]
pub struct Resolution {
    pub size: (u32, u32),
    pub faces_a_frame: f64,
    /// Milliseconds of the GPU's time for a frame, and those of its networks alone.
    pub gpu_ms: f64,
    pub networks_ms: f64,
    /// What reading the frame and writing the networks' inputs takes at the memory's full bandwidth.
    pub bandwidth_floor_ms: f64,
    pub stages: Vec<Stage>,
    /// Frames a second, one after the other, from the frame in the GPU's memory to the faces on the host.
    pub fps: f64,
    /// Bytes for a frame.
    pub pixels_across: f64,
    pub others_across: f64,
}

#[derive(Serialize)]
pub struct Stage {
    pub name: &'static str,
    pub runs_a_frame: f64,
    pub ms_a_frame: f64,
    pub worst_ms: f64,
}

/// Many streams of 1080p, with `inference-interval` and `reclassify-interval` as the elements have them by default.
#[derive(Serialize)]
pub struct Side {
    pub streams: u32,
    pub batch_size: u32,
    /// All together.
    pub fps: f64,
    /// How many streams of 30 fps that is.
    pub live_streams: f64,
    pub memory_mb: f64,
}

/// Stages that are no network's run, but what we add around them.
const OURS: [&str; 3] = ["shrink", "cut", "decode"];

/// Measures the provider on the frames of `clip`, and `--streams` of them side by side.
///
/// # Errors
/// The device or a network cannot be used, or it is no GPU.
pub fn measure(device: &Device, clip: &Path, command: &Command) -> Result<Figures> {
    let (precision, most) = (command.precision, command.frames.min(MOST_FRAMES));
    let gpu = super::check::gpu_of(device)?.context("--gpu measures a GPU: --provider cuda or tensorrt")?;
    let bandwidth = bandwidth(&gpu)?;
    let load = LoadOptions { device: device.clone(), precision, ..LoadOptions::default() };
    let mut resolutions = Vec::new();
    let mut runtime = String::new();
    let mut full_hd = None;
    for height in HEIGHTS {
        let frames = Frames::decode_scaled(clip, most, (height * 16 / 9, height))?;
        let there = GpuFrames::upload(&gpu, &frames)?;
        let analyzer = FaceAnalyzer::new(&FaceOptions {
            load: load.clone(),
            reclassify_interval: Duration::ZERO,
            seed: Some(1),
            ..FaceOptions::default()
        })?;
        runtime.clone_from(&analyzer.runs_on().runtime);
        resolutions.push(resolution(
            &analyzer,
            &there,
            frames.count(),
            (height * 16 / 9, height),
            bandwidth,
        )?);
        if height == 1080 {
            full_hd = Some(there);
        }
    }
    let there = full_hd.context("no frames")?;
    let streams = command.streams.iter().map(|count| side_by_side(&gpu, &load, &there, *count));
    Ok(Figures {
        gpu: describe(gpu.info()),
        runtime,
        precision: precision.to_string(),
        bandwidth_gb_s: bandwidth / 1e9,
        streams: streams.collect::<Result<_>>()?,
        resolutions,
        whole_job: command.job.as_deref().map(|clip| whole_job(device, clip, command)).transpose()?,
    })
}

fn whole_job(device: &Device, clip: &Path, command: &Command) -> Result<WholeJob> {
    let properties =
        format!("emotion=true inference-interval=1 device={device} precision={}", command.precision);
    let Outcome { fps, faces, pixels_across } = job::run(clip, i32::MAX as u32, &properties, &everything())?;
    Ok(WholeJob { fps, faces_a_frame: faces, pixels_across })
}

fn everything() -> Stamp {
    Stamp { purposes: Purposes::all(), ..consent() }
}

/// All frames once. Returns how many faces were on them.
fn pass(analyzer: &FaceAnalyzer, frames: &GpuFrames, stamp: &Stamp) -> Result<usize> {
    let (mut memory, mut faces) = (Memory::default(), 0);
    analyzer.reset();
    frames.each(|frame, now| {
        let terms = Terms { stamp, now, wall: wall_clock(), emotion: true };
        process(analyzer, frame, &terms, &mut memory, &mut Took::default())?;
        faces += analyzer.count(now);
        Ok(())
    })?;
    Ok(faces)
}

fn resolution(
    analyzer: &FaceAnalyzer,
    there: &GpuFrames,
    frames: u32,
    size: (u32, u32),
    bandwidth: f64,
) -> Result<Resolution> {
    let (stamp, count) = (everything(), f64::from(frames.max(1)));
    // Kernels and networks are made ready, and graphs captured.
    pass(analyzer, there, &stamp)?;
    let before = traffic();
    let begun = Instant::now();
    let faces = pass(analyzer, there, &stamp)?;
    let fps = count / begun.elapsed().as_secs_f64().max(1e-9);
    let Traffic { pixels_to_device, pixels_to_host, other_to_device, other_to_host } =
        traffic().since(&before);
    stage_times()?;
    bytes_moved();
    // Once more with events around each stage, which cost a little themselves.
    time_stages(true);
    let timed = pass(analyzer, there, &stamp);
    time_stages(false);
    timed?;
    let stages = stage_times()?;
    let of = |wanted: &dyn Fn(&StageTime) -> bool| {
        stages.iter().filter(|stage| wanted(stage)).map(|stage| stage.total).sum::<f64>() / count
    };
    Ok(Resolution {
        size,
        faces_a_frame: faces as f64 / count,
        gpu_ms: of(&|_| true),
        networks_ms: of(&|stage| !OURS.contains(&stage.stage)),
        bandwidth_floor_ms: bytes_moved() as f64 / count / bandwidth * 1e3,
        stages: stages
            .iter()
            .map(|stage| Stage {
                name: stage.stage,
                runs_a_frame: stage.count as f64 / count,
                ms_a_frame: stage.total / count,
                worst_ms: stage.worst,
            })
            .collect(),
        fps,
        pixels_across: (pixels_to_device + pixels_to_host) as f64 / count,
        others_across: (other_to_device + other_to_host) as f64 / count,
    })
}

/// `count` streams, each with an analyzer of its own on networks that all share, as fast as they go.
fn side_by_side(gpu: &Gpu, load: &LoadOptions, there: &GpuFrames, count: u32) -> Result<Side> {
    let (free_before, _) = gpu.free_memory()?;
    let load = LoadOptions { batch_size: count, batch_timeout: BATCH_TIMEOUT, ..load.clone() };
    let analyzer =
        || FaceAnalyzer::new(&FaceOptions { load: load.clone(), seed: Some(1), ..FaceOptions::default() });
    let analyzers: Vec<FaceAnalyzer> = (0..count).map(|_| analyzer()).collect::<Result<_, _>>()?;
    let stamp = everything();
    let run = || {
        let begin = Barrier::new(analyzers.len() + 1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = analyzers
                .iter()
                .map(|analyzer| {
                    let (begin, stamp) = (&begin, &stamp);
                    scope.spawn(move || {
                        begin.wait();
                        pass(analyzer, there, stamp)
                    })
                })
                .collect();
            begin.wait();
            let begun = Instant::now();
            for thread in threads {
                match thread.join() {
                    Ok(done) => drop(done?),
                    Err(_) => bail!("a stream's thread died"),
                }
            }
            Ok(begun.elapsed())
        })
    };
    // Once to warm up.
    run()?;
    let took = run()?;
    let (free_after, _) = gpu.free_memory()?;
    let fps = f64::from(count) * there.count() as f64 / took.as_secs_f64().max(1e-9);
    Ok(Side {
        streams: count,
        batch_size: count,
        fps,
        live_streams: fps / LIVE_FPS,
        memory_mb: free_before.saturating_sub(free_after) as f64 / f64::from(1 << 20),
    })
}

/// Bytes a second that a copy within the GPU's memory reads and writes together.
fn bandwidth(gpu: &Gpu) -> Result<f64> {
    const BYTES: usize = 256 << 20;
    const COPIES: usize = 10;
    let (from, to) = (gpu.allocate(BYTES)?, gpu.allocate(BYTES)?);
    let stream = gpu.new_stream(false)?;
    stream.copy(to.place(0, BYTES)?, from.place(0, BYTES)?, BYTES)?;
    let begin = stream.record()?;
    for _ in 0..COPIES {
        stream.copy(to.place(0, BYTES)?, from.place(0, BYTES)?, BYTES)?;
    }
    let end = stream.record()?;
    end.wait()?;
    let seconds = f64::from(end.milliseconds_since(&begin)?) / 1e3;
    Ok(2.0 * (BYTES * COPIES) as f64 / seconds.max(1e-9))
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.gpu)?;
        writeln!(
            f,
            "{} in {}; copies within its memory {:.0} GB/s",
            self.runtime, self.precision, self.bandwidth_gb_s
        )?;
        writeln!(
            f,
            "\none stream, every frame searched, everybody on it described anew; milliseconds of the GPU a frame"
        )?;
        writeln!(
            f,
            "{:<12}{:>7}{:>9}{:>10}{:>16}{:>9}{:>14}{:>14}",
            "frame", "faces", "GPU", "networks", "bandwidth floor", "fps", "pixel bytes", "other bytes"
        )?;
        for r in &self.resolutions {
            writeln!(
                f,
                "{:<12}{:>7.1}{:>9.3}{:>10.3}{:>16.4}{:>9.0}{:>14.0}{:>14.0}",
                format!("{}x{}", r.size.0, r.size.1),
                r.faces_a_frame,
                r.gpu_ms,
                r.networks_ms,
                r.bandwidth_floor_ms,
                r.fps,
                r.pixels_across,
                r.others_across
            )?;
            for Stage { name, runs_a_frame, ms_a_frame, worst_ms } in &r.stages {
                writeln!(
                    f,
                    "  {name:<28}{ms_a_frame:>8.3} in {runs_a_frame:.1} runs, slowest {worst_ms:.3}"
                )?;
            }
        }
        writeln!(f, "\nstreams of 1080p side by side, with the elements' default intervals")?;
        writeln!(f, "{:<10}{:>10}{:>16}{:>14}", "streams", "fps", "live at 30 fps", "memory, MB")?;
        for side in &self.streams {
            writeln!(
                f,
                "{:<10}{:>10.0}{:>16.1}{:>14.0}",
                side.streams, side.fps, side.live_streams, side.memory_mb
            )?;
        }
        if let Some(WholeJob { fps, faces_a_frame, pixels_across }) = &self.whole_job {
            writeln!(f)?;
            writeln!(
                f,
                "whole job, decoding included: {fps:.0} fps, {faces_a_frame:.1} faces and {pixels_across:.0} bytes of pictures \
                 across the bus a frame"
            )?;
        }
        Ok(())
    }
}
