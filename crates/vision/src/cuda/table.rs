//! Jobs as the kernels read them: `kernels/frame.cuh` and `kernels/scale.cuh`, field by field.

use super::{CudaFrame, Depth, Target, error::GpuFailure, error::gpu_error};
use crate::{
    ColorModel, Result,
    frame::{Conversion, black, subsampled},
    preprocess::{Cut, Placement, axis},
    spec::{Channels, InputSpec, Layout, Resize},
};

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Component {
    pub(super) address: u64,
    pub(super) row_stride: u64,
    pub(super) pixel_stride: u64,
    pub(super) shift_x: u32,
    pub(super) shift_y: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) components: [Component; 3],
    pub(super) black: [f32; 3],
    pub(super) conversion: [f32; 6],
    pub(super) color: u32,
    pub(super) wide: u32,
    unused: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) struct Side {
    canvas: f64,
    step: f64,
    single_step: f32,
    start: u32,
    length: u32,
    offset: u32,
    pub(super) out: u32,
    whole: u32,
    width: u32,
    unused: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Job {
    pub(super) frame: Frame,
    pub(super) columns: Side,
    pub(super) rows: Side,
    pub(super) weights: [u64; 2],
    pub(super) scaled: [u64; 3],
    pub(super) out: u64,
    mode: u32,
    half: u32,
    mirror: u32,
    interleaved: u32,
    reversed: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    turn: [f32; 4],
    mean: [f32; 3],
    scale: [f32; 3],
    unused: u32,
}

const _: () = assert!(size_of::<Component>() == 32 && size_of::<Frame>() == 144);
const _: () = assert!(size_of::<Side>() == 48 && size_of::<Job>() == 360);

// SAFETY: numbers without gaps between them (the sizes above are their sums).
unsafe impl super::Plain for Job {}

/// `enum Mode` of `scale.cuh`.
mod mode {
    pub(super) const BILINEAR: u32 = 0;
    pub(super) const BILINEAR_LEGACY: u32 = 1;
    pub(super) const ANTIALIAS: u32 = 2;
    pub(super) const UPRIGHT: u32 = 3;
    pub(super) const UPRIGHT_SMALL: u32 = 4;
}

/// The largest canvas and the furthest offset on it, in pixels: positions are computed in 32 bits.
const MOST_CANVAS: usize = 1 << 30;
/// The longest side of a picture that is made.
const MOST_OUT: usize = 1 << 15;
/// Alignment of what jobs keep in the scratch memory.
const ALIGNED: usize = 256;

/// How a picture is to be written.
#[derive(Clone, Copy)]
pub(super) struct Format<'a> {
    pub(super) input: &'a InputSpec,
    pub(super) half: bool,
    pub(super) mirror: bool,
    pub(super) out: Target,
}

impl Job {
    /// Everything but the addresses of scratch memory.
    pub(super) fn new(frame: &CudaFrame, cut: &Cut, format: &Format) -> Result<Self> {
        let Format { input, half, mirror, out } = *format;
        let (placement, mode, turn) = match cut {
            Cut::Box(placement) => {
                let mode = match input.resize {
                    Resize::Bilinear => mode::BILINEAR,
                    Resize::BilinearLegacy => mode::BILINEAR_LEGACY,
                    Resize::Antialias => mode::ANTIALIAS,
                };
                (placement, mode, [0.0; 4])
            }
            Cut::Upright(upright) => {
                // Where nothing is made smaller the triangle has one weight of 1: the frame's own pixels are read.
                let (columns, rows) = (upright.reduced.columns(), upright.reduced.rows());
                let direct = columns.step() == 1.0 && rows.step() == 1.0;
                let mode = if direct { mode::UPRIGHT } else { mode::UPRIGHT_SMALL };
                (&upright.reduced, mode, upright.to_reduced.matrix())
            }
        };
        let placement = &placement.within(frame.size());
        let (width, height) = cut.size(input);
        let values = check(placement, width, height)?;
        let value = if half { 2 } else { 4 };
        let copies = if mirror { 2 } else { 1 };
        Ok(Self {
            frame: Frame::new(frame),
            columns: Side::new(&placement.columns()),
            rows: Side::new(&placement.rows()),
            weights: [0; 2],
            scaled: [0; 3],
            out: out.check(values * copies * value, value as u64)?,
            mode,
            half: u32::from(half),
            mirror: u32::from(mirror),
            interleaved: u32::from(input.layout == Layout::Nhwc),
            reversed: u32::from(input.channels == Channels::Bgr),
            width: width as u32,
            height: height as u32,
            turn,
            mean: input.mean,
            scale: input.scale,
            unused: 0,
        })
    }

    pub(super) fn is_antialiased(&self) -> bool {
        matches!(self.mode, mode::ANTIALIAS | mode::UPRIGHT_SMALL)
    }
    pub(super) fn is_legacy(&self) -> bool {
        self.mode == mode::BILINEAR_LEGACY
    }
    pub(super) fn is_turned(&self) -> bool {
        matches!(self.mode, mode::UPRIGHT | mode::UPRIGHT_SMALL)
    }

    /// Components that differ.
    pub(super) fn components(&self) -> usize {
        if self.frame.color == color_number(ColorModel::Gray) { 1 } else { 3 }
    }

    /// Pixels of the network's picture.
    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes that are written to `out`.
    pub(super) fn written(&self) -> u64 {
        let value = if self.half != 0 { 2 } else { 4 };
        3 * value * self.pixels() * u64::from(1 + self.mirror)
    }

    /// Threads that make the weights, in the direction that has more.
    pub(super) fn most_outputs(&self) -> u64 {
        u64::from(self.columns.out.max(self.rows.out))
    }

    /// Rows of a component that the region touches.
    pub(super) fn rows_of(&self, component: usize) -> u64 {
        let shift = self.frame.components[component].shift_y;
        u64::from(((self.rows.start + self.rows.length - 1) >> shift) - (self.rows.start >> shift) + 1)
    }

    /// Samples of the component whose scaled rows are most.
    pub(super) fn most_scaled(&self) -> u64 {
        (0..self.components()).map(|i| self.rows_of(i) * u64::from(self.columns.out)).max().unwrap_or(0)
    }

    /// Bytes of weights, and of scaled rows.
    pub(super) fn scratch(&self) -> (usize, usize) {
        if !self.is_antialiased() {
            return (0, 0);
        }
        let weights = aligned(self.columns.table()) + aligned(self.rows.table());
        (weights, (0..self.components()).map(|i| aligned(self.scaled_bytes(i))).sum())
    }

    fn scaled_bytes(&self, component: usize) -> usize {
        (self.rows_of(component) * u64::from(self.columns.out) * 4) as usize
    }

    /// Gives it its scratch memory, which begins at these addresses.
    pub(super) fn place(&mut self, weights: u64, scaled: u64) {
        if !self.is_antialiased() {
            return;
        }
        self.weights = [weights, weights + aligned(self.columns.table()) as u64];
        let mut next = scaled;
        for component in 0..self.components() {
            self.scaled[component] = next;
            next += aligned(self.scaled_bytes(component)) as u64;
        }
    }
}

impl Frame {
    pub(super) fn new(frame: &CudaFrame) -> Self {
        let conversion = match frame.color() {
            ColorModel::Yuv { matrix, range } => Conversion::new(matrix, range).coefficients(),
            ColorModel::Rgb | ColorModel::Gray => [0.0; 6],
        };
        let component = |c: &super::CudaComponent| Component {
            address: c.address,
            // A stride that leads nowhere may be any number.
            row_stride: if subsampled(frame.height(), c.shift_y) > 1 { c.row_stride as u64 } else { 0 },
            pixel_stride: if subsampled(frame.width(), c.shift_x) > 1 { c.pixel_stride as u64 } else { 0 },
            shift_x: c.shift_x.into(),
            shift_y: c.shift_y.into(),
        };
        Self {
            components: frame.all_components().each_ref().map(component),
            black: black(frame.color()),
            conversion,
            color: color_number(frame.color()),
            wide: u32::from(frame.depth() == Depth::Sixteen),
            unused: 0,
        }
    }
}

/// `enum Color` of `frame.cuh`.
fn color_number(color: ColorModel) -> u32 {
    match color {
        ColorModel::Rgb => 0,
        ColorModel::Yuv { .. } => 1,
        ColorModel::Gray => 2,
    }
}

impl Side {
    fn new(side: &axis::Side) -> Self {
        let step = side.step();
        let whole = side.canvas.ceil() as usize;
        // A triangle reaches one step, at least a pixel, to both sides, and the region has no more than its length.
        let width = ((2.0 * step.max(1.0)).ceil() as usize + 2).min(side.length);
        Self {
            canvas: side.canvas,
            step,
            single_step: step as f32,
            start: side.start as u32,
            length: side.length as u32,
            offset: side.offset as u32,
            out: side.out as u32,
            whole: whole as u32,
            width: width as u32,
            unused: 0,
        }
    }

    /// Bytes of its weights.
    fn table(&self) -> usize {
        (3 + self.width as usize) * self.out as usize * 4
    }

    /// The samples that the outputs read, as the CPU's tables have them, in ascending order.
    pub(super) fn touched(&self, half_pixel: bool) -> Vec<usize> {
        let side = axis::Side {
            start: self.start as usize,
            length: self.length as usize,
            offset: self.offset as usize,
            canvas: self.canvas,
            out: self.out as usize,
        };
        side.touched(half_pixel)
    }

    /// First sample of the region, and how many there are.
    pub(super) fn region(&self) -> (usize, usize) {
        (self.start as usize, self.length as usize)
    }
}

fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNED)
}

/// Whether a placement (with a region inside the frame) can be computed in 32 bits. Returns the number of values of a picture
/// of this width and height.
fn check(placement: &Placement, width: usize, height: usize) -> Result<usize> {
    let sides = [width, height, placement.out_width, placement.out_height];
    let canvas = [placement.canvas_width, placement.canvas_height];
    let fits = sides.iter().all(|side| (1..=MOST_OUT).contains(side))
        && canvas.iter().all(|side| *side > 0.0 && *side <= MOST_CANVAS as f64)
        && placement.left <= MOST_CANVAS
        && placement.top <= MOST_CANVAS;
    if fits {
        return Ok(3 * width * height);
    }
    Err(gpu_error(
        GpuFailure::Other,
        format!(
            "a picture of {width}x{height} on a canvas of {}x{} pixels is beyond what is computed on a GPU",
            placement.canvas_width, placement.canvas_height
        ),
        format!("use sides of 1 to {MOST_OUT} pixels"),
    ))
}
