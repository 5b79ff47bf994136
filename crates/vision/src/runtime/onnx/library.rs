//! Finding and opening ONNX Runtime's shared library, once in a process.

use crate::{Error, Result, spec::models_dir};
use ort::environment::Environment;
use std::{
    env,
    ffi::CStr,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

#[cfg(target_os = "macos")]
const FILE: &str = "libonnxruntime.dylib";
#[cfg(not(target_os = "macos"))]
const FILE: &str = "libonnxruntime.so";

// Never dropped: networks live in registries and worker threads that end in no certain order.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);
static OPENED: OnceLock<PathBuf> = OnceLock::new();

/// Where the library is looked for: `$ORT_DYLIB_PATH` alone if it is set; else beside the models' folder
/// `../lib/onnxruntime-gpu/libonnxruntime.so`, which runs networks on CPUs as well, and `../lib/libonnxruntime.so`; then the
/// dynamic loader's own path.
pub fn library_candidates() -> Vec<PathBuf> {
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return vec![PathBuf::from(path)];
    }
    let lib = models_dir().parent().map(|parent| parent.join("lib"));
    let installed = lib.map(|lib| [lib.join("onnxruntime-gpu").join(FILE), lib.join(FILE)]);
    installed.into_iter().flatten().filter(|path| path.exists()).chain([PathBuf::from(FILE)]).collect()
}

/// The opened library's environment. A failure is not remembered: the library may be installed while we run.
pub(super) fn environment() -> Result<Environment> {
    let mut slot = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = slot.as_ref() {
        return Ok(environment.clone());
    }
    let environment = open()?;
    Ok(slot.insert(environment).clone())
}

fn open() -> Result<Environment> {
    let mut problems = Vec::new();
    for path in library_candidates() {
        match ort::init_from(&path) {
            Ok(builder) => {
                // The first one stays: `ort` opens no second.
                let _ = OPENED.set(path);
                return builder
                    .with_name("facialads")
                    .with_telemetry(false)
                    .build()
                    .map_err(|e| Error::Library { problem: e.to_string() });
            }
            Err(e) => problems.push(e.to_string()),
        }
    }
    Err(Error::Library { problem: problems.join("; ") })
}

/// The library's file as it was opened; its providers lie beside it.
pub(super) fn opened() -> Option<PathBuf> {
    let path = OPENED.get()?;
    Some(path.canonicalize().unwrap_or_else(|_| path.clone()))
}

/// ONNX Runtime's version ("1.32.0"), opening the library if need be.
///
/// # Errors
/// The library cannot be opened or is older than 1.24.
pub fn library_version() -> Result<String> {
    environment()?;
    let found = library_candidates().iter().find_map(|path| version_of(path));
    Ok(found.unwrap_or_else(|| "of unknown version".to_owned()))
}

/// What a library says of itself. `ort` checks this when it opens the library, but does not hand it out.
fn version_of(path: &Path) -> Option<String> {
    // SAFETY: `ort` has opened this file or its equal before (see `environment`), so its initialisers have run without harm.
    let library = unsafe { libloading::Library::new(path) }.ok()?;
    // SAFETY: this is the signature that onnxruntime_c_api.h gives OrtGetApiBase in every release.
    let base = unsafe {
        library.get::<unsafe extern "C" fn() -> *const ort::sys::OrtApiBase>(b"OrtGetApiBase").ok()?()
    };
    // SAFETY: OrtGetApiBase returns a pointer to a static, or null.
    let base = unsafe { base.as_ref() }?;
    // SAFETY: GetVersionString returns a static string that ends in NUL.
    let version = unsafe { CStr::from_ptr((base.GetVersionString)()) };
    version.to_str().ok().map(str::to_owned)
}
