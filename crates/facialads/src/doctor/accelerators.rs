//! Graphics cards. All of this is optional: without it everything runs on the CPU.

use super::Finding;
use facialads_vision::cuda::{NvrtcInfo, nvrtc_info};
use std::{path::PathBuf, process::Command};

/// A library that an accelerator needs, what it is for, and what brings it.
const LIBRARIES: [(&str, &str, &str); 3] = [
    ("libcuda.so.1", "NVIDIA driver", "install the NVIDIA driver (Debian: nvidia-driver)"),
    ("libcudnn.so.9", "cuDNN 9, for ONNX Runtime's CUDA provider", "pip install nvidia-cudnn-cu12"),
    ("libnvinfer.so.10", "TensorRT 10", "install TensorRT 10 from NVIDIA"),
];

pub fn findings() -> Vec<Finding> {
    let found: Vec<Option<PathBuf>> = LIBRARIES.iter().map(|(library, ..)| locate(library)).collect();
    let Some(Some(driver)) = found.first() else {
        let mut findings =
            vec![Finding::note("CUDA / TensorRT", "no NVIDIA driver here: inference runs on the CPU", None)];
        // Without a card it serves the tests of this project only: its absence is nothing to report.
        findings.extend(nvrtc_info().ok().map(|info| nvrtc(&info)));
        return findings;
    };
    let card = card().unwrap_or_else(|| "the driver is there, but no card answers nvidia-smi".to_owned());
    let mut findings = vec![Finding::ok("CUDA", format!("{card} ({})", driver.display()))];
    for ((library, what, mend), found) in LIBRARIES.iter().zip(&found).skip(1) {
        findings.push(match found {
            Some(path) => Finding::ok(*what, path.display().to_string()),
            None => Finding::note(*what, format!("{library} is not on the loader's path"), Some(mend)),
        });
    }
    findings.push(match nvrtc_info() {
        Ok(info) => nvrtc(&info),
        Err(error) => Finding::note(
            NVRTC,
            error.to_string(),
            Some("facialads models install --with nvrtc, for a driver of CUDA 13.5 or later; else the wheel that fits it"),
        ),
    });
    findings
}

const NVRTC: &str = "NVRTC, which compiles the kernels";

fn nvrtc(info: &NvrtcInfo) -> Finding {
    let ((major, minor), path) = (info.version, info.path.display());
    let known = match (info.computes.first(), info.computes.last()) {
        (Some(first), Some(last)) => {
            format!(", for compute capabilities {}.{} to {}.{}", first.0, first.1, last.0, last.1)
        }
        _ => String::new(),
    };
    Finding::ok(NVRTC, format!("{major}.{minor}{known} ({path})"))
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

fn card() -> Option<String> {
    let output = Command::new("nvidia-smi")
        .args(["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let cards: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    (output.status.success() && !cards.is_empty()).then(|| cards.join("; "))
}
