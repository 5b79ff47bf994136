//! A CUDA driver that is none: `libcuda.so.1` out of `tests/stand-in`, which works on ordinary memory and runs this
//! project's kernels compiled from the same `.cu` files by g++. With it the whole path to a GPU (context, NVRTC, modules,
//! launch parameters, buffers, events, GStreamer's own CUDA elements) is tested on machines without one.
//!
//! ```no_run
//! let Some(gpu) = facialads_testkit::gpu::stand_in() else { return };
//! gpu.fail("cuMemAlloc", facialads_testkit::gpu::OUT_OF_MEMORY, 3, Some(1));
//! ```
//!
//! A test that calls [`stand_in`] belongs into an integration-test file of its own: from then on the process has a GPU.
//! What the stand-in cannot show is listed in `tests/stand-in/README.md`.

use crate::{root, skip};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use std::{
    ffi::{CString, c_char, c_int, c_longlong, c_ulong, c_ulonglong},
    path::PathBuf,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

mod build;
mod onnx;

pub use onnx::{OnnxRuntime, environment, onnx_runtime};

/// `CUDA_ERROR_OUT_OF_MEMORY`
pub const OUT_OF_MEMORY: i32 = 2;
/// `CUDA_ERROR_DEVICE_UNAVAILABLE`: another process has the card for itself.
pub const UNAVAILABLE: i32 = 46;
/// `CUDA_ERROR_NO_DEVICE`
pub const NO_DEVICE: i32 = 100;
/// `CUDA_ERROR_ILLEGAL_ADDRESS`
pub const ILLEGAL_ADDRESS: i32 = 700;
/// `CUDA_ERROR_LAUNCH_FAILED`
pub const LAUNCH_FAILED: i32 = 719;
/// `CUDA_ERROR_SYSTEM_DRIVER_MISMATCH`: the kernel module and the library are of different versions.
pub const DRIVER_MISMATCH: i32 = 803;
/// `CUDA_ERROR_UNKNOWN`: what a card that fell off the bus gives.
pub const UNKNOWN: i32 = 999;

/// The exported functions that tests steer the driver with.
struct Driver {
    set: unsafe extern "C" fn(*const c_char, c_longlong),
    fail: unsafe extern "C" fn(*const c_char, c_int, c_ulong, c_ulong, c_int),
    reset: unsafe extern "C" fn(),
    count: unsafe extern "C" fn(*const c_char) -> c_ulonglong,
    text: unsafe extern "C" fn(*const c_char, *mut u8, usize) -> usize,
    kernels: unsafe extern "C" fn(*mut u8, usize) -> usize,
}

/// The stand-in, for one test alone: others that ask for it wait until this is dropped. Dropping it puts everything back
/// (one GPU, no failures) and fails the test if the driver noticed misuse that [`StandIn::problems`] was not asked about:
/// a write into a guard zone, memory of another context, freed memory, undefined behaviour in a kernel.
pub struct StandIn {
    driver: &'static Driver,
    _alone: MutexGuard<'static, ()>,
}

/// The stand-in driver, compiled if need be, in this process and in place of any other `libcuda.so.1`. `None`, said out
/// loud, where there is no g++ to compile it with, or no NVRTC to compile kernels with.
pub fn stand_in() -> Option<StandIn> {
    let stand_in = driver()?;
    if nvrtc().is_none() {
        skip(
            "there is no NVRTC: run `make test`, whose set-up fetches it, or `facialads models install --with nvrtc`, \
             or set FACIALADS_CUDA_LIBS to its folder",
        );
        return None;
    }
    Some(stand_in)
}

/// NVRTC as a test may expect it to be found: in `$FACIALADS_CUDA_LIBS` or where set-up puts it, beside the models.
pub fn nvrtc() -> Option<PathBuf> {
    let set = std::env::var_os("FACIALADS_CUDA_LIBS");
    let folders = set.as_deref().map(std::env::split_paths).into_iter().flatten();
    let beside = crate::models_dir().parent().map(|parent| parent.join("lib/nvrtc"));
    folders.chain(beside).find_map(|folder| {
        let mut files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        files.find(|file| {
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libnvrtc.so"))
        })
    })
}

/// The stand-in for tests that compile no kernels: needs no NVRTC.
pub fn driver() -> Option<StandIn> {
    static ALONE: Mutex<()> = Mutex::new(());
    static DRIVER: OnceLock<Result<Driver, String>> = OnceLock::new();
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    match DRIVER.get_or_init(load) {
        Ok(driver) => {
            let stand_in = StandIn { driver, _alone: alone };
            stand_in.reset();
            Some(stand_in)
        }
        Err(reason) => {
            skip(&format!("the stand-in CUDA driver is not to be had: {reason}"));
            None
        }
    }
}

/// The stand-in, GStreamer started on it, and `cudaupload`, `cudadownload` and the like registered.
///
/// Whatever registry file GStreamer uses says that its plugin `nvcodec` has no elements, because it was written where
/// there was no driver. So the plugin is loaded again in this process; the file stays as it is.
#[cfg(feature = "gst")]
pub fn gstreamer() -> Option<StandIn> {
    let stand_in = driver()?;
    elements(&stand_in).then_some(stand_in)
}

/// GStreamer's CUDA elements, where the stand-in is held already. False, said out loud, where they are not to be had.
#[cfg(feature = "gst")]
pub fn elements(_driver: &StandIn) -> bool {
    if let Err(error) = gst::init() {
        skip(&format!("GStreamer does not start: {error}"));
        return false;
    }
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        let plugin = gst::Registry::get().find_plugin("nvcodec").ok_or("it is not installed")?;
        let file = plugin.filename().ok_or("it has no file")?;
        gst::Plugin::load_file(file).map_err(|error| error.to_string())?;
        gst::ElementFactory::find("cudaupload").map(|_| ()).ok_or("it has no cudaupload".into())
    });
    if let Err(reason) = loaded {
        skip(&format!("GStreamer's plugin nvcodec is not to be had (gstreamer1.0-plugins-bad): {reason}"));
    }
    loaded.is_ok()
}

fn load() -> Result<Driver, String> {
    let folder = folder()?;
    // `libcuda.so` too: some ask for that name first, and a machine with a toolkit has one.
    let library = open(&folder.join("libcuda.so.1"))?;
    for name in ["libcuda.so", "libnvcuvid.so.1"] {
        // A library that is dropped is closed, and not found by its name any more.
        std::mem::forget(open(&folder.join(name))?);
    }
    // SAFETY: the names and signatures are those of tests/stand-in/state.cpp, and the library is never closed.
    let driver = unsafe {
        Driver {
            set: symbol(&library, c"standin_set")?,
            fail: symbol(&library, c"standin_fail")?,
            reset: symbol(&library, c"standin_reset")?,
            count: symbol(&library, c"standin_count")?,
            text: symbol(&library, c"standin_text")?,
            kernels: symbol(&library, c"standin_kernels")?,
        }
    };
    std::mem::forget(library);
    // SAFETY: loading runs the library's initialisers, which for libcuda have no preconditions.
    let found =
        unsafe { Library::open(Some("libcuda.so.1"), RTLD_NOW) }.map_err(|error| error.to_string())?;
    // SAFETY: only whether the symbol is there is asked.
    if unsafe { found.get::<*const ()>(b"standin_set\0") }.is_err() {
        return Err("another libcuda.so.1 was loaded into this process before it".into());
    }
    Ok(driver)
}

/// The stand-in for another process: the folder to put into its `LD_LIBRARY_PATH`, with a `GST_REGISTRY` of its own, since the usual
/// one was written where there was no driver. `None`, said out loud, as [`stand_in`].
pub fn library_path() -> Option<PathBuf> {
    let here = stand_in()?;
    let found = folder().ok().cloned();
    drop(here);
    found
}

/// The folder with the compiled libraries.
fn folder() -> Result<&'static PathBuf, String> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOLDER.get_or_init(build::build).as_ref().map_err(String::clone)
}

/// Opens a library for the whole process, for good.
fn open(file: &PathBuf) -> Result<Library, String> {
    // SAFETY: a library of ours, whose initialisers only fill a table.
    unsafe { Library::open(Some(file), RTLD_NOW | RTLD_GLOBAL) }.map_err(|error| error.to_string())
}

/// # Safety
/// `T` must be the type of the function of that name.
unsafe fn symbol<T: Copy>(library: &Library, name: &std::ffi::CStr) -> Result<T, String> {
    // SAFETY: the caller vouches for the type.
    unsafe { library.get::<T>(name.to_bytes_with_nul()) }
        .map(|found| *found)
        .map_err(|error| error.to_string())
}

impl StandIn {
    fn set(&self, what: &str, value: i64) {
        let what = c_string(what);
        // SAFETY: a NUL-terminated name that lives through the call.
        unsafe { (self.driver.set)(what.as_ptr(), value) }
    }

    /// How many GPUs there are; 0 is a driver without a card.
    pub fn devices(&self, number: u32) {
        self.set("devices", number.into());
    }

    /// The version of CUDA that the driver is of: (12, 4). An older one does not take newer PTX.
    pub fn driver_version(&self, major: u32, minor: u32) {
        self.set("driver", i64::from(major) * 1000 + i64::from(minor) * 10);
    }

    /// Compute capability of every GPU: (8, 6) unless told.
    pub fn compute_capability(&self, major: u32, minor: u32) {
        self.set("compute", i64::from(major) * 10 + i64::from(minor));
    }

    /// Memory of every GPU in bytes: 8 GiB unless told.
    pub fn memory(&self, bytes: u64) {
        self.set("memory", i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The GPUs are instances of a card in MIG mode: their newer UUID is not the card's.
    pub fn mig(&self, on: bool) {
        self.set("mig", on.into());
    }

    /// Work runs as late as the API allows instead of at once: what forgets to wait for something shows itself.
    pub fn run_late(&self, late: bool) {
        self.set("schedule", late.into());
    }

    /// Calls whose names begin with `call` fail with `code`: the first `after` succeed, then `times` fail (`None`: all).
    pub fn fail(&self, call: &str, code: i32, after: u64, times: Option<u64>) {
        self.inject(call, code, after, times, false);
    }

    /// The card is lost at the launch after `launches` more: every call on every context fails from then on.
    pub fn lose_device(&self, launches: u64) {
        self.inject("cuLaunchKernel", UNKNOWN, launches, Some(1), true);
    }

    fn inject(&self, call: &str, code: i32, after: u64, times: Option<u64>, sticky: bool) {
        let call = c_string(call);
        // SAFETY: a NUL-terminated name that lives through the call, which copies it.
        unsafe { (self.driver.fail)(call.as_ptr(), code, after, times.unwrap_or(u64::MAX), sticky.into()) }
    }

    /// Ends every injected failure, finds lost cards again and puts counters and settings back.
    pub fn reset(&self) {
        // SAFETY: no arguments; locks inside.
        unsafe { (self.driver.reset)() }
    }

    /// A counter by its name: `call cuMemAlloc_v2`, `launch fill`, `bytes d2h`, `copies d2h`, `live allocations`,
    /// `live bytes`, `live streams`, `live events`, `live pinned`, `leaked allocations`, …
    pub fn count(&self, name: &str) -> u64 {
        let name = c_string(name);
        // SAFETY: a NUL-terminated name that lives through the call.
        unsafe { (self.driver.count)(name.as_ptr()) }
    }

    /// Bytes copied from the host to a device since the last reset, by whatever asked for it.
    pub fn bytes_to_device(&self) -> u64 {
        self.count("bytes h2d")
    }

    /// Bytes copied from a device to the host since the last reset.
    pub fn bytes_to_host(&self) -> u64 {
        self.count("bytes d2h")
    }

    /// Launches of one kernel since the last reset.
    pub fn launches(&self, kernel: &str) -> u64 {
        self.count(&format!("launch {kernel}"))
    }

    /// Every counter, one a line.
    pub fn counters(&self) -> String {
        self.text("counters")
    }

    /// From now on calls are written down; what was written is forgotten.
    pub fn start_log(&self) {
        self.set("log", 1);
    }

    /// The calls since [`start_log`](Self::start_log), a line each.
    pub fn log(&self) -> Vec<String> {
        self.text("log").lines().map(str::to_owned).collect()
    }

    /// The misuse that was noticed since the last reset. Asking takes it off the record.
    pub fn problems(&self) -> Vec<String> {
        let problems = self.text("problems").lines().map(str::to_owned).collect();
        self.set("forget problems", 0);
        problems
    }

    /// Kernels that were compiled in.
    pub fn kernels(&self) -> Vec<String> {
        // SAFETY: a null buffer asks for the length only; the buffer then is of that length.
        let bytes = unsafe {
            let mut bytes = vec![0; (self.driver.kernels)(std::ptr::null_mut(), 0)];
            (self.driver.kernels)(bytes.as_mut_ptr(), bytes.len());
            bytes
        };
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    fn text(&self, what: &str) -> String {
        let what = c_string(what);
        let mut bytes = Vec::new();
        loop {
            // SAFETY: the buffer is as long as it is said to be; the name lives through the call.
            let length = unsafe { (self.driver.text)(what.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
            if length <= bytes.len() {
                bytes.truncate(length);
                return String::from_utf8_lossy(&bytes).into_owned();
            }
            bytes.resize(length, 0);
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let problems = self.problems();
        self.reset();
        if !std::thread::panicking() {
            assert!(problems.is_empty(), "the stand-in CUDA driver noticed: {problems:#?}");
        }
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}

/// The folder with the kernels' sources.
fn kernels_dir() -> PathBuf {
    root().join("crates/vision/src/cuda/kernels")
}
