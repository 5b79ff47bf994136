//! Whole frames to networks' inputs: colour conversion, scaling, letterbox, normalisation and layout in one go, several
//! pictures (a detector's two passes, a classifier's) in one launch.
//!
//! **Numbers.** The arithmetic is that of [`crate::preprocess::reference`], operation for operation in single precision without
//! fused multiply-adds, so the values are the same; tests allow 1e-4 levels, a white pixel having 255 (before `mean` and `scale`). Against
//! [`crate::preprocess::picture_into`] the bilinear modes are the same too, and [`crate::spec::Resize::Antialias`], which the CPU
//! computes in whole numbers, differs by up to 0.1 of 255. 16-bit output is rounded to the nearest: off by up to 2⁻¹¹ of the value,
//! 0.0625 of 255.
//!
//! **Launches and bytes.** A thread makes one output pixel and neighbours write neighbouring addresses.
//! - Bilinear: one launch; reads up to four samples of each component for each output pixel. At 1080p to 640 x 384 nearly every
//!   32-byte piece of the frame's rows is touched, at 8K to 640 x 384 about two fifths of its rows.
//! - Antialiased: rows are scaled across first (every sample is read twice, from neighbouring threads, and
//!   `rows x out_width` single-precision numbers are written), then down (they are read twice): at most 4 reads of a sample and
//!   not the square of the reduction, so 8K to 320 costs what reading 8K costs. Their weights are made by a launch of their own, which
//!   is left out while frames keep their size.
//!
//! [`bytes_moved`] has the least bytes of given jobs. Nothing is copied between host and device: the jobs travel with the launch.

use super::{
    BytesMoved, CudaFrame, Kernel, Params, Stream, Target,
    sources::PICTURE,
    steps::{BLOCK, Extent, follow},
    table::{Format, Job},
    timer,
    workspace::{Workspace, together},
};
use crate::{
    Result,
    preprocess::{Cut, Placement},
    spec::InputSpec,
};

/// A picture that is to be made.
#[derive(Clone, Copy)]
pub struct PictureJob<'a> {
    pub frame: &'a CudaFrame<'a>,
    pub placement: Placement,
    pub input: &'a InputSpec,
    /// 16-bit floats instead of 32-bit ones.
    pub half: bool,
    /// [`Placement::values`] values are written to its beginning.
    pub out: Target,
}

/// Jobs of a launch.
const MOST: usize = 8;

/// `PictureParams` of `picture.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct PictureParams {
    jobs: [Job; MOST],
}

// SAFETY: as the kernel's struct, which has the same size (`table.rs`). Addresses were checked against the components' bytes and the
// target's, or are of the workspace.
unsafe impl Params for PictureParams {}

const WEIGHTS: Kernel = Kernel::new(&PICTURE, "picture_weights");
const ACROSS: Kernel = Kernel::new(&PICTURE, "picture_across");
const PIXELS: Kernel = Kernel::new(&PICTURE, "picture");

impl PictureJob<'_> {
    fn to_table(self) -> Result<Job> {
        let format = Format { input: self.input, half: self.half, mirror: false, out: self.out };
        Job::new(self.frame, &Cut::Box(self.placement), &format)
    }
}

/// Enqueues the making of pictures, in the order of `stream` and after what the frames' producers have enqueued. A region that
/// reaches beyond its frame is clipped.
///
/// # Errors
/// A picture does not fit into its target, a placement is beyond 32 bits, something is of another context than `stream`, there is
/// no memory for the workspace, or the kernels cannot be compiled or run.
pub fn launch(stream: &Stream, jobs: &[PictureJob], workspace: &mut Workspace) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    follow(stream, jobs.iter().map(|job| job.frame))?;
    workspace.begin(stream)?;
    let made = jobs.chunks(MOST).try_for_each(|jobs| make_all(stream, jobs, workspace));
    if made.is_err() {
        workspace.forget();
    }
    made.and(workspace.end(stream))
}

/// At most [`MOST`].
fn make_all(stream: &Stream, jobs: &[PictureJob], workspace: &mut Workspace) -> Result<()> {
    let mut table = [Job::default(); MOST];
    for (job, place) in jobs.iter().zip(&mut table) {
        *place = job.to_table()?;
    }
    let mut rest = table.get_mut(..jobs.len()).unwrap_or_default();
    rest.sort_unstable_by_key(|job| !job.is_antialiased());
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
    let weigh = workspace.place(gpu, jobs, |workspace| &mut workspace.picture_weights)?;
    let mut params = PictureParams { jobs: [Job::default(); MOST] };
    params.jobs.iter_mut().zip(jobs.iter()).for_each(|(to, from)| *to = *from);
    let extent = Extent::of(jobs);
    if weigh {
        gpu.launch(stream, WEIGHTS, extent.weights(), BLOCK, &params)?;
    }
    gpu.launch(stream, ACROSS, extent.across(), BLOCK, &params)?;
    gpu.launch(stream, PIXELS, extent.pixels(), BLOCK, &params)
}

/// The least bytes that [`launch`] moves in the GPU's memory.
///
/// # Errors
/// As [`launch`], of the jobs alone.
pub fn bytes_moved(jobs: &[PictureJob]) -> Result<BytesMoved> {
    jobs.iter().map(|job| job.to_table().map(|job| job.bytes_moved())).sum()
}
