//! A picture as it lies in memory, borrowed.

mod color;
mod view;

pub use color::{ColorModel, Matrix, Range};
pub(crate) use color::{Conversion, black};
pub use view::View;

use crate::{Error, Result};

/// Largest side accepted, in pixels; 8K is 7680.
pub const MAX_SIDE: u32 = 32_768;

/// One of the three components of a picture, in the terms of `GstVideoInfo`.
#[derive(Clone, Copy, Debug)]
pub struct Component<'a> {
    /// Starts at the component's first sample.
    pub data: &'a [u8],
    /// Bytes from a row to the next.
    pub row_stride: usize,
    /// Bytes from a sample to its right neighbour.
    pub pixel_stride: usize,
    /// Subsampling: this component has `ceil(width / 2^shift_x)` samples a row.
    pub shift_x: u8,
    pub shift_y: u8,
}

/// An 8-bit picture in any packed, planar or semi-planar layout. Made by [`Frame::new`] alone, which checks once that
/// every sample lies inside its slice, so that reading a sample cannot fail.
///
/// Components: R, G, B, or Y, U (Cb), V (Cr), or one grey component.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    width: u32,
    height: u32,
    color: ColorModel,
    components: [Component<'a>; 3],
}

// A picture of people is never printed, not even in a panic message.
impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({}x{}, {:?})", self.width, self.height, self.color)
    }
}

impl<'a> Frame<'a> {
    /// `components` has three entries, or one for [`ColorModel::Gray`] (further ones are not looked at).
    ///
    /// # Errors
    /// A side of 0 or above [`MAX_SIDE`], a missing component, a component whose last sample lies outside its slice.
    pub fn new(width: u32, height: u32, color: ColorModel, components: &[Component<'a>]) -> Result<Self> {
        let fail = |problem: String| Error::Frame { width, height, problem };
        check_size(width, height).map_err(fail)?;
        let components = three(color, components).map_err(fail)?;
        for (number, component) in components.iter().enumerate() {
            component
                .lie()
                .check(width, height, component.data.len())
                .map_err(|p| fail(format!("component {number}: {p}")))?;
        }
        Ok(Self { width, height, color, components })
    }

    /// Packed 8-bit RGB without padding: 3 bytes a pixel.
    pub fn rgb(width: u32, height: u32, data: &'a [u8]) -> Result<Self> {
        let component = |offset: usize| Component {
            data: data.get(offset..).unwrap_or_default(),
            row_stride: width as usize * 3,
            pixel_stride: 3,
            shift_x: 0,
            shift_y: 0,
        };
        Self::new(width, height, ColorModel::Rgb, &[component(0), component(1), component(2)])
    }

    pub fn width(&self) -> u32 {
        self.width
    }
    pub fn height(&self) -> u32 {
        self.height
    }
    pub fn color(&self) -> ColorModel {
        self.color
    }
    /// Three, or one of a grey picture.
    pub fn components(&self) -> &[Component<'a>] {
        self.components.get(..self.color.components()).unwrap_or(&self.components)
    }
    pub(crate) fn component(&self, index: usize) -> &Component<'a> {
        &self.components[index]
    }
}

impl<'a> Component<'a> {
    fn lie(&self) -> Lie {
        Lie {
            row_stride: self.row_stride,
            pixel_stride: self.pixel_stride,
            shift_x: self.shift_x,
            shift_y: self.shift_y,
            sample: 1,
        }
    }

    /// Bytes up to and with the last sample of a component that is part of a [`Frame`] of this size.
    pub(crate) fn bytes_needed(&self, width: u32, height: u32) -> usize {
        self.lie().bytes_needed(width, height).unwrap_or(usize::MAX)
    }

    /// The row that holds the samples of picture row `y`.
    pub(crate) fn row(&self, y: usize) -> &'a [u8] {
        &self.data[(y >> self.shift_y) * self.row_stride..]
    }
}

/// How one component lies in memory, be it the computer's or a GPU's.
#[derive(Clone, Copy)]
pub(crate) struct Lie {
    pub(crate) row_stride: usize,
    pub(crate) pixel_stride: usize,
    pub(crate) shift_x: u8,
    pub(crate) shift_y: u8,
    /// Bytes of a sample.
    pub(crate) sample: usize,
}

impl Lie {
    /// Whether every sample lies inside the `available` bytes; what is wrong if not.
    pub(crate) fn check(&self, width: u32, height: u32, available: usize) -> Result<(), String> {
        if self.shift_x > 4 || self.shift_y > 4 {
            return Err(format!("subsampling by 2^{} x 2^{} is unheard of", self.shift_x, self.shift_y));
        }
        if self.pixel_stride == 0 && subsampled(width, self.shift_x) > 1 {
            return Err("pixel stride 0".into());
        }
        let needed = self.bytes_needed(width, height).ok_or("strides overflow")?;
        if needed > available {
            return Err(format!("{needed} bytes needed, {available} given"));
        }
        Ok(())
    }

    /// Bytes up to and with the last sample.
    pub(crate) fn bytes_needed(&self, width: u32, height: u32) -> Option<usize> {
        let along = (subsampled(width, self.shift_x) - 1).checked_mul(self.pixel_stride)?;
        let down = (subsampled(height, self.shift_y) - 1).checked_mul(self.row_stride)?;
        down.checked_add(along)?.checked_add(self.sample)
    }
}

/// What is wrong with the size of a frame.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), String> {
    let fits = |side: u32| (1..=MAX_SIDE).contains(&side);
    if fits(width) && fits(height) { Ok(()) } else { Err(format!("sides must be 1 to {MAX_SIDE} pixels")) }
}

/// The components that a frame of this colour has; grey ones stand for all three.
pub(crate) fn three<C: Copy>(color: ColorModel, components: &[C]) -> Result<[C; 3], String> {
    match (color, components) {
        (ColorModel::Gray, [gray, ..]) => Ok([*gray; 3]),
        (_, [a, b, c, ..]) => Ok([*a, *b, *c]),
        (_, few) => Err(format!("{} component(s) given, {} needed", few.len(), color.components())),
    }
}

pub(crate) fn subsampled(length: u32, shift: u8) -> usize {
    (length as usize).div_ceil(1 << shift)
}
