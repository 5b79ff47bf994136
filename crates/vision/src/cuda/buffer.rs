//! Memory on the GPU, and memory of the host that the GPU copies into.

use super::{
    context::Gpu,
    error::{GpuFailure, gpu_error},
    event::Event,
    memory::{ALIGNMENT, Block},
    stream::Stream,
    traffic::Payload,
};
use crate::Result;
use std::{fmt, ptr::null_mut, slice};

/// Values that a copy between host and GPU leaves whole: plain numbers, arrays and `#[repr(C)]` structs of them.
///
/// # Safety
/// Every pattern of bits is a value of the type, and it holds no pointers of the host.
pub unsafe trait Plain: Copy + 'static {}

macro_rules! plain {
    ($($number:ty),*) => {
        // SAFETY: numbers.
        $(unsafe impl Plain for $number {})*
    };
}
plain!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);
// SAFETY: nothing but values of a plain type.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// Device memory. Its contents are undefined at first. When it is dropped it is wiped, after everything that was enqueued by then,
/// and kept for the next [`Gpu::allocate`]; nobody waits.
pub struct DeviceBuffer {
    gpu: Gpu,
    block: Block,
    address: u64,
    len: usize,
}

/// A place in device memory, of a certain context.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub gpu: &'a Gpu,
    pub address: u64,
}

impl<'a> From<&'a DeviceBuffer> for Place<'a> {
    fn from(buffer: &'a DeviceBuffer) -> Self {
        Self { gpu: &buffer.gpu, address: buffer.address }
    }
}

impl<'a> From<(&'a Gpu, u64)> for Place<'a> {
    fn from((gpu, address): (&'a Gpu, u64)) -> Self {
        Self { gpu, address }
    }
}

impl Gpu {
    /// Device memory, at least 256-byte aligned. Fast once as much has been given back before.
    ///
    /// # Errors
    /// [`GpuFailure::OutOfMemory`], or the context is dead.
    pub fn allocate(&self, bytes: usize) -> Result<DeviceBuffer> {
        let block = self.0.memory.allocate(&self.0, bytes)?;
        // The end of the block, which may be larger: what writes beyond the end of the buffer then does so beyond the end of the
        // allocation, which compute-sanitizer and the tests' stand-in driver notice.
        let spare = u64::try_from(block.bytes.saturating_sub(bytes) & !(ALIGNMENT - 1)).unwrap_or(0);
        let address = block.address.saturating_add(spare);
        Ok(DeviceBuffer { gpu: self.clone(), block, address, len: bytes })
    }

    /// Frees the device memory that is kept for the next [`Gpu::allocate`].
    pub fn trim(&self) {
        self.0.memory.trim(&self.0);
    }

    /// Bytes of device memory that are kept for the next [`Gpu::allocate`].
    pub fn idle_memory(&self) -> usize {
        self.0.memory.idle_bytes()
    }

    /// Host memory for readbacks that do not stop the thread.
    ///
    /// # Errors
    /// The host has no memory to lock, or the context is dead.
    pub fn pinned(&self, bytes: usize) -> Result<PinnedBuffer> {
        PinnedBuffer::new(self, bytes)
    }
}

impl DeviceBuffer {
    /// Where it starts, for kernels.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Bytes that were asked for.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// `offset` bytes from the start, of which `bytes` are used.
    ///
    /// # Errors
    /// That is outside.
    pub fn place(&self, offset: usize, bytes: usize) -> Result<Place<'_>> {
        if offset.checked_add(bytes).is_none_or(|end| end > self.len) {
            return Err(outside(offset, bytes, self.len));
        }
        let offset = u64::try_from(offset).unwrap_or(u64::MAX);
        Ok(Place { gpu: &self.gpu, address: self.address.saturating_add(offset) })
    }

    /// Copies `values` to `offset` bytes from the start, in the order of `stream`. `values` may change as soon as this returns.
    ///
    /// # Errors
    /// They do not fit, or the context is dead.
    pub fn upload<T: Plain>(
        &self,
        stream: &Stream,
        offset: usize,
        values: &[T],
        payload: Payload,
    ) -> Result<()> {
        let place = self.place(offset, size_of_val(values))?;
        stream.upload(place, values, payload)
    }

    /// Copies from `offset` bytes from the start into `values`, in the order of `stream`, and waits for it: on a thread that must
    /// not wait use a [`PinnedBuffer`].
    ///
    /// # Errors
    /// There are not as many, or work in the stream failed.
    pub fn download<T: Plain>(
        &self,
        stream: &Stream,
        offset: usize,
        values: &mut [T],
        payload: Payload,
    ) -> Result<()> {
        let place = self.place(offset, size_of_val(values))?;
        stream.download(place, values, payload)
    }
}

impl Drop for DeviceBuffer {
    fn drop(&mut self) {
        self.gpu.0.memory.give_back(&self.gpu.0, self.block);
    }
}

impl fmt::Debug for DeviceBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceBuffer({:#x}, {} bytes)", self.address, self.len)
    }
}

fn outside(offset: usize, bytes: usize, len: usize) -> crate::Error {
    gpu_error(
        GpuFailure::Other,
        format!("{bytes} bytes at {offset} are outside a buffer of {len}"),
        "please report this",
    )
}

/// Host memory that the GPU copies into by itself, for results that are read later. Wiped when it is dropped.
pub struct PinnedBuffer {
    gpu: Gpu,
    start: *mut u8,
    len: usize,
    /// The copy into it that was enqueued last, and how many bytes it has.
    pending: Option<Event>,
    filled: usize,
}

// SAFETY: the memory belongs to this value alone.
unsafe impl Send for PinnedBuffer {}
// SAFETY: shared references only read.
unsafe impl Sync for PinnedBuffer {}

impl PinnedBuffer {
    fn new(gpu: &Gpu, bytes: usize) -> Result<Self> {
        let _current = gpu.current()?;
        let mut start = null_mut();
        // SAFETY: a place for the answer, in the current context.
        let allocated = unsafe { (gpu.0.driver.host_allocate)(&mut start, bytes.max(1), 0) };
        gpu.0.check(allocated, &format!("locking {bytes} bytes of the host's memory"))?;
        let start: *mut u8 = start.cast();
        // SAFETY: `bytes.max(1)` bytes were allocated.
        unsafe { start.write_bytes(0, bytes.max(1)) };
        Ok(Self { gpu: gpu.clone(), start, len: bytes, pending: None, filled: 0 })
    }

    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Bytes that it can hold.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Enqueues a copy of `bytes` from device memory into here, in the order of `stream`. Waits for the copy before it, if that is
    /// not done yet.
    ///
    /// # Errors
    /// It does not fit, `from` is in another context than `stream`, or the context is dead.
    pub fn read<'a>(
        &mut self,
        stream: &Stream,
        from: impl Into<Place<'a>>,
        bytes: usize,
        payload: Payload,
    ) -> Result<()> {
        self.finish()?;
        if bytes > self.len {
            return Err(outside(0, bytes, self.len));
        }
        // SAFETY: `bytes` of ours, which are neither read nor freed before the event below is done.
        unsafe { stream.copy_to_host(self.start, from.into(), bytes, payload)? };
        // Without an event nobody would know when the copy ends.
        match stream.record() {
            Ok(event) => self.pending = Some(event),
            Err(e) => {
                let _ = stream.synchronize();
                return Err(e);
            }
        }
        self.filled = bytes;
        Ok(())
    }

    /// Whether the copy that was enqueued last is done.
    ///
    /// # Errors
    /// Work in its stream failed.
    pub fn is_done(&self) -> Result<bool> {
        self.pending.as_ref().map_or(Ok(true), Event::is_done)
    }

    /// Waits for the copy that was enqueued last, and gives what it brought. `T`s that are not whole are left out.
    ///
    /// # Errors
    /// Work in its stream failed; what is in here is of no use then.
    pub fn values<T: Plain>(&mut self) -> Result<&[T]> {
        self.finish()?;
        let count = self.filled.checked_div(size_of::<T>()).unwrap_or(0);
        // SAFETY: page-locked memory is aligned to a page; `filled` bytes of it were written, no copy into it is running, and any
        // bits are a value.
        Ok(unsafe { slice::from_raw_parts(self.start.cast::<T>(), count) })
    }

    fn finish(&mut self) -> Result<()> {
        match self.pending.take() {
            Some(event) => event.wait().inspect_err(|_| self.filled = 0),
            None => Ok(()),
        }
    }
}

impl Drop for PinnedBuffer {
    fn drop(&mut self) {
        // A copy that failed is no longer running either.
        let _ = self.finish();
        // SAFETY: no copy into it is running.
        unsafe { self.start.write_bytes(0, self.len) };
        let Ok(_current) = self.gpu.current() else { return };
        // SAFETY: allocated in `new`, and not used again.
        unsafe { (self.gpu.0.driver.host_free)(self.start.cast()) };
    }
}

impl fmt::Debug for PinnedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedBuffer({} bytes)", self.len)
    }
}
