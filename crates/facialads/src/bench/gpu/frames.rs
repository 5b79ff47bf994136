//! A clip's frames in the GPU's memory, where a decoder on the GPU would have left them.

use crate::bench::frames::Frames;
use anyhow::Result;
use facialads_vision::{
    ColorModel, Frame,
    cuda::{CudaComponent, CudaFrame, Depth, DeviceBuffer, Gpu, Payload, Stream},
};
use std::time::Duration;

pub struct GpuFrames {
    stream: Stream,
    frames: Vec<Uploaded>,
}

struct Uploaded {
    size: (u32, u32),
    color: ColorModel,
    planes: DeviceBuffer,
    components: [CudaComponent; 3],
    now: Duration,
}

impl GpuFrames {
    /// Uploads every frame of `frames`.
    ///
    /// # Errors
    /// They do not fit into the GPU's memory.
    pub fn upload(gpu: &Gpu, frames: &Frames) -> Result<Self> {
        let stream = gpu.new_stream(true)?;
        let mut uploaded = Vec::with_capacity(frames.buffers.len());
        frames.each(|frame, now| {
            uploaded.push(Uploaded::new(gpu, &stream, frame, now)?);
            Ok(())
        })?;
        stream.synchronize()?;
        Ok(Self { stream, frames: uploaded })
    }

    pub fn count(&self) -> usize {
        self.frames.len()
    }

    /// Lends each frame to `look`, with its running time.
    pub fn each(
        &self,
        mut look: impl FnMut(&CudaFrame, Duration) -> facialads_vision::Result<()>,
    ) -> Result<()> {
        for frame in &self.frames {
            let Uploaded { size: (width, height), color, planes, components, now } = frame;
            // SAFETY: the components lie in `planes` (see `Uploaded::new`), which `self` owns; whoever reads the frame waits
            // for its work before the next one is lent, or reads it only, and nobody ever writes it.
            let frame = unsafe {
                CudaFrame::new(planes.gpu(), &self.stream, *width, *height, *color, Depth::Eight, components)?
            };
            look(&frame, *now)?;
        }
        Ok(())
    }
}

impl Uploaded {
    fn new(gpu: &Gpu, stream: &Stream, frame: &Frame, now: Duration) -> facialads_vision::Result<Self> {
        // Rows as they are, planes one after the other at addresses that suit the GPU.
        const ALIGNMENT: usize = 256;
        let components = frame.components();
        let starts = components.iter().scan(0_usize, |next, component| {
            let start = *next;
            *next = (start + component.data.len()).next_multiple_of(ALIGNMENT);
            Some(start)
        });
        let starts: Vec<usize> = starts.collect();
        let end = starts.last().zip(components.last()).map_or(0, |(start, last)| start + last.data.len());
        let planes = gpu.allocate(end)?;
        for (component, start) in components.iter().zip(&starts) {
            planes.upload(stream, *start, component.data, Payload::Pixels)?;
        }
        let place = |index: usize| {
            let component = &components[index.min(components.len() - 1)];
            CudaComponent {
                address: planes.address() + starts[index.min(starts.len() - 1)] as u64,
                bytes: component.data.len(),
                row_stride: component.row_stride,
                pixel_stride: component.pixel_stride,
                shift_x: component.shift_x,
                shift_y: component.shift_y,
            }
        };
        let places = [place(0), place(1), place(2)];
        let size = (frame.width(), frame.height());
        Ok(Self { size, color: frame.color(), planes, components: places, now })
    }
}
