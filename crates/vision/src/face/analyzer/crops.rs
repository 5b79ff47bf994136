//! Pictures of faces on their way from the frame to the worker.

use super::{CropRequest, FaceAnalyzer};
use crate::{
    Frame, Result, View,
    face::buffers::{Buffers, Pool},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Pictures of faces, cut out of one frame, largest face first. Never printed; wiped when it is dropped, and its memory is
/// used for the next frame's.
pub struct Crops {
    /// The worker's alone while it looks, so nobody waits for it.
    buffers: Mutex<Buffers>,
    pub(super) generation: u64,
    pool: Pool,
}

impl Crops {
    pub fn is_empty(&self) -> bool {
        self.buffers().faces.is_empty()
    }
    /// Faces; of those on a GPU some may turn out to be seen too badly.
    pub fn len(&self) -> usize {
        self.buffers().faces.len()
    }

    pub(super) fn buffers(&self) -> MutexGuard<'_, Buffers> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Crops {
    fn drop(&mut self) {
        let buffers = self.buffers.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.pool.give_back(std::mem::take(buffers));
    }
}

impl FaceAnalyzer {
    /// Streaming thread: copies the faces out of the frame, at the size that the networks want. Faces that are too small, no
    /// longer on the picture, or seen too badly to say anything are left out.
    pub fn cut(&self, frame: &Frame, requests: &[CropRequest]) -> Crops {
        let size = self.shown((frame.width(), frame.height()));
        self.crops(self.describer.cut(frame, requests.iter().map(|request| request.wanted(size))), requests)
    }

    /// [`FaceAnalyzer::cut`] out of a frame in any memory. Never waits for inference: on a GPU the pictures are made and judged
    /// while the thread goes on.
    ///
    /// # Errors
    /// The GPU that the frame lies on failed; of a frame in the computer's memory never.
    pub fn cut_view(&self, view: &View, requests: &[CropRequest]) -> Result<Crops> {
        let size = self.shown(view.size());
        let wanted = requests.iter().map(|request| request.wanted(size));
        Ok(self.crops(self.describer.cut_view(view, wanted)?, requests))
    }

    /// Takes down how large a frame is that is looked at.
    fn shown(&self, (width, height): (u32, u32)) -> (f32, f32) {
        let size = (width as f32, height as f32);
        let mut people = self.people();
        people.frame = Some(size);
        people.tracker.shape = Some(size.0 / size.1);
        size
    }

    fn crops(&self, buffers: Buffers, requests: &[CropRequest]) -> Crops {
        Crops {
            buffers: Mutex::new(buffers),
            generation: requests.first().map_or(0, |request| request.generation),
            pool: self.describer.pool().clone(),
        }
    }
}
