//! The part of libgstcuda's C interface that is used, and what is assumed of it.
//!
//! GStreamer calls this library "unstable API". What is used here is the same in 1.22, 1.24 and 1.26; `tests/abi.rs` holds
//! it against the headers that are installed. Left out on purpose is what changed: `gst_cuda_allocator_alloc` took a stream as
//! its third argument from 1.24 on, so memory comes from buffer pools.

use gst::{ffi as g, glib::ffi::GType, glib::ffi::gboolean};
use std::ffi::c_void;

/// `GST_MAP_CUDA`: with it a map gives the address on the device.
pub const MAP_CUDA: g::GstMapFlags = g::GST_MAP_FLAG_LAST << 1;
/// `GST_CUDA_MEMORY_TRANSFER_NEED_DOWNLOAD`: the copy in host memory is older than the one on the device.
pub const NEED_DOWNLOAD: g::GstMemoryFlags = g::GST_MEMORY_FLAG_LAST;
/// `GST_CUDA_MEMORY_TRANSFER_NEED_UPLOAD`: the other way round.
pub const NEED_UPLOAD: g::GstMemoryFlags = g::GST_MEMORY_FLAG_LAST << 1;
/// `GST_CUDA_MEMORY_TRANSFER_NEED_SYNC`, since 1.24: work on the memory's stream may be under way.
pub const NEED_SYNC: g::GstMemoryFlags = g::GST_MEMORY_FLAG_LAST << 2;
/// `GST_CUDA_CONTEXT_TYPE`.
pub const CONTEXT_TYPE: &str = "gst.cuda.context";
/// `GST_CUDA_MEMORY_TYPE_NAME`.
pub const MEMORY_TYPE: &str = "gst.cuda.memory";
/// `GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY`.
pub const CAPS_FEATURE: &str = "memory:CUDAMemory";

/// `GstCudaContext`, a `GstObject`.
#[repr(C)]
pub struct GstCudaContext {
    pub object: g::GstObject,
    pub private: *mut c_void,
}

/// `GstCudaStream`, a `GstMiniObject` since 1.24; only its address is used.
#[repr(C)]
pub struct GstCudaStream {
    _private: [u8; 0],
}

/// `GstCudaMemory` as far as it is public.
#[repr(C)]
pub struct GstCudaMemory {
    pub memory: g::GstMemory,
    pub context: *mut GstCudaContext,
    pub info: gst_video::ffi::GstVideoInfo,
}

type Context = *mut GstCudaContext;

/// The functions, by the names that they have without `gst_`.
pub(crate) struct Functions {
    pub cuda_memory_init_once: unsafe extern "C" fn(),
    pub is_cuda_memory: unsafe extern "C" fn(*mut g::GstMemory) -> gboolean,
    pub cuda_context_get_type: unsafe extern "C" fn() -> GType,
    pub cuda_context_new: unsafe extern "C" fn(u32) -> Context,
    pub cuda_context_new_wrapped: unsafe extern "C" fn(*mut c_void, i32) -> Context,
    pub cuda_context_get_handle: unsafe extern "C" fn(Context) -> *mut c_void,
    pub cuda_context_push: unsafe extern "C" fn(Context) -> gboolean,
    pub cuda_context_pop: unsafe extern "C" fn(*mut *mut c_void) -> gboolean,
    pub cuda_context_can_access_peer: unsafe extern "C" fn(Context, Context) -> gboolean,
    pub cuda_handle_set_context:
        unsafe extern "C" fn(*mut g::GstElement, *mut g::GstContext, i32, *mut Context) -> gboolean,
    pub cuda_handle_context_query:
        unsafe extern "C" fn(*mut g::GstElement, *mut g::GstQuery, Context) -> gboolean,
    pub context_new_cuda_context: unsafe extern "C" fn(Context) -> *mut g::GstContext,
    pub cuda_buffer_pool_new: unsafe extern "C" fn(Context) -> *mut g::GstBufferPool,
    /// Those since 1.24: all or none.
    pub streams: Option<Streams>,
}

/// What came with 1.24: memory has a stream, and whoever uses it on another one waits.
pub(crate) struct Streams {
    pub cuda_memory_sync: unsafe extern "C" fn(*mut GstCudaMemory),
    pub cuda_memory_get_stream: unsafe extern "C" fn(*mut GstCudaMemory) -> *mut GstCudaStream,
    pub cuda_stream_get_handle: unsafe extern "C" fn(*mut GstCudaStream) -> *mut c_void,
    pub cuda_stream_new: unsafe extern "C" fn(Context) -> *mut GstCudaStream,
    pub cuda_stream_unref: unsafe extern "C" fn(*mut GstCudaStream),
    pub buffer_pool_config_set_cuda_stream: unsafe extern "C" fn(*mut g::GstStructure, *mut GstCudaStream),
}
