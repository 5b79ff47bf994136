//! Drawing on a frame: bitmaps with transparency, areas of one colour, outlines. The reference of the kernel in paint.cu.

use super::{Canvas, Sampling, color::from_rgb, region::MOST_REGIONS};

/// Order of a bitmap's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Order {
    Rgba = 0,
    /// What cairo's ARGB32 is on a little-endian machine.
    Bgra = 1,
}

/// A picture with transparency, 4 bytes a pixel, colours multiplied by alpha.
#[derive(Clone, Copy)]
pub struct Bitmap<'a> {
    pixels: &'a [u8],
    stride: usize,
    width: u32,
    height: u32,
    order: Order,
}

impl<'a> Bitmap<'a> {
    /// `stride`: bytes from a row to the next. `None` if the last pixel lies outside `pixels`, or there is none.
    pub fn new(pixels: &'a [u8], width: u32, height: u32, stride: usize, order: Order) -> Option<Self> {
        let row = (width as usize).checked_mul(4)?;
        let needed = (height as usize).checked_sub(1)?.checked_mul(stride)?.checked_add(row)?;
        (width > 0 && needed <= pixels.len()).then_some(Self { pixels, stride, width, height, order })
    }

    /// Red, green, blue, alpha.
    fn pixel(&self, x: usize, y: usize) -> [f32; 4] {
        let at = y * self.stride + x * 4;
        let [a, b, c, alpha] = [0, 1, 2, 3].map(|i| f32::from(self.pixels[at + i]));
        if self.order == Order::Bgra { [c, b, a, alpha] } else { [a, b, c, alpha] }
    }
}

/// What an item is made of.
#[derive(Clone, Copy)]
pub enum Paint<B> {
    /// Red, green, blue, alpha; colours not yet multiplied by alpha.
    Solid([u8; 4]),
    /// A bitmap; the item is as large as it at most.
    Bitmap(B),
}

/// Something to draw. `B` is a [`Bitmap`], or [`crate::cuda::paint::DeviceBitmap`].
#[derive(Clone, Copy)]
pub struct Item<B> {
    /// In pixels of the frame; may lie outside.
    pub x: i32,
    pub y: i32,
    pub width: u32,
    pub height: u32,
    pub paint: Paint<B>,
}

impl<B> Item<B> {
    fn has(&self, x: i64, y: i64) -> bool {
        let (x, y) = (x - i64::from(self.x), y - i64::from(self.y));
        (0..i64::from(self.width)).contains(&x) && (0..i64::from(self.height)).contains(&y)
    }
}

/// The lines of a box, `thickness` pixels inside it; the whole box where it is too small to be hollow. (x, y, width, height).
pub fn outline<B>(
    bounds: (i32, i32, u32, u32),
    thickness: u32,
    color: [u8; 4],
) -> impl Iterator<Item = Item<B>> {
    let (x, y, width, height) = bounds;
    let hollow = width > thickness.saturating_mul(2) && height > thickness.saturating_mul(2);
    let lines = if hollow {
        let (line, right) = (thickness, x.saturating_add_unsigned(width - thickness));
        let (bottom, inner) =
            (y.saturating_add_unsigned(height - thickness), y.saturating_add_unsigned(thickness));
        let between = height - 2 * thickness;
        [
            (x, y, width, line),
            (x, bottom, width, line),
            (x, inner, line, between),
            (right, inner, line, between),
        ]
    } else {
        [(x, y, width, height), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
    };
    lines.into_iter().filter(|line| line.2 > 0 && line.3 > 0).map(move |(x, y, width, height)| Item {
        x,
        y,
        width,
        height,
        paint: Paint::Solid(color),
    })
}

/// Draws the items, later ones over earlier ones, in the frame's own colours. Parts outside the frame are left out. A chroma
/// sample takes the mean of what is drawn on the pixels that share it.
pub fn draw(canvas: &mut Canvas<'_, '_>, items: &[Item<Bitmap<'_>>]) {
    let sampling = canvas.sampling();
    let matrix = from_rgb(canvas.color());
    for items in items.chunks(MOST_REGIONS) {
        let work = Work { sampling: &sampling, matrix, items };
        (0..items.len()).for_each(|index| work.item(canvas, index));
    }
}

struct Work<'a> {
    sampling: &'a Sampling,
    matrix: [[f32; 4]; 3],
    items: &'a [Item<Bitmap<'a>>],
}

impl Work<'_> {
    fn item(&self, canvas: &mut Canvas<'_, '_>, index: usize) {
        let (shift_x, shift_y) = self.sampling.cell_shifts();
        let item = &self.items[index];
        let cells = |start: i32, length: u32, side: u32, shift: u32| {
            let inside = |at: i64| u32::try_from(at.clamp(0, i64::from(side))).unwrap_or(0);
            let (first, end) = (inside(i64::from(start)), inside(i64::from(start) + i64::from(length)));
            if first < end { first >> shift..end.div_ceil(1 << shift) } else { 0..0 }
        };
        for cell_y in cells(item.y, item.height, self.sampling.height, shift_y) {
            for cell_x in cells(item.x, item.width, self.sampling.width, shift_x) {
                let touched = |item: &Item<Bitmap<'_>>| {
                    // A cell at the edge may be half outside; an item there, or one without an area, never does a cell.
                    let touches = |cell: u32, shift: u32, side: u32, start: i32, length: u32| {
                        let (first, end) = (i64::from(cell) << shift, (i64::from(cell) + 1) << shift);
                        let end = end.min(i64::from(side));
                        length > 0 && i64::from(start) < end && first < i64::from(start) + i64::from(length)
                    };
                    touches(cell_x, shift_x, self.sampling.width, item.x, item.width)
                        && touches(cell_y, shift_y, self.sampling.height, item.y, item.height)
                };
                if !self.items[..index].iter().any(touched) {
                    self.cell(canvas, index, cell_x, cell_y);
                }
            }
        }
    }

    fn cell(&self, canvas: &mut Canvas<'_, '_>, index: usize, cell_x: u32, cell_y: u32) {
        let (shift_x, shift_y) = self.sampling.cell_shifts();
        let all = self.sampling.shifts.into_iter().enumerate().take(self.sampling.components);
        for (component, (own_x, own_y)) in all {
            let rows = Sampling::samples(cell_y..cell_y + 1, shift_y, own_y, self.sampling.height);
            let columns = Sampling::samples(cell_x..cell_x + 1, shift_x, own_x, self.sampling.width);
            for y in rows {
                for x in columns.clone() {
                    let mut value = canvas.get(component, x, y);
                    let mut drawn = false;
                    for item in &self.items[index..] {
                        let [red, green, blue, alpha] = self.mean(item, x, y, own_x, own_y);
                        if alpha > 0.0 {
                            let [r, g, b, constant] = self.matrix[component];
                            let share = alpha / 255.0;
                            let over = r * red + g * green + b * blue + constant * share;
                            value = value * (1.0 - share) + over;
                            drawn = true;
                        }
                    }
                    if drawn {
                        canvas.set(component, x, y, value);
                    }
                }
            }
        }
    }

    /// What an item has on the pixels of a sample, in the mean; nothing where it is not.
    fn mean(&self, item: &Item<Bitmap<'_>>, x: usize, y: usize, own_x: u8, own_y: u8) -> [f32; 4] {
        let mut sum = [0.0_f32; 4];
        let mut pixels = 0.0_f32;
        let pixels_of = |at: usize, own: u8, side: u32| at << own..((at + 1) << own).min(side as usize);
        for y in pixels_of(y, own_y, self.sampling.height) {
            for x in pixels_of(x, own_x, self.sampling.width) {
                pixels += 1.0;
                if item.has(x as i64, y as i64) {
                    let color = color_at(item, x, y);
                    sum.iter_mut().zip(color).for_each(|(sum, part)| *sum += part);
                }
            }
        }
        sum.map(|sum| sum / pixels)
    }
}

/// The colour of an item on a pixel that it has, multiplied by alpha.
fn color_at(item: &Item<Bitmap<'_>>, x: usize, y: usize) -> [f32; 4] {
    match &item.paint {
        Paint::Solid(color) => premultiplied(*color),
        Paint::Bitmap(bitmap) => {
            let (x, y) = ((x as i64 - i64::from(item.x)) as usize, (y as i64 - i64::from(item.y)) as usize);
            if x < bitmap.width as usize && y < bitmap.height as usize {
                bitmap.pixel(x, y)
            } else {
                [0.0; 4]
            }
        }
    }
}

/// A colour multiplied by its alpha.
pub(crate) fn premultiplied([red, green, blue, alpha]: [u8; 4]) -> [f32; 4] {
    let alpha = f32::from(alpha);
    let times = |part: u8| f32::from(part) * alpha / 255.0;
    [times(red), times(green), times(blue), alpha]
}
