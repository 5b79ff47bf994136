//! Pictures that may be written, in every layout that frames come in.

use super::Picture;
use facialads_vision::{
    ColorModel, Matrix, Range,
    cuda::Depth,
    paint::{Canvas, CanvasComponent},
};

/// A picture in some format, with padding behind its rows and bytes around its planes.
#[derive(Clone, PartialEq)]
pub struct Pixels {
    pub name: &'static str,
    pub width: u32,
    pub height: u32,
    pub color: ColorModel,
    pub depth: Depth,
    pub planes: Vec<Vec<u8>>,
    pub components: Vec<CanvasComponent>,
}

const YUV: ColorModel = ColorModel::Yuv { matrix: Matrix::Bt709, range: Range::Limited };
const FULL: ColorModel = ColorModel::Yuv { matrix: Matrix::Bt601, range: Range::Full };

/// Name, colours, depth, subsampling of chroma; then per component its plane, offset in samples, and samples a pixel.
pub type Format = (&'static str, ColorModel, Depth, (u8, u8), &'static [(usize, usize, usize)]);

pub const FORMATS: &[Format] = &[
    ("NV12", YUV, Depth::Eight, (1, 1), &[(0, 0, 1), (1, 0, 2), (1, 1, 2)]),
    ("NV21", FULL, Depth::Eight, (1, 1), &[(0, 0, 1), (1, 1, 2), (1, 0, 2)]),
    ("P010", YUV, Depth::Sixteen, (1, 1), &[(0, 0, 1), (1, 0, 2), (1, 1, 2)]),
    ("I420", FULL, Depth::Eight, (1, 1), &[(0, 0, 1), (1, 0, 1), (2, 0, 1)]),
    ("Y42B", YUV, Depth::Eight, (1, 0), &[(0, 0, 1), (1, 0, 1), (2, 0, 1)]),
    ("Y41B", YUV, Depth::Eight, (2, 0), &[(0, 0, 1), (1, 0, 1), (2, 0, 1)]),
    ("Y444", YUV, Depth::Eight, (0, 0), &[(0, 0, 1), (1, 0, 1), (2, 0, 1)]),
    ("Y444_16", YUV, Depth::Sixteen, (0, 0), &[(0, 0, 1), (1, 0, 1), (2, 0, 1)]),
    ("RGB", ColorModel::Rgb, Depth::Eight, (0, 0), &[(0, 0, 3), (0, 1, 3), (0, 2, 3)]),
    ("BGR", ColorModel::Rgb, Depth::Eight, (0, 0), &[(0, 2, 3), (0, 1, 3), (0, 0, 3)]),
    ("RGBA", ColorModel::Rgb, Depth::Eight, (0, 0), &[(0, 0, 4), (0, 1, 4), (0, 2, 4)]),
    ("BGRA", ColorModel::Rgb, Depth::Eight, (0, 0), &[(0, 2, 4), (0, 1, 4), (0, 0, 4)]),
    ("ARGB", ColorModel::Rgb, Depth::Eight, (0, 0), &[(0, 1, 4), (0, 2, 4), (0, 3, 4)]),
    ("RGBP", ColorModel::Rgb, Depth::Eight, (0, 0), &[(0, 0, 1), (1, 0, 1), (2, 0, 1)]),
    ("GRAY8", ColorModel::Gray, Depth::Eight, (0, 0), &[(0, 0, 1)]),
];

impl Pixels {
    /// Random bytes.
    pub fn random(format: &Format, width: u32, height: u32, seed: u64) -> Self {
        let (name, color, depth, chroma, places) = *format;
        let sample = if depth == Depth::Sixteen { 2 } else { 1 };
        let shifts = |component: usize| if component == 0 { (0, 0) } else { chroma };
        let mut strides = Vec::new();
        let mut planes = Vec::new();
        let mut state = seed | 1;
        for plane in 0..=places.iter().map(|place| place.0).max().unwrap() {
            let (component, place) = places.iter().enumerate().find(|(_, place)| place.0 == plane).unwrap();
            let (sx, sy) = shifts(component);
            let across = (width as usize).div_ceil(1 << sx) * place.2 * sample;
            let rows = (height as usize).div_ceil(1 << sy);
            // Padding of another length each time.
            let stride = across + [0, 1, 13, 64][(seed as usize + plane) % 4] * sample;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            };
            strides.push(stride);
            planes.push((0..stride * rows + 5).map(|_| next()).collect());
        }
        let component = |(index, (plane, offset, per_pixel)): (usize, &(usize, usize, usize))| {
            let (shift_x, shift_y) = shifts(index);
            CanvasComponent {
                plane: *plane,
                offset: offset * sample,
                row_stride: strides[*plane],
                pixel_stride: per_pixel * sample,
                shift_x,
                shift_y,
            }
        };
        let components = places.iter().enumerate().map(component).collect();
        let mut pixels = Self { name, width, height, color, depth, planes, components };
        if depth == Depth::Sixteen {
            pixels.each(|_, _, _, raw| raw & 0xffc0);
        }
        pixels
    }

    pub fn of(format: &Format, picture: &Picture) -> Self {
        let mut pixels = Self::random(format, picture.0, picture.1, 1);
        let (color, sixteen) = (pixels.color, pixels.depth == Depth::Sixteen);
        let shifts: Vec<_> = pixels.components.iter().map(|c| (c.shift_x, c.shift_y)).collect();
        pixels.each(|component, x, y, _| {
            let (sx, sy) = shifts[component];
            let (mut sum, mut count) = (0.0, 0.0);
            for y in y << sy..((y + 1) << sy).min(picture.1 as usize) {
                for x in x << sx..((x + 1) << sx).min(picture.0 as usize) {
                    let at = (y * picture.0 as usize + x) * 3;
                    let rgb = [0, 1, 2].map(|i| f32::from(picture.2[at + i]));
                    sum += to_component(color, component, rgb);
                    count += 1.0;
                }
            }
            let value: f32 = sum / count;
            if sixteen { ((value * 4.0).round() as u32) << 6 } else { value.round() as u32 }
        });
        pixels
    }

    /// As RGB, to be looked at.
    pub fn picture(&self) -> Picture {
        let mut out = Vec::new();
        for y in 0..self.height as usize {
            for x in 0..self.width as usize {
                let value = |component: usize| {
                    let c = &self.components[component.min(self.components.len() - 1)];
                    let raw =
                        self.sample(component.min(self.components.len() - 1), x >> c.shift_x, y >> c.shift_y);
                    if self.depth == Depth::Sixteen { raw as f32 / 256.0 } else { raw as f32 }
                };
                out.extend(to_rgb(self.color, [value(0), value(1), value(2)]));
            }
        }
        Picture(self.width, self.height, out)
    }

    /// Samples across and down.
    pub fn size(&self, component: usize) -> (usize, usize) {
        let c = &self.components[component];
        let side = |length: u32, shift: u8| (length as usize).div_ceil(1 << shift);
        (side(self.width, c.shift_x), side(self.height, c.shift_y))
    }

    fn at(&self, component: usize, x: usize, y: usize) -> (usize, usize) {
        let c = &self.components[component];
        (c.plane, c.offset + y * c.row_stride + x * c.pixel_stride)
    }

    pub fn sample(&self, component: usize, x: usize, y: usize) -> u32 {
        let (plane, at) = self.at(component, x, y);
        let byte = |i: usize| u32::from(self.planes[plane][at + i]);
        if self.depth == Depth::Sixteen { byte(0) | byte(1) << 8 } else { byte(0) }
    }

    /// Gives every sample another value: component, x, y, old value.
    pub fn each(&mut self, mut new: impl FnMut(usize, usize, usize, u32) -> u32) {
        for component in 0..self.components.len() {
            let (width, height) = self.size(component);
            for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
                let value = new(component, x, y, self.sample(component, x, y));
                let (plane, at) = self.at(component, x, y);
                let bytes = if self.depth == Depth::Sixteen { 2 } else { 1 };
                self.planes[plane][at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
            }
        }
    }

    pub fn canvas<T>(&mut self, work: impl FnOnce(&mut Canvas<'_, '_>) -> T) -> T {
        let mut planes: Vec<&mut [u8]> = self.planes.iter_mut().map(Vec::as_mut_slice).collect();
        let (width, height, color, depth) = (self.width, self.height, self.color, self.depth);
        let mut canvas = Canvas::new(width, height, color, depth, &mut planes, &self.components).unwrap();
        work(&mut canvas)
    }

    /// Of each cell (the pixels that share a chroma sample): its sides' binary logarithms.
    pub fn cell(&self) -> (u8, u8) {
        let most = |of: fn(&CanvasComponent) -> u8| self.components.iter().map(of).max().unwrap();
        (most(|c| c.shift_x), most(|c| c.shift_y))
    }
}

fn weights(color: ColorModel) -> Option<(f32, f32, bool)> {
    match color {
        ColorModel::Yuv { matrix, range } => {
            let (kr, kb) = match matrix {
                Matrix::Bt601 => (0.299, 0.114),
                Matrix::Bt709 => (0.2126, 0.0722),
                Matrix::Bt2020 => (0.2627, 0.0593),
            };
            Some((kr, kb, range == Range::Full))
        }
        ColorModel::Gray => Some((0.299, 0.114, true)),
        ColorModel::Rgb => None,
    }
}

/// The textbook's conversion, written another way than the library's.
pub fn to_component(color: ColorModel, component: usize, [r, g, b]: [f32; 3]) -> f32 {
    let Some((kr, kb, full)) = weights(color) else { return [r, g, b][component] };
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    let scaled = |value: f32, limited: f32| if full { value } else { value * limited / 255.0 };
    match component {
        0 => scaled(y, 219.0) + if full { 0.0 } else { 16.0 },
        1 => scaled((b - y) / (2.0 * (1.0 - kb)), 224.0) + 128.0,
        _ => scaled((r - y) / (2.0 * (1.0 - kr)), 224.0) + 128.0,
    }
}

fn to_rgb(color: ColorModel, [a, b, c]: [f32; 3]) -> [u8; 3] {
    let round = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    let (Some((kr, kb, full)), false) = (weights(color), color == ColorModel::Gray) else {
        return [a, b, c].map(round);
    };
    let y = if full { a } else { (a - 16.0) * 255.0 / 219.0 };
    let [u, v] = [b, c].map(|v| if full { v - 128.0 } else { (v - 128.0) * 255.0 / 224.0 });
    let (red, blue) = (y + v * 2.0 * (1.0 - kr), y + u * 2.0 * (1.0 - kb));
    [red, (y - kr * red - kb * blue) / (1.0 - kr - kb), blue].map(round)
}
