//! Pictures of faces on their way from the frame to the worker.

use super::{CropRequest, FaceAnalyzer};
use crate::{
    Error, Frame, Result, View,
    face::buffers::{Buffers, Pool},
};

/// Pictures of faces, cut out of one frame, largest face first. Never printed; wiped when it is dropped, and its memory is
/// used for the next frame's.
pub struct Crops {
    pub(super) buffers: Buffers,
    pub(super) generation: u64,
    pool: Pool,
}

impl Crops {
    pub fn is_empty(&self) -> bool {
        self.buffers.faces.is_empty()
    }
    /// Faces.
    pub fn len(&self) -> usize {
        self.buffers.faces.len()
    }
}

impl Drop for Crops {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buffers));
    }
}

impl FaceAnalyzer {
    /// Streaming thread: copies the faces out of the frame, at the size that the networks want. Faces that are too small, no
    /// longer on the picture, or seen too badly to say anything are left out.
    pub fn cut(&self, frame: &Frame, requests: &[CropRequest]) -> Crops {
        let size = (frame.width() as f32, frame.height() as f32);
        {
            let mut people = self.people();
            people.frame = Some(size);
            people.tracker.shape = Some(size.0 / size.1);
        }
        Crops {
            buffers: self.describer.cut(frame, requests.iter().map(|request| request.wanted(size))),
            generation: requests.first().map_or(0, |request| request.generation),
            pool: self.describer.pool().clone(),
        }
    }

    /// [`FaceAnalyzer::cut`] out of a frame in any memory. Never waits for inference.
    ///
    /// # Errors
    /// As [`FaceAnalyzer::shrink_view`].
    pub fn cut_view(&self, view: &View, requests: &[CropRequest]) -> Result<Crops> {
        match view {
            View::Host(frame) => Ok(self.cut(frame, requests)),
            View::Cuda(_) => Err(Error::Gpu {
                failure: crate::cuda::GpuFailure::Other,
                problem: "frames in a GPU's memory cannot be looked at yet".into(),
                remedy: "put cudadownload in front".into(),
            }),
        }
    }
}
