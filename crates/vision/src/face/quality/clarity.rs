//! What the pixels of a cut picture tell about how well a face is seen.

use super::Hindrance;
use crate::{
    face::constants::{
        BLUR_ERROR, BURNT, BURNT_ERROR, DARK_ERROR, DETAIL_MARGIN_POWER, DETAIL_SIDE, USUAL_BRIGHTNESS,
    },
    spec::{Channels, InputSpec, Layout},
};
use std::ops::Range;

/// What one pass over a crop tells. Brightness is 0..=255. Never printed.
#[derive(Clone, Copy, PartialEq)]
pub struct Clarity {
    /// Mean brightness.
    pub mean: f32,
    /// Part of the pixels that are burnt out, 0..=1.
    pub burnt: f32,
    /// Mean square of the Laplacian of brightness in a picture of 112 pixels without margin; `None`: too small to tell.
    pub detail: Option<f32>,
}

impl Clarity {
    /// Looks at the middle three quarters of the face. `values`: a face as a network with this `input` wants it, cut with
    /// `margin`; `None` where the box was not cut to a square. Pictures of more than 112 pixels are made smaller on the way, by
    /// the mean of whole blocks of pixels.
    pub fn of(values: &[f32], input: &InputSpec, margin: Option<f32>) -> Self {
        let judged = Judged::new(input, margin);
        let mut sums = Sums::default();
        for y in judged.rows.clone() {
            // Row by row, so that little is lost where the sum is large already.
            let mut row = Sums::default();
            for x in judged.columns.clone() {
                let at = |x: usize, y: usize| judged.block(values, x, y);
                let here = at(x, y);
                let around = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                row.brightness += here;
                row.burnt += f32::from(here > BURNT);
                row.detail += (around - 4.0 * here).powi(2);
            }
            sums.brightness += row.brightness;
            sums.burnt += row.burnt;
            sums.detail += row.detail;
        }
        judged.clarity(&sums)
    }

    pub(in crate::face) fn hindrance(&self) -> Hindrance {
        self.blur().and(self.darkness()).and(Hindrance((BURNT_ERROR * self.burnt).powi(2)))
    }

    fn darkness(&self) -> Hindrance {
        Hindrance((DARK_ERROR / self.mean.max(1.0)).powi(2))
    }

    fn blur(&self) -> Hindrance {
        let (first, second, power, most) = BLUR_ERROR;
        let Some(detail) = self.detail else { return Hindrance(0.0) };
        let made_up = (USUAL_BRIGHTNESS / self.mean.clamp(1.0, USUAL_BRIGHTNESS)).powi(2);
        let error = first * (second / (detail * made_up).max(f32::MIN_POSITIVE)).powf(power);
        Hindrance(error.min(most).powi(2))
    }
}

/// Sums over the pixels that are judged: of brightness, of those that are burnt out, and of squares of the Laplacian.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sums {
    pub(crate) brightness: f32,
    pub(crate) burnt: f32,
    pub(crate) detail: f32,
}

/// Which pixels of a network's picture are judged, and how their brightness is told from a tensor: the same on the CPU and
/// on a GPU.
#[derive(Clone)]
pub(crate) struct Judged {
    /// Of the network's picture, in pixels.
    width: usize,
    /// Side of the blocks of pixels that count as one.
    pub(crate) block: usize,
    /// In blocks; there is one more on each side.
    pub(crate) columns: Range<usize>,
    pub(crate) rows: Range<usize>,
    /// From a pixel's value to the next pixel's, and from a channel's to the next channel's.
    pub(crate) step: usize,
    pub(crate) plane: usize,
    /// Of each channel in the order of the tensor (Rec. ITU-R BT.601, with the normalisation undone); the sum of what was
    /// subtracted.
    pub(crate) weights: [f32; 3],
    pub(crate) offset: f32,
    margin: f32,
}

impl Judged {
    pub(crate) fn new(input: &InputSpec, margin: Option<f32>) -> Self {
        let (width, height) = (input.width as usize, input.height as usize);
        let (step, plane) = match input.layout {
            Layout::Nchw => (1, width * height),
            Layout::Nhwc => (3, 1),
        };
        let [a, b, c] = match input.channels {
            Channels::Rgb => [0.299, 0.587, 0.114],
            Channels::Bgr => [0.114, 0.587, 0.299],
        };
        let ([x, y, z], [u, v, w]) = (input.scale, input.mean);
        let block = (width / DETAIL_SIDE).max(1);
        let margin = margin.unwrap_or(0.0);
        let shown = 0.375 / (1.0 + margin);
        let range = |side: usize| {
            let (middle, half) = (side as f32 / 2.0, side as f32 * shown);
            ((middle - half) as usize).max(1)..((middle + half) as usize).min(side.saturating_sub(1))
        };
        Self {
            width,
            block,
            columns: range(width / block),
            rows: range(height / block),
            step,
            plane,
            weights: [a / x, b / y, c / z],
            offset: a * u + b * v + c * w,
            margin,
        }
    }

    /// Values from a row of pixels to the next.
    pub(crate) fn row(&self) -> usize {
        self.width * self.step
    }

    /// Brightness above which a pixel is burnt out.
    pub(crate) fn burnt(&self) -> f32 {
        BURNT
    }

    /// Mean brightness of a block of pixels. 0 outside.
    fn block(&self, values: &[f32], x: usize, y: usize) -> f32 {
        let side = self.block;
        let mut sum = 0.0;
        for row in y * side..(y + 1) * side {
            for column in x * side..(x + 1) * side {
                let pixel = (row * self.width + column) * self.step;
                let channels = self.weights.iter().enumerate();
                let value = |(i, weight): (usize, &f32)| {
                    weight * values.get(pixel + i * self.plane).copied().unwrap_or(0.0)
                };
                sum += channels.map(value).sum::<f32>() + self.offset;
            }
        }
        sum / (side * side) as f32
    }

    pub(crate) fn clarity(&self, sums: &Sums) -> Clarity {
        let count = ((self.columns.len() * self.rows.len()) as f32).max(1.0);
        let width = self.width / self.block;
        let scale = width as f32 / DETAIL_SIDE as f32 / (1.0 + self.margin);
        let judged = 2 * width >= DETAIL_SIDE;
        Clarity {
            mean: sums.brightness / count,
            burnt: sums.burnt / count,
            detail: judged.then(|| sums.detail / count * scale.powf(DETAIL_MARGIN_POWER)),
        }
    }
}
