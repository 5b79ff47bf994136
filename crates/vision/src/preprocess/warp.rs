//! A turned part of a frame.

use super::{Placement, Region, Scratch, picture_into};
use crate::{
    Frame,
    geometry::Similarity,
    spec::{Channels, Fit, InputSpec, Layout, Resize},
};

/// Where the frame is reduced, the warp reads a picture with this many pixels for each of its own: reading between four
/// pixels does not alias at this distance, and a picture reduced all the way would be blurred twice.
const PIXELS_PER_OUTPUT: f32 = 1.5;
/// Pixels around what the corners of the output span: the neighbours that reading between pixels needs.
const RIM: f32 = 2.0;
/// A frame pixel is spread over at most this many output pixels along a side, and a picture shows at most this many times
/// the frame: anything else is no face.
const MOST: f32 = 64.0;

/// Memory of [`warp_into`] between two pictures.
#[derive(Default)]
pub struct WarpScratch {
    scratch: Scratch,
    upright: Vec<f32>,
}

impl WarpScratch {
    /// Overwrites the pixels that it still holds.
    pub fn wipe(&mut self) {
        self.upright.fill(0.0);
        self.scratch.wipe();
    }
}

/// Writes the part of the frame that `to_frame` points at: it takes a position in the output (pixels, 0, 0 the corner of
/// the first pixel, whose centre is at 0.5, 0.5) to the frame's. Read between four pixels; where the frame is reduced,
/// from a picture that was made smaller first with a triangle filter, so that nothing aliases. What lies beside the frame
/// is black. `out`: as for [`picture_into`], `input.width` x `input.height`; `input.fit` and `input.resize` are not looked at.
///
/// Returns whether anything of the frame is in the picture; if not, `out` is left as it is.
pub fn warp_into(
    frame: &Frame,
    to_frame: &Similarity,
    input: &InputSpec,
    memory: &mut WarpScratch,
    out: &mut [f32],
) -> bool {
    Upright::new((frame.width(), frame.height()), to_frame, input)
        .is_some_and(|upright| upright.cut_into(frame, input, memory, out))
}

/// How a turned part of a frame is read: first the part under the output is made smaller without turning it, then that is
/// read between four pixels. Made by [`Upright::new`] alone; the same for frames in either memory.
#[derive(Clone, Copy, PartialEq)]
pub struct Upright {
    pub(crate) reduced: Placement,
    /// From a position in the output to one in the reduced picture.
    pub(crate) to_reduced: Similarity,
    pub(crate) to_frame: Similarity,
}

impl Upright {
    /// `to_frame` as for [`warp_into`], `size` is the frame's width and height. `None`: nothing of the frame would be in the
    /// picture, or it is no face's.
    pub fn new(size: (u32, u32), to_frame: &Similarity, input: &InputSpec) -> Option<Self> {
        let (reduced, to_reduced) = upright(size, to_frame, input)?;
        Some(Self { reduced, to_reduced, to_frame: *to_frame })
    }

    /// From a position in the output to the frame's.
    pub fn to_frame(&self) -> &Similarity {
        &self.to_frame
    }

    /// As [`warp_into`]. Returns `false` where `out` is too short.
    pub(super) fn cut_into(
        &self,
        frame: &Frame,
        input: &InputSpec,
        memory: &mut WarpScratch,
        out: &mut [f32],
    ) -> bool {
        let (width, height) = (input.width as usize, input.height as usize);
        let Some(out) = out.get_mut(..3 * width * height) else { return false };
        let placement = &self.reduced;
        memory.upright.resize(placement.values(), 0.0);
        picture_into(frame, placement, &plain(placement), &mut memory.scratch, &mut memory.upright);
        turn(&Planes::new(&memory.upright, placement), &self.to_reduced, input, out);
        true
    }
}

/// Writes the picture that lies under `upright`.
pub(super) fn turn(picture: &Planes, upright: &Similarity, input: &InputSpec, out: &mut [f32]) {
    let (width, height) = (input.width as usize, input.height as usize);
    let colour_of = match input.channels {
        Channels::Rgb => [0, 1, 2],
        Channels::Bgr => [2, 1, 0],
    };
    // Between the values of one pixel, and of one channel.
    let (apart, next) = match input.layout {
        Layout::Nchw => (width * height, 1),
        Layout::Nhwc => (1, 3),
    };
    for y in 0..height {
        for x in 0..width {
            let colours = picture.read(upright.apply((x as f32 + 0.5, y as f32 + 0.5)));
            for channel in 0..3 {
                let value = (colours[colour_of[channel]] - input.mean[channel]) * input.scale[channel];
                out[(y * width + x) * next + channel * apart] = value;
            }
        }
    }
}

/// How the part of the frame under the output is made smaller without turning it, and the way from a position in the
/// output to one in that.
fn upright(size: (u32, u32), to_frame: &Similarity, input: &InputSpec) -> Option<(Placement, Similarity)> {
    let (frame_width, frame_height) = (size.0 as f32, size.1 as f32);
    let (width, height) = (input.width as f32, input.height as f32);
    let scale = to_frame.scale();
    let most = MOST * frame_width.max(frame_height);
    if !(scale >= 1.0 / MOST && scale * width.max(height) <= most) {
        return None;
    }
    let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)].map(|c| to_frame.apply(c));
    let (mut left, mut top, mut right, mut bottom) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
    for (x, y) in corners {
        (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
    }
    let overlaps = left < frame_width && top < frame_height && right > 0.0 && bottom > 0.0;
    if !overlaps || [left, top, right, bottom].iter().any(|side| side.abs() > 2.0 * most) {
        return None;
    }
    let (left, top) = ((left - RIM).floor(), (top - RIM).floor());
    let step = (scale / PIXELS_PER_OUTPUT).max(1.0);
    // A whole number of steps.
    let steps = |length: f32| (length / step).ceil();
    let (out_width, out_height) = (steps(right + RIM - left), steps(bottom + RIM - top));
    let along = |start: f32, steps: f32, limit: f32| {
        let first = start.max(0.0);
        let end = (start + steps * step).ceil().min(limit);
        // Inside the frame and at least a pixel, as the corners overlap it.
        (first as usize, (end - first).max(1.0) as usize, (first - start) as usize)
    };
    let (x, region_width, offset_x) = along(left, out_width, frame_width);
    let (y, region_height, offset_y) = along(top, out_height, frame_height);
    let placement = Placement {
        region: Region { x, y, width: region_width, height: region_height },
        left: offset_x,
        top: offset_y,
        canvas_width: f64::from(out_width * step),
        canvas_height: f64::from(out_height * step),
        out_width: out_width as usize,
        out_height: out_height as usize,
    };
    let reduce = Similarity::new(1.0 / step, 0.0, (-left / step, -top / step));
    Some((placement, to_frame.then(&reduce)))
}

/// R, G, B, 0..=255, a plane each.
pub(super) fn plain(placement: &Placement) -> InputSpec {
    InputSpec {
        name: None,
        width: placement.out_width as u32,
        height: placement.out_height as u32,
        multiple: None,
        layout: Layout::Nchw,
        channels: Channels::Rgb,
        mean: [0.0; 3],
        scale: [1.0; 3],
        fit: Fit::Stretch,
        resize: Resize::Antialias,
    }
}

/// R, G and B of the reduced picture.
pub(super) struct Planes<'a> {
    planes: [&'a [f32]; 3],
    width: usize,
    /// The last column and row.
    last: (usize, usize),
}

impl<'a> Planes<'a> {
    pub(super) fn new(values: &'a [f32], placement: &Placement) -> Self {
        let (width, height) = (placement.out_width, placement.out_height);
        let (red, rest) = values.split_at(width * height);
        let (green, blue) = rest.split_at(width * height);
        Self { planes: [red, green, blue], width, last: (width - 1, height - 1) }
    }

    /// Between the four nearest pixels; beside the picture its nearest pixel, which is the rim's.
    #[inline]
    fn read(&self, (x, y): (f32, f32)) -> [f32; 3] {
        let x = (x - 0.5).clamp(0.0, self.last.0 as f32);
        let y = (y - 0.5).clamp(0.0, self.last.1 as f32);
        let (left, top) = (x as usize, y as usize);
        let (part_x, part_y) = (x - left as f32, y - top as f32);
        let (right, below) =
            (usize::from(left < self.last.0), if top < self.last.1 { self.width } else { 0 });
        let corner = top * self.width + left;
        let between = |plane: &[f32]| {
            let row = |start: usize| plane[start] + (plane[start + right] - plane[start]) * part_x;
            let (upper, lower) = (row(corner), row(corner + below));
            upper + (lower - upper) * part_y
        };
        let [red, green, blue] = self.planes;
        [between(red), between(green), between(blue)]
    }
}
