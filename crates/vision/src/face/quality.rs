//! How well a face is seen, 0..=1. Each hindrance is an error in years that it adds to an estimated age, see
//! [`super::constants`]; quality is the part of the whole error's square that a well-seen face has too.
//!
//! What the box and the landmarks tell is known before a face is cut out and costs nothing ([`of_view`]); what the picture
//! tells is computed in one pass over the crop at the network's size ([`of_picture`]). Nothing is allocated.

use super::constants::{
    AGE_MARGIN, BASE_ERROR, BLUR_ERROR, BURNT, BURNT_ERROR, COVERED, DARK_ERROR, DETAIL_MARGIN_POWER,
    DETAIL_SIDE, HIDDEN_ERROR, LEAST_QUALITY, LEAST_SIDE, OUTSIDE, PITCH, POSE_ERROR, SIZE_ERROR,
    USUAL_BRIGHTNESS, YAW,
};
use crate::{
    Rect,
    spec::{Channels, InputSpec, Layout},
};

/// Squares of errors in years, which add up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hindrance(f32);

impl Hindrance {
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// 0..=1; 0 for a hindrance that is no number.
    pub(super) fn quality(self) -> f32 {
        let square = BASE_ERROR * BASE_ERROR;
        let quality = square / (square + self.0);
        if quality.is_nan() { 0.0 } else { quality }
    }

    /// Whether a look says anything.
    pub(super) fn is_passable(self) -> bool {
        self.quality() >= LEAST_QUALITY
    }
}

/// An error of `full` years where `value` is at the end of `range` or beyond, none at its start, straight between.
fn within(value: f32, (start, end): (f32, f32), full: f32) -> Hindrance {
    let part = ((value - start) / (end - start)).clamp(0.0, 1.0);
    Hindrance((full * part).powi(2))
}

/// Size, pose and truncation. `bounds` and `points` in pixels of a frame of width and height `frame`.
pub(super) fn of_view(bounds: &Rect, points: Option<&[(f32, f32); 5]>, frame: (f32, f32)) -> Hindrance {
    let pose = points.map_or(Hindrance(0.0), |points| yaw(points).and(pitch(points)));
    size(bounds).and(outside(bounds, frame)).and(pose)
}

/// Size, by the shorter side.
fn size(bounds: &Rect) -> Hindrance {
    let side = bounds.width.min(bounds.height);
    let (first, second, power) = SIZE_ERROR;
    Hindrance(if side >= LEAST_SIDE { (first * (second / side).powf(power)).powi(2) } else { f32::INFINITY })
}

/// Yaw: how far the nose lies from the middle between the eyes, along the line through them.
/// `points`: eyes, nose, corners of the mouth.
fn yaw(points: &[(f32, f32); 5]) -> Hindrance {
    let (right, _) = nose_and_mouth(points);
    within(right.abs(), YAW, POSE_ERROR)
}

/// Pitch: how far down from the eyes to the mouth the nose lies. Faces seen from above have it low and cost nothing.
fn pitch(points: &[(f32, f32); 5]) -> Hindrance {
    let (_, down) = nose_and_mouth(points);
    within(down, PITCH, POSE_ERROR)
}

/// Where the nose lies: along the line of the eyes, from their middle, in distances of the eyes; and across it, as a part of
/// the way to the mouth.
fn nose_and_mouth(points: &[(f32, f32); 5]) -> (f32, f32) {
    let [one, other, nose, corner, other_corner] = *points;
    let middle = |a: (f32, f32), b: (f32, f32)| ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
    let (eyes, mouth) = (middle(one, other), middle(corner, other_corner));
    let (dx, dy) = (other.0 - one.0, other.1 - one.1);
    let square = dx * dx + dy * dy;
    let along = |p: (f32, f32)| ((p.0 - eyes.0) * dx + (p.1 - eyes.1) * dy) / square;
    let across = |p: (f32, f32)| (p.1 - eyes.1) * dx - (p.0 - eyes.0) * dy;
    (along(nose), across(nose) / across(mouth))
}

/// Truncation: the part of the box, grown by the margin that the networks see, that lies outside the frame.
fn outside(bounds: &Rect, (width, height): (f32, f32)) -> Hindrance {
    let grown = bounds.grown(AGE_MARGIN);
    if !grown.is_proper() {
        return Hindrance(f32::INFINITY);
    }
    within(1.0 - grown.clipped(width, height).area() / grown.area(), OUTSIDE, HIDDEN_ERROR)
}

/// Occlusion: the part of the box that other faces' boxes cover. Only faces at least as large can be in front. Any unit.
pub(super) fn covered(bounds: &Rect, others: impl Iterator<Item = Rect>) -> Hindrance {
    let in_front = others.filter(|other| other.area() >= bounds.area());
    let covered: f32 = in_front.map(|other| bounds.intersection_area(&other)).sum();
    within(covered / bounds.area(), COVERED, HIDDEN_ERROR)
}

/// Blur and exposure. `values`: a face as a network with this `input` wants it, cut with `margin`; `None` where the box was
/// not cut to a square (see [`super::framing::Framing`]).
pub(super) fn of_picture(values: &[f32], input: &InputSpec, margin: Option<f32>) -> Hindrance {
    Picture::of(values, input, margin).hindrance()
}

/// What one pass over a crop tells. Brightness is 0..=255.
#[derive(Clone, Copy, Debug)]
struct Picture {
    /// Mean brightness.
    mean: f32,
    /// Part of the pixels that are burnt out.
    burnt: f32,
    /// Mean square of the Laplacian of brightness in a picture of [`DETAIL_SIDE`] pixels without margin; `None`: too small to
    /// tell.
    detail: Option<f32>,
}

impl Picture {
    /// Looks at the middle three quarters of the face. Larger pictures than [`DETAIL_SIDE`] are made smaller on the way, by the
    /// mean of whole blocks of pixels.
    fn of(values: &[f32], input: &InputSpec, margin: Option<f32>) -> Self {
        let grey = Grey::new(values, input);
        let block = (grey.width / DETAIL_SIDE).max(1);
        let (width, height) = (grey.width / block, grey.height / block);
        let shown = 0.375 / (1.0 + margin.unwrap_or(0.0));
        let range = |side: usize| {
            let (middle, half) = (side as f32 / 2.0, side as f32 * shown);
            ((middle - half) as usize).max(1)..((middle + half) as usize).min(side.saturating_sub(1))
        };
        let (mut sum, mut burnt, mut detail, mut count) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
        for y in range(height) {
            for x in range(width) {
                let at = |x: usize, y: usize| grey.block(x, y, block);
                let here = at(x, y);
                let around = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                sum += here;
                burnt += f32::from(here > BURNT);
                detail += (around - 4.0 * here).powi(2);
                count += 1.0;
            }
        }
        let count = count.max(1.0);
        let scale = width as f32 / DETAIL_SIDE as f32 / (1.0 + margin.unwrap_or(0.0));
        let judged = 2 * width >= DETAIL_SIDE;
        Self {
            mean: sum / count,
            burnt: burnt / count,
            detail: judged.then(|| detail / count * scale.powf(DETAIL_MARGIN_POWER)),
        }
    }

    fn hindrance(&self) -> Hindrance {
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

/// Brightness of a network's picture, with its normalisation undone.
struct Grey<'a> {
    values: &'a [f32],
    width: usize,
    height: usize,
    /// From a pixel to the next, and from a channel to the next.
    step: usize,
    plane: usize,
    /// Of each channel in the order of the tensor; the sum of what was subtracted.
    weights: [f32; 3],
    offset: f32,
}

impl<'a> Grey<'a> {
    fn new(values: &'a [f32], input: &InputSpec) -> Self {
        let (width, height) = (input.width as usize, input.height as usize);
        let (step, plane) = match input.layout {
            Layout::Nchw => (1, width * height),
            Layout::Nhwc => (3, 1),
        };
        // Rec. ITU-R BT.601.
        let luma = match input.channels {
            Channels::Rgb => [0.299, 0.587, 0.114],
            Channels::Bgr => [0.114, 0.587, 0.299],
        };
        let [a, b, c] = luma;
        let ([x, y, z], [u, v, w]) = (input.scale, input.mean);
        Self {
            values,
            width,
            height,
            step,
            plane,
            weights: [a / x, b / y, c / z],
            offset: a * u + b * v + c * w,
        }
    }

    /// Mean over a block of pixels. 0 outside.
    fn block(&self, x: usize, y: usize, side: usize) -> f32 {
        let mut sum = 0.0;
        for row in y * side..(y + 1) * side {
            for column in x * side..(x + 1) * side {
                let pixel = (row * self.width + column) * self.step;
                let channels = self.weights.iter().enumerate();
                let value = |(i, weight): (usize, &f32)| {
                    weight * self.values.get(pixel + i * self.plane).copied().unwrap_or(0.0)
                };
                sum += channels.map(value).sum::<f32>() + self.offset;
            }
        }
        sum / (side * side) as f32
    }
}

#[cfg(test)]
mod tests;
