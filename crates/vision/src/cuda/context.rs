//! A GPU's context: where memory, streams and kernels belong to.

use super::{
    driver::{Driver, driver},
    error::{GpuFailure, classify, code, gpu_error},
    event::Events,
    gpu::{GpuInfo, attribute, describe, device, ordinal},
    memory::Memory,
    module::Modules,
};
use crate::Result;
use cudarc::driver::sys::{CUcontext, CUctx_flags, CUdevice, CUdevice_attribute, CUstreamCaptureMode};
use std::{
    cell::Cell,
    ffi::c_void,
    fmt,
    marker::PhantomData,
    ptr::null_mut,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

/// A GPU's context. Clones are the same one; there is one in a process for each context of the driver, so that its kernels are
/// loaded once. May be used from any thread.
#[derive(Clone)]
pub struct Gpu(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub driver: &'static Driver,
    pub context: CUcontext,
    /// The driver's own number for the context: an address may be used again after a context was destroyed. 0 where the driver
    /// is too old to tell.
    id: u64,
    device: CUdevice,
    /// Whether we hold the device's primary context, which counts its holders.
    primary: bool,
    info: GpuInfo,
    pub limits: Limits,
    lost: AtomicBool,
    pub events: Events,
    pub memory: Memory,
    pub modules: Modules,
    /// What keeps somebody else's context alive; the last field, dropped after all that is in the context.
    keep: Mutex<Option<Box<dyn Send>>>,
}

// SAFETY: the driver's handles may be used from any thread; what changes is behind locks.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

/// The largest launch that the device takes.
pub(super) struct Limits {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub threads: u32,
}

static ALL: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

impl Gpu {
    /// The primary context of GPU number `ordinal` ([`GpuInfo::ordinal`]), which CUDA's runtime and ONNX Runtime use as well.
    ///
    /// # Errors
    /// [`GpuFailure::Driver`] without a usable driver, [`GpuFailure::NoDevice`] without such a GPU, and
    /// [`GpuFailure::OutOfMemory`]: a context takes some hundred MB on the card.
    pub fn primary(ordinal: u32) -> Result<Self> {
        let driver = driver()?;
        let device = device(driver, ordinal)?;
        let mut context = null_mut();
        sleep_while_waiting(driver, device);
        // SAFETY: a place for the answer, and a device that is there.
        let retained = unsafe { (driver.primary_retain)(&mut context, device) };
        driver.check(retained, &format!("opening GPU {ordinal}"))?;
        let release = || {
            // SAFETY: gives back what was retained above.
            unsafe { (driver.primary_release)(device) };
        };
        let made = Self::known_or_new(driver, context, Some(device));
        // A known one that holds the context itself already, or a failure.
        if !matches!(&made, Ok((_, true))) {
            release();
        }
        made.map(|(gpu, _)| gpu)
    }

    /// Somebody else's context, such as that of GStreamer's elements: a `CUcontext`.
    ///
    /// # Errors
    /// [`GpuFailure::Driver`] without a usable driver, and if this is no context.
    ///
    /// # Safety
    /// `context` is a live context of the driver and is not destroyed before the last clone of this [`Gpu`] and everything made
    /// of it are dropped.
    pub unsafe fn of_context(context: *mut c_void) -> Result<Self> {
        let driver = driver()?;
        if context.is_null() {
            return Err(gpu_error(
                GpuFailure::Other,
                "a CUDA context is missing",
                "the element that made the frame has none: put cudaupload before it",
            ));
        }
        Ok(Self::known_or_new(driver, context.cast(), None)?.0)
    }

    /// The same, with what keeps the context alive: `keep` is dropped after the last clone of this [`Gpu`] and everything made of it,
    /// or at once where the context is alive without it.
    ///
    /// # Errors
    /// As [`Gpu::of_context`].
    ///
    /// # Safety
    /// `context` is a live context of the driver for as long as `keep` lives.
    pub unsafe fn of_context_kept(context: *mut c_void, keep: impl Send + 'static) -> Result<Self> {
        // SAFETY: `keep` is held for as long as anything of the context, see below.
        let gpu = unsafe { Self::of_context(context) }?;
        // A primary context we hold ourselves. Its GStreamer wrapper holds this very value: neither would ever end.
        if !gpu.0.primary {
            gpu.0.keep.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| Box::new(keep));
        }
        Ok(gpu)
    }

    /// The one of this context; whether it is new. A new one owns a retained primary context, if `primary` names its device.
    fn known_or_new(
        driver: &'static Driver,
        context: CUcontext,
        primary: Option<CUdevice>,
    ) -> Result<(Self, bool)> {
        let mut id = 0;
        if let Some(ask) = driver.context_id {
            // SAFETY: a live context and a place for the answer.
            if unsafe { ask(context, &mut id) } != code::SUCCESS {
                id = 0;
            }
        }
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| one.strong_count() > 0);
        let known = all
            .iter()
            .filter_map(Weak::upgrade)
            .find(|one| one.context == context && one.id == id && (primary.is_none() || one.primary));
        if let Some(known) = known {
            return Ok((Self(known), false));
        }
        let device = match primary {
            Some(device) => device,
            None => device_of(driver, context)?,
        };
        let info = describe(driver, device, ordinal(driver, device)?)?;
        let limits = Limits::of(driver, device)?;
        let inner = Arc::new(Inner {
            driver,
            context,
            id,
            device,
            primary: primary.is_some(),
            info,
            limits,
            lost: AtomicBool::new(false),
            events: Events::default(),
            memory: Memory::default(),
            modules: Modules::default(),
            keep: Mutex::default(),
        });
        all.push(Arc::downgrade(&inner));
        Ok((Self(inner), true))
    }

    /// The `CUcontext`.
    pub fn context(&self) -> *mut c_void {
        self.0.context.cast()
    }

    pub fn info(&self) -> &GpuInfo {
        &self.0.info
    }

    /// Whether memory and streams of the one can be used with the other.
    pub fn is_same_context(&self, other: &Self) -> bool {
        self.0.context == other.0.context && self.0.id == other.0.id
    }

    /// Whether the context has died, see [`GpuFailure::DeviceLost`]. Nothing brings it back.
    pub fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Bytes of the card's memory that are free, and all of them; other programs' use counts.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn free_memory(&self) -> Result<(u64, u64)> {
        let _current = self.current()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: places for the answers, in the current context.
        let asked = unsafe { (self.0.driver.memory_info)(&mut free, &mut total) };
        self.0.check(asked, "asking for the free memory")?;
        Ok((u64::try_from(free).unwrap_or(u64::MAX), u64::try_from(total).unwrap_or(u64::MAX)))
    }

    /// Waits until everything that was enqueued in this context, by anybody, is done. For tests and the end of a program.
    ///
    /// # Errors
    /// What was enqueued failed.
    pub fn synchronize(&self) -> Result<()> {
        let _current = self.current()?;
        // SAFETY: acts on the current context.
        self.0.check(unsafe { (self.0.driver.context_synchronize)() }, "waiting for the GPU")
    }

    /// Makes this the thread's current context until the guard is dropped: for calls of other libraries. Everything in here does
    /// it by itself.
    ///
    /// # Errors
    /// The context is dead.
    pub fn current(&self) -> Result<Current<'_>> {
        self.0.current()
    }
}

impl PartialEq for Gpu {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_context(other)
    }
}

impl Eq for Gpu {}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpu({} {:?} {:p})", self.0.info.ordinal, self.0.info.name, self.0.context)
    }
}

impl Inner {
    pub(super) fn current(&self) -> Result<Current<'_>> {
        // SAFETY: a context that lives as long as `self` (see `Gpu::of_context`).
        self.check(unsafe { (self.driver.context_push)(self.context) }, "entering the GPU's context")?;
        self.relax();
        Ok(Current { inner: self, _thread: PhantomData })
    }

    /// While ONNX Runtime captures a CUDA graph, on a thread of its own, the driver refuses other threads to allocate memory
    /// unless they say that this is no part of it. Once for each thread; what fails leaves it as it was.
    fn relax(&self) {
        thread_local!(static RELAXED: Cell<bool> = const { Cell::new(false) });
        if let (Some(exchange), false) = (self.driver.capture_mode, RELAXED.get()) {
            let mut mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
            // SAFETY: a place with the mode to take, into which the mode before is put.
            unsafe { exchange(&mut mode) };
            RELAXED.set(true);
        }
    }

    /// `Ok` for success, else what went wrong. Remembers that the context has died.
    pub(super) fn check(&self, code: u32, doing: &str) -> Result<()> {
        if code == code::SUCCESS {
            return Ok(());
        }
        if classify(code).0.is_final() {
            self.lost.store(true, Ordering::Relaxed);
        }
        Err(self.driver.error(code, &format!("GPU {}, {}: {doing}", self.info.ordinal, self.info.name)))
    }

    pub(super) fn compute(&self) -> (u32, u32) {
        self.info.compute
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A context that cannot be entered is gone, with all that was in it.
        // SAFETY: a context that lives as long as `self`.
        if unsafe { (self.driver.context_push)(self.context) } == code::SUCCESS {
            self.memory.free_all(self);
            self.modules.unload(self.driver);
            self.events.destroy(self.driver);
            // SAFETY: leaves what was entered above.
            unsafe { (self.driver.context_pop)(&mut null_mut()) };
        }
        if self.primary {
            // SAFETY: retained in `Gpu::primary`, once.
            unsafe { (self.driver.primary_release)(self.device) };
        }
    }
}

impl Limits {
    fn of(driver: &Driver, device: CUdevice) -> Result<Self> {
        use CUdevice_attribute as A;
        let ask = |which| attribute(driver, device, which);
        Ok(Self {
            grid: [
                ask(A::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X)?,
                ask(A::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y)?,
                ask(A::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z)?,
            ],
            block: [
                ask(A::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X)?,
                ask(A::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y)?,
                ask(A::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z)?,
            ],
            threads: ask(A::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
        })
    }
}

/// Lets threads that wait in a device's primary context sleep, ONNX Runtime's and GStreamer's too: a spinning one takes a core from
/// the decoders. Not where somebody else has opened the context or has chosen.
fn sleep_while_waiting(driver: &Driver, device: CUdevice) {
    let (Some(ask), Some(set)) = (driver.primary_state, driver.primary_flags) else { return };
    let (mut flags, mut active) = (0, 0);
    // SAFETY: places for the answers, and a device that is there.
    let asked = unsafe { ask(device, &mut flags, &mut active) };
    if asked == code::SUCCESS && (flags, active) == (0, 0) {
        // SAFETY: a device that is there, and one of the driver's flags. Refused, it is as it was.
        unsafe { set(device, CUctx_flags::CU_CTX_SCHED_BLOCKING_SYNC as u32) };
    }
}

fn device_of(driver: &Driver, context: CUcontext) -> Result<CUdevice> {
    let mut device = 0;
    // SAFETY: a live context (see `Gpu::of_context`), left again below.
    driver.check(unsafe { (driver.context_push)(context) }, "entering a CUDA context")?;
    // SAFETY: a place for the answer.
    let asked = unsafe { (driver.context_device)(&mut device) };
    // SAFETY: leaves what was entered above.
    unsafe { (driver.context_pop)(&mut null_mut()) };
    driver.check(asked, "asking a CUDA context for its GPU")?;
    Ok(device)
}

/// While it lives, its [`Gpu`]'s context is the current one of this thread.
pub struct Current<'a> {
    inner: &'a Inner,
    /// The current context is the thread's own.
    _thread: PhantomData<*const ()>,
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        // SAFETY: leaves what `Inner::current` entered; guards of one thread are dropped in the opposite order, and one that is
        // not makes a wrong context current, never a bad address.
        unsafe { (self.inner.driver.context_pop)(&mut null_mut()) };
    }
}
