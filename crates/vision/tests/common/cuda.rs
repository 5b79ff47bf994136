//! Frames in the memory of a GPU (the stand-in's), beside the same frames in the computer's.

use facialads_testkit::gpu::{StandIn, stand_in};
use facialads_vision::{
    ColorModel, Component, Frame, Matrix, Range,
    cuda::{
        CudaComponent, CudaFrame, Depth, DeviceBuffer, Gpu, Payload, Stream, Target, Workspace, nvrtc_info,
    },
    spec::{Channels, Fit, InputSpec, Layout, Resize},
};

pub const YUV: ColorModel = ColorModel::Yuv { matrix: Matrix::Bt709, range: Range::Limited };
pub const FULL: ColorModel = ColorModel::Yuv { matrix: Matrix::Bt601, range: Range::Full };
pub const WIDE: ColorModel = ColorModel::Yuv { matrix: Matrix::Bt2020, range: Range::Limited };

/// How a component lies: in which plane, at which byte, bytes from a sample to the next, and its subsampling.
#[derive(Clone, Copy, Debug)]
pub struct Lie {
    pub plane: usize,
    pub offset: usize,
    pub pixel_stride: usize,
    pub shift_x: u8,
    pub shift_y: u8,
}

const fn lie(plane: usize, offset: usize, pixel_stride: usize, shift_x: u8, shift_y: u8) -> Lie {
    Lie { plane, offset, pixel_stride, shift_x, shift_y }
}

pub type Format = (&'static str, ColorModel, Depth, [Lie; 3]);

use Depth::{Eight, Sixteen};
pub const FORMATS: [Format; 21] = [
    ("NV12", YUV, Eight, [lie(0, 0, 1, 0, 0), lie(1, 0, 2, 1, 1), lie(1, 1, 2, 1, 1)]),
    ("NV21", FULL, Eight, [lie(0, 0, 1, 0, 0), lie(1, 1, 2, 1, 1), lie(1, 0, 2, 1, 1)]),
    ("NV16", YUV, Eight, [lie(0, 0, 1, 0, 0), lie(1, 0, 2, 1, 0), lie(1, 1, 2, 1, 0)]),
    ("I420", WIDE, Eight, [lie(0, 0, 1, 0, 0), lie(1, 0, 1, 1, 1), lie(2, 0, 1, 1, 1)]),
    ("Y42B", YUV, Eight, [lie(0, 0, 1, 0, 0), lie(1, 0, 1, 1, 0), lie(2, 0, 1, 1, 0)]),
    ("Y41B", FULL, Eight, [lie(0, 0, 1, 0, 0), lie(1, 0, 1, 2, 0), lie(2, 0, 1, 2, 0)]),
    ("Y444", YUV, Eight, [lie(0, 0, 1, 0, 0), lie(1, 0, 1, 0, 0), lie(2, 0, 1, 0, 0)]),
    ("YUY2", YUV, Eight, [lie(0, 0, 2, 0, 0), lie(0, 1, 4, 1, 0), lie(0, 3, 4, 1, 0)]),
    ("UYVY", FULL, Eight, [lie(0, 1, 2, 0, 0), lie(0, 0, 4, 1, 0), lie(0, 2, 4, 1, 0)]),
    ("AYUV", YUV, Eight, [lie(0, 1, 4, 0, 0), lie(0, 2, 4, 0, 0), lie(0, 3, 4, 0, 0)]),
    ("RGB", ColorModel::Rgb, Eight, [lie(0, 0, 3, 0, 0), lie(0, 1, 3, 0, 0), lie(0, 2, 3, 0, 0)]),
    ("BGR", ColorModel::Rgb, Eight, [lie(0, 2, 3, 0, 0), lie(0, 1, 3, 0, 0), lie(0, 0, 3, 0, 0)]),
    ("RGBA", ColorModel::Rgb, Eight, [lie(0, 0, 4, 0, 0), lie(0, 1, 4, 0, 0), lie(0, 2, 4, 0, 0)]),
    ("BGRA", ColorModel::Rgb, Eight, [lie(0, 2, 4, 0, 0), lie(0, 1, 4, 0, 0), lie(0, 0, 4, 0, 0)]),
    ("GBR", ColorModel::Rgb, Eight, [lie(2, 0, 1, 0, 0), lie(0, 0, 1, 0, 0), lie(1, 0, 1, 0, 0)]),
    ("GRAY8", ColorModel::Gray, Eight, [lie(0, 0, 1, 0, 0); 3]),
    ("far apart", ColorModel::Rgb, Eight, [lie(0, 0, 9, 0, 0), lie(0, 4, 9, 0, 0), lie(0, 8, 9, 0, 0)]),
    ("odd mixture", FULL, Eight, [lie(0, 0, 5, 0, 0), lie(1, 1, 3, 3, 2), lie(1, 0, 2, 1, 1)]),
    ("P010", YUV, Sixteen, [lie(0, 0, 2, 0, 0), lie(1, 0, 4, 1, 1), lie(1, 2, 4, 1, 1)]),
    ("RGB16", ColorModel::Rgb, Sixteen, [lie(0, 0, 6, 0, 0), lie(0, 2, 6, 0, 0), lie(0, 4, 6, 0, 0)]),
    ("GRAY16", ColorModel::Gray, Sixteen, [lie(0, 0, 2, 0, 0); 3]),
];

pub fn format(name: &str) -> &'static Format {
    FORMATS.iter().find(|format| format.0 == name).unwrap()
}

/// A GPU that runs our kernels; says so out loud where there is none.
pub struct Machine {
    pub card: StandIn,
    pub gpu: Gpu,
    pub stream: Stream,
}

impl Machine {
    pub fn new() -> Option<Self> {
        let card = stand_in()?;
        // As new as any NVRTC.
        card.driver_version(13, 9);
        if let Err(e) = nvrtc_info() {
            facialads_testkit::skip(&format!("no NVRTC (run `make setup`): {e}"));
            return None;
        }
        let gpu = Gpu::primary(0).unwrap();
        let stream = gpu.new_stream(false).unwrap();
        Some(Self { card, gpu, stream })
    }

    /// A stretch of device memory that holds `bytes`, and nothing behind them: who reads on leaves the allocation.
    pub fn upload(&self, bytes: &[u8]) -> (DeviceBuffer, u64) {
        // Sizes that are given as they are asked for.
        let length = bytes.len().next_power_of_two().max(4096);
        let buffer = self.gpu.allocate(length).unwrap();
        // 16-bit samples are even.
        let start = (length - bytes.len()) & !1;
        buffer.upload(&self.stream, start, bytes, Payload::Pixels).unwrap();
        let address = buffer.address() + start as u64;
        (buffer, address)
    }

    pub fn values(&self, buffer: &DeviceBuffer, count: usize) -> Vec<f32> {
        let mut values = vec![0.0; count];
        buffer.download(&self.stream, 0, &mut values, Payload::Results).unwrap();
        values
    }

    pub fn halves(&self, buffer: &DeviceBuffer, count: usize) -> Vec<f32> {
        let mut values = vec![0_u16; count];
        buffer.download(&self.stream, 0, &mut values, Payload::Results).unwrap();
        values.into_iter().map(from_half).collect()
    }

    pub fn room(&self, values: usize) -> DeviceBuffer {
        self.gpu.allocate(values * 4).unwrap()
    }
}

/// A 16-bit float (IEEE 754 binary16).
pub fn from_half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 => f32::INFINITY,
        _ => (1.0 + fraction / 1024.0) * 2.0_f32.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// A frame's bytes, which differ everywhere.
pub struct Picture {
    pub format: &'static Format,
    pub width: u32,
    pub height: u32,
    pub bytes: Vec<u8>,
    pub stride: usize,
    pub plane: usize,
}

impl Picture {
    /// Noise, and no more bytes than the layout needs.
    pub fn noise(format: &'static Format, (width, height): (u32, u32), padding: usize, seed: u32) -> Self {
        let (w, h) = (width as usize, height as usize);
        let sample = format.2.bytes();
        let widest = format.3.iter().map(|l| w.div_ceil(1 << l.shift_x) * l.pixel_stride).max().unwrap();
        let stride = widest + padding * sample;
        let plane = stride * h;
        let end = |l: &Lie| {
            let (columns, rows) = (w.div_ceil(1 << l.shift_x), h.div_ceil(1 << l.shift_y));
            l.plane * plane + l.offset + (rows - 1) * stride + (columns - 1) * l.pixel_stride + sample
        };
        let length = format.3.iter().map(end).max().unwrap();
        let mut state = seed | 1;
        let noise = (0..length).map(|_| {
            // A linear congruential generator (Numerical Recipes).
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        Self { format, width, height, bytes: noise.collect(), stride, plane }
    }

    pub fn rgb(width: u32, height: u32, bytes: Vec<u8>) -> Self {
        let stride = width as usize * 3;
        Self { format: format("RGB"), width, height, bytes, stride, plane: stride * height as usize }
    }

    /// In the computer's memory, which knows 8 bits alone: of wider samples the `byte`-th.
    pub fn on_host(&self, color: ColorModel, byte: usize) -> Frame<'_> {
        let components = self.format.3.map(|l| Component {
            data: &self.bytes[l.plane * self.plane + l.offset + byte..],
            row_stride: self.stride,
            pixel_stride: l.pixel_stride,
            shift_x: l.shift_x,
            shift_y: l.shift_y,
        });
        Frame::new(self.width, self.height, color, &components).unwrap()
    }

    pub fn frame(&self) -> Frame<'_> {
        self.on_host(self.format.1, 0)
    }

    pub fn components(&self, address: u64) -> [CudaComponent; 3] {
        self.format.3.map(|l| {
            let start = l.plane * self.plane + l.offset;
            CudaComponent {
                address: address + start as u64,
                bytes: self.bytes.len() - start,
                row_stride: self.stride,
                pixel_stride: l.pixel_stride,
                shift_x: l.shift_x,
                shift_y: l.shift_y,
            }
        })
    }

    /// In device memory.
    pub fn with_cuda<T>(&self, machine: &Machine, test: impl FnOnce(&CudaFrame) -> T) -> T {
        let (_buffer, address) = machine.upload(&self.bytes);
        let (_, color, depth, _) = *self.format;
        let components = self.components(address);
        // SAFETY: the buffer is there until its work is done, in the order of its stream.
        let frame = unsafe {
            CudaFrame::new(&machine.gpu, &machine.stream, self.width, self.height, color, depth, &components)
        };
        test(&frame.unwrap())
    }
}

pub fn input(width: u32, height: u32, fit: Fit, resize: Resize) -> InputSpec {
    InputSpec {
        name: None,
        width,
        height,
        multiple: None,
        layout: Layout::Nchw,
        channels: Channels::Rgb,
        mean: [0.0; 3],
        scale: [1.0; 3],
        fit,
        resize,
    }
}

/// The largest difference of the values, in levels of 255: what `input` multiplies levels by is taken off.
pub fn worst(found: &[f32], expected: &[f32], input: &InputSpec) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = input.scale.iter().fold(f32::MIN_POSITIVE, |most, scale| most.max(scale.abs()));
    let off = |(f, e): (&f32, &f32)| if f.is_nan() { f32::INFINITY } else { (f - e).abs() / scale };
    found.iter().zip(expected).map(off).fold(0.0, f32::max)
}

pub fn target(buffer: &DeviceBuffer) -> Target {
    Target::of(buffer, 0)
}

pub fn workspace() -> Workspace {
    Workspace::default()
}
