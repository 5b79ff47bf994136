//! Memory for pictures of faces on their way from the streaming thread to the worker: used again, and wiped in between.

use super::cutting::{GpuCrops, HostCrops, NETWORKS};
use crate::Result;
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

/// The pictures of one frame's faces, in the memory that the frame lies in.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) faces: Vec<FaceCrops>,
    pub(super) host: HostCrops,
    pub(super) gpu: GpuCrops,
    /// In which of them they are.
    pub(super) on_gpu: bool,
}

impl Buffers {
    /// Worker: leaves out faces that turn out to be seen too badly, where only the GPU could tell so far.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.on_gpu { self.gpu.settle(&mut self.faces) } else { Ok(()) }
    }
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
        buffers.host.shorten([0; NETWORKS]);
        buffers.gpu.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(buffers);
        }
    }
}
