//! Making regions of a frame unrecognisable.

use super::frame::{BLOCK, PaintFrame, paint_frame, sampling};
use crate::{
    Rect, Result,
    cuda::{CudaFrame, DeviceBuffer, Gpu, Kernel, Params, Stream, sources},
    paint::{Effect, EffectCode, MOST_REGIONS, Obscuring, Region, of_color, plan},
};

const CLEAR: Kernel = Kernel::new(&sources::PAINT, "paint_clear");
const SUMS: Kernel = Kernel::new(&sources::PAINT, "paint_sums");
const MEANS: Kernel = Kernel::new(&sources::PAINT, "paint_means");
const OBSCURE: Kernel = Kernel::new(&sources::PAINT, "paint_obscure");

/// Threads of a block along a table.
const ROW: u32 = 128;

/// Memory of [`obscure`], kept from frame to frame: sums and means of blocks, no picture. One for each frame that is painted on at
/// a time.
#[derive(Debug, Default)]
pub struct PaintBuffers {
    tables: Option<DeviceBuffer>,
    regions: Vec<Region>,
}

impl PaintBuffers {
    /// Where `entries` sums and as many means lie.
    fn tables(&mut self, gpu: &Gpu, entries: usize) -> Result<(u64, u64)> {
        let means_at = (entries * size_of::<u64>()).next_multiple_of(256);
        let bytes = means_at + entries * size_of::<f32>();
        let fits = |buffer: &&DeviceBuffer| buffer.len() >= bytes && buffer.gpu().is_same_context(gpu);
        if self.tables.as_ref().filter(fits).is_none() {
            self.tables = None;
            self.tables = Some(gpu.allocate(bytes)?);
        }
        let base = self.tables.as_ref().map_or(0, DeviceBuffer::address);
        Ok((base, base + means_at as u64))
    }
}

/// `ObscureParams`.
#[derive(Clone, Copy)]
#[repr(C)]
struct ObscureParams {
    frame: PaintFrame,
    region: [Region; MOST_REGIONS],
    sums: u64,
    means: u64,
    entries: u32,
    regions: u32,
    effect: u32,
    fill: [f32; 3],
}

// SAFETY: the same struct as in paint.cu; the frame is checked when it is made, regions lie inside it, and the tables have room for
// `entries`.
unsafe impl Params for ObscureParams {}

/// As [`crate::paint::obscure`], on a frame in CUDA memory that is mapped for writing; enqueued on the frame's stream.
///
/// # Errors
/// [`crate::Error::Painting`]: a number of `how` out of its range; nothing is painted then. [`crate::Error::Gpu`].
pub fn obscure(
    frame: &mut CudaFrame<'_>,
    boxes: &[Rect],
    how: &Obscuring,
    buffers: &mut PaintBuffers,
) -> Result<()> {
    how.check()?;
    let gpu = frame.gpu();
    let sampling = sampling(frame);
    let painted = paint_frame(frame, &sampling)?;
    let fill = of_color(frame.color(), how.fill());
    for boxes in boxes.chunks(MOST_REGIONS) {
        let mut regions = std::mem::take(&mut buffers.regions);
        let entries = plan(&sampling, boxes, how, &mut regions);
        let mut params = ObscureParams {
            frame: painted,
            region: [Region::default(); MOST_REGIONS],
            sums: 0,
            means: 0,
            // As many as fit: 48 regions of 3 components of 64 x 64 blocks.
            entries: entries as u32,
            regions: regions.len() as u32,
            effect: how.code() as u32,
            fill,
        };
        params.region[..regions.len()].copy_from_slice(&regions);
        buffers.regions = regions;
        if params.regions == 0 {
            continue;
        }
        if how.code() != EffectCode::Fill {
            (params.sums, params.means) = buffers.tables(gpu, entries)?;
            measure(gpu, frame.stream(), &params)?;
        }
        let most = |side: fn(&Region) -> u32| buffers.regions.iter().map(side).max().unwrap_or(0);
        let grid = [
            most(|region| region.width).div_ceil(BLOCK[0]),
            most(|region| region.height).div_ceil(BLOCK[1]),
            params.regions,
        ];
        gpu.launch(frame.stream(), OBSCURE, grid, BLOCK, &params)?;
    }
    Ok(())
}

fn measure(gpu: &Gpu, stream: &Stream, params: &ObscureParams) -> Result<()> {
    let regions = params.region.iter().take(params.regions as usize);
    // A component has at most as many rows of samples as there are rows of pixels.
    let rows = |region: &Region| (region.height << params.frame.cell_shifts().1) * region.grid_x;
    let threads = regions.clone().map(rows).max().unwrap_or(0);
    let blocks = regions.map(|region| region.grid_x * region.grid_y).max().unwrap_or(0);
    let of_all = |threads: u32| [threads.div_ceil(ROW), params.frame.components(), params.regions];
    let block = [ROW, 1, 1];
    gpu.launch(stream, CLEAR, [params.entries.div_ceil(ROW), 1, 1], block, params)?;
    gpu.launch(stream, SUMS, of_all(threads), block, params)?;
    gpu.launch(stream, MEANS, of_all(blocks), block, params)
}

/// [`obscure`] with [`Effect::Blur`], `blocks` along a region's longer side, and the default margin and feather.
///
/// # Errors
/// As [`obscure`].
pub fn blur(
    frame: &mut CudaFrame<'_>,
    boxes: &[Rect],
    blocks: u32,
    buffers: &mut PaintBuffers,
) -> Result<()> {
    with(frame, boxes, Effect::Blur { blocks }, buffers)
}

/// [`obscure`] with [`Effect::Pixelate`] and the default margin and feather.
///
/// # Errors
/// As [`obscure`].
pub fn pixelate(
    frame: &mut CudaFrame<'_>,
    boxes: &[Rect],
    blocks: u32,
    buffers: &mut PaintBuffers,
) -> Result<()> {
    with(frame, boxes, Effect::Pixelate { blocks }, buffers)
}

/// [`obscure`] with [`Effect::Fill`] and the default margin and feather.
///
/// # Errors
/// As [`obscure`].
pub fn fill(
    frame: &mut CudaFrame<'_>,
    boxes: &[Rect],
    color: [u8; 3],
    buffers: &mut PaintBuffers,
) -> Result<()> {
    with(frame, boxes, Effect::Fill(color), buffers)
}

fn with(frame: &mut CudaFrame<'_>, boxes: &[Rect], effect: Effect, buffers: &mut PaintBuffers) -> Result<()> {
    let how = Obscuring { effect, ..Obscuring::default() };
    obscure(frame, boxes, &how, buffers)
}
