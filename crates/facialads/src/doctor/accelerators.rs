//! Graphics cards. All of this is optional: without it everything runs on the CPU.

use super::Finding;
use facialads_vision::{
    Error,
    cuda::{self, GpuFailure, GpuInfo, NvrtcInfo},
    runtime::{cuda_library_folders, library_candidates},
};
use std::{path::PathBuf, process::Command};

/// A library that an accelerator needs, what it is for, and what brings it.
const LIBRARIES: [(&str, &str, &str); 2] = [
    ("libcudnn.so.9", "cuDNN 9, for ONNX Runtime's CUDA provider", "pip install nvidia-cudnn-cu12"),
    ("libnvinfer.so.10", "TensorRT 10", "install TensorRT 10 from NVIDIA"),
];

pub fn findings() -> Vec<Finding> {
    let cards = match cuda::devices() {
        Ok(cards) => cards,
        Err(error) => {
            // Without a card NVRTC serves the tests of this project only: its absence is nothing to report.
            let compiler = cuda::nvrtc_info().ok().map(|info| found(&info));
            return [no_card(&error)].into_iter().chain(compiler).collect();
        }
    };
    let mut findings: Vec<Finding> = cards.iter().map(card).collect();
    findings.push(compiler());
    findings.push(kernel_cache());
    for (library, what, mend) in LIBRARIES {
        // Where device=cuda looks first: beside the models, in wheels.
        let folders = cuda_library_folders(library_candidates().first().map(PathBuf::as_path));
        let there = folders.iter().map(|folder| folder.join(library)).find(|file| file.exists());
        findings.push(match there.or_else(|| locate(library)) {
            Some(path) => Finding::ok(what, path.display().to_string()),
            None => Finding::note(
                what,
                format!("{library} is neither beside the models, nor in a wheel, nor on the loader's path"),
                Some(mend),
            ),
        });
    }
    findings.extend(cuda::notes().into_iter().map(|note| Finding::note("CUDA", note, None)));
    findings
}

/// What the problem is, and what to do for device=cuda. Never "missing": the CPU does the same.
fn no_card(error: &Error) -> Finding {
    let Error::Gpu { failure, problem, remedy } = error else {
        return Finding::note("CUDA / TensorRT", error.to_string(), None);
    };
    let what = match failure {
        GpuFailure::NoDevice => "there is a driver, but no GPU that this process may use",
        _ => "no device=cuda here, inference runs on the CPU",
    };
    Finding::note("CUDA / TensorRT", format!("{what}: {problem}"), Some(remedy))
}

/// `NVIDIA L4, compute 8.9, 22.5 GB, driver for CUDA 12.4, GPU-…`
fn card(gpu: &GpuInfo) -> Finding {
    let GpuInfo { ordinal, name, uuid, compute, memory, driver } = gpu;
    let gigabytes = f64::from(u32::try_from(memory >> 20).unwrap_or(u32::MAX)) / 1024.0;
    let about = format!(
        "{name}, compute capability {}.{}, {gigabytes:.1} GiB, driver for CUDA {}.{}, {uuid}",
        compute.0, compute.1, driver.0, driver.1
    );
    Finding::ok(format!("CUDA device cuda:{ordinal}"), about)
}

const NVRTC: &str = "NVRTC, which compiles the kernels";

fn compiler() -> Finding {
    match cuda::nvrtc_info() {
        Ok(info) => found(&info),
        Err(Error::Gpu { problem, remedy, .. }) => {
            let mend = format!(
                "facialads models install --with nvrtc, for a driver of CUDA 13.5 or later; else {remedy}"
            );
            Finding::note(NVRTC, format!("device=cuda needs it: {problem}"), Some(&mend))
        }
        Err(error) => Finding::note(NVRTC, error.to_string(), None),
    }
}

fn found(info: &NvrtcInfo) -> Finding {
    let ((major, minor), path) = (info.version, info.path.display());
    let known = match (info.computes.first(), info.computes.last()) {
        (Some(first), Some(last)) => {
            format!(", for compute capabilities {}.{} to {}.{}", first.0, first.1, last.0, last.1)
        }
        _ => String::new(),
    };
    Finding::ok(NVRTC, format!("{major}.{minor}{known} ({path})"))
}

fn kernel_cache() -> Finding {
    let what = "Compiled kernels";
    match cuda::kernel_cache() {
        Some(folder) => Finding::ok(what, format!("kept in {}; may be deleted", folder.display())),
        None => Finding::note(
            what,
            "compiled at every start: neither XDG_CACHE_HOME nor HOME is set",
            Some("export XDG_CACHE_HOME=/var/cache/facialads"),
        ),
    }
}

/// Where the loader would find a library: `LD_LIBRARY_PATH`, then the loader's cache.
fn locate(library: &str) -> Option<PathBuf> {
    let listed = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let in_path =
        std::env::split_paths(&listed).map(|folder| folder.join(library)).find(|file| file.exists());
    in_path.or_else(|| {
        let cache = ["ldconfig", "/sbin/ldconfig"]
            .into_iter()
            .find_map(|name| Command::new(name).arg("-p").output().ok())?;
        let text = String::from_utf8_lossy(&cache.stdout).into_owned();
        let line = text.lines().find(|line| line.trim_start().starts_with(library))?;
        line.rsplit("=> ").next().map(PathBuf::from)
    })
}
