//! Kernels: loaded once per context, and launched.

use super::{
    compile::{Program, Target, program},
    context::{Gpu, Inner},
    driver::Driver,
    error::{GpuFailure, code, gpu_error},
    sources::{SOURCES, Source},
    stream::Stream,
};
use crate::{Error, Result};
use cudarc::driver::sys::{CUfunction, CUjit_option, CUmodule};
use std::{
    collections::HashMap,
    ffi::{CString, c_void},
    ptr::null_mut,
    sync::{Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

/// The most bytes that a kernel's parameters may have: CUDA's limit is 4096.
pub const MOST_PARAMETER_BYTES: usize = 4000;
/// After a failure to compile or load, how long the same answer is given without trying again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// A kernel, by the source that it is in. Make it a `static` or `const`.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    pub source: &'static Source,
    pub name: &'static str,
}

impl Kernel {
    pub const fn new(source: &'static Source, name: &'static str) -> Self {
        Self { source, name }
    }
}

/// The one parameter of a kernel.
///
/// # Safety
/// `#[repr(C)]`, field by field the kernel's `struct` in the .cu file, without a value of uninitialised bytes that the kernel
/// reads. Its addresses are device memory of the context it is launched in, as large as the kernel takes them to be.
pub unsafe trait Params: Copy {}

/// Which places a loaded program's kernels are at.
#[derive(Default)]
pub(super) struct Modules {
    functions: RwLock<HashMap<(&'static str, &'static str), Function>>,
    loading: Mutex<Loading>,
}

#[derive(Default)]
struct Loading {
    modules: Vec<usize>,
    failed: Vec<Failed>,
}

/// A source that could not be loaded.
struct Failed {
    file: &'static str,
    at: Instant,
    failure: GpuFailure,
    problem: String,
    remedy: String,
}

#[derive(Clone, Copy)]
struct Function {
    handle: usize,
    /// Bytes of its parameter; `None` where the program does not tell.
    parameter: Option<usize>,
}

impl Modules {
    fn find(&self, kernel: Kernel) -> Option<Function> {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions.get(&(kernel.source.file, kernel.name)).copied()
    }

    /// At the end; the context is current.
    pub fn unload(&self, driver: &Driver) {
        self.functions.write().unwrap_or_else(PoisonError::into_inner).clear();
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        for module in loading.modules.drain(..) {
            // SAFETY: loaded in `load`, and no launch can come any more.
            unsafe { (driver.module_unload)(std::ptr::with_exposed_provenance_mut(module)) };
        }
    }
}

impl Gpu {
    /// Compiles and loads a source's kernels, if that has not been done. Slow (up to a second): never on a streaming thread.
    ///
    /// # Errors
    /// [`GpuFailure::Compile`] with the compiler's or the driver's words, [`GpuFailure::Driver`] without NVRTC or with one that
    /// does not suit the driver. A failure is remembered for ten seconds.
    pub fn prepare(&self, source: &'static Source) -> Result<()> {
        let modules = &self.0.modules;
        let mut loading = modules.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = modules.functions.read().unwrap_or_else(PoisonError::into_inner);
        if loaded.keys().any(|(file, _)| *file == source.file) {
            return Ok(());
        }
        drop(loaded);
        loading.failed.retain(|failed| failed.at.elapsed() < TRY_AGAIN_AFTER);
        if let Some(failed) = loading.failed.iter().find(|failed| failed.file == source.file) {
            return Err(gpu_error(failed.failure, failed.problem.clone(), failed.remedy.clone()));
        }
        let result = load(&self.0, source);
        match result {
            Ok((module, functions)) => {
                loading.modules.push(module);
                modules.functions.write().unwrap_or_else(PoisonError::into_inner).extend(functions);
                Ok(())
            }
            Err(error) => {
                if let Error::Gpu { failure, problem, remedy } = &error {
                    let (failure, problem, remedy) = (*failure, problem.clone(), remedy.clone());
                    let at = Instant::now();
                    loading.failed.push(Failed { file: source.file, at, failure, problem, remedy });
                }
                Err(error)
            }
        }
    }

    /// [`Gpu::prepare`] for all sources.
    ///
    /// # Errors
    /// The first that fails.
    pub fn prepare_all(&self) -> Result<()> {
        SOURCES.iter().try_for_each(|source| self.prepare(source))
    }

    /// Enqueues a kernel: `grid` blocks of `block` threads, x first. Takes no memory. Loads the kernel's source if need be:
    /// [`Gpu::prepare`] before, where that must not take time. A launch of no blocks does nothing.
    ///
    /// # Errors
    /// The kernel cannot be loaded, the launch is larger than the device takes, `params` are of another size than the kernel's,
    /// `stream` is of another context, or the context is dead.
    pub fn launch<P: Params>(
        &self,
        stream: &Stream,
        kernel: Kernel,
        grid: [u32; 3],
        block: [u32; 3],
        params: &P,
    ) -> Result<()> {
        stream.check_context(self)?;
        if grid.contains(&0) {
            return Ok(());
        }
        self.0.check_limits(kernel, grid, block)?;
        let function = match self.0.modules.find(kernel) {
            Some(function) => function,
            None => {
                self.prepare(kernel.source)?;
                self.0.modules.find(kernel).ok_or_else(|| no_kernel(kernel.source, kernel.name))?
            }
        };
        let bytes = size_of::<P>();
        if bytes > MOST_PARAMETER_BYTES || function.parameter.is_some_and(|own| own != bytes) {
            return Err(gpu_error(
                GpuFailure::Compile,
                format!(
                    "kernel {} of {} takes {:?} bytes of parameters, not {bytes}",
                    kernel.name, kernel.source.file, function.parameter
                ),
                "please report this",
            ));
        }
        let _current = self.current()?;
        // CU_LAUNCH_PARAM_BUFFER_POINTER, CU_LAUNCH_PARAM_BUFFER_SIZE and CU_LAUNCH_PARAM_END of cuda.h: the driver learns the size.
        let mut size = bytes;
        let mut extra: [*mut c_void; 5] = [
            std::ptr::without_provenance_mut(1),
            std::ptr::from_ref(params).cast_mut().cast(),
            std::ptr::without_provenance_mut(2),
            (&raw mut size).cast(),
            null_mut(),
        ];
        // SAFETY: a function of this context and a live stream of it; the driver copies `size` bytes of the parameters before it
        // returns. What the kernel does with them is `Params`' promise.
        let launched = unsafe {
            (self.0.driver.launch)(
                std::ptr::with_exposed_provenance_mut(function.handle),
                grid[0],
                grid[1],
                grid[2],
                block[0],
                block[1],
                block[2],
                0,
                stream.raw(),
                null_mut(),
                extra.as_mut_ptr(),
            )
        };
        stream.mark_used();
        if launched == code::SUCCESS {
            return Ok(());
        }
        self.0.check(launched, &format!("launching kernel {}", kernel.name))
    }
}

impl Inner {
    fn check_limits(&self, kernel: Kernel, grid: [u32; 3], block: [u32; 3]) -> Result<()> {
        let limits = &self.limits;
        let threads = block.iter().try_fold(1_u32, |all, side| all.checked_mul(*side)).unwrap_or(u32::MAX);
        let fits = |sizes: [u32; 3], most: [u32; 3]| sizes.iter().zip(most).all(|(size, most)| *size <= most);
        if threads > 0 && threads <= limits.threads && fits(grid, limits.grid) && fits(block, limits.block) {
            return Ok(());
        }
        Err(gpu_error(
            GpuFailure::Other,
            format!(
                "kernel {} was to run in a grid of {grid:?} blocks of {block:?} threads; the GPU takes {:?} of {:?}, {} threads in all",
                kernel.name, limits.grid, limits.block, limits.threads
            ),
            "use a smaller picture or batch-size",
        ))
    }
}

/// A module, and what it has by the file's and the kernel's names.
type Loaded = (usize, Vec<((&'static str, &'static str), Function)>);

/// Functions by their kernels' names.
type Handles = Vec<(&'static str, usize)>;

fn load(gpu: &Inner, source: &'static Source) -> Result<Loaded> {
    let ptx = program(source, Target::Ptx(gpu.compute()), gpu.driver.version)?;
    let first = load_program(gpu, source, &ptx);
    // A driver that is older than NVRTC refuses its PTX, but may take finished code.
    let unsupported = matches!(&first, Err((code::UNSUPPORTED_PTX_VERSION, _)));
    if unsupported
        && let Ok(finished) = program(source, Target::Cubin(gpu.compute()), gpu.driver.version)
        && let Ok((module, handles)) = load_program(gpu, source, &finished)
    {
        return Ok((module, with_parameters(source, handles, &ptx)));
    }
    let (module, handles) = first.map_err(|(_, error)| error)?;
    Ok((module, with_parameters(source, handles, &ptx)))
}

fn with_parameters(
    source: &'static Source,
    handles: Handles,
    ptx: &Program,
) -> Vec<((&'static str, &'static str), Function)> {
    let of = |name: &str| ptx.kernels.iter().find(|kernel| kernel.name == name)?.parameter_bytes;
    let function = |name, handle| ((source.file, name), Function { handle, parameter: of(name) });
    handles.into_iter().map(|(name, handle)| function(name, handle)).collect()
}

/// Loads a program and finds its kernels; the driver's code goes with an error.
fn load_program(
    gpu: &Inner,
    source: &'static Source,
    program: &Program,
) -> std::result::Result<(usize, Handles), (u32, Error)> {
    let _current = gpu.current().map_err(|e| (0, e))?;
    let module = load_module(gpu, source, &program.image)?;
    let mut handles = Handles::new();
    for name in super::sources::kernel_names(source.text) {
        let mut function: CUfunction = null_mut();
        let text = CString::new(name).unwrap_or_default();
        // SAFETY: a module that is loaded, a name that ends in NUL, and a place for the answer.
        let found = unsafe { (gpu.driver.module_function)(&mut function, module, text.as_ptr()) };
        if let Err(error) = gpu.check(found, &format!("looking for kernel {name} in {}", source.file)) {
            // SAFETY: loaded above, and nothing of it is used.
            unsafe { (gpu.driver.module_unload)(module) };
            return Err((found, error));
        }
        handles.push((name, function.expose_provenance()));
    }
    Ok((module.expose_provenance(), handles))
}

/// The context must be current.
fn load_module(gpu: &Inner, source: &Source, image: &[u8]) -> std::result::Result<CUmodule, (u32, Error)> {
    let mut log = vec![0_u8; 8192];
    let mut options =
        [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    // The size is given in the place of a pointer.
    let mut values: [*mut c_void; 2] =
        [log.as_mut_ptr().cast(), std::ptr::without_provenance_mut(log.len() - 1)];
    let mut module: CUmodule = null_mut();
    // SAFETY: an image that is PTX ending in NUL, or a cubin, which knows its size; two options with their values, and a log that
    // keeps its last zero.
    let loaded = unsafe {
        (gpu.driver.module_load)(
            &mut module,
            image.as_ptr().cast(),
            2,
            options.as_mut_ptr(),
            values.as_mut_ptr(),
        )
    };
    if loaded == code::SUCCESS {
        return Ok(module);
    }
    let text: Vec<u8> = log.into_iter().take_while(|byte| *byte != 0).collect();
    let said = String::from_utf8_lossy(&text);
    let said = said.trim();
    let doing = if said.is_empty() {
        format!("loading {}", source.file)
    } else {
        format!("loading {} (the driver says: {said})", source.file)
    };
    Err((loaded, gpu.check(loaded, &doing).err().unwrap_or_else(|| no_kernel(source, ""))))
}

fn no_kernel(source: &Source, name: &str) -> Error {
    gpu_error(
        GpuFailure::Compile,
        format!("there is no kernel {name} in {}", source.file),
        "please report this",
    )
}
