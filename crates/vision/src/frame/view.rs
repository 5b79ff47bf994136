use super::Frame;
use crate::cuda::CudaFrame;

/// A frame where it lies. Borrowed like the frame itself, and as cheap to copy.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// In the computer's memory.
    Host(&'a Frame<'a>),
    /// In an NVIDIA GPU's memory. What reads it is enqueued on its stream; nothing waits, and nothing keeps a reference, so that
    /// memory which is reused in the order of that stream may be given back at once.
    Cuda(&'a CudaFrame<'a>),
}

impl View<'_> {
    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        match self {
            Self::Host(frame) => (frame.width(), frame.height()),
            Self::Cuda(frame) => frame.size(),
        }
    }
}

impl<'a> From<&'a Frame<'a>> for View<'a> {
    fn from(frame: &'a Frame<'a>) -> Self {
        Self::Host(frame)
    }
}

impl<'a> From<&'a CudaFrame<'a>> for View<'a> {
    fn from(frame: &'a CudaFrame<'a>) -> Self {
        Self::Cuda(frame)
    }
}
