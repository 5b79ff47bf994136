//! NVRTC, NVIDIA's compiler as a library: finding it, and compiling with it. It needs no GPU and no driver.

use super::{
    driver::loader_says,
    error::{GpuFailure, gpu_error},
    notes::note,
};
use crate::{Result, spec::models_dir};
use cudarc::nvrtc::sys::{nvrtcProgram, nvrtcResult};
use libloading::Library;
use std::{
    env,
    ffi::{CStr, CString, c_char, c_int},
    fs,
    path::{Path, PathBuf},
    ptr::null_mut,
    sync::{Mutex, PoisonError},
};

/// The names of the dynamic loader's own, newest first.
const NAMES: [&str; 4] = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so"];
/// `nvrtcResult` of nvrtc.h.
const SUCCESS: u32 = 0;

macro_rules! table {
    ($($field:ident = $symbol:ident($($argument:ty),*);)*) => {
        /// NVRTC's functions; results are plain numbers, since a library may know more codes than the bindings.
        struct Functions { $($field: unsafe extern "C" fn($($argument),*) -> u32,)* }
        $(const _: unsafe fn($($argument),*) -> nvrtcResult = cudarc::nvrtc::sys::$symbol;)*

        impl Functions {
            fn of(library: &Library) -> std::result::Result<Self, &'static str> {
                // SAFETY: each function's signature is the one in the bindings generated from nvrtc.h (checked above).
                unsafe {
                    Ok(Self { $($field: *library
                        .get(concat!(stringify!($symbol), "\0"))
                        .map_err(|_| stringify!($symbol))?,)* })
                }
            }
        }
    };
}

table! {
    version = nvrtcVersion(*mut c_int, *mut c_int);
    architecture_count = nvrtcGetNumSupportedArchs(*mut c_int);
    architectures = nvrtcGetSupportedArchs(*mut c_int);
    create = nvrtcCreateProgram(*mut nvrtcProgram, *const c_char, *const c_char, c_int, *const *const c_char, *const *const c_char);
    destroy = nvrtcDestroyProgram(*mut nvrtcProgram);
    compile = nvrtcCompileProgram(nvrtcProgram, c_int, *const *const c_char);
    log_size = nvrtcGetProgramLogSize(nvrtcProgram, *mut usize);
    log = nvrtcGetProgramLog(nvrtcProgram, *mut c_char);
    ptx_size = nvrtcGetPTXSize(nvrtcProgram, *mut usize);
    ptx = nvrtcGetPTX(nvrtcProgram, *mut c_char);
    cubin_size = nvrtcGetCUBINSize(nvrtcProgram, *mut usize);
    cubin = nvrtcGetCUBIN(nvrtcProgram, *mut c_char);
}

/// What an NVRTC says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NvrtcInfo {
    /// The file, or the name by which the dynamic loader found it.
    pub path: PathBuf,
    /// (12, 4)
    pub version: (u32, u32),
    /// The compute capabilities it compiles for, (8, 9), smallest first.
    pub computes: Vec<(u32, u32)>,
}

pub(super) struct Nvrtc {
    functions: Functions,
    pub info: NvrtcInfo,
    _builtins: Option<Library>,
    _library: Library,
}

// Never dropped: compiling may go on in a thread that ends in no certain order.
static NVRTC: Mutex<Option<Nvrtc>> = Mutex::new(None);

/// Where NVRTC is looked for, in this order: the folders in `$FACIALADS_CUDA_LIBS` (separated by `:`), `../lib/nvrtc` and
/// `../lib/cuda` beside the models' folder, NVIDIA's pip packages (of `$VIRTUAL_ENV`, of `$CONDA_PREFIX`, the user's and the
/// system's), `/usr/local/cuda*/lib64`, the system's library folder, and the dynamic loader's own path.
pub fn nvrtc_candidates() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = folders().iter().flat_map(|folder| libraries_in(folder)).collect();
    files.extend(NAMES.map(PathBuf::from));
    files
}

fn folders() -> Vec<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let mut folders: Vec<PathBuf> = set("FACIALADS_CUDA_LIBS")
        .map(|listed| env::split_paths(&listed).filter(|folder| !folder.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    let models = models_dir();
    if let Some(parent) = models.parent() {
        folders.extend(["lib/nvrtc", "lib/cuda"].map(|name| parent.join(name)));
    }
    let mut python: Vec<PathBuf> = Vec::new();
    for (root, library) in [
        (set("VIRTUAL_ENV").map(PathBuf::from), "lib"),
        (set("CONDA_PREFIX").map(PathBuf::from), "lib"),
        (set("HOME").map(|home| PathBuf::from(home).join(".local")), "lib"),
        (Some("/usr/local".into()), "lib"),
        (Some("/usr".into()), "lib"),
    ] {
        if let Some(root) = root {
            python.extend(entries(&root.join(library), "python3"));
        }
    }
    for site in python.iter().flat_map(|p| [p.join("site-packages"), p.join("dist-packages")]) {
        folders.extend(wheels(&site));
    }
    folders.extend(set("CONDA_PREFIX").map(|conda| PathBuf::from(conda).join("lib")));
    folders.extend(entries(Path::new("/usr/local"), "cuda").into_iter().map(|cuda| cuda.join("lib64")));
    folders.push(format!("/usr/lib/{}-linux-gnu", env::consts::ARCH).into());
    folders
}

/// Where NVIDIA's pip packages put their libraries: CUDA 12 has a folder for each, CUDA 13 one for all of them (`cu13`).
fn wheels(site: &Path) -> Vec<PathBuf> {
    let nvidia = site.join("nvidia");
    let common = entries(&nvidia, "cu").into_iter().filter(|folder| !folder.ends_with("cuda_nvrtc"));
    let folders = common.chain([nvidia.join("cuda_nvrtc")]);
    folders.map(|folder| folder.join("lib")).filter(|folder| folder.is_dir()).collect()
}

/// What is in a folder whose name begins with `prefix`, the last first: `cuda-13.0` before `cuda-12.4`.
fn entries(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let begins = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(prefix))
    };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(begins).collect();
    found.sort();
    found.reverse();
    found
}

/// A folder's NVRTCs by the files that programs open: `libnvrtc.so.12`, not `libnvrtc.so.12.4.127`. Or a file itself.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    if folder.is_file() {
        return vec![folder.to_owned()];
    }
    let versions = NAMES.map(|name| folder.join(name)).into_iter().filter(|file| file.exists());
    // `libnvrtc.so` is a link to one of the others, where there are others.
    let (plain, mut versions): (Vec<PathBuf>, Vec<PathBuf>) =
        versions.partition(|file| file.ends_with("libnvrtc.so"));
    if versions.is_empty() {
        versions = plain;
    }
    versions
}

/// What NVRTC there is.
///
/// # Errors
/// [`GpuFailure::Compile`]: there is none; says where it was looked for and what brings it.
pub fn nvrtc_info() -> Result<NvrtcInfo> {
    let driver = super::driver::driver().map(|driver| driver.version).ok();
    with(driver, |nvrtc| Ok(nvrtc.info.clone()))
}

/// Runs with the opened library, one thread at a time. `driver`: the newest CUDA that the driver can run; an NVRTC that is not
/// newer is preferred, since a driver refuses the PTX of a newer one. A failure is not remembered: NVRTC may be installed while
/// we run.
pub(super) fn with<T>(driver: Option<(u32, u32)>, run: impl FnOnce(&Nvrtc) -> Result<T>) -> Result<T> {
    let mut slot = NVRTC.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.is_none() {
        *slot = Some(open(driver)?);
    }
    match slot.as_ref() {
        Some(nvrtc) => run(nvrtc),
        None => Err(missing(&[])),
    }
}

fn open(driver: Option<(u32, u32)>) -> Result<Nvrtc> {
    let mut problems = Vec::new();
    let mut too_new: Option<Nvrtc> = None;
    for path in nvrtc_candidates() {
        match open_file(&path) {
            Ok(nvrtc) if driver.is_none_or(|driver| nvrtc.info.version <= driver) => return Ok(nvrtc),
            Ok(nvrtc) => too_new = too_new.or(Some(nvrtc)),
            Err(problem) if path.is_absolute() => problems.push(format!("{}: {problem}", path.display())),
            // The loader's path: that it is not there is what one expects.
            Err(_) => (),
        }
    }
    let Some(nvrtc) = too_new else { return Err(missing(&problems)) };
    let (major, minor) = nvrtc.info.version;
    note(format!(
        "{} is of CUDA {major}.{minor}, newer than the driver: kernels are compiled to finished code where the driver refuses its PTX",
        nvrtc.info.path.display()
    ));
    Ok(nvrtc)
}

/// What brings an NVRTC that suits the driver.
pub(super) fn install_hint() -> String {
    let major = super::driver::driver().map_or(12, |driver| driver.version.0);
    let wheel = if major >= 13 { "nvidia-cuda-nvrtc" } else { "nvidia-cuda-nvrtc-cu12" };
    format!(
        "`pip install {wheel}`, or install CUDA's package (Debian: libnvrtc12; NVIDIA's: cuda-nvrtc-12-4), or set \
         FACIALADS_CUDA_LIBS to the folder of libnvrtc.so.{}",
        major.max(12)
    )
}

fn missing(problems: &[String]) -> crate::Error {
    let said = if problems.is_empty() {
        "it is neither beside the models, nor among pip's packages, nor on the loader's path".to_owned()
    } else {
        problems.join("; ")
    };
    gpu_error(
        GpuFailure::Compile,
        format!("there is no NVRTC here, which compiles the GPU's kernels: {said}"),
        install_hint(),
    )
}

fn open_file(path: &Path) -> std::result::Result<Nvrtc, String> {
    let builtins = builtins(path);
    // SAFETY: NVIDIA's compiler, whose initialisers may run on any thread.
    let library = unsafe { Library::new(path) }.map_err(|e| loader_says(&e))?;
    let functions =
        Functions::of(&library).map_err(|symbol| format!("it has no {symbol}; 11.2 or later is needed"))?;
    let (mut major, mut minor, mut count) = (0, 0, 0);
    // SAFETY: places for the answers.
    let asked = unsafe {
        (functions.version)(&mut major, &mut minor).max((functions.architecture_count)(&mut count))
    };
    if asked != SUCCESS {
        return Err("it does not tell its version".to_owned());
    }
    let mut known = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: room for as many as it named.
    if unsafe { (functions.architectures)(known.as_mut_ptr()) } != SUCCESS {
        known.clear();
    }
    let number = |n: c_int| u32::try_from(n).unwrap_or(0);
    let mut computes: Vec<(u32, u32)> = known.into_iter().map(number).map(|n| (n / 10, n % 10)).collect();
    computes.sort_unstable();
    let info = NvrtcInfo { path: path.to_owned(), version: (number(major), number(minor)), computes };
    Ok(Nvrtc { functions, info, _builtins: builtins, _library: library })
}

/// NVRTC opens `libnvrtc-builtins.so.13.0` by that name when it compiles, which finds one that is open already: the one beside
/// it, in a folder that the loader does not look in.
fn builtins(path: &Path) -> Option<Library> {
    let file = entries(path.parent().filter(|folder| folder.is_absolute())?, "libnvrtc-builtins.so").pop()?;
    // SAFETY: NVIDIA's library of tables, which does nothing when it is opened.
    unsafe { Library::new(file) }.ok()
}

/// A program, destroyed at the end.
struct Handle<'a>(&'a Functions, nvrtcProgram);

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `create`, and not used again.
        unsafe { (self.0.destroy)(&mut self.1) };
    }
}

/// What can go wrong while compiling: the compiler's words, or ours.
pub(super) struct Refused(pub String);

impl Nvrtc {
    /// Compiles a source with its headers to PTX (which ends in NUL) or, if `finished`, to code for one kind of GPU.
    pub(super) fn compile(
        &self,
        file: &str,
        text: &str,
        headers: &[(&str, &str)],
        options: &[String],
        finished: bool,
    ) -> std::result::Result<Vec<u8>, Refused> {
        let c_string =
            |text: &str| CString::new(text).map_err(|_| Refused("the source has a NUL in it".to_owned()));
        let (file, text) = (c_string(file)?, c_string(text)?);
        let names = headers.iter().map(|(name, _)| c_string(name)).collect::<Result<Vec<_>, _>>()?;
        let texts = headers.iter().map(|(_, text)| c_string(text)).collect::<Result<Vec<_>, _>>()?;
        let options = options.iter().map(|option| c_string(option)).collect::<Result<Vec<_>, _>>()?;
        let pointers = |all: &[CString]| all.iter().map(|one| one.as_ptr()).collect::<Vec<_>>();
        let (names, texts, flags) = (pointers(&names), pointers(&texts), pointers(&options));
        let number = |n: usize| c_int::try_from(n).unwrap_or(0);

        let mut program: nvrtcProgram = null_mut();
        // SAFETY: strings that end in NUL and live longer than the call, and as many headers as names.
        let made = unsafe {
            (self.functions.create)(
                &mut program,
                text.as_ptr(),
                file.as_ptr(),
                number(texts.len()),
                texts.as_ptr(),
                names.as_ptr(),
            )
        };
        if made != SUCCESS {
            return Err(Refused(format!("NVRTC error {made}")));
        }
        let program = Handle(&self.functions, program);
        // SAFETY: a program, and as many options as are named.
        let compiled = unsafe { (self.functions.compile)(program.1, number(flags.len()), flags.as_ptr()) };
        if compiled != SUCCESS {
            let log = self.output(&program, self.functions.log_size, self.functions.log)?;
            let log = CStr::from_bytes_until_nul(&log).map(|log| log.to_string_lossy().into_owned());
            let log = log.unwrap_or_default();
            return Err(Refused(match log.trim() {
                "" => format!("NVRTC error {compiled}"),
                said => said.to_owned(),
            }));
        }
        let f = &self.functions;
        let (size, output) = if finished { (f.cubin_size, f.cubin) } else { (f.ptx_size, f.ptx) };
        let image = self.output(&program, size, output)?;
        if image.is_empty() { Err(Refused("NVRTC made nothing of it".to_owned())) } else { Ok(image) }
    }

    fn output(
        &self,
        program: &Handle<'_>,
        size: unsafe extern "C" fn(nvrtcProgram, *mut usize) -> u32,
        output: unsafe extern "C" fn(nvrtcProgram, *mut c_char) -> u32,
    ) -> std::result::Result<Vec<u8>, Refused> {
        let mut bytes = 0;
        // SAFETY: a program, and a place for the answer.
        let asked = unsafe { size(program.1, &mut bytes) };
        let mut text = vec![0_u8; bytes];
        // SAFETY: as many bytes of room as it said it needs.
        if asked != SUCCESS || unsafe { output(program.1, text.as_mut_ptr().cast()) } != SUCCESS {
            return Err(Refused("NVRTC does not hand out what it made".to_owned()));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_packages_are_looked_through_newest_first() {
        let site = tempfile::tempdir().unwrap();
        let nvidia = site.path().join("nvidia");
        for (folder, file) in [
            ("cuda_nvrtc/lib", "libnvrtc.so.12"),
            ("cuda_nvrtc/lib", "libnvrtc.alt.so.12"),
            ("cuda_nvrtc/lib", "libnvrtc-builtins.so.12.8"),
            ("cu13/lib", "libnvrtc.so.13"),
            ("cudnn/lib", "libcudnn.so.9"),
            ("cu12", "nothing"),
        ] {
            fs::create_dir_all(nvidia.join(folder)).unwrap();
            fs::write(nvidia.join(folder).join(file), b"").unwrap();
        }
        let found: Vec<PathBuf> =
            wheels(site.path()).iter().flat_map(|folder| libraries_in(folder)).collect();
        assert_eq!(
            found,
            [nvidia.join("cu13/lib/libnvrtc.so.13"), nvidia.join("cuda_nvrtc/lib/libnvrtc.so.12")]
        );
    }

    #[test]
    fn a_folder_or_a_file_can_be_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["libnvrtc.so.12", "libnvrtc.so.13", "libnvrtc.so.12.4.127"] {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        // One of each major version: which one suits depends on the driver.
        let names = ["libnvrtc.so.13", "libnvrtc.so.12"].map(|name| folder.path().join(name));
        assert_eq!(libraries_in(folder.path()), names);
        let file = folder.path().join("libnvrtc.so.12.4.127");
        assert_eq!(libraries_in(&file), std::slice::from_ref(&file));
        assert!(libraries_in(&folder.path().join("missing")).is_empty());
    }
}
