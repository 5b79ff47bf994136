//! Pictures in the memory of a card, or of the stand-in for one.

use super::Picture;
use facialads_vision::{
    ColorModel, Component, Frame, Matrix, Range,
    cuda::{CudaComponent, CudaFrame, Depth, DeviceBuffer, Gpu, Payload, Stream},
};
use std::ffi::c_void;

/// BT.601 in full range: near enough to RGB that faces stay faces.
const COLOR: ColorModel = ColorModel::Yuv { matrix: Matrix::Bt601, range: Range::Full };

/// Where frames are made: a context and a stream in it, as a decoder has them.
pub struct Card {
    pub gpu: Gpu,
    pub stream: Stream,
}

impl Card {
    /// The context that networks work in.
    pub fn primary() -> Self {
        Self::of(Gpu::primary(0).unwrap())
    }

    /// Another one, as a decoder of somebody else's makes for itself. It is never destroyed.
    pub fn foreign() -> Self {
        let mut context: *mut c_void = std::ptr::null_mut();
        // SAFETY: the driver that is open already, and the functions' signatures of cuda.h.
        unsafe {
            let driver = libloading::Library::new("libcuda.so.1").unwrap();
            let create: libloading::Symbol<unsafe extern "C" fn(*mut *mut c_void, u32, i32) -> i32> =
                driver.get(b"cuCtxCreate_v2\0").unwrap();
            assert_eq!(create(&mut context, 0, 0), 0);
            let pop: libloading::Symbol<unsafe extern "C" fn(*mut *mut c_void) -> i32> =
                driver.get(b"cuCtxPopCurrent_v2\0").unwrap();
            assert_eq!(pop(&mut std::ptr::null_mut()), 0);
            std::mem::forget(driver);
            Self::of(Gpu::of_context(context).unwrap())
        }
    }

    fn of(gpu: Gpu) -> Self {
        let stream = gpu.new_stream(false).unwrap();
        Self { gpu, stream }
    }

    /// Copied in the order of the stream. Not counted as pixels: what counts is what the analysis does.
    pub fn upload(&self, picture: Nv12) -> OnCard<'_> {
        let memory = self.gpu.allocate(picture.bytes.len()).unwrap();
        memory.upload(&self.stream, 0, &picture.bytes, Payload::Results).unwrap();
        OnCard { card: self, memory, picture }
    }
}

/// A picture as decoders make it, of even sides.
#[derive(Clone)]
pub struct Nv12 {
    width: u32,
    height: u32,
    bytes: Vec<u8>,
}

impl Nv12 {
    pub fn of(picture: &Picture) -> Self {
        let Picture(width, height, rgb) = picture;
        assert!(width % 2 == 0 && height % 2 == 0);
        let at = |x: u32, y: u32| {
            let start = ((y * width + x) * 3) as usize;
            [0, 1, 2].map(|i| f32::from(rgb[start + i]))
        };
        let positions = |step: u32| {
            (0..*height)
                .step_by(step as usize)
                .flat_map(move |y| (0..*width).step_by(step as usize).map(move |x| (x, y)))
        };
        let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
        let mut bytes = Vec::new();
        for (x, y) in positions(1) {
            let [r, g, b] = at(x, y);
            bytes.push(byte(0.299 * r + 0.587 * g + 0.114 * b));
        }
        for (x, y) in positions(2) {
            let [r, g, b] = at(x, y);
            bytes.push(byte(128.0 - 0.168_736 * r - 0.331_264 * g + 0.5 * b));
            bytes.push(byte(128.0 + 0.5 * r - 0.418_688 * g - 0.081_312 * b));
        }
        Self { width: *width, height: *height, bytes }
    }

    /// First byte of each component, its step to the right and its subsampling.
    fn components(&self) -> [(usize, usize, u8); 3] {
        let luma = (self.width * self.height) as usize;
        [(0, 1, 0), (luma, 2, 1), (luma + 1, 2, 1)]
    }

    pub fn frame(&self) -> Frame<'_> {
        let component = |(start, pixel_stride, shift): (usize, usize, u8)| Component {
            data: &self.bytes[start..],
            row_stride: self.width as usize,
            pixel_stride,
            shift_x: shift,
            shift_y: shift,
        };
        Frame::new(self.width, self.height, COLOR, &self.components().map(component)).unwrap()
    }
}

/// Waits for whatever reads it before it goes.
pub struct OnCard<'a> {
    card: &'a Card,
    memory: DeviceBuffer,
    pub picture: Nv12,
}

impl OnCard<'_> {
    pub fn frame(&self) -> CudaFrame<'_> {
        let Self { card, memory, picture } = self;
        let component = |(start, pixel_stride, shift): (usize, usize, u8)| CudaComponent {
            address: memory.address() + start as u64,
            bytes: memory.len() - start,
            row_stride: picture.width as usize,
            pixel_stride,
            shift_x: shift,
            shift_y: shift,
        };
        let components = picture.components().map(component);
        // SAFETY: the memory lives as long as the frame, and is wiped only after what was enqueued in its context.
        unsafe {
            let (width, height) = (picture.width, picture.height);
            CudaFrame::new(&card.gpu, &card.stream, width, height, COLOR, Depth::Eight, &components).unwrap()
        }
    }
}
