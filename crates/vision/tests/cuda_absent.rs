//! Without a driver, and without NVRTC: clear errors, no panic. Alone in its process, because libraries are opened once.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_vision::{
    Error,
    cuda::{
        Gpu, GpuFailure, compile_all, devices, nvrtc_candidates, nvrtc_info, ordinal_of, stage_times,
        time_stages, traffic,
    },
};
use std::{fs, path::PathBuf};

fn refused<T: std::fmt::Debug>(result: Result<T, Error>, failure: GpuFailure, words: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.gpu_failure(), Some(failure), "{error}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn without_a_driver_everything_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("nothing");
    // SAFETY: the only test of this process, and no other thread reads the environment.
    unsafe {
        std::env::set_var("FACIALADS_MODELS", folder.path().join("models"));
        for name in ["FACIALADS_CUDA_LIBS", "VIRTUAL_ENV", "CONDA_PREFIX", "HOME"] {
            std::env::set_var(name, &nothing);
        }
    }
    if devices().is_ok() {
        facialads_testkit::skip("there is a GPU here: its absence cannot be tested");
        return;
    }
    let words = ["there is no NVIDIA driver here", "libcuda.so.1", "install the NVIDIA driver"];
    for _ in 0..2 {
        refused(devices(), GpuFailure::Driver, &words);
        refused(Gpu::primary(0), GpuFailure::Driver, &words);
        refused(ordinal_of("GPU-0"), GpuFailure::Driver, &words);
        // SAFETY: there is no driver that could take it for a context.
        refused(unsafe { Gpu::of_context(std::ptr::null_mut()) }, GpuFailure::Driver, &words);
    }
    time_stages(true);
    assert_eq!(stage_times().unwrap(), []);
    assert_eq!(traffic(), traffic());

    // NVRTC: a file that is no library, one that is another library, then none at all.
    if nvrtc_info().is_ok() {
        facialads_testkit::skip("there is an NVRTC on the loader's path: its absence cannot be tested");
        return;
    }
    let cuda = folder.path().join("lib/cuda");
    fs::create_dir_all(&cuda).unwrap();
    let file = cuda.join("libnvrtc.so.12");
    fs::write(&file, b"not a library").unwrap();
    assert!(nvrtc_candidates().contains(&file));
    refused(nvrtc_info(), GpuFailure::Compile, &["libnvrtc.so.12", "FACIALADS_CUDA_LIBS"]);
    if let Some(other) = some_library() {
        fs::copy(other, &file).unwrap();
        refused(compile_all((8, 0)), GpuFailure::Compile, &["it has no nvrtc", "11.2 or later"]);
    }
    fs::remove_file(&file).unwrap();
    refused(
        compile_all((8, 0)),
        GpuFailure::Compile,
        &["there is no NVRTC", "pip install nvidia-cuda-nvrtc"],
    );
}

/// Any library of the system's that is not NVRTC.
fn some_library() -> Option<PathBuf> {
    let folder = PathBuf::from(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    ["libm.so.6", "libz.so.1"].map(|name| folder.join(name)).into_iter().find(|file| file.exists())
}
