//! A picture that may be written, borrowed.

use crate::{
    ColorModel, Error, Result,
    cuda::Depth,
    frame::{MAX_SIDE, subsampled},
};

/// One of the three components of a [`Canvas`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanvasComponent {
    /// Which of the planes holds it; components may share one.
    pub plane: usize,
    /// Bytes from the plane's start to the first sample.
    pub offset: usize,
    /// Bytes from a row to the next.
    pub row_stride: usize,
    /// Bytes from a sample to its right neighbour.
    pub pixel_stride: usize,
    /// Subsampling: this component has `ceil(width / 2^shift_x)` samples a row.
    pub shift_x: u8,
    pub shift_y: u8,
}

/// A picture in memory that may be written, in any packed, planar or semi-planar layout of whole bytes. Made by
/// [`Canvas::new`] alone, which checks once that every sample lies inside its plane. Other components than the three
/// (alpha) are never touched.
pub struct Canvas<'p, 'a> {
    width: u32,
    height: u32,
    color: ColorModel,
    depth: Depth,
    planes: &'p mut [&'a mut [u8]],
    components: [CanvasComponent; 3],
}

// A picture of people is never printed, not even in a panic message.
impl std::fmt::Debug for Canvas<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Canvas({}x{}, {:?})", self.width, self.height, self.color)
    }
}

impl<'p, 'a> Canvas<'p, 'a> {
    /// `components`: R, G, B, or Y, U (Cb), V (Cr), or one grey (further ones are not looked at).
    ///
    /// # Errors
    /// [`Error::Frame`]: a side of 0 or above [`MAX_SIDE`], a component or plane that is missing, a component whose last sample
    /// lies outside its plane.
    pub fn new(
        width: u32,
        height: u32,
        color: ColorModel,
        depth: Depth,
        planes: &'p mut [&'a mut [u8]],
        components: &[CanvasComponent],
    ) -> Result<Self> {
        let fail = |problem: String| Error::Frame { width, height, problem };
        if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
            return Err(fail(format!("sides must be 1 to {MAX_SIDE} pixels")));
        }
        let components = match (color, components) {
            (ColorModel::Gray, [gray, ..]) => [*gray; 3],
            (_, [a, b, c, ..]) => [*a, *b, *c],
            (_, few) => {
                return Err(fail(format!("{} component(s) given, {} needed", few.len(), color.components())));
            }
        };
        for (number, component) in components.iter().enumerate() {
            let bytes = planes.get(component.plane).map(|plane| plane.len());
            let bytes = bytes.ok_or_else(|| fail(format!("component {number}: there is no such plane")))?;
            component
                .check(width, height, depth, bytes)
                .map_err(|problem| fail(format!("component {number}: {problem}")))?;
        }
        Ok(Self { width, height, color, depth, planes, components })
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

    pub(super) fn sampling(&self) -> Sampling {
        Sampling {
            width: self.width,
            height: self.height,
            components: self.color.components(),
            shifts: self.components.map(|c| (c.shift_x, c.shift_y)),
            depth: self.depth,
        }
    }

    /// A sample as it is stored.
    pub(super) fn raw(&self, component: usize, x: usize, y: usize) -> u32 {
        let c = &self.components[component];
        let plane = &self.planes[c.plane];
        let at = c.offset + y * c.row_stride + x * c.pixel_stride;
        match self.depth {
            Depth::Eight => u32::from(plane[at]),
            Depth::Sixteen => u32::from(u16::from_le_bytes([plane[at], plane[at + 1]])),
        }
    }

    /// A sample, 0 to 255 (above 255 by less than 1 where samples are wider).
    pub(super) fn get(&self, component: usize, x: usize, y: usize) -> f32 {
        let raw = self.raw(component, x, y) as f32;
        if self.depth == Depth::Sixteen { raw * (1.0 / 256.0) } else { raw }
    }

    pub(super) fn set(&mut self, component: usize, x: usize, y: usize, value: f32) {
        let c = &self.components[component];
        let plane = &mut self.planes[c.plane];
        let at = c.offset + y * c.row_stride + x * c.pixel_stride;
        match self.depth {
            Depth::Eight => plane[at] = (value + 0.5).clamp(0.0, 255.0) as u8,
            Depth::Sixteen => {
                let [low, high] = (((value * 4.0 + 0.5).clamp(0.0, 1023.0) as u16) << 6).to_le_bytes();
                (plane[at], plane[at + 1]) = (low, high);
            }
        }
    }
}

impl CanvasComponent {
    fn check(&self, width: u32, height: u32, depth: Depth, bytes: usize) -> Result<(), String> {
        if self.shift_x > 4 || self.shift_y > 4 {
            return Err(format!("subsampling by 2^{} x 2^{} is unheard of", self.shift_x, self.shift_y));
        }
        let (across, down) = (subsampled(width, self.shift_x), subsampled(height, self.shift_y));
        let sample = if depth == Depth::Sixteen { 2 } else { 1 };
        if self.pixel_stride == 0 && across > 1 || self.row_stride == 0 && down > 1 {
            return Err("a stride of 0: each sample must have a place of its own".into());
        }
        let needed = (down - 1)
            .checked_mul(self.row_stride)
            .and_then(|rows| rows.checked_add((across - 1).checked_mul(self.pixel_stride)?))
            .and_then(|last| last.checked_add(self.offset)?.checked_add(sample))
            .ok_or("strides overflow")?;
        if needed > bytes {
            return Err(format!("{needed} bytes needed, {bytes} given"));
        }
        Ok(())
    }
}

/// How a picture's components are sampled: what plans are made from, for a picture anywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampling {
    pub width: u32,
    pub height: u32,
    /// 3, or 1 of a grey picture.
    pub components: usize,
    pub shifts: [(u8, u8); 3],
    pub depth: Depth,
}

impl Sampling {
    /// The binary logarithms of a cell's width and height in pixels.
    pub fn cell_shifts(&self) -> (u32, u32) {
        let used = &self.shifts[..self.components.min(3)];
        let most = |of: fn(&(u8, u8)) -> u8| u32::from(used.iter().map(of).max().unwrap_or(0));
        (most(|shift| shift.0), most(|shift| shift.1))
    }

    /// Cells across and down.
    pub fn cells(&self) -> (u32, u32) {
        let (x, y) = self.cell_shifts();
        (self.width.div_ceil(1 << x), self.height.div_ceil(1 << y))
    }

    /// The samples of a component that lie in a range of cells along one side, given the component's and the cells' shifts
    /// and the picture's length along it.
    pub fn samples(cells: std::ops::Range<u32>, cell: u32, own: u8, length: u32) -> std::ops::Range<usize> {
        let scale = 1_usize << (cell - u32::from(own).min(cell));
        let end = subsampled(length, own);
        (cells.start as usize * scale).min(end)..(cells.end as usize * scale).min(end)
    }
}
