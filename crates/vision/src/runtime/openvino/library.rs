//! Finding and opening OpenVINO's shared library, once in a process.

use super::api::{Core, Outcome};
use crate::{runtime::Precision, spec::models_dir};
use openvino_sys::{ov_status_e, ov_version_t};
use std::{
    env,
    ffi::CStr,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The oldest whose C interface is the one that the bindings know: element types were renumbered in 2025.1.
const OLDEST: (u32, u32) = (2025, 1);

/// Settings of the devices, for results equal to ONNX Runtime's and for a pipeline, which has threads of its own and whose other
/// elements need the cores: one thread, no binding of it to a core (a worker would stay bound, and two networks would be bound
/// to the same).
const SETTINGS: [(&str, &str, &str); 6] = [
    ("CPU", "INFERENCE_NUM_THREADS", "1"),
    ("CPU", "NUM_STREAMS", "1"),
    ("CPU", "PERFORMANCE_HINT", "LATENCY"),
    ("CPU", "ENABLE_CPU_PINNING", "NO"),
    ("GPU", "PERFORMANCE_HINT", "LATENCY"),
    ("AUTO", "PERFORMANCE_HINT", "LATENCY"),
];

pub(super) const PRECISION: &str = "INFERENCE_PRECISION_HINT";

/// 32 bits where the device has 16 as well. Left to itself OpenVINO takes bfloat16 on a CPU that has it (AVX512-BF16, AMX):
/// half the time, but other numbers. An NPU has 16 bits only.
const EXACT: [(&str, &str, &str); 2] = [("CPU", PRECISION, "f32"), ("GPU", PRECISION, "f32")];

/// An opened OpenVINO.
pub(super) struct Library {
    /// With 32 bits wherever the device has them.
    pub(super) exact: Core,
    /// With what each device prefers; made when it is first asked for. A core of its own: a precision that was set cannot be
    /// taken back to the device's choice.
    fast: Option<Core>,
    /// "2026.4.1".
    pub(super) version: String,
    /// "CPU", "GPU.0", …
    pub(super) devices: Vec<String>,
}

// Never dropped: networks live in registries and worker threads that end in no certain order.
static LIBRARY: Mutex<Option<Library>> = Mutex::new(None);

/// The opened library, for one thread at a time.
pub(super) struct Opened(MutexGuard<'static, Option<Library>>);

impl Opened {
    /// Runs with the library; `None` never happens after [`open`].
    pub(super) fn with<T>(&mut self, run: impl FnOnce(&mut Library) -> T) -> Option<T> {
        self.0.as_mut().map(run)
    }
}

/// The files that are tried, in order: in `$OPENVINO_LIB_PATH` alone if it is set (a folder, or the file `libopenvino_c.so.…`);
/// else `../lib/openvino` beside the models' folder, `$INTEL_OPENVINO_DIR/runtime/lib/…` (set by OpenVINO's own
/// `setupvars.sh`), the folders of `$LD_LIBRARY_PATH`, and where system packages put libraries.
pub fn openvino_candidates() -> Vec<PathBuf> {
    if let Some(path) = env::var_os("OPENVINO_LIB_PATH").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        // What is not there is tried too: its error names it.
        return vec![newest_in(&path).unwrap_or(path)];
    }
    let installed = models_dir().parent().map(|parent| parent.join("lib").join("openvino"));
    let own = env::var_os("INTEL_OPENVINO_DIR").map(|root| PathBuf::from(root).join("runtime/lib"));
    let own = own.iter().flat_map(|lib| ["intel64", "aarch64", ""].map(|machine| lib.join(machine)));
    let listed = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let triple = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
    let system = ["/usr/local/lib", &triple, "/usr/lib64", "/usr/lib"].map(PathBuf::from);
    let folders = installed.into_iter().chain(own).chain(env::split_paths(&listed)).chain(system);
    folders.filter_map(|folder| newest_in(&folder)).collect()
}

/// The library of the highest version in a folder: `libopenvino_c.so.2641`, `libopenvino_c.2641.dylib`, `libopenvino_c.so`.
fn newest_in(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let rest = name.strip_prefix("libopenvino_c.")?;
        let library = rest == "so" || rest.starts_with("so.") || rest.ends_with("dylib");
        let number = rest.split('.').filter_map(|part| part.parse::<u32>().ok()).next().unwrap_or(0);
        library.then_some((number, entry.path()))
    });
    files.max_by_key(|(number, _)| *number).map(|(_, path)| path)
}

/// Why there is no OpenVINO.
pub(super) enum Problem {
    /// There is none; where it was looked for.
    Absent,
    /// There is one that cannot be used.
    Unusable(String),
}

/// The library. A failure is not remembered: it may be installed while we run.
pub(super) fn open() -> Result<Opened, Problem> {
    let mut slot = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.is_none() {
        *slot = Some(first_that_opens(&openvino_candidates())?);
    }
    Ok(Opened(slot))
}

fn first_that_opens(candidates: &[PathBuf]) -> Result<Library, Problem> {
    let mut problems = Vec::new();
    for path in candidates {
        match start(path) {
            Ok(library) => return Ok(library),
            Err(problem) => problems.push(format!("{}: {problem}", path.display())),
        }
    }
    Err(if problems.is_empty() { Problem::Absent } else { Problem::Unusable(problems.join("; ")) })
}

fn start(path: &Path) -> Result<Library, String> {
    let version = version_of(path)?;
    // After `version_of`, because this keeps the first file that opens, whatever it is, and panics at a function that is
    // not in it.
    openvino_sys::library::load_from(path)?;
    let mut exact = Core::new()?;
    let devices = exact.devices()?;
    configure(&mut exact, &devices, SETTINGS.iter().chain(&EXACT))?;
    Ok(Library { exact, fast: None, version, devices })
}

fn configure<'a>(
    core: &mut Core,
    devices: &[String],
    settings: impl Iterator<Item = &'a (&'static str, &'static str, &'static str)>,
) -> Outcome<()> {
    for (device, key, value) in settings {
        // "GPU.0" is set by "GPU"; AUTO is no device of its own.
        if *device == "AUTO" || devices.iter().any(|d| d.split('.').next() == Some(device)) {
            core.set(device, key, value)?;
        }
    }
    Ok(())
}

impl Library {
    /// For networks of this precision.
    pub(super) fn core(&mut self, precision: Precision) -> Outcome<&Core> {
        if precision == Precision::F32 {
            return Ok(&self.exact);
        }
        let fast = match self.fast.take() {
            Some(core) => core,
            None => {
                let mut core = Core::new()?;
                configure(&mut core, &self.devices, SETTINGS.iter())?;
                core
            }
        };
        Ok(self.fast.insert(fast))
    }
}

/// What a library says it is, e.g. "2026.4.1", if it is an OpenVINO that the bindings know.
fn version_of(path: &Path) -> Result<String, String> {
    // SAFETY: loading runs the initialisers of a file that the user or an administrator put where OpenVINO is looked for.
    let library = unsafe { libloading::Library::new(path) }.map_err(|e| e.to_string())?;
    // SAFETY: the signatures that openvino/c/ov_core.h gives these functions in every release since 2022.1.
    let functions = unsafe {
        let tell = library.get::<unsafe extern "C" fn(*mut ov_version_t) -> i32>(b"ov_get_openvino_version");
        let free = library.get::<unsafe extern "C" fn(*mut ov_version_t)>(b"ov_version_free");
        tell.and_then(|tell| free.map(|free| (tell, free)))
    };
    let Ok((tell, free)) = functions else { return Err("it is not OpenVINO's C library".into()) };
    let mut version = ov_version_t { buildNumber: std::ptr::null(), description: std::ptr::null() };
    // SAFETY: a place for the answer, whose strings end in zero and are freed once, after their use.
    let build = unsafe {
        if tell(&mut version) != ov_status_e::OK as i32 || version.buildNumber.is_null() {
            return Err("it does not tell its version".into());
        }
        let build = CStr::from_ptr(version.buildNumber).to_string_lossy().into_owned();
        free(&mut version);
        build
    };
    // Stays open: closing it here and opening it again would run its destructors and initialisers in between.
    std::mem::forget(library);
    let number = build.split('-').next().unwrap_or_default().to_owned();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < OLDEST {
        return Err(format!(
            "it is OpenVINO {number}; {}.{} is the oldest that can be used",
            OLDEST.0, OLDEST.1
        ));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_in_a_folder_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest_in(folder.path()), None);
        for name in ["libopenvino.so.2641", "libopenvino_c.so", "libopenvino_c.so.2541", "libopenvino_c.txt"]
        {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        assert_eq!(newest_in(folder.path()), Some(folder.path().join("libopenvino_c.so.2541")));
    }
}
