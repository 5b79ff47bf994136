//! Faces to networks' inputs: every face, margin and network of a frame in one launch, boxes and upright faces, each with its
//! mirror image if wanted.
//!
//! Which part of the frame a picture shows is decided on the host, by the code that the CPU's path uses ([`Cut`]).
//!
//! **Numbers.** Boxes as in [`super::picture`]. Upright faces as [`crate::preprocess::warp_into`] makes them: out of a picture that an
//! antialiasing filter made smaller first, with the reference's exact weights where the CPU rounds to 1/16384: tests allow 1e-4
//! levels (a white pixel has 255) against [`crate::preprocess::reference::warp`] and 0.15 levels against the CPU.
//!
//! **Launches and bytes.** One upload of 360 bytes a picture ([`super::Payload::Results`]), and one launch, or three if a face is made
//! smaller with a filter (a launch for the weights and one for the rows scaled across, see [`super::picture`]). A thread makes a pixel and the
//! mirror image's: 3 numbers each. An upright face reads four pixels of the reduced picture for each, which are scaled down from
//! the rows on the way: the reduced picture itself, 2.25 to 4.5 times the output's pixels, is never written.

use super::{
    BytesMoved, CudaFrame, Kernel, Params, Stream, Target,
    sources::CROP,
    steps::{BLOCK, Extent, follow},
    table::{Format, Job},
    timer,
    workspace::{Workspace, together},
};
use crate::{Result, preprocess::Cut, spec::InputSpec};

/// A picture of a face that is to be made.
#[derive(Clone, Copy)]
pub struct CropJob<'a> {
    pub frame: &'a CudaFrame<'a>,
    pub cut: Cut,
    pub input: &'a InputSpec,
    /// 16-bit floats instead of 32-bit ones.
    pub half: bool,
    /// Its mirror image follows it.
    pub mirror: bool,
    /// 3 x height x width values are written to its beginning, twice with the mirror image.
    pub out: Target,
}

/// `CropParams` of `crop.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CropParams {
    jobs: u64,
}

// SAFETY: as the kernel's struct; the address is a table of as many jobs as the launch has rows (three or two for each of the
// first in the first two steps).
unsafe impl Params for CropParams {}

const WEIGHTS: Kernel = Kernel::new(&CROP, "crop_weights");
const ACROSS: Kernel = Kernel::new(&CROP, "crop_across");
const PIXELS: Kernel = Kernel::new(&CROP, "crop");

/// Jobs of a launch: a grid has 65,535 rows, and a job takes three.
const MOST: usize = 16_384;

impl CropJob<'_> {
    fn to_table(self) -> Result<Job> {
        let format = Format { input: self.input, half: self.half, mirror: self.mirror, out: self.out };
        Job::new(self.frame, &self.cut, &format)
    }
}

/// Enqueues the making of pictures, in the order of `stream` and after what the frames' producers have enqueued.
///
/// # Errors
/// As [`super::picture::launch`]. Either all jobs are sound or none is begun.
pub fn launch(stream: &Stream, jobs: &[CropJob], workspace: &mut Workspace) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    follow(stream, jobs.iter().map(|job| job.frame))?;
    workspace.begin(stream)?;
    let mut table = std::mem::take(&mut workspace.jobs);
    table.clear();
    let made = jobs.iter().try_for_each(|job| {
        table.push(job.to_table()?);
        Ok(())
    });
    let made = made.and_then(|()| make_all(stream, &mut table, workspace));
    workspace.jobs = table;
    if made.is_err() {
        workspace.forget();
    }
    made.and(workspace.end(stream))
}

fn make_all(stream: &Stream, table: &mut [Job], workspace: &mut Workspace) -> Result<()> {
    table.sort_unstable_by_key(|job| !job.is_antialiased());
    let mut rest = table;
    while !rest.is_empty() {
        let (now, later) = rest.split_at_mut(together(rest, MOST));
        make(stream, now, workspace)?;
        rest = later;
    }
    Ok(())
}

fn make(stream: &Stream, jobs: &mut [Job], workspace: &mut Workspace) -> Result<()> {
    let gpu = stream.gpu();
    if timer::is_on() {
        timer::count_moved(jobs.iter().map(|job| job.bytes_moved().total()).sum());
    }
    let weigh = workspace.place(gpu, jobs, |workspace| &mut workspace.crop_weights)?;
    let params = CropParams { jobs: workspace.upload(stream, jobs)? };
    let extent = Extent::of(jobs);
    if weigh {
        gpu.launch(stream, WEIGHTS, extent.weights(), BLOCK, &params)?;
    }
    gpu.launch(stream, ACROSS, extent.across(), BLOCK, &params)?;
    gpu.launch(stream, PIXELS, extent.pixels(), BLOCK, &params)
}

/// The least bytes that [`launch`] moves in the GPU's memory. A face's surroundings count whole, as if each of its pictures were
/// alone.
///
/// # Errors
/// As [`launch`], of the jobs alone.
pub fn bytes_moved(jobs: &[CropJob]) -> Result<BytesMoved> {
    let table = size_of::<Job>() as u64;
    let moved = |job: &CropJob| {
        let moved = job.to_table()?.bytes_moved();
        Ok(BytesMoved { read: moved.read + table, written: moved.written + table })
    };
    jobs.iter().map(moved).sum()
}
