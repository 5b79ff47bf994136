//! The driver's library, opened at run time.
//!
//! Types and signatures are `cudarc`'s, generated from NVIDIA's headers, and checked against them when this compiles. Its loader
//! is not used: it panics where the library or a symbol is missing, takes `libcuda.so` (the toolkit's stub) before
//! `libcuda.so.1`, and returns results as an enum, for which a code of a newer driver is undefined behaviour.

use super::error::{GpuFailure, classify, code, gpu_error};
use crate::Result;
use cudarc::driver::sys::{
    CUcontext, CUdevice, CUdevice_attribute, CUdeviceptr, CUevent, CUfunction, CUjit_option, CUmodule,
    CUpointer_attribute, CUresult, CUstream, CUstreamCaptureMode, CUstreamCaptureStatus, CUuuid,
};
use libloading::Library;
use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    sync::OnceLock,
};

/// Always this name: `libcuda.so` may be the toolkit's stub.
const FILE: &str = "libcuda.so.1";
const INSTALL: &str = "install the NVIDIA driver, version 470 or later (Debian: nvidia-driver; Ubuntu: `sudo ubuntu-drivers install`; \
    in a container: start it with its GPUs, --gpus all), or use device=cpu";

macro_rules! table {
    (required { $($field:ident = $symbol:ident($($argument:ty),*);)* } optional { $($maybe:ident = $name:ident($($type:ty),*);)* }) => {
        /// The driver's functions; results are plain numbers, since a driver may know more codes than the bindings.
        pub(super) struct Driver {
            $(pub $field: unsafe extern "C" fn($($argument),*) -> u32,)*
            $(pub $maybe: Option<unsafe extern "C" fn($($type),*) -> u32>,)*
            error_name: Option<unsafe extern "C" fn(u32, *mut *const c_char) -> u32>,
            error_text: Option<unsafe extern "C" fn(u32, *mut *const c_char) -> u32>,
            /// The newest CUDA that the driver can run, (12, 4).
            pub version: (u32, u32),
            _library: Library,
        }
        $(const _: unsafe fn($($argument),*) -> CUresult = cudarc::driver::sys::$symbol;)*
        $(const _: unsafe fn($($type),*) -> CUresult = cudarc::driver::sys::$name;)*

        impl Driver {
            /// # Errors
            /// A function is missing; the message names it.
            fn of(library: Library) -> std::result::Result<Self, &'static str> {
                // SAFETY: each function's signature is the one in the bindings generated from cuda.h (checked above).
                unsafe {
                    Ok(Self {
                        $($field: *library
                            .get(concat!(stringify!($symbol), "\0"))
                            .map_err(|_| stringify!($symbol))?,)*
                        $($maybe: library.get(concat!(stringify!($name), "\0")).ok().map(|f| *f),)*
                        error_name: library.get("cuGetErrorName\0").ok().map(|f| *f),
                        error_text: library.get("cuGetErrorString\0").ok().map(|f| *f),
                        version: (0, 0),
                        _library: library,
                    })
                }
            }
        }
    };
}

table! {
required {
    init = cuInit(c_uint);
    driver_version = cuDriverGetVersion(*mut c_int);
    device_count = cuDeviceGetCount(*mut c_int);
    device = cuDeviceGet(*mut CUdevice, c_int);
    device_name = cuDeviceGetName(*mut c_char, c_int, CUdevice);
    device_uuid = cuDeviceGetUuid_v2(*mut CUuuid, CUdevice);
    device_memory = cuDeviceTotalMem_v2(*mut usize, CUdevice);
    device_attribute = cuDeviceGetAttribute(*mut c_int, CUdevice_attribute, CUdevice);
    primary_retain = cuDevicePrimaryCtxRetain(*mut CUcontext, CUdevice);
    primary_release = cuDevicePrimaryCtxRelease_v2(CUdevice);
    context_push = cuCtxPushCurrent_v2(CUcontext);
    context_pop = cuCtxPopCurrent_v2(*mut CUcontext);
    context_device = cuCtxGetDevice(*mut CUdevice);
    context_synchronize = cuCtxSynchronize();
    stream_priorities = cuCtxGetStreamPriorityRange(*mut c_int, *mut c_int);
    stream_create = cuStreamCreateWithPriority(*mut CUstream, c_uint, c_int);
    stream_destroy = cuStreamDestroy_v2(CUstream);
    stream_synchronize = cuStreamSynchronize(CUstream);
    stream_wait = cuStreamWaitEvent(CUstream, CUevent, c_uint);
    event_create = cuEventCreate(*mut CUevent, c_uint);
    event_destroy = cuEventDestroy_v2(CUevent);
    event_record = cuEventRecord(CUevent, CUstream);
    event_query = cuEventQuery(CUevent);
    event_synchronize = cuEventSynchronize(CUevent);
    event_elapsed = cuEventElapsedTime(*mut f32, CUevent, CUevent);
    memory_allocate = cuMemAlloc_v2(*mut CUdeviceptr, usize);
    memory_free = cuMemFree_v2(CUdeviceptr);
    memory_info = cuMemGetInfo_v2(*mut usize, *mut usize);
    memory_set = cuMemsetD8Async(CUdeviceptr, u8, usize, CUstream);
    copy_to_device = cuMemcpyHtoDAsync_v2(CUdeviceptr, *const c_void, usize, CUstream);
    copy_to_host = cuMemcpyDtoHAsync_v2(*mut c_void, CUdeviceptr, usize, CUstream);
    copy_on_device = cuMemcpyDtoDAsync_v2(CUdeviceptr, CUdeviceptr, usize, CUstream);
    copy_between = cuMemcpyPeerAsync(CUdeviceptr, CUcontext, CUdeviceptr, CUcontext, usize, CUstream);
    host_allocate = cuMemHostAlloc(*mut *mut c_void, usize, c_uint);
    host_free = cuMemFreeHost(*mut c_void);
    module_load = cuModuleLoadDataEx(*mut CUmodule, *const c_void, c_uint, *mut CUjit_option, *mut *mut c_void);
    module_unload = cuModuleUnload(CUmodule);
    module_function = cuModuleGetFunction(*mut CUfunction, CUmodule, *const c_char);
    launch = cuLaunchKernel(CUfunction, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, CUstream, *mut *mut c_void, *mut *mut c_void);
}
optional {
    // Before CUDA 13 this one answers with the whole card's UUID where the other one answers with the MIG instance's.
    device_uuid_of_card = cuDeviceGetUuid(*mut CUuuid, CUdevice);
    primary_state = cuDevicePrimaryCtxGetState(CUdevice, *mut c_uint, *mut c_int);
    primary_flags = cuDevicePrimaryCtxSetFlags_v2(CUdevice, c_uint);
    context_id = cuCtxGetId(CUcontext, *mut u64);
    stream_context = cuStreamGetCtx(CUstream, *mut CUcontext);
    capture_mode = cuThreadExchangeStreamCaptureMode(*mut CUstreamCaptureMode);
    stream_capturing = cuStreamIsCapturing(CUstream, *mut CUstreamCaptureStatus);
    pointer_attribute = cuPointerGetAttribute(*mut c_void, CUpointer_attribute, CUdeviceptr);
}
}

static DRIVER: OnceLock<Driver> = OnceLock::new();

/// The opened and started driver. A failure is not remembered: the driver may be installed while we run.
pub(super) fn driver() -> Result<&'static Driver> {
    if let Some(driver) = DRIVER.get() {
        return Ok(driver);
    }
    let opened = open()?;
    // Two threads that open it at once both succeed: the library counts its users, cuInit may be called again.
    Ok(DRIVER.get_or_init(|| opened))
}

fn open() -> Result<Driver> {
    // SAFETY: NVIDIA's driver library, whose initialisers may run on any thread.
    let library = unsafe { Library::new(FILE) }.map_err(|e| {
        gpu_error(
            GpuFailure::Driver,
            format!("there is no NVIDIA driver here ({})", loader_says(&e)),
            INSTALL,
        )
    })?;
    let mut driver = Driver::of(library).map_err(|symbol| {
        gpu_error(
            GpuFailure::Driver,
            format!("the NVIDIA driver is too old: {FILE} has no {symbol}"),
            INSTALL,
        )
    })?;
    // SAFETY: the first call of the driver's interface; 0 is the only flag there is.
    let started = unsafe { (driver.init)(0) };
    driver.check(started, "starting the NVIDIA driver")?;
    let mut version = 0;
    // SAFETY: a place for the answer.
    let asked = unsafe { (driver.driver_version)(&mut version) };
    driver.check(asked, "asking the NVIDIA driver for its version")?;
    let version = u32::try_from(version).unwrap_or(0);
    driver.version = (version / 1000, version % 1000 / 10);
    Ok(driver)
}

/// The dynamic loader's own words, which `libloading` keeps in the source of its error.
pub(super) fn loader_says(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

impl Driver {
    /// `Ok` for success, else what went wrong while `doing` ("starting the driver").
    pub(super) fn check(&self, code: u32, doing: &str) -> Result<()> {
        if code == code::SUCCESS { Ok(()) } else { Err(self.error(code, doing)) }
    }

    pub(super) fn error(&self, code: u32, doing: &str) -> crate::Error {
        let (failure, remedy) = classify(code);
        gpu_error(failure, format!("{doing}: {}", self.name(code)), remedy)
    }

    /// "CUDA_ERROR_OUT_OF_MEMORY (out of memory)"
    fn name(&self, code: u32) -> String {
        let ask = |function: Option<unsafe extern "C" fn(u32, *mut *const c_char) -> u32>| {
            let mut text = std::ptr::null();
            // SAFETY: takes any number, known or not; the answer is a static string or null.
            let answered = unsafe { function?(code, &mut text) };
            if answered != code::SUCCESS || text.is_null() {
                return None;
            }
            // SAFETY: a static string that ends in NUL.
            Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        };
        match (ask(self.error_name), ask(self.error_text)) {
            (Some(name), Some(text)) => format!("{name} ({text})"),
            (Some(name), None) => name,
            _ => format!("CUDA error {code}"),
        }
    }
}
