//! Queues of work on a GPU.

use super::{
    buffer::{Place, Plain},
    context::Gpu,
    error::{GpuFailure, code, gpu_error},
    event::Event,
    memory::{Work, new_stream},
    traffic::{Payload, count_to_device, count_to_host},
};
use crate::Result;
use cudarc::driver::sys::{CUmemorytype, CUpointer_attribute, CUstream};
use std::{ffi::c_void, fmt, ptr::null_mut, sync::Arc};

/// A queue of work on a GPU: what is put in runs in that order.
pub struct Stream {
    gpu: Gpu,
    handle: CUstream,
    owned: bool,
    /// What we have put in.
    work: Arc<Work>,
}

// SAFETY: the driver's streams may be used from any thread.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Gpu {
    /// A stream of our own, which does not wait for the default stream. `urgent`: its kernels go before those of other streams,
    /// where the device can do that; for the short kernels that a streaming thread waits for.
    ///
    /// # Errors
    /// The context is dead.
    pub fn new_stream(&self, urgent: bool) -> Result<Stream> {
        let _current = self.current()?;
        let handle = new_stream(&self.0, urgent)?;
        let work = self.0.memory.add_stream(handle);
        Ok(Stream { gpu: self.clone(), handle, owned: true, work })
    }
}

impl Stream {
    /// Somebody else's `CUstream`; null is the default stream.
    ///
    /// # Errors
    /// It belongs to another context.
    ///
    /// # Safety
    /// `handle` is a live stream and stays one as long as the value lives.
    pub unsafe fn borrowed(gpu: &Gpu, handle: *mut c_void) -> Result<Self> {
        let handle: CUstream = handle.cast();
        if let (false, Some(ask)) = (handle.is_null(), gpu.0.driver.stream_context) {
            let mut context = null_mut();
            // SAFETY: a live stream, and a place for the answer.
            gpu.0.check(unsafe { ask(handle, &mut context) }, "asking a stream for its context")?;
            if context != gpu.0.context {
                return Err(gpu_error(
                    GpuFailure::Other,
                    "a CUDA stream belongs to another context than the frame",
                    "set the same cuda-device-id on all elements",
                ));
            }
        }
        let work = gpu.0.memory.add_stream(handle);
        Ok(Self { gpu: gpu.clone(), handle, owned: false, work })
    }

    /// The `CUstream`, for other libraries: they may put work in that uses memory of [`Gpu::allocate`].
    pub fn handle(&self) -> *mut c_void {
        self.work.lend();
        self.handle.cast()
    }

    pub(super) fn raw(&self) -> CUstream {
        self.handle
    }

    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Waits until everything in it is done. The thread sleeps; it does not spin.
    ///
    /// # Errors
    /// Something in it failed.
    pub fn synchronize(&self) -> Result<()> {
        self.record()?.wait()
    }

    /// Marks the point behind all that is in it now.
    ///
    /// # Errors
    /// The context is dead.
    pub fn record(&self) -> Result<Event> {
        Event::record(&self.gpu, self.handle)
    }

    /// What is put in from now on waits for `event`, also if that is of another stream, context or GPU. The thread does not wait.
    ///
    /// # Errors
    /// The context is dead.
    pub fn wait(&self, event: &Event) -> Result<()> {
        let _current = self.gpu.current()?;
        let waits = self.gpu.0.wait_in(self.handle, event.handle());
        self.mark_used();
        waits
    }

    /// Enqueues a copy from device memory to device memory, also between contexts and between GPUs.
    ///
    /// # Errors
    /// The context is dead. A wrong address is the same, some time later.
    pub fn copy<'a, 'b>(
        &self,
        to: impl Into<Place<'a>>,
        from: impl Into<Place<'b>>,
        bytes: usize,
    ) -> Result<()> {
        let (to, from) = (to.into(), from.into());
        if bytes == 0 {
            return Ok(());
        }
        let _current = self.gpu.current()?;
        let driver = self.gpu.0.driver;
        // SAFETY: the addresses are device memory of their contexts: the driver checks what it can, and the GPU's memory
        // management keeps it out of everybody else's.
        let copied = unsafe {
            if to.gpu.is_same_context(from.gpu) {
                (driver.copy_on_device)(to.address, from.address, bytes, self.handle)
            } else {
                let (to_context, from_context) = (to.gpu.0.context, from.gpu.0.context);
                (driver.copy_between)(to.address, to_context, from.address, from_context, bytes, self.handle)
            }
        };
        self.mark_used();
        self.gpu.0.check(copied, "copying on the GPU")
    }

    /// Enqueues that memory is overwritten with zeros: pictures of people, before somebody else gets it.
    ///
    /// # Errors
    /// `place` is in another context, or the context is dead.
    pub fn clear<'a>(&self, place: impl Into<Place<'a>>, bytes: usize) -> Result<()> {
        let place = place.into();
        self.check_context(place.gpu)?;
        if bytes == 0 {
            return Ok(());
        }
        let _current = self.gpu.current()?;
        // SAFETY: device memory of this context; a wrong address is the device's error.
        let cleared = unsafe { (self.gpu.0.driver.memory_set)(place.address, 0, bytes, self.handle) };
        self.mark_used();
        self.gpu.0.check(cleared, "wiping memory")
    }

    /// Enqueues a copy from the host. `values` may change as soon as this returns.
    ///
    /// # Errors
    /// `to` is in another context, or the context is dead.
    pub fn upload<'a, T: Plain>(
        &self,
        to: impl Into<Place<'a>>,
        values: &[T],
        payload: Payload,
    ) -> Result<()> {
        let to = to.into();
        self.check_context(to.gpu)?;
        let bytes = size_of_val(values);
        if bytes == 0 {
            return Ok(());
        }
        let _current = self.gpu.current()?;
        let start: *const c_void = values.as_ptr().cast();
        // SAFETY: `bytes` bytes of the host's, which stay as they are until they are copied: pageable memory is copied before
        // the call returns, and for page-locked memory we wait below.
        let copied = unsafe { (self.gpu.0.driver.copy_to_device)(to.address, start, bytes, self.handle) };
        self.mark_used();
        self.gpu.0.check(copied, "copying to the GPU")?;
        count_to_device(payload, bytes);
        if self.is_page_locked(start) { self.synchronize() } else { Ok(()) }
    }

    /// Copies from device memory into `values` and waits for it.
    ///
    /// # Errors
    /// `from` is in another context, or work in the stream failed; `values` are of no use then.
    pub fn download<'a, T: Plain>(
        &self,
        from: impl Into<Place<'a>>,
        values: &mut [T],
        payload: Payload,
    ) -> Result<()> {
        let bytes = size_of_val(values);
        // SAFETY: `bytes` bytes that are ours until the copy is done, for which we wait here.
        let copied = unsafe { self.copy_to_host(values.as_mut_ptr().cast(), from.into(), bytes, payload) };
        // Also after a failure: the copy may have been enqueued.
        copied.and(self.synchronize())
    }

    /// Enqueues a copy to the host.
    ///
    /// # Safety
    /// `to` has room for `bytes`, which nobody reads, writes or frees before the copy is done.
    pub(super) unsafe fn copy_to_host(
        &self,
        to: *mut u8,
        from: Place<'_>,
        bytes: usize,
        payload: Payload,
    ) -> Result<()> {
        self.check_context(from.gpu)?;
        if bytes == 0 {
            return Ok(());
        }
        let _current = self.gpu.current()?;
        // SAFETY: room for `bytes` (see above); a wrong address on the device is the device's error.
        let copied = unsafe { (self.gpu.0.driver.copy_to_host)(to.cast(), from.address, bytes, self.handle) };
        self.mark_used();
        self.gpu.0.check(copied, "copying from the GPU")?;
        count_to_host(payload, bytes);
        Ok(())
    }

    pub(super) fn check_context(&self, gpu: &Gpu) -> Result<()> {
        if self.gpu.is_same_context(gpu) {
            return Ok(());
        }
        Err(gpu_error(
            GpuFailure::Other,
            "memory and stream are of different CUDA contexts",
            "please report this",
        ))
    }

    /// After something was put in.
    pub(super) fn mark_used(&self) {
        self.work.put();
    }

    /// Whether the driver copies from here some time later instead of at once. The context must be current.
    fn is_page_locked(&self, start: *const c_void) -> bool {
        let Some(ask) = self.gpu.0.driver.pointer_attribute else { return true };
        let mut kind = 0_u32;
        let address = u64::try_from(start.addr()).unwrap_or(0);
        let which = CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
        // SAFETY: a place for the answer, an unsigned int in C; any address may be asked about.
        let asked = unsafe { ask((&raw mut kind).cast(), which, address) };
        asked == code::SUCCESS && kind == CUmemorytype::CU_MEMORYTYPE_HOST as u32
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.gpu.0.memory.remove_stream(&self.gpu.0, &self.work);
        if !self.owned {
            return;
        }
        let Ok(_current) = self.gpu.current() else { return };
        // SAFETY: made in `new_stream` and not used again; the driver finishes what is in it.
        unsafe { (self.gpu.0.driver.stream_destroy)(self.handle) };
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({:p})", self.handle)
    }
}
