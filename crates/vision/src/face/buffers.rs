//! Memory for pictures of faces on their way from the streaming thread to the worker: used again, and wiped in between.

use crate::preprocess::CutScratch;
use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

/// As many are kept: one being filled, one being looked at, one in between.
const KEPT: usize = 3;

/// Which pictures are a face's.
pub(super) struct FaceCrops {
    pub(super) id: i32,
    /// Quality without and with what the picture tells, see [`super::quality`].
    pub(super) view: f32,
    pub(super) quality: f32,
    /// Whether it was cut as the minors' rule without a declaration wants it.
    pub(super) careful: bool,
    /// Indices of its pictures for age and gender, the same for each network: every other one is a mirror image.
    pub(super) age: Range<usize>,
    /// Index of its picture for emotion; the next is the mirror image.
    pub(super) expression: Option<usize>,
}

/// The pictures of one frame's faces. A picture is as long as its network's input; its mirror image follows it.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) faces: Vec<FaceCrops>,
    /// For each age and gender network.
    pub(super) age: [Vec<f32>; 2],
    pub(super) expression: Vec<f32>,
    pub(super) memory: CutScratch,
}

impl Buffers {
    /// To go back to with [`Buffers::shorten`] where a face turns out not to be worth a look.
    pub(super) fn lengths(&self) -> [usize; 3] {
        let [first, second] = &self.age;
        [first.len(), second.len(), self.expression.len()]
    }
    pub(super) fn shorten(&mut self, [first, second, expression]: [usize; 3]) {
        let [of_first, of_second] = &mut self.age;
        wipe_from(of_first, first);
        wipe_from(of_second, second);
        wipe_from(&mut self.expression, expression);
    }
}

/// Nothing of anybody's face stays in memory.
fn wipe_from(pictures: &mut Vec<f32>, start: usize) {
    pictures.iter_mut().skip(start).for_each(|value| *value = 0.0);
    pictures.truncate(start);
}

/// Buffers not in use.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Buffers>>>);

impl Pool {
    pub(super) fn take(&self) -> Buffers {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(super) fn give_back(&self, mut buffers: Buffers) {
        buffers.faces.clear();
        buffers.shorten([0; 3]);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(buffers);
        }
    }
}
