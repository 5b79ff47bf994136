//! CUDA contexts as GStreamer shares them.

use crate::{Error, GstCuda, Result, api};
use gst::glib::{self, prelude::*, translate::*};
use std::{
    collections::HashMap,
    ffi::c_void,
    marker::PhantomData,
    ptr,
    sync::{LazyLock, Mutex, PoisonError},
};

/// A `GstCudaContext`: a CUDA context and the number of its device. Cloning counts references.
///
/// Two are equal when they stand for the same `CUcontext`.
#[derive(Clone)]
pub struct Context {
    object: gst::Object,
    cuda: &'static GstCuda,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("device", &self.device()).field("handle", &self.handle()).finish()
    }
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        self.handle() == other.handle()
    }
}
impl Eq for Context {}

/// Contexts made by [`Context::wrap`] that are still alive, by their handles: one `GstCudaContext` for each.
static WRAPPED: LazyLock<Mutex<HashMap<usize, glib::WeakRef<gst::Object>>>> = LazyLock::new(Mutex::default);

impl Context {
    /// A new context on a device, as GStreamer's own elements make when nobody else has one. **Not** the device's primary one:
    /// libraries that work in that (ONNX Runtime, cuBLAS, PyTorch) do not share memory with it. See [`Context::wrap`].
    ///
    /// # Errors
    /// No CUDA ([`GstCuda::get`]), no such device, or no memory left on it.
    pub fn new(device: u32) -> Result<Self> {
        let cuda = GstCuda::get()?;
        // SAFETY: any number may be given.
        let made = unsafe { (cuda.functions.cuda_context_new)(device) };
        // SAFETY: a new reference, or null.
        unsafe { Self::from_full(cuda, made) }
            .ok_or(Error::Context { device, problem: "there is no such device, or it has no memory left" })
    }

    /// GStreamer's view of somebody's CUDA context, most of all of a device's primary one (`cuDevicePrimaryCtxRetain`), in
    /// which ONNX Runtime and most other libraries work: frames then lie where networks read them. The same handle always gives the
    /// same `GstCudaContext` while it is in use. `keep` is dropped after GStreamer has let go of the context, on whatever thread
    /// that happens: hold in it what keeps the CUDA context alive.
    ///
    /// # Safety
    /// `handle` is a `CUcontext` on the device with this ordinal, alive for as long as `keep` lives.
    ///
    /// # Errors
    /// No CUDA, or no such device.
    pub unsafe fn wrap<K: Send + 'static>(handle: *mut c_void, device: u32, keep: K) -> Result<Self> {
        let cuda = GstCuda::get()?;
        let fail = |problem| Error::Context { device, problem };
        if handle.is_null() {
            return Err(fail("null is not a context"));
        }
        let number = i32::try_from(device).map_err(|_| fail("there is no such device"))?;
        // Held meanwhile, so that two elements starting together get the same one.
        let mut wrapped = WRAPPED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(object) = wrapped.get(&(handle as usize)).and_then(glib::WeakRef::upgrade) {
            return Ok(Self { object, cuda });
        }
        // SAFETY: the caller vouches for the handle. On Linux a `CUdevice` is its ordinal, as libgstcuda itself assumes.
        let made = unsafe { (cuda.functions.cuda_context_new_wrapped)(handle, number) };
        // SAFETY: a new reference, or null.
        let context =
            unsafe { Self::from_full(cuda, made) }.ok_or(fail("the driver does not know the device"))?;
        // SAFETY: nobody else knows the key, so nobody reads it as another type. GLib drops it when the object is
        // finalised, after libgstcuda has done its part.
        unsafe { context.object.set_qdata(glib::Quark::from_str("facialads-gstcuda-keep"), Keep(keep)) };
        wrapped.retain(|_, weak| weak.upgrade().is_some());
        wrapped.insert(handle as usize, context.object.downgrade());
        Ok(context)
    }

    /// The one in a `GstContext`, as elements and applications hand it over.
    pub fn from_gst(context: &gst::Context) -> Option<Self> {
        let cuda = GstCuda::get().ok()?;
        if context.context_type() != api::CONTEXT_TYPE {
            return None;
        }
        let value = context.structure().value(api::CONTEXT_TYPE).ok()?;
        Self::from_object(cuda, value.get::<gst::Object>().ok()?)
    }

    /// For [`gst::prelude::ElementExt::set_context`] of a pipeline, and `have-context` messages.
    pub fn to_gst(&self) -> gst::Context {
        // SAFETY: returns a new reference, never null for a context.
        unsafe { from_glib_full((self.cuda.functions.context_new_cuda_context)(self.as_ptr())) }
    }

    /// The `CUcontext`; valid while this lives.
    pub fn handle(&self) -> *mut c_void {
        // SAFETY: a live context.
        unsafe { (self.cuda.functions.cuda_context_get_handle)(self.as_ptr()) }
    }

    /// Ordinal of its device.
    pub fn device(&self) -> u32 {
        self.object.property("cuda-device-id")
    }

    /// Whether GStreamer has made this context able to read the other one's memory directly (another device, joined by NVLink
    /// or PCIe). Not so of two contexts on one device.
    pub fn can_read(&self, other: &Self) -> bool {
        // SAFETY: two live contexts.
        unsafe { (self.cuda.functions.cuda_context_can_access_peer)(self.as_ptr(), other.as_ptr()) != 0 }
    }

    /// Makes it the calling thread's current context until the guard is dropped.
    ///
    /// # Errors
    /// The driver refuses, as after the device was lost.
    pub fn make_current(&self) -> Result<Current<'_>> {
        // SAFETY: a live context.
        let pushed = unsafe { (self.cuda.functions.cuda_context_push)(self.as_ptr()) };
        if pushed == 0 {
            return Err(Error::Context {
                device: self.device(),
                problem: "the driver does not make it current",
            });
        }
        Ok(Current { context: self, _of_this_thread: PhantomData })
    }

    /// The GStreamer object, to compare or to log.
    pub fn object(&self) -> &gst::Object {
        &self.object
    }

    pub(crate) fn cuda(&self) -> &'static GstCuda {
        self.cuda
    }

    pub(crate) fn as_ptr(&self) -> *mut api::GstCudaContext {
        self.object.as_ptr().cast()
    }

    /// Takes over a reference; `None` for null.
    ///
    /// # Safety
    /// `context` is null or a reference that is the caller's to give.
    pub(crate) unsafe fn from_full(
        cuda: &'static GstCuda,
        context: *mut api::GstCudaContext,
    ) -> Option<Self> {
        if context.is_null() {
            return None;
        }
        // SAFETY: a `GstCudaContext` is a `GstObject`, and the reference is ours now.
        Some(Self { object: unsafe { from_glib_full(context.cast::<gst::ffi::GstObject>()) }, cuda })
    }

    /// Takes a reference of its own; `None` for null.
    ///
    /// # Safety
    /// `context` is null or alive.
    pub(crate) unsafe fn from_none(
        cuda: &'static GstCuda,
        context: *mut api::GstCudaContext,
    ) -> Option<Self> {
        if context.is_null() {
            return None;
        }
        // SAFETY: as above, with a reference added.
        Some(Self { object: unsafe { from_glib_none(context.cast::<gst::ffi::GstObject>()) }, cuda })
    }

    fn from_object(cuda: &'static GstCuda, object: gst::Object) -> Option<Self> {
        // SAFETY: takes nothing.
        let wanted: glib::Type = unsafe { from_glib((cuda.functions.cuda_context_get_type)()) };
        object.type_().is_a(wanted).then_some(Self { object, cuda })
    }
}

/// Only ever dropped.
struct Keep<K>(#[allow(dead_code)] K);

/// A context made current, see [`Context::make_current`].
pub struct Current<'a> {
    context: &'a Context,
    /// The stack of contexts is the thread's.
    _of_this_thread: PhantomData<*const ()>,
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        // SAFETY: pushed by this thread; null says that the popped one need not be told.
        unsafe { (self.context.cuda.functions.cuda_context_pop)(ptr::null_mut()) };
    }
}
