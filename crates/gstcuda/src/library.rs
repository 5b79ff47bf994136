//! Opening libgstcuda, once, when somebody first needs it.

use crate::{
    Error, Result,
    api::{Functions, Streams},
};
use libloading::Library;
use std::sync::OnceLock;

/// The library's name; the same since 1.22.
const NAME: &str = "libgstcuda-1.0.so.0";

/// libgstcuda and a driver that works. There is one in a process.
pub struct GstCuda {
    pub(crate) functions: Functions,
    /// What the functions are part of; never closed, for GStreamer keeps types of its.
    _library: Library,
}

impl std::fmt::Debug for GstCuda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GstCuda").field("streams", &self.has_streams()).finish()
    }
}

impl GstCuda {
    /// Opens the library at the first call, and remembers what came of it. `gst::init` comes before it. Slow the first time
    /// (the driver starts): not for a plugin's load, and better not for a streaming thread.
    ///
    /// # Errors
    /// There is no libgstcuda or it lacks a function ([`Error::Library`]); there is no libcuda, no device, or the driver
    /// does not start ([`Error::Driver`]).
    pub fn get() -> Result<&'static Self> {
        static OPENED: OnceLock<Result<GstCuda>> = OnceLock::new();
        OPENED.get_or_init(Self::open).as_ref().map_err(Clone::clone)
    }

    /// Whether memory has streams of its own: GStreamer 1.24 and later. Before that whoever had written to memory waited
    /// for the device.
    pub fn has_streams(&self) -> bool {
        self.functions.streams.is_some()
    }

    fn open() -> Result<Self> {
        // SAFETY: libgstcuda's initialisers only register with GLib.
        let library = unsafe { Library::new(NAME) }.map_err(in_words)?;
        // SAFETY: the signatures are those of the headers, which `tests/abi.rs` checks.
        let functions = unsafe { functions(&library) }?;
        start_driver(&library)?;
        // SAFETY: takes nothing and may be called any number of times.
        unsafe { (functions.cuda_memory_init_once)() };
        Ok(Self { functions, _library: library })
    }
}

fn in_words(problem: libloading::Error) -> Error {
    Error::Library { problem: problem.to_string() }
}

/// # Safety
/// `F` is the function's type.
unsafe fn function<F: Copy>(library: &Library, name: &str) -> Result<F> {
    // SAFETY: passed on.
    unsafe { library.get::<F>(name) }.map(|symbol| *symbol).map_err(in_words)
}

/// # Safety
/// `library` is libgstcuda.
unsafe fn functions(library: &Library) -> Result<Functions> {
    macro_rules! all {
        ($type:ident { $($name:ident),* $(,)? } $($rest:tt)*) => {
            // SAFETY: the fields have the functions' types.
            $type { $($name: unsafe { function(library, concat!("gst_", stringify!($name))) }?,)* $($rest)* }
        };
    }
    let streams = || -> Result<Streams> {
        Ok(all!(Streams {
            cuda_memory_sync,
            cuda_memory_get_stream,
            cuda_stream_get_handle,
            cuda_stream_new,
            cuda_stream_unref,
            buffer_pool_config_set_cuda_stream,
        }))
    };
    Ok(all!(Functions {
        cuda_memory_init_once,
        is_cuda_memory,
        cuda_context_get_type,
        cuda_context_new,
        cuda_context_new_wrapped,
        cuda_context_get_handle,
        cuda_context_push,
        cuda_context_pop,
        cuda_context_can_access_peer,
        cuda_handle_set_context,
        cuda_handle_context_query,
        context_new_cuda_context,
        cuda_buffer_pool_new,
    } streams: streams().ok()))
}

/// libgstcuda opens libcuda itself, by name; then the driver is started, which libgstcuda would do too late for an error.
fn start_driver(library: &Library) -> Result<()> {
    let missing = |problem: String| Error::Driver { problem };
    // SAFETY: the types of gstcudaloader.h and cuda-gst.h.
    let (load, start) = unsafe {
        (
            function::<unsafe extern "C" fn() -> i32>(library, "gst_cuda_load_library")?,
            function::<unsafe extern "C" fn(u32) -> i32>(library, "CuInit")?,
        )
    };
    // SAFETY: takes nothing.
    if unsafe { load() } == 0 {
        return Err(missing("libcuda.so.1 cannot be opened, or is too old for this GStreamer".into()));
    }
    // SAFETY: the function behind it was found just now; 0 is the only flag there is.
    match unsafe { start(0) } {
        0 => Ok(()),
        100 => Err(missing("it finds no device".into())),
        803 => Err(missing("its kernel module and its library are of different versions".into())),
        other => Err(missing(format!("cuInit says error {other}"))),
    }
}
