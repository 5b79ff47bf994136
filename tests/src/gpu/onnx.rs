//! The stand-in for an ONNX Runtime with CUDA and TensorRT: the real library for CPUs behind it.

use super::{StandIn, c_string, folder, open, stand_in, symbol};
use crate::skip;
use std::{
    ffi::{c_char, c_int, c_ulong, c_ulonglong},
    path::PathBuf,
    sync::OnceLock,
};

struct Functions {
    open: unsafe extern "C" fn(*const c_char) -> c_int,
    providers: unsafe extern "C" fn(c_int),
    fail: unsafe extern "C" fn(*const c_char, *const c_char, c_ulong, c_ulong),
    pause: unsafe extern "C" fn(c_ulong),
    resume: unsafe extern "C" fn(),
    reset: unsafe extern "C" fn(),
    count: unsafe extern "C" fn(*const c_char) -> c_ulonglong,
    log: unsafe extern "C" fn(*mut u8, usize) -> usize,
}

/// An ONNX Runtime with CUDA and TensorRT providers, on the stand-in driver. Networks run on the CPU behind it, on the
/// stand-in's device memory, and their outputs are there when their stream gets to them. Dropping it ends its failures.
pub struct OnnxRuntime {
    functions: &'static Functions,
    /// The driver below.
    pub gpu: StandIn,
}

/// Puts the stand-in in the place of `$ORT_DYLIB_PATH` for this process. Has to come before anything opens ONNX Runtime, so
/// every test of a file that calls this has to begin with it. `None`, said out loud, where the driver or the real library
/// is not to be had.
pub fn onnx_runtime() -> Option<OnnxRuntime> {
    let gpu = stand_in()?;
    static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();
    match LOADED.get_or_init(load) {
        Ok(functions) => {
            // SAFETY: no arguments; locks inside.
            unsafe { (functions.reset)() }
            Some(OnnxRuntime { functions, gpu })
        }
        Err(reason) => {
            skip(&format!("the stand-in for ONNX Runtime is not to be had: {reason}"));
            None
        }
    }
}

/// The library that the stand-in wraps.
fn real() -> Result<PathBuf, String> {
    let real = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    let installed = || crate::models_dir().parent().map(|parent| parent.join("lib/libonnxruntime.so"));
    real.or_else(installed)
        .filter(|path| path.exists())
        .ok_or_else(|| "run `make test`, whose set-up fetches it".to_owned())
}

/// Environment variables for a program that a test starts: it finds both stand-ins. Not to be mixed with [`onnx_runtime`] in one
/// test file. `None`, said out loud, as there.
pub fn environment() -> Option<Vec<(&'static str, PathBuf)>> {
    if super::nvrtc().is_none() {
        skip("there is no NVRTC: run `make test`, whose set-up fetches it");
        return None;
    }
    match folder().cloned().and_then(|folder| Ok((folder, real()?))) {
        Ok((folder, real)) => Some(vec![
            ("LD_PRELOAD", folder.join("libcuda.so.1")),
            ("ORT_DYLIB_PATH", folder.join("libonnxruntime.so")),
            ("STAND_IN_ONNXRUNTIME", real),
            ("XDG_CACHE_HOME", folder.join("cache")),
        ]),
        Err(reason) => {
            skip(&format!("the stand-ins are not to be had: {reason}"));
            None
        }
    }
}

fn load() -> Result<Functions, String> {
    let real = real()?;
    let file = folder()?.join("libonnxruntime.so");
    let library = open(&file)?;
    // SAFETY: the names and signatures are those of tests/stand-in/onnxruntime/onnxruntime.cpp, and the library is never closed.
    let functions = unsafe {
        Functions {
            open: symbol(&library, c"standin_ort_open")?,
            providers: symbol(&library, c"standin_ort_providers")?,
            fail: symbol(&library, c"standin_ort_fail")?,
            pause: symbol(&library, c"standin_ort_pause")?,
            resume: symbol(&library, c"standin_ort_resume")?,
            reset: symbol(&library, c"standin_ort_reset")?,
            count: symbol(&library, c"standin_ort_count")?,
            log: symbol(&library, c"standin_ort_log")?,
        }
    };
    std::mem::forget(library);
    let path = c_string(&real.display().to_string());
    // SAFETY: a path that ends in NUL; the library it names is the one that tests use anyway.
    if unsafe { (functions.open)(path.as_ptr()) } == 0 {
        return Err(format!("{} cannot be opened", real.display()));
    }
    // SAFETY: tests of such a file all begin by waiting for this; none of them has read the environment before.
    unsafe { std::env::set_var("ORT_DYLIB_PATH", &file) };
    // Engines and kernels of a card that is none do not belong into anybody's cache.
    // SAFETY: as above.
    unsafe { std::env::set_var("XDG_CACHE_HOME", folder()?.join("cache")) };
    Ok(functions)
}

impl OnnxRuntime {
    /// Whether the library was built with CUDA and TensorRT.
    pub fn providers(&self, there: bool) {
        // SAFETY: a number.
        unsafe { (self.functions.providers)(there.into()) }
    }

    /// Something fails with ONNX Runtime's (or CUDA's) words: `append cuda`, `append tensorrt`, `session`, `allocate`,
    /// `run`. The first `after` succeed, then `times` fail (`None`: all).
    pub fn fail(&self, at: &str, words: &str, after: u64, times: Option<u64>) {
        let (at, words) = (c_string(at), c_string(words));
        // SAFETY: texts that end in NUL and are copied.
        unsafe { (self.functions.fail)(at.as_ptr(), words.as_ptr(), after, times.unwrap_or(u64::MAX)) }
    }

    /// The run on a GPU after `after` more stops in its middle until [`resume`](Self::resume); `count("paused")` tells when it has.
    pub fn pause(&self, after: u64) {
        // SAFETY: a number; locks inside.
        unsafe { (self.functions.pause)(after) }
    }

    /// The run that was stopped goes on, and none is any more.
    pub fn resume(&self) {
        // SAFETY: no arguments; locks inside.
        unsafe { (self.functions.resume)() }
    }

    /// Ends every injected failure here and in the driver below, and puts counters, settings and the log back.
    pub fn reset(&self) {
        // SAFETY: no arguments; locks inside.
        unsafe { (self.functions.reset)() }
        self.gpu.reset();
    }

    /// How often something was asked for: by the names of [`fail`](Self::fail).
    pub fn count(&self, what: &str) -> u64 {
        let what = c_string(what);
        // SAFETY: a name that ends in NUL.
        unsafe { (self.functions.count)(what.as_ptr()) }
    }

    /// Providers that were appended, with their options (`append cuda device_id=0 use_tf32=0 …`), and sessions that were made.
    pub fn log(&self) -> Vec<String> {
        // SAFETY: a null buffer asks for the length only; the buffer then is of that length.
        let bytes = unsafe {
            let mut bytes = vec![0; (self.functions.log)(std::ptr::null_mut(), 0)];
            (self.functions.log)(bytes.as_mut_ptr(), bytes.len());
            bytes
        };
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

impl Drop for OnnxRuntime {
    fn drop(&mut self) {
        // SAFETY: no arguments; locks inside.
        unsafe { (self.functions.reset)() }
    }
}
