//! From boxes to regions of a picture.

use super::{Obscuring, Sampling, Shape, region::Region};
use crate::Rect;

/// No picture is as large: what lies further out is drawn in to here, so that arithmetic stays exact.
const FAR: f32 = 131_072.0;

/// The regions of a picture that are to be painted, in the order of `boxes` (pixels of the picture). Boxes that are none (a
/// number that is not finite, no area) or lie outside are left out. Means are counted from 0 for these regions together;
/// the number of all comes with them.
pub(crate) fn plan(sampling: &Sampling, boxes: &[Rect], how: &Obscuring, regions: &mut Vec<Region>) -> usize {
    regions.clear();
    let mut means = 0;
    for bounds in boxes {
        if let Some(region) = place(sampling, bounds, how, means) {
            means += region.entries(sampling.components);
            regions.push(region);
        }
    }
    means
}

fn place(sampling: &Sampling, bounds: &Rect, how: &Obscuring, means: usize) -> Option<Region> {
    if !bounds.is_proper() {
        return None;
    }
    // Grown by the margin on each side, which is twice that in all, then out to whole cells.
    let grown = bounds.grown(2.0 * how.margin);
    let (shift_x, shift_y) = sampling.cell_shifts();
    let (cells_x, cells_y) = sampling.cells();
    let side = |start: f32, end: f32, shift: u32| {
        let cell = (1_u32 << shift) as f32;
        let first = (start.clamp(-FAR, FAR) / cell).floor();
        (first, (end.clamp(-FAR, FAR) / cell).ceil().max(first + 1.0))
    };
    let (left, right) = side(grown.x, grown.right(), shift_x);
    let (top, bottom) = side(grown.y, grown.bottom(), shift_y);
    let inside = |first: f32, end: f32, cells: u32| {
        // Whole numbers far below 2^24.
        let (first, end) = (first.clamp(0.0, cells as f32) as u32, end.clamp(0.0, cells as f32) as u32);
        (first < end).then_some((first, end - first))
    };
    let ((x, width), (y, height)) = (inside(left, right, cells_x)?, inside(top, bottom, cells_y)?);
    let pixels = |cells: f32, shift: u32| cells * (1_u32 << shift) as f32;
    let (full_x, full_y) = (pixels(right - left, shift_x), pixels(bottom - top, shift_y));
    // By the whole region, so that a face that is half outside is not shown in finer blocks.
    let block = (full_x.max(full_y) / how.blocks() as f32).ceil() as u32;
    let (block_x, block_y) = (block.div_ceil(1 << shift_x).max(1), block.div_ceil(1 << shift_y).max(1));
    let (half_x, half_y) = (full_x * 0.5, full_y * 0.5);
    let fade = how.feather * half_x.min(half_y);
    Some(Region {
        x,
        y,
        width,
        height,
        block_x,
        block_y,
        grid_x: width.div_ceil(block_x),
        grid_y: height.div_ceil(block_y),
        means: u32::try_from(means).ok()?,
        ellipse: u32::from(how.shape == Shape::Ellipse),
        centre_x: pixels(left, shift_x) + half_x,
        centre_y: pixels(top, shift_y) + half_y,
        half_x,
        half_y,
        fade: if fade > 0.0 { 1.0 / fade } else { 0.0 },
        reserved: 0,
    })
}
