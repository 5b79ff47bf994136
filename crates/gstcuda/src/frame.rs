//! A frame in CUDA memory, mapped: where its planes lie on the device.

use crate::{
    Context, Error, GstCuda, Result,
    api::{GstCudaMemory, MAP_CUDA},
};
use gst::{ffi as g, glib::translate::*};
use gst_video::ffi as gv;
use std::{ffi::c_void, marker::PhantomData, mem::MaybeUninit, ptr::NonNull};

/// One plane of a [`DeviceFrame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevicePlane {
    /// A `CUdeviceptr`, of the frame's first row.
    pub address: u64,
    /// Bytes from the beginning of a row to that of the next.
    pub stride: i32,
    /// Bytes from `address` to the end of the memory that the plane lies in: nothing beyond is the frame's.
    pub bytes: usize,
}

/// A buffer's picture on the device: addresses, strides (those of its `GstVideoMeta`, if it has one), context and stream. Unmapped
/// when it is dropped; it cannot outlive the buffer.
///
/// **Before reading**: work that fills the frame may still be under way on [`DeviceFrame::stream`]. Either enqueue your own on that
/// stream, or call [`DeviceFrame::wait`]. Where the stream is `None` the frame is ready.
///
/// **Before dropping**: work of yours on that stream may go on afterwards, since whoever uses the memory next
/// orders itself after it. Work on any other stream has to be finished.
pub struct DeviceFrame<'a> {
    frame: gv::GstVideoFrame,
    memory: *mut GstCudaMemory,
    context: Context,
    _buffer: PhantomData<&'a gst::BufferRef>,
}

// SAFETY: a map may be ended by another thread than the one that began it; nothing in it belongs to a thread.
unsafe impl Send for DeviceFrame<'_> {}

impl std::fmt::Debug for DeviceFrame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let info = self.info();
        write!(f, "DeviceFrame({} of {}x{})", info.format(), info.width(), info.height())
    }
}

impl<'a> DeviceFrame<'a> {
    /// For reading. `info`: of the caps.
    ///
    /// # Errors
    /// No CUDA; not exactly one block of CUDA memory; memory too small for the picture.
    pub fn map_read(buffer: &'a gst::BufferRef, info: &gst_video::VideoInfo) -> Result<Self> {
        // SAFETY: reading needs a live buffer only.
        unsafe { Self::map(buffer.as_mut_ptr(), info, g::GST_MAP_READ, "reading") }
    }

    /// For reading and writing; what the host has of the frame is fetched anew when it next looks.
    ///
    /// # Errors
    /// As [`DeviceFrame::map_read`]; the memory is shared with another buffer and cannot be copied.
    pub fn map_write(buffer: &'a mut gst::BufferRef, info: &gst_video::VideoInfo) -> Result<Self> {
        // SAFETY: the buffer is writable.
        unsafe { Self::map(buffer.as_mut_ptr(), info, g::GST_MAP_READ | g::GST_MAP_WRITE, "writing") }
    }

    /// # Safety
    /// `buffer` lives for `'a`, and is writable if `access` says so.
    unsafe fn map(
        buffer: *mut g::GstBuffer,
        info: &gst_video::VideoInfo,
        access: g::GstMapFlags,
        purpose: &'static str,
    ) -> Result<Self> {
        let cuda = GstCuda::get()?;
        // SAFETY: the caller's buffer.
        let memory = unsafe { only_memory(cuda, buffer) }?;
        // SAFETY: the layout of `GstCudaMemory` is tested against the headers; its context lives as long as it does.
        let context = unsafe { Context::from_none(cuda, (*memory).context) };
        let fail = |problem| Error::Map {
            purpose,
            format: info.format().to_string(),
            width: info.width(),
            height: info.height(),
            problem,
        };
        let context = context.ok_or_else(|| fail("it has no context"))?;
        // SAFETY: the caller's buffer; read only.
        if !meta_fits(unsafe { gst::BufferRef::from_ptr(buffer) }, info) {
            return Err(fail("its video meta says another format or a smaller picture"));
        }
        let mut frame = MaybeUninit::<gv::GstVideoFrame>::zeroed();
        // The borrow holds the buffer: a reference of the frame's own would make it unwritable for its owner.
        let flags = access | MAP_CUDA | gv::GST_VIDEO_FRAME_MAP_FLAG_NO_REF as g::GstMapFlags;
        // SAFETY: `frame` is written before it is read, and only where this succeeds; the buffer lives.
        let mapped = unsafe {
            gv::gst_video_frame_map(frame.as_mut_ptr(), info.to_glib_none().0.cast_mut(), buffer, flags)
        };
        if mapped == 0 {
            return Err(fail("it is too small, of another format, or in use by somebody else"));
        }
        // SAFETY: filled just now.
        let frame = unsafe { frame.assume_init() };
        // Memory that somebody else has too was exchanged for a copy of it by mapping it for writing.
        // SAFETY: the caller's buffer.
        let memory = unsafe { only_memory(cuda, buffer) }.unwrap_or(memory);
        let mapped = Self { frame, memory, context, _buffer: PhantomData };
        if mapped.planes().any(|plane| plane.address == 0 || plane.bytes == 0) {
            return Err(fail("a plane lies outside of it"));
        }
        Ok(mapped)
    }

    /// Of the picture as it lies in this buffer, strides and offsets included.
    pub fn info(&self) -> gst_video::VideoInfo {
        // SAFETY: filled by `gst_video_frame_map`; copied.
        unsafe { from_glib_none(&self.frame.info as *const gv::GstVideoInfo) }
    }

    /// The planes in the order of the format.
    pub fn planes(&self) -> impl Iterator<Item = DevicePlane> + '_ {
        let planes = self.info().n_planes() as usize;
        (0..planes.min(self.frame.data.len())).map(|number| {
            let address = self.frame.data[number] as u64;
            // With a video meta each plane is mapped by itself, else all at once.
            let map = Some(&self.frame.map[number])
                .filter(|map| !map.memory.is_null())
                .unwrap_or(&self.frame.map[0]);
            let end = (map.data as u64).saturating_add(map.size as u64);
            let inside = (map.data as u64..end).contains(&address);
            DevicePlane {
                address,
                stride: self.frame.info.stride[number],
                bytes: if inside { (end - address) as usize } else { 0 },
            }
        })
    }

    /// The context that the memory is part of.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The `CUstream` on which the frame is filled and used; it lives as long as the buffer's memory. `None`: there is none
    /// (GStreamer 1.22, or whoever made the memory gave it none), whoever filled the frame has waited, and you have to, too.
    pub fn stream(&self) -> Option<NonNull<c_void>> {
        let streams = self.context.cuda().functions.streams.as_ref()?;
        // SAFETY: a mapped CUDA memory; the stream is not handed over.
        let stream = unsafe { (streams.cuda_memory_get_stream)(self.memory) };
        if stream.is_null() {
            return None;
        }
        // SAFETY: the memory holds the stream.
        NonNull::new(unsafe { (streams.cuda_stream_get_handle)(stream) })
    }

    /// Waits until the frame is filled, for those who do not work on its stream.
    pub fn wait(&self) {
        if let Some(streams) = &self.context.cuda().functions.streams {
            // SAFETY: a mapped CUDA memory.
            unsafe { (streams.cuda_memory_sync)(self.memory) };
        }
    }
}

impl Drop for DeviceFrame<'_> {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`, unmapped here alone.
        unsafe { gv::gst_video_frame_unmap(&mut self.frame) };
    }
}

/// GStreamer takes it for a defect of the program where a meta does not fit the caps, and logs it as critical.
fn meta_fits(buffer: &gst::BufferRef, info: &gst_video::VideoInfo) -> bool {
    buffer.meta::<gst_video::VideoMeta>().is_none_or(|meta| {
        meta.format() == info.format() && meta.width() >= info.width() && meta.height() >= info.height()
    })
}

/// Whether a buffer's pixels are in CUDA memory; `false` where there is no CUDA.
pub fn is_cuda_buffer(buffer: &gst::BufferRef) -> bool {
    // SAFETY: a live buffer.
    GstCuda::get().is_ok_and(|cuda| unsafe { only_memory(cuda, buffer.as_mut_ptr()) }.is_ok())
}

/// The context that a buffer's pixels are part of, without mapping it; `None`: they are not in CUDA memory, or there is no CUDA.
pub fn context_of(buffer: &gst::BufferRef) -> Option<Context> {
    let cuda = GstCuda::get().ok()?;
    // SAFETY: a live buffer.
    let memory = unsafe { only_memory(cuda, buffer.as_mut_ptr()) }.ok()?;
    // SAFETY: the layout of `GstCudaMemory` is tested against the headers; its context lives as long as it does.
    unsafe { Context::from_none(cuda, (*memory).context) }
}

/// The one memory of a frame. GStreamer's CUDA elements never make it of several.
///
/// # Safety
/// `buffer` lives.
unsafe fn only_memory(cuda: &GstCuda, buffer: *mut g::GstBuffer) -> Result<*mut GstCudaMemory> {
    let fail = |found: String| Err(Error::Memory { found });
    // SAFETY: the caller's buffer.
    let count = unsafe { g::gst_buffer_n_memory(buffer) };
    if count != 1 {
        return fail(format!("{count} blocks of memory"));
    }
    // SAFETY: there is one; not handed over.
    let memory = unsafe { g::gst_buffer_peek_memory(buffer, 0) };
    // SAFETY: a live memory.
    if memory.is_null() || unsafe { (cuda.functions.is_cuda_memory)(memory) } == 0 {
        return fail("system memory".into());
    }
    Ok(memory.cast())
}
