//! The last step of each output row: between two rows, to RGB, normalised, into the tensor.

#[cfg(target_arch = "x86_64")]
mod avx2;

use super::Placement;
use crate::{
    Frame,
    frame::{ColorModel, Conversion},
    spec::{Channels, InputSpec, Layout},
};

/// A row of each component on its way: `low * low_weight + high * high_weight + padding`. The slices have at least the
/// output's width.
pub(super) struct Rows<'a> {
    pub(super) low: [&'a [f32]; 3],
    pub(super) high: [&'a [f32]; 3],
    pub(super) low_weight: f32,
    pub(super) high_weight: f32,
    pub(super) padding: [f32; 3],
}

/// Writes rows into a tensor.
pub(super) struct Finish<'a> {
    out: &'a mut [f32],
    /// Of a pixel's colours one after the other, where the tensor has them so.
    interleaved: Option<&'a mut [Vec<f32>; 3]>,
    width: usize,
    height: usize,
    step: Step,
    /// Which of R, G, B each channel of the tensor is.
    colour_of: [usize; 3],
    simd: bool,
}

/// What is done to each pixel; `mean` and `scale` are of R, G, B.
struct Step {
    conversion: Option<Conversion>,
    mean: [f32; 3],
    scale: [f32; 3],
}

impl<'a> Finish<'a> {
    /// `out` has the placement's number of values.
    pub(super) fn new(
        frame: &Frame,
        placement: &Placement,
        input: &InputSpec,
        rows: &'a mut [Vec<f32>; 3],
        out: &'a mut [f32],
        simd: bool,
    ) -> Self {
        let conversion = match frame.color() {
            ColorModel::Yuv { matrix, range } => Some(Conversion::new(matrix, range)),
            ColorModel::Rgb | ColorModel::Gray => None,
        };
        let colour_of = match input.channels {
            Channels::Rgb => [0, 1, 2],
            Channels::Bgr => [2, 1, 0],
        };
        let interleaved = (input.layout == Layout::Nhwc).then(|| {
            rows.iter_mut().for_each(|row| row.resize(placement.out_width, 0.0));
            rows
        });
        // Both orders are their own inverse.
        let step = Step {
            conversion,
            mean: colour_of.map(|channel| input.mean[channel]),
            scale: colour_of.map(|channel| input.scale[channel]),
        };
        Self {
            out,
            interleaved,
            width: placement.out_width,
            height: placement.out_height,
            step,
            colour_of,
            simd,
        }
    }

    pub(super) fn simd(&self) -> bool {
        self.simd
    }

    pub(super) fn row(&mut self, y: usize, rows: &Rows) {
        let width = self.width;
        if let Some(buffers) = &mut self.interleaved {
            self.step.run(rows, buffers.each_mut().map(Vec::as_mut_slice), self.simd);
            let [a, b, c] = self.colour_of.map(|colour| &buffers[colour]);
            let pixels = self.out.chunks_exact_mut(3).skip(y * width);
            for (pixel, ((a, b), c)) in pixels.zip(a.iter().zip(b).zip(c)) {
                pixel.copy_from_slice(&[*a, *b, *c]);
            }
            return;
        }
        let (first, rest) = self.out.split_at_mut(width * self.height);
        let (second, third) = rest.split_at_mut(width * self.height);
        let [a, b, c] = [first, second, third].map(|plane| &mut plane[y * width..(y + 1) * width]);
        let colours = if self.colour_of[0] == 0 { [a, b, c] } else { [c, b, a] };
        self.step.run(rows, colours, self.simd);
    }
}

impl Step {
    /// `out`: R, G, B.
    fn run(&self, rows: &Rows, out: [&mut [f32]; 3], simd: bool) {
        #[cfg(target_arch = "x86_64")]
        if simd {
            // SAFETY: `simd` says that the processor has AVX2.
            unsafe { avx2::row(self, rows, out) };
            return;
        }
        let _ = simd;
        self.plain(rows, out, 0);
    }

    /// From pixel `first` on.
    #[inline(always)]
    fn plain(&self, rows: &Rows, [red, green, blue]: [&mut [f32]; 3], first: usize) {
        let between = |i: usize, x: usize| {
            rows.low[i][x] * rows.low_weight + rows.high[i][x] * rows.high_weight + rows.padding[i]
        };
        let targets = red.iter_mut().zip(green).zip(blue);
        for (x, ((red, green), blue)) in targets.enumerate().skip(first) {
            let (mut r, mut g, mut b) = (between(0, x), between(1, x), between(2, x));
            if let Some(conversion) = &self.conversion {
                (r, g, b) = conversion.pixel(r, g, b);
            }
            *red = (r - self.mean[0]) * self.scale[0];
            *green = (g - self.mean[1]) * self.scale[1];
            *blue = (b - self.mean[2]) * self.scale[2];
        }
    }
}
