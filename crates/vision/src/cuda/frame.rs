//! A picture in a GPU's memory, borrowed.

use super::{Gpu, Stream, error::GpuFailure, error::gpu_error};
use crate::{
    ColorModel, Error, Result,
    frame::{Lie, check_size, three},
};

/// Bits of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    Eight,
    /// Two bytes, the lower first, of which all bits count: a level of 0..=255 is a 256th of the number. So P010, which has its
    /// ten bits at the top.
    Sixteen,
}

impl Depth {
    /// Of a sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::Eight => 1,
            Self::Sixteen => 2,
        }
    }
}

/// One of the components of a picture, as [`crate::Component`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CudaComponent {
    /// Of its first sample.
    pub address: u64,
    /// From there to the end of the plane.
    pub bytes: usize,
    /// Bytes from a row to the next.
    pub row_stride: usize,
    /// Bytes from a sample to its right neighbour.
    pub pixel_stride: usize,
    /// Subsampling: this component has `ceil(width / 2^shift_x)` samples a row.
    pub shift_x: u8,
    pub shift_y: u8,
}

/// A picture in device memory, in any packed, planar or semi-planar layout: [`crate::Frame`] on a GPU, with the same checks.
/// No kernel reads outside its components.
#[derive(Clone)]
pub struct CudaFrame<'a> {
    gpu: Gpu,
    stream: &'a Stream,
    width: u32,
    height: u32,
    color: ColorModel,
    depth: Depth,
    components: [CudaComponent; 3],
}

// A picture of people is never printed, not even in a panic message; nor is where it lies.
impl std::fmt::Debug for CudaFrame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CudaFrame({}x{}, {:?}, {:?})", self.width, self.height, self.color, self.depth)
    }
}

impl<'a> CudaFrame<'a> {
    /// `components` has three entries (R, G, B, or Y, U, V), or one for [`ColorModel::Gray`] (further ones are not looked at).
    /// `stream` is where the picture's producer works: what reads it on another stream waits for that.
    ///
    /// # Errors
    /// As [`crate::Frame::new`]; addresses and strides of 16-bit samples that are odd; a stream of another context.
    ///
    /// # Safety
    /// Each component's `bytes` bytes from `address` on are device memory of `gpu`'s context which stays allocated until all work
    /// that reads the frame is done.
    pub unsafe fn new(
        gpu: &Gpu,
        stream: &'a Stream,
        width: u32,
        height: u32,
        color: ColorModel,
        depth: Depth,
        components: &[CudaComponent],
    ) -> Result<Self> {
        let fail = |problem: String| Error::Frame { width, height, problem };
        check_size(width, height).map_err(fail)?;
        let components = three(color, components).map_err(fail)?;
        for (number, component) in components.iter().enumerate() {
            component.check(width, height, depth).map_err(|p| fail(format!("component {number}: {p}")))?;
        }
        same_context(gpu, stream.gpu())?;
        Ok(Self { gpu: gpu.clone(), stream, width, height, color, depth, components })
    }

    pub fn width(&self) -> u32 {
        self.width
    }
    pub fn height(&self) -> u32 {
        self.height
    }
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }
    pub fn color(&self) -> ColorModel {
        self.color
    }
    pub fn depth(&self) -> Depth {
        self.depth
    }
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }
    /// Where its producer works.
    pub fn stream(&self) -> &'a Stream {
        self.stream
    }
    /// Three, or one of a grey picture.
    pub fn components(&self) -> &[CudaComponent] {
        self.components.get(..self.color.components()).unwrap_or(&self.components)
    }
    /// Three: a grey one stands for all.
    pub(super) fn all_components(&self) -> &[CudaComponent; 3] {
        &self.components
    }
}

impl CudaComponent {
    fn check(&self, width: u32, height: u32, depth: Depth) -> Result<(), String> {
        let lie = Lie {
            row_stride: self.row_stride,
            pixel_stride: self.pixel_stride,
            shift_x: self.shift_x,
            shift_y: self.shift_y,
            sample: depth.bytes(),
        };
        lie.check(width, height, self.bytes)?;
        let end = u64::try_from(self.bytes).ok().and_then(|bytes| self.address.checked_add(bytes));
        if self.address == 0 || end.is_none() {
            return Err("its address is none".into());
        }
        let odd = |number: usize| number % 2 == 1;
        if depth == Depth::Sixteen
            && (self.address % 2 == 1 || odd(self.row_stride) || odd(self.pixel_stride))
        {
            return Err("16-bit samples need an even address and even strides".into());
        }
        Ok(())
    }
}

/// An error unless both are the same context.
pub(super) fn same_context(one: &Gpu, other: &Gpu) -> Result<()> {
    if one.is_same_context(other) {
        return Ok(());
    }
    Err(gpu_error(
        GpuFailure::Other,
        "a picture, its stream and the network's memory are of different CUDA contexts",
        "set the same cuda-device-id and device=cuda:N on all elements",
    ))
}
