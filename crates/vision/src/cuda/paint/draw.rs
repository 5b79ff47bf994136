//! Bitmaps, areas and outlines over a frame.

use super::frame::{BLOCK, PaintFrame, paint_frame, sampling};
use crate::{
    Error, Result,
    cuda::{CudaFrame, DeviceBuffer, Gpu, GpuFailure, Kernel, Params, Payload, Stream, sources},
    paint::{Item, MOST_REGIONS, Order, Paint, from_rgb, premultiplied},
};
use std::sync::Arc;

const DRAW: Kernel = Kernel::new(&sources::PAINT, "paint_draw");

/// A picture with transparency in device memory, colours multiplied by alpha. Cheap to clone; the memory goes with the last one.
#[derive(Clone, Debug)]
pub struct DeviceBitmap {
    buffer: Arc<DeviceBuffer>,
    width: u32,
    height: u32,
    order: Order,
}

impl DeviceBitmap {
    /// Uploads `pixels`, `width` x `height` x 4 bytes without gaps, in the order of `stream`. They are a drawing, not a
    /// picture of people, and count as [`Payload::Results`].
    ///
    /// # Errors
    /// There are fewer bytes, no pixel, or [`Error::Gpu`].
    pub fn upload(stream: &Stream, pixels: &[u8], width: u32, height: u32, order: Order) -> Result<Self> {
        let bytes = (width as usize).checked_mul(height as usize).and_then(|count| count.checked_mul(4));
        let pixels = bytes.filter(|bytes| *bytes > 0).and_then(|bytes| pixels.get(..bytes));
        let pixels = pixels.ok_or_else(|| Error::Gpu {
            failure: GpuFailure::Other,
            problem: format!("a bitmap of {width}x{height} is larger than its memory"),
            remedy: "please report this".into(),
        })?;
        let buffer = stream.gpu().allocate(pixels.len())?;
        buffer.upload(stream, 0, pixels, Payload::Results)?;
        Ok(Self { buffer: Arc::new(buffer), width, height, order })
    }

    pub fn gpu(&self) -> &Gpu {
        self.buffer.gpu()
    }
    pub fn width(&self) -> u32 {
        self.width
    }
    pub fn height(&self) -> u32 {
        self.height
    }
}

/// `PaintItem`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct PaintItem {
    address: u64,
    stride: u64,
    x: i32,
    y: i32,
    width: u32,
    height: u32,
    color: [f32; 4],
    order: u32,
    reserved: u32,
}

impl PaintItem {
    fn new(item: &Item<DeviceBitmap>) -> Self {
        let place = Self { x: item.x, y: item.y, width: item.width, height: item.height, ..Self::default() };
        match &item.paint {
            Paint::Solid(color) => Self { color: premultiplied(*color), ..place },
            Paint::Bitmap(bitmap) => Self {
                address: bitmap.buffer.address(),
                stride: u64::from(bitmap.width) * 4,
                width: item.width.min(bitmap.width),
                height: item.height.min(bitmap.height),
                order: bitmap.order as u32,
                ..place
            },
        }
    }

    /// Cells that its part inside a picture can touch along one side.
    fn cells(start: i32, length: u32, side: u32, shift: u32) -> u32 {
        let inside = |at: i64| u32::try_from(at.clamp(0, i64::from(side))).unwrap_or(0);
        let (first, end) = (inside(i64::from(start)), inside(i64::from(start) + i64::from(length)));
        if first < end { end.div_ceil(1 << shift) - (first >> shift) } else { 0 }
    }
}

/// `DrawParams`.
#[derive(Clone, Copy)]
#[repr(C)]
struct DrawParams {
    frame: PaintFrame,
    item: [PaintItem; MOST_REGIONS],
    matrix: [[f32; 4]; 3],
    items: u32,
    reserved: u32,
}

// SAFETY: the same struct as in paint.cu; the frame is checked when it is made, and an item is no larger than its bitmap.
unsafe impl Params for DrawParams {}

/// As [`crate::paint::draw`], on a frame in CUDA memory that is mapped for writing; enqueued on the frame's stream. The bitmaps must
/// have been uploaded on that stream, or be there by now.
///
/// # Errors
/// [`Error::Gpu`], also if a bitmap is of another context.
pub fn draw(frame: &mut CudaFrame<'_>, items: &[Item<DeviceBitmap>]) -> Result<()> {
    let gpu = frame.gpu();
    let elsewhere = |item: &Item<DeviceBitmap>| match &item.paint {
        Paint::Bitmap(bitmap) => !bitmap.gpu().is_same_context(gpu),
        Paint::Solid(_) => false,
    };
    if items.iter().any(elsewhere) {
        return Err(Error::Gpu {
            failure: GpuFailure::Other,
            problem: "a bitmap is in another CUDA context than the frame".into(),
            remedy: "please report this".into(),
        });
    }
    let sampling = sampling(frame);
    let painted = paint_frame(frame, &sampling)?;
    let (shift_x, shift_y) = painted.cell_shifts();
    for items in items.chunks(MOST_REGIONS) {
        let mut params = DrawParams {
            frame: painted,
            item: [PaintItem::default(); MOST_REGIONS],
            matrix: from_rgb(frame.color()),
            items: items.len() as u32,
            reserved: 0,
        };
        params.item.iter_mut().zip(items).for_each(|(place, item)| *place = PaintItem::new(item));
        let of = &params.item[..items.len()];
        let across = |item: &PaintItem| PaintItem::cells(item.x, item.width, sampling.width, shift_x);
        let down = |item: &PaintItem| PaintItem::cells(item.y, item.height, sampling.height, shift_y);
        let grid = [
            of.iter().map(across).max().unwrap_or(0).div_ceil(BLOCK[0]),
            of.iter().map(down).max().unwrap_or(0).div_ceil(BLOCK[1]),
            params.items,
        ];
        gpu.launch(frame.stream(), DRAW, grid, BLOCK, &params)?;
    }
    Ok(())
}
