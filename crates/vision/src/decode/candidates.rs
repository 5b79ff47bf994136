//! What a detector proposes in one picture, before duplicates are suppressed.

use super::{Detection, nms, scan};
use crate::{Rect, Result};
use std::ops::Range;

/// Candidates as columns: suppression compares one box with many and reads each number of many boxes in a row. The memory
/// is kept between pictures.
#[derive(Default)]
pub struct Candidates {
    pub(super) x: Vec<f32>,
    pub(super) y: Vec<f32>,
    pub(super) width: Vec<f32>,
    pub(super) height: Vec<f32>,
    pub(super) confidence: Vec<f32>,
    /// As many as boxes, or none where the network tells of no points.
    points: Vec<[(f32, f32); 5]>,
    /// Of cells or boxes that a decoder's first look found worth a second.
    promising: Vec<u32>,
    pub(super) suppression: nms::Scratch,
}

impl Candidates {
    pub fn len(&self) -> usize {
        self.confidence.len()
    }
    pub fn is_empty(&self) -> bool {
        self.confidence.is_empty()
    }

    /// Forgets the candidates and keeps the memory.
    pub fn clear(&mut self) {
        for column in [&mut self.x, &mut self.y, &mut self.width, &mut self.height, &mut self.confidence] {
            column.clear();
        }
        self.points.clear();
        self.suppression.clear();
    }

    /// Adds a candidate. One that is no box (a number that is not finite, no area), or whose confidence is no number, is left
    /// out. Either all candidates of a picture have points or none has.
    pub fn push(&mut self, bounds: Rect, confidence: f32, points: Option<[(f32, f32); 5]>) {
        if !bounds.is_proper() || !confidence.is_finite() {
            return;
        }
        self.x.push(bounds.x);
        self.y.push(bounds.y);
        self.width.push(bounds.width);
        self.height.push(bounds.height);
        self.confidence.push(confidence);
        self.points.extend(points);
    }

    /// Reads scores by blocks (`read`, see [`scan::promising`]) and gives `each` the indices of those from `bound` up, and of
    /// those that are no number.
    ///
    /// # Errors
    /// What `each` returns.
    #[inline]
    pub(super) fn scan(
        &mut self,
        count: usize,
        bound: f32,
        read: impl Fn(Range<usize>, &mut [f32]),
        mut each: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        let mut promising = std::mem::take(&mut self.promising);
        scan::promising(count, bound, read, &mut promising);
        let result = promising.iter().try_for_each(|index| each(self, *index as usize));
        self.promising = promising;
        result
    }

    /// Non-maximum suppression: of candidates that overlap by more than `iou`, the most confident stays; of equally confident
    /// ones, the one that was added first. At most `most` stay; [`Candidates::kept`] has them.
    pub fn suppress(&mut self, iou: f32, most: usize) {
        nms::suppress(self, iou, most);
    }

    /// Those that the last suppression left, most confident first. Of no meaning before one.
    pub fn kept(&self) -> impl Iterator<Item = Detection> {
        self.suppression.kept().iter().filter_map(|index| self.get(*index as usize))
    }

    /// `index` as it was added; `None` beyond the end.
    fn get(&self, index: usize) -> Option<Detection> {
        let value = |column: &[f32]| column.get(index).copied();
        let (x, y) = (value(&self.x)?, value(&self.y)?);
        let bounds = Rect::new(x, y, value(&self.width)?, value(&self.height)?);
        let points = self.points.get(index).copied();
        Some(Detection { bounds, confidence: value(&self.confidence)?, points })
    }
}
