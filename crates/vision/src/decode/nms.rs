//! Non-maximum suppression over columns.

use super::Candidates;

/// More candidates than this are cut to the most confident: a network gone wild must not stall the worker.
const MOST_CANDIDATES: usize = 1000;

/// Boxes compared at once. Two registers of AVX, four of SSE.
const LANES: usize = 16;

/// The memory of a suppression, kept between pictures.
#[derive(Default)]
pub(super) struct Scratch {
    order: Vec<u32>,
    kept: Vec<u32>,
    /// The boxes that stay, in blocks of [`LANES`]; a block's free places hold boxes that overlap with nothing.
    blocks: Vec<Block>,
}

impl Scratch {
    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
    /// Indices of the candidates that stay, most confident first.
    pub(super) fn kept(&self) -> &[u32] {
        &self.kept
    }
}

/// Corners and areas of some boxes.
#[derive(Clone, Copy)]
struct Block {
    left: [f32; LANES],
    top: [f32; LANES],
    right: [f32; LANES],
    bottom: [f32; LANES],
    area: [f32; LANES],
}

/// Nothing overlaps with a box whose right side lies infinitely far left.
const FREE: Block = Block {
    left: [f32::INFINITY; LANES],
    top: [f32::INFINITY; LANES],
    right: [f32::NEG_INFINITY; LANES],
    bottom: [f32::NEG_INFINITY; LANES],
    area: [0.0; LANES],
};

/// A box by its corners.
struct Corners {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
    area: f32,
}

impl Block {
    fn set(&mut self, place: usize, corners: &Corners) {
        self.left[place] = corners.left;
        self.top[place] = corners.top;
        self.right[place] = corners.right;
        self.bottom[place] = corners.bottom;
        self.area[place] = corners.area;
    }

    /// Whether one of the boxes overlaps with this one by more than `iou`. The arithmetic is that of [`crate::Rect::iou`], step
    /// for step, so that the outcome is the same to the bit. No early exit: that is what lets the loop be vectorised.
    fn any_overlaps(&self, with: &Corners, iou: f32) -> bool {
        let mut any = 0_u32;
        for i in 0..LANES {
            let width = self.right[i].min(with.right) - self.left[i].max(with.left);
            let height = self.bottom[i].min(with.bottom) - self.top[i].max(with.top);
            let shared = width.max(0.0) * height.max(0.0);
            let union = self.area[i] + with.area - shared;
            let overlap = if union > 0.0 { shared / union } else { 0.0 };
            any |= u32::from(overlap > iou) | u32::from(overlap.is_nan());
        }
        any != 0
    }
}

pub(super) fn suppress(candidates: &mut Candidates, iou: f32, most: usize) {
    let Candidates { x, y, width, height, confidence, suppression, .. } = candidates;
    let Scratch { order, kept, blocks } = suppression;
    kept.clear();
    blocks.clear();
    order.clear();
    order.extend(0..u32::try_from(confidence.len()).unwrap_or(u32::MAX));
    // By index where confidences are equal: the order of a stable sort, which would take memory.
    let by_confidence =
        |a: &u32, b: &u32| confidence[*b as usize].total_cmp(&confidence[*a as usize]).then_with(|| a.cmp(b));
    if order.len() > MOST_CANDIDATES {
        order.select_nth_unstable_by(MOST_CANDIDATES, by_confidence);
        order.truncate(MOST_CANDIDATES);
    }
    order.sort_unstable_by(by_confidence);
    for &index in order.iter() {
        if kept.len() == most {
            break;
        }
        let i = index as usize;
        let corners = Corners {
            left: x[i],
            top: y[i],
            right: x[i] + width[i],
            bottom: y[i] + height[i],
            area: width[i].max(0.0) * height[i].max(0.0),
        };
        if blocks.iter().any(|block| block.any_overlaps(&corners, iou)) {
            continue;
        }
        let place = kept.len() % LANES;
        if place == 0 {
            blocks.push(FREE);
        }
        if let Some(block) = blocks.last_mut() {
            block.set(place, &corners);
        }
        kept.push(index);
    }
}
