//! How clearly cut pictures show their faces, told on the GPU: of each picture only its sums come to the host.
//!
//! **Numbers.** [`Clarity::of`] of the same values: each pixel's brightness and Laplacian in the same single-precision
//! operations, their sums in fixed point (2⁻²⁰), which no order of threads changes. Equal within 1e-4 of the value; of pictures of
//! 16-bit floats, within 0.1 of 255 in brightness.
//!
//! **Launches and bytes.** An upload of 72 bytes and a readback of 32 for each picture ([`Payload::Results`]), a launch that clears the
//! sums, and one that reads each pixel of the middle of each picture up to five times, once from memory.

use super::{
    BytesMoved, Kernel, Params, Payload, PinnedBuffer, Plain, Stream, Target,
    error::{GpuFailure, gpu_error},
    sources::QUALITY,
    steps::{BLOCK, grid},
    workspace::{Workspace, room},
};
use crate::{
    Result,
    face::{
        Clarity,
        quality::{Judged, Sums},
    },
    spec::InputSpec,
};

/// A picture to look at.
#[derive(Clone, Copy)]
pub struct QualityJob<'a> {
    /// Made by [`super::crop::launch`].
    pub picture: Target,
    pub half: bool,
    pub input: &'a InputSpec,
    /// With which it was cut; `None` where the box was not cut to a square.
    pub margin: Option<f32>,
}

/// `Judged` of `quality.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Job {
    values: u64,
    sums: u64,
    half: u32,
    block: u32,
    left: u32,
    top: u32,
    columns: u32,
    rows: u32,
    step: u32,
    plane: u32,
    row: u32,
    weights: [f32; 3],
    offset: f32,
    burnt: f32,
}

const _: () = assert!(size_of::<Job>() == 72);

// SAFETY: numbers without gaps between them.
unsafe impl Plain for Job {}

/// `QualityParams` of `quality.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct QualityParams {
    jobs: u64,
}

// SAFETY: as the kernel's struct; the address is a table of as many jobs as the launch has rows.
unsafe impl Params for QualityParams {}

const CLEAR: Kernel = Kernel::new(&QUALITY, "quality_clear");
const QUALITY_SUMS: Kernel = Kernel::new(&QUALITY, "quality");

/// Blocks that a thread adds up: `SEGMENT` of `quality.cu`.
const SEGMENT: usize = 8;
/// A unit of the sums: `FIXED` of `quality.cu`.
const FIXED: f64 = 1_048_576.0;
/// Numbers of a picture: brightness, burnt-out pixels, detail, and sums that are no numbers.
const NUMBERS: usize = 4;
/// Jobs of a launch: a grid has 65,535 rows.
const MOST: usize = 32_768;

/// What comes back. The thread that enqueued the work need not be the one that reads it; used again, it allocates nothing.
#[derive(Default)]
pub struct Readings {
    back: Option<PinnedBuffer>,
    judged: Vec<Judged>,
    table: Vec<Job>,
}

// Nothing about a face is printed.
impl std::fmt::Debug for Readings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Readings({})", self.judged.len())
    }
}

impl Readings {
    /// Pictures that were looked at.
    pub fn len(&self) -> usize {
        self.judged.len()
    }
    pub fn is_empty(&self) -> bool {
        self.judged.is_empty()
    }

    /// Whether [`Readings::read`] need not wait.
    ///
    /// # Errors
    /// Work in the stream failed.
    pub fn is_done(&self) -> Result<bool> {
        self.back.as_ref().map_or(Ok(true), PinnedBuffer::is_done)
    }

    /// Waits for the numbers and hands them to `each`, in the order of the jobs.
    ///
    /// # Errors
    /// Work in the stream failed.
    pub fn read(&mut self, mut each: impl FnMut(Clarity)) -> Result<()> {
        let Some(back) = self.back.as_mut().filter(|_| !self.judged.is_empty()) else { return Ok(()) };
        let numbers = back.values::<[i64; NUMBERS]>()?;
        for (judged, [brightness, burnt, detail, wrong]) in self.judged.iter().zip(numbers) {
            let is_number =
                *wrong == 0 && judged.offset.is_finite() && judged.weights.iter().all(|w| w.is_finite());
            let fixed = |sum: i64| if is_number { (sum as f64 / FIXED) as f32 } else { f32::NAN };
            let sums = Sums { brightness: fixed(*brightness), burnt: *burnt as f32, detail: fixed(*detail) };
            each(judged.clarity(&sums));
        }
        Ok(())
    }
}

/// Enqueues a look at pictures, in the order of `stream`: what made them must be in it before. The numbers go to `readings`,
/// instead of those that it has.
///
/// # Errors
/// A picture's memory is too short for its input, its context is another than `stream`'s, or the GPU failed.
pub fn launch(
    stream: &Stream,
    jobs: &[QualityJob],
    workspace: &mut Workspace,
    readings: &mut Readings,
) -> Result<()> {
    readings.judged.clear();
    if jobs.is_empty() {
        return Ok(());
    }
    if jobs.len() > MOST {
        let problem = format!("{} pictures are more than are looked at together", jobs.len());
        return Err(gpu_error(GpuFailure::Other, problem, format!("use at most {MOST}")));
    }
    workspace.begin(stream)?;
    let result = look(stream, jobs, workspace, readings);
    if result.is_err() {
        readings.judged.clear();
    }
    result.and(workspace.end(stream))
}

fn look(
    stream: &Stream,
    jobs: &[QualityJob],
    workspace: &mut Workspace,
    readings: &mut Readings,
) -> Result<()> {
    const BYTES: usize = NUMBERS * size_of::<i64>();
    let Readings { back, judged, table } = readings;
    let gpu = stream.gpu();
    let bytes = jobs.len() * BYTES;
    let (sums, _) = room(&mut workspace.sums, gpu, bytes)?;
    table.clear();
    for (index, job) in jobs.iter().enumerate() {
        let how = Judged::new(job.input, job.margin);
        table.push(Job::new(job, &how, sums + (index * BYTES) as u64)?);
        judged.push(how);
    }
    let params = QualityParams { jobs: workspace.upload(stream, table)? };
    let threads = table.iter().map(Job::threads).max().unwrap_or(0);
    gpu.launch(stream, CLEAR, grid(NUMBERS as u64, jobs.len()), [32, 1, 1], &params)?;
    gpu.launch(stream, QUALITY_SUMS, grid(threads, jobs.len()), BLOCK, &params)?;
    let large_enough = back.take().filter(|back| back.len() >= bytes && back.gpu().is_same_context(gpu));
    let back = match large_enough {
        Some(there) => back.insert(there),
        None => back.insert(gpu.pinned(bytes.next_power_of_two())?),
    };
    back.read(stream, (gpu, sums), bytes, Payload::Results)
}

impl Job {
    fn new(job: &QualityJob, judged: &Judged, sums: u64) -> Result<Self> {
        let value = if job.half { 2 } else { 4 };
        let values = 3 * job.input.width as usize * job.input.height as usize;
        let count = |range: &std::ops::Range<usize>| range.len() as u32;
        Ok(Self {
            values: job.picture.check(values * value, value as u64)?,
            sums,
            half: u32::from(job.half),
            block: judged.block as u32,
            left: judged.columns.start as u32,
            top: judged.rows.start as u32,
            columns: count(&judged.columns),
            rows: count(&judged.rows),
            step: judged.step as u32,
            plane: judged.plane as u32,
            row: judged.row() as u32,
            weights: judged.weights,
            offset: judged.offset,
            burnt: judged.burnt(),
        })
    }

    fn threads(&self) -> u64 {
        u64::from(self.columns).div_ceil(SEGMENT as u64) * u64::from(self.rows)
    }
}

/// The least bytes that [`launch`] moves in the GPU's memory: the judged part of each picture and what is around it, tables and sums.
pub fn bytes_moved(jobs: &[QualityJob]) -> BytesMoved {
    let moved = |job: &QualityJob| {
        let judged = Judged::new(job.input, job.margin);
        let none = judged.columns.is_empty() || judged.rows.is_empty();
        let blocks = if none { 0 } else { (judged.columns.len() + 2) * (judged.rows.len() + 2) };
        let pixels = blocks * judged.block * judged.block;
        let value = if job.half { 2 } else { 4 };
        let (table, sums) = (size_of::<Job>() as u64, (NUMBERS * size_of::<i64>()) as u64);
        BytesMoved { read: 3 * value * pixels as u64 + table + 2 * sums, written: table + 2 * sums }
    };
    jobs.iter().map(moved).sum()
}
