//! Frames in CUDA memory.

use super::{Unreadable, color_model};
use facialads_gstcuda::{Context, DeviceFrame, GstCuda};
use facialads_vision::{
    ColorModel, View,
    cuda::{CudaComponent, CudaFrame, Depth, Gpu, Stream, paint},
};
use gst_video::{VideoFormat, VideoInfo};

/// What our kernels read: whole bytes, and 16 bits of which the upper ones count. Decoders' formats first.
pub const FORMATS: [VideoFormat; 21] = facialads_gstcuda::FORMATS;

/// Reads the frames of one stream.
pub struct Reader {
    info: VideoInfo,
    color: ColorModel,
    depth: Depth,
    device: Option<Device>,
}

/// The context that the frames are in.
struct Device {
    gpu: Gpu,
    /// For frames that have no stream of their own; made when one comes.
    stream: Option<Stream>,
}

impl Reader {
    /// # Errors
    /// No CUDA, or a format that no kernel reads.
    pub fn new(info: &VideoInfo) -> Result<Self, Unreadable> {
        GstCuda::get()?;
        let format = info.format();
        let depth = match info.format_info().depth().first() {
            _ if !FORMATS.contains(&format) => None,
            Some(8) => Some(Depth::Eight),
            // P010 has 10 bits, the upper ones of 16.
            Some(10 | 16) => Some(Depth::Sixteen),
            _ => None,
        };
        let depth = depth.ok_or(Unreadable::CudaFormat(format))?;
        Ok(Self { info: info.clone(), color: color_model(info), depth, device: None })
    }

    /// Lends the frame to `look`. Never waits for more than the short work that reads it.
    pub fn look<T>(
        &mut self,
        buffer: &gst::BufferRef,
        look: impl FnOnce(&View<'_>) -> T,
    ) -> Result<T, Unreadable> {
        let mapped = DeviceFrame::map_read(buffer, &self.info)?;
        self.with(&mapped, false, |frame| look(&View::Cuda(frame)))
    }

    /// Lends the frame to `paint`, to be written by short kernels, for which this waits: elements downstream need not look
    /// at the frame's stream.
    pub fn paint<T>(
        &mut self,
        buffer: &mut gst::BufferRef,
        paint: impl FnOnce(&mut CudaFrame<'_>) -> T,
    ) -> Result<T, Unreadable> {
        let mapped = DeviceFrame::map_write(buffer, &self.info)?;
        self.with(&mapped, true, paint)
    }

    /// `wait`: also where the work is on the frame's own stream.
    fn with<T>(
        &mut self,
        mapped: &DeviceFrame<'_>,
        wait: bool,
        work: impl FnOnce(&mut CudaFrame<'_>) -> T,
    ) -> Result<T, Unreadable> {
        let components = components(mapped, self.depth)?;
        let (width, height, color, depth) = (self.info.width(), self.info.height(), self.color, self.depth);
        let Device { gpu, stream: own } = self.device(mapped.context())?;
        // SAFETY: the memory holds its stream, and the buffer holds the memory, longer than `theirs` lives.
        let theirs =
            mapped.stream().and_then(|handle| unsafe { Stream::borrowed(gpu, handle.as_ptr()) }.ok());
        let (stream, is_own) = match &theirs {
            Some(theirs) => (theirs, false),
            None => {
                mapped.wait();
                let stream = match own.take() {
                    Some(stream) => stream,
                    None => gpu.new_stream(true)?,
                };
                (&*own.insert(stream), true)
            }
        };
        // SAFETY: GStreamer mapped these addresses of this context, until `mapped` is dropped.
        let mut frame = unsafe { CudaFrame::new(gpu, stream, width, height, color, depth, &components) }?;
        let done = work(&mut frame);
        if is_own || wait {
            // Whoever gets the memory next does not know of our stream.
            stream.synchronize()?;
        }
        Ok(done)
    }

    /// Compiles the kernels, or fetches them from disk, and loads them.
    pub fn prepare(&mut self, context: &Context) -> Result<(), Unreadable> {
        Ok(self.device(context)?.gpu.prepare_all()?)
    }

    /// The same of the kernels alone that [`Reader::paint`] is for.
    pub fn prepare_to_paint(&mut self, context: &Context) -> Result<(), Unreadable> {
        Ok(paint::prepare(&self.device(context)?.gpu)?)
    }

    pub fn gpu(&self) -> Option<&str> {
        self.device.as_ref().map(|device| device.gpu.info().name.as_str())
    }

    /// What belongs to the frames' context, which seldom changes.
    fn device(&mut self, context: &Context) -> Result<&mut Device, Unreadable> {
        let known = self.device.take().filter(|device| device.gpu.context() == context.handle());
        let device = match known {
            Some(device) => device,
            None => {
                // SAFETY: a live context, which the clone keeps alive for as long as there is anything of it.
                let gpu = unsafe { Gpu::of_context_kept(context.handle(), context.clone()) }?;
                Device { gpu, stream: None }
            }
        };
        Ok(self.device.insert(device))
    }
}

/// The components as they lie on the device.
fn components(mapped: &DeviceFrame<'_>, depth: Depth) -> Result<Vec<CudaComponent>, Unreadable> {
    let info = mapped.info();
    let broken = || Unreadable::Buffer(info.format(), info.width(), info.height());
    let planes: Vec<_> = mapped.planes().collect();
    let format = info.format_info();
    let component = |index: usize| -> Result<CudaComponent, Unreadable> {
        let plane = planes.get(*format.plane().get(index).ok_or_else(broken)? as usize).ok_or_else(broken)?;
        // GStreamer says 1 for the V of P010, which would be in the middle of a U.
        let offset =
            (*format.poffset().get(index).ok_or_else(broken)? as usize).next_multiple_of(depth.bytes());
        Ok(CudaComponent {
            address: plane.address + offset as u64,
            bytes: plane.bytes.checked_sub(offset).ok_or_else(broken)?,
            row_stride: usize::try_from(plane.stride).map_err(|_| broken())?,
            pixel_stride: usize::try_from(format.pixel_stride()[index]).map_err(|_| broken())?,
            shift_x: u8::try_from(format.w_sub()[index]).map_err(|_| broken())?,
            shift_y: u8::try_from(format.h_sub()[index]).map_err(|_| broken())?,
        })
    };
    (0..3).map(component).collect()
}
