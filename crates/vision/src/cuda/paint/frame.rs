//! A frame as the kernels of paint.cu take it.

use crate::{
    Error, Result,
    cuda::{CudaFrame, Depth, GpuFailure},
    paint::Sampling,
};

/// `PaintComponent`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct PaintComponent {
    address: u64,
    row_stride: u64,
    pixel_stride: u64,
    shift_x: u32,
    shift_y: u32,
}

/// `PaintFrame`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct PaintFrame {
    component: [PaintComponent; 3],
    components: u32,
    width: u32,
    height: u32,
    cell_x: u32,
    cell_y: u32,
    sixteen: u32,
}

/// Threads of a block of cells.
pub(super) const BLOCK: [u32; 3] = [32, 8, 1];

pub(super) fn sampling(frame: &CudaFrame<'_>) -> Sampling {
    let mut shifts = [(0, 0); 3];
    let components = frame.components();
    shifts.iter_mut().zip(components).for_each(|(shift, own)| *shift = (own.shift_x, own.shift_y));
    let (width, height) = frame.size();
    Sampling { width, height, components: components.len(), shifts, depth: frame.depth() }
}

pub(super) fn paint_frame(frame: &CudaFrame<'_>, sampling: &Sampling) -> Result<PaintFrame> {
    let mut component = [PaintComponent::default(); 3];
    for (place, own) in component.iter_mut().zip(frame.components()) {
        let shared = own.pixel_stride == 0 || own.row_stride == 0;
        if shared && sampling.width.max(sampling.height) > 1 {
            return Err(Error::Gpu {
                failure: GpuFailure::Other,
                problem: "a frame whose samples share their memory cannot be painted on".into(),
                remedy: "put `cudaconvert` before it".into(),
            });
        }
        *place = PaintComponent {
            address: own.address,
            row_stride: own.row_stride as u64,
            pixel_stride: own.pixel_stride as u64,
            shift_x: u32::from(own.shift_x),
            shift_y: u32::from(own.shift_y),
        };
    }
    let (cell_x, cell_y) = sampling.cell_shifts();
    Ok(PaintFrame {
        component,
        components: sampling.components as u32,
        width: sampling.width,
        height: sampling.height,
        cell_x,
        cell_y,
        sixteen: u32::from(sampling.depth == Depth::Sixteen),
    })
}

impl PaintFrame {
    pub fn components(&self) -> u32 {
        self.components
    }
    /// The binary logarithms of a cell's sides.
    pub fn cell_shifts(&self) -> (u32, u32) {
        (self.cell_x, self.cell_y)
    }
}
