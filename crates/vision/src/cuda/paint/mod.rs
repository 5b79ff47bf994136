//! Painting on frames in CUDA memory: what [`crate::paint`] does, done by kernels in paint.cu with the same arithmetic: the same
//! bytes. Nothing of the frame comes to the host.
//!
//! The frame has to be mapped for writing. Kernels are put on the frame's own stream; nobody waits.

mod draw;
mod frame;
mod obscure;

pub use draw::{DeviceBitmap, draw};
pub use obscure::{PaintBuffers, blur, fill, obscure, pixelate};

use crate::{
    Result,
    cuda::{Gpu, sources},
};

/// Compiles and loads the kernels, which can take a second: to be called before the first frame.
///
/// # Errors
/// As [`Gpu::prepare`].
pub fn prepare(gpu: &Gpu) -> Result<()> {
    gpu.prepare(&sources::PAINT)
}
