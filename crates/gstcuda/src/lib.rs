//! GStreamer's CUDA memory from Rust: contexts, device addresses of frames, buffer pools.
//!
//! `libgstcuda-1.0.so.0` is opened when it is first needed ([`GstCuda::get`]), and it opens `libcuda.so.1`: nothing is linked,
//! so a program or plugin that uses this crate starts on machines without a card, without the driver and without GStreamer's
//! "bad" plugins, and gets an [`Error`] that says what to install. GStreamer 1.22 and later.
//!
//! | for | see |
//! |---|---|
//! | the addresses of a buffer's planes on the device | [`DeviceFrame`] |
//! | sharing one CUDA context with the rest of a pipeline | [`ElementContext`], [`Context`] |
//! | buffers in CUDA memory | [`pool`] |
//! | to and from system memory | [`upload`], [`download`] |
//! | caps | [`is_cuda`], [`video_caps`], [`FORMATS`] |
//!
//! # Streams
//!
//! Until 1.22 whoever wrote to CUDA memory waited for the device. Since 1.24 memory can have a stream on which it is being filled,
//! and whoever reads it elsewhere has to wait: see [`DeviceFrame`].
//!
//! # Example
//!
//! Prints where the planes of each frame lie: `examples/addresses.rs`.
//!
//! ```no_run
//! use facialads_gstcuda::DeviceFrame;
//!
//! fn look(buffer: &gst::BufferRef, info: &gst_video::VideoInfo) -> facialads_gstcuda::Result<()> {
//!     let frame = DeviceFrame::map_read(buffer, info)?;
//!     let _current = frame.context().make_current()?;
//!     for plane in frame.planes() {
//!         println!("{:#x}, {} bytes a row", plane.address, plane.stride);
//!     }
//!     // Launch kernels on frame.stream() here, or wait for the frame and use a stream of your own.
//!     frame.wait();
//!     Ok(())
//! }
//! ```

pub mod api;
mod caps;
mod context;
mod element;
mod error;
mod frame;
mod library;
mod pool;

pub use caps::{is_cuda, video as video_caps};
pub use context::{Context, Current};
pub use element::ElementContext;
pub use error::{Error, Result};
pub use frame::{DeviceFrame, DevicePlane, context_of, is_cuda_buffer};
pub use library::GstCuda;
pub use pool::{Stream, download, pool, upload};

use gst_video::VideoFormat;

/// Formats of 8 and 16 bits that GStreamer 1.22 and later keep in CUDA memory, those of decoders first.
pub const FORMATS: [VideoFormat; 21] = [
    VideoFormat::Nv12,
    VideoFormat::P01010le,
    VideoFormat::I420,
    VideoFormat::Rgba,
    VideoFormat::Rgbx,
    VideoFormat::Bgra,
    VideoFormat::Bgrx,
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::P016Le,
    VideoFormat::Nv21,
    VideoFormat::Yv12,
    VideoFormat::Y42b,
    VideoFormat::Y444,
    VideoFormat::Y44416le,
    VideoFormat::Argb,
    VideoFormat::Abgr,
    VideoFormat::Rgbp,
    VideoFormat::Bgrp,
    VideoFormat::Gbr,
    VideoFormat::Gbra,
];
