//! CUDA's libraries, opened before ONNX Runtime's providers ask the loader for them: they mostly lie where it does not look, in
//! Python wheels or beside the models.

use super::elf::needed;
use crate::spec::models_dir;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use std::{
    collections::HashSet,
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Libraries that come with the driver; no wheel has them.
const OF_THE_DRIVER: [&str; 2] = ["libcuda.so", "libnvidia-"];
/// The CUDA provider opens it by itself, only when a convolution is wanted.
const CUDNN: &str = "libcudnn.so.9";
const FROM_THE_TOOLKIT: [&str; 2] = ["libcu", "libnv"];

/// Where CUDA's and TensorRT's libraries are looked for, before the loader's own path: the folders in `$FACIALADS_CUDA_LIBS`,
/// those that `facialads models install --gpu` fills, and Python's packages of NVIDIA.
///
/// `runtime`: ONNX Runtime's library.
pub fn cuda_library_folders(runtime: Option<&Path>) -> Vec<PathBuf> {
    let listed = env::var_os("FACIALADS_CUDA_LIBS").unwrap_or_default();
    let mut folders: Vec<PathBuf> =
        env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).collect();
    if let Some(lib) = models_dir().parent().map(|parent| parent.join("lib")) {
        folders.extend(["cuda", "nvrtc", "tensorrt"].map(|name| lib.join(name)));
    }
    folders.extend(runtime.and_then(Path::parent).map(Path::to_owned));
    for packages in python_packages(runtime) {
        // nvidia/cu13/lib, nvidia/cudnn/lib, nvidia/cublas/lib …
        let parts = fs::read_dir(packages.join("nvidia")).into_iter().flatten().flatten();
        folders.extend(parts.map(|part| part.path().join("lib")));
        folders.push(packages.join("tensorrt_libs"));
    }
    folders.retain(|folder| folder.is_dir());
    folders
}

/// Python's folders of packages: the one that ONNX Runtime lies in, the virtual environment's, the user's and the system's.
fn python_packages(runtime: Option<&Path>) -> Vec<PathBuf> {
    // site-packages/onnxruntime/capi/libonnxruntime.so
    let beside =
        runtime.and_then(|file| file.ancestors().nth(3)).filter(|folder| folder.join("onnxruntime").is_dir());
    let prefixes = [
        env::var_os("VIRTUAL_ENV").map(PathBuf::from),
        env::var_os("HOME").map(|home| PathBuf::from(home).join(".local")),
        Some("/usr/local".into()),
        Some("/usr".into()),
    ];
    let versions = prefixes.into_iter().flatten().flat_map(|prefix| {
        let entries = fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
        let pythons = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"));
        pythons.flat_map(|entry| ["site-packages", "dist-packages"].map(|name| entry.path().join(name)))
    });
    beside.map(Path::to_owned).into_iter().chain(versions).filter(|folder| folder.is_dir()).collect()
}

/// Opens what a provider of ONNX Runtime needs of CUDA's libraries, for good. `provider`: the provider's file.
///
/// # Errors
/// One is not found or cannot be opened; the text says which, and what to do.
pub(in crate::runtime::onnx) fn preload(provider: &Path, runtime: &Path) -> Result<(), String> {
    let folders = cuda_library_folders(Some(runtime));
    let wanted = needed(provider).map_err(|e| format!("{} cannot be read: {e}", provider.display()))?;
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    for name in wanted.iter().map(String::as_str).chain([CUDNN]) {
        open(name, &folders, &mut done)?;
    }
    // cuDNN compiles some of its kernels with it; without it, it has others.
    if let Some(major) = wanted.iter().find_map(|name| name.strip_prefix("libcudart.so.")) {
        let _ = open(&format!("libnvrtc.so.{major}"), &folders, &mut done);
    }
    Ok(())
}

/// The libraries of NVIDIA that a provider of the opened ONNX Runtime asks for, by name, and where each lies; `None` of those
/// that only the loader may know of. Opens none of them.
///
/// `provider`: "cuda" or "tensorrt". Nothing where ONNX Runtime has no such provider in a file beside it.
pub(in crate::runtime::onnx) fn wanted_by(provider: &Path, runtime: &Path) -> Vec<(String, Option<PathBuf>)> {
    let folders = cuda_library_folders(Some(runtime));
    let names = needed(provider).unwrap_or_default().into_iter().filter(|name| is_nvidias(name));
    let mut names: Vec<String> = names.chain([CUDNN.to_owned()]).collect();
    names.sort();
    names.dedup();
    let place = |name: &String| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    names.into_iter().map(|name| (name.clone(), place(&name))).collect()
}

/// Whether a library is of CUDA, cuDNN or TensorRT and comes without the driver.
fn is_nvidias(name: &str) -> bool {
    FROM_THE_TOOLKIT.iter().any(|start| name.starts_with(start))
        && !OF_THE_DRIVER.iter().any(|start| name.starts_with(start))
}

static DONE: Mutex<Option<HashSet<String>>> = Mutex::new(None);

fn open(name: &str, folders: &[PathBuf], done: &mut Option<HashSet<String>>) -> Result<(), String> {
    let done_before = done.get_or_insert_default();
    if !is_nvidias(name) || done_before.contains(name) {
        return Ok(());
    }
    // First, so that libraries which need each other end.
    done_before.insert(name.to_owned());
    let found = folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    if let Some(file) = &found {
        for other in needed(file).unwrap_or_default() {
            open(&other, folders, done)?;
        }
    }
    let path = found.as_deref().unwrap_or(Path::new(name));
    // SAFETY: NVIDIA's libraries, whose initialisers may run at any time. Global, as the loader would have it.
    match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        // Left open: ONNX Runtime uses it until the process ends.
        Ok(library) => std::mem::forget(library),
        Err(e) => {
            done.get_or_insert_default().remove(name);
            return Err(match found {
                Some(_) => format!("{e}"),
                None => format!("{name} is not found: {}", how_to_get(name)),
            });
        }
    }
    Ok(())
}

fn how_to_get(name: &str) -> &'static str {
    if name.starts_with("libnvinfer") || name.starts_with("libnvonnx") {
        "install TensorRT 10 for this CUDA (pip install 'tensorrt-cu13<11', or NVIDIA's packages) and set FACIALADS_CUDA_LIBS to the folder that has it"
    } else {
        "run `facialads models install --gpu`, or set FACIALADS_CUDA_LIBS to the folder that has it"
    }
}
