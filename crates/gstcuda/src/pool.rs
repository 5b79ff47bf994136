//! Buffers in CUDA memory.

use crate::{Context, Error, GstCuda, Result, caps, frame::is_cuda_buffer};
use gst::{glib::translate::*, prelude::*};
use std::{ffi::c_void, ptr::NonNull};

/// A CUDA stream as GStreamer counts references to it; GStreamer 1.24 and later.
pub struct Stream {
    stream: NonNull<crate::api::GstCudaStream>,
    context: Context,
}

// SAFETY: a mini object with atomic references, and a handle that any thread may use.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// A new stream; `None` where this GStreamer has none for memory, or the driver makes none.
    pub fn new(context: &Context) -> Option<Self> {
        let streams = context.cuda().functions.streams.as_ref()?;
        // SAFETY: a live context; a new reference or null.
        let stream = NonNull::new(unsafe { (streams.cuda_stream_new)(context.as_ptr()) })?;
        Some(Self { stream, context: context.clone() })
    }

    /// The `CUstream`; valid while this lives.
    pub fn handle(&self) -> *mut c_void {
        let streams = self.context.cuda().functions.streams.as_ref();
        // SAFETY: a live stream.
        streams.map_or(std::ptr::null_mut(), |streams| unsafe {
            (streams.cuda_stream_get_handle)(self.stream.as_ptr())
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(streams) = &self.context.cuda().functions.streams {
            // SAFETY: our own reference.
            unsafe { (streams.cuda_stream_unref)(self.stream.as_ptr()) };
        }
    }
}

/// A pool of buffers for frames with these caps, not yet active. Every buffer has a `GstVideoMeta` that says where its planes lie.
/// Its memory works on `stream`, if one is given (and this GStreamer has them).
///
/// # Errors
/// Caps that are no CUDA video, no CUDA, a format that this GStreamer does not keep in CUDA memory, no memory left.
pub fn pool(
    context: &Context,
    caps: &gst::Caps,
    least: u32,
    stream: Option<&Stream>,
) -> Result<gst::BufferPool> {
    let fail = |problem: String| Error::Pool { caps: caps.to_string(), problem };
    if !caps::is_cuda(caps) {
        return Err(fail("they do not name (memory:CUDAMemory)".into()));
    }
    let info = gst_video::VideoInfo::from_caps(caps).map_err(|_| fail("they describe no picture".into()))?;
    if !crate::FORMATS.contains(&info.format()) {
        // libgstcuda 1.22 ends the process on a format that it does not know.
        return Err(fail(format!("{} is not kept in CUDA memory here", info.format())));
    }
    let cuda: &GstCuda = context.cuda();
    // SAFETY: a live context; a new reference or null.
    let pool: Option<gst::BufferPool> =
        unsafe { from_glib_full((cuda.functions.cuda_buffer_pool_new)(context.as_ptr())) };
    let pool = pool.ok_or_else(|| fail("GStreamer makes none".into()))?;
    let mut config = pool.config();
    config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META);
    let size = u32::try_from(info.size()).map_err(|_| fail("they are too large".into()))?;
    config.set_params(Some(caps), size, least, 0);
    if let (Some(stream), Some(streams)) = (stream, &cuda.functions.streams) {
        // SAFETY: the configuration is ours; the stream is not handed over.
        unsafe { (streams.buffer_pool_config_set_cuda_stream)(config.as_mut_ptr(), stream.stream.as_ptr()) };
    }
    pool.set_config(config).map_err(|error| fail(format!("{error}; is the device's memory full?")))?;
    Ok(pool)
}

/// Copies a frame in system memory into a buffer of an active [`pool`] with caps of the same format and size, over the host's
/// side of that memory: the device gets it when the frame is next mapped there. Timestamps and flags go along, metas do not.
///
/// # Errors
/// The pool gives no buffer, or a buffer does not hold the picture.
pub fn upload(
    pool: &gst::BufferPool,
    from: &gst::BufferRef,
    info: &gst_video::VideoInfo,
) -> Result<gst::Buffer> {
    let fail = |problem| map_error("uploading", info, problem);
    let mut buffer = pool.acquire_buffer(None).map_err(|_| fail("the pool gives no buffer"))?;
    copy(from, buffer.make_mut(), info).map_err(fail)?;
    Ok(buffer)
}

/// Copies a frame in CUDA memory into a new buffer in system memory, laid out as `info` says. Timestamps and flags go along,
/// metas do not.
///
/// # Errors
/// Not CUDA memory, or it does not hold the picture, or the device does not give it.
pub fn download(from: &gst::BufferRef, info: &gst_video::VideoInfo) -> Result<gst::Buffer> {
    let fail = |problem| map_error("downloading", info, problem);
    if !is_cuda_buffer(from) {
        return Err(Error::Memory { found: "other memory".into() });
    }
    let mut buffer =
        gst::Buffer::with_size(info.size()).map_err(|_| fail("there is not enough system memory"))?;
    copy(from, buffer.make_mut(), info).map_err(fail)?;
    Ok(buffer)
}

fn map_error(purpose: &'static str, info: &gst_video::VideoInfo, problem: &'static str) -> Error {
    let format = info.format().to_string();
    Error::Map { purpose, format, width: info.width(), height: info.height(), problem }
}

/// Row by row, in whatever layouts the two have.
fn copy(
    from: &gst::BufferRef,
    to: &mut gst::BufferRef,
    info: &gst_video::VideoInfo,
) -> Result<(), &'static str> {
    {
        let source = gst_video::VideoFrameRef::from_buffer_ref_readable(from, info)
            .map_err(|_| "the source does not hold the picture")?;
        let mut target = gst_video::VideoFrameRef::from_buffer_ref_writable(to, info)
            .map_err(|_| "the target does not hold the picture")?;
        source.copy(&mut target).map_err(|_| "the layouts do not fit")?;
    }
    let what = gst::BUFFER_COPY_METADATA.difference(gst::BufferCopyFlags::META);
    from.copy_into(to, what, ..).map_err(|_| "timestamps cannot be copied")
}
