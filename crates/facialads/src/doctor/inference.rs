//! The runtimes and the models.

use super::Finding;
use facialads_models::{ModelStatus, State};
use facialads_vision::runtime::{library_providers, library_version, openvino_info, provider_libraries};
use std::path::Path;

/// `--dir` for a folder that is not the default one.
fn install(dir: &Path, what: &str) -> String {
    format!("facialads models install --dir {} {what}", dir.display()).trim_end().to_owned()
}

pub fn findings() -> Vec<Finding> {
    let dir = facialads_vision::models_dir();
    let mut findings = vec![library(&dir), openvino(&dir)];
    findings.extend(gpu(&dir));
    match facialads_models::status(&dir) {
        Ok(models) => {
            let wanted = models.iter().filter(|model| model.state != State::OnRequest);
            findings.extend(wanted.map(|model| finding(model, &dir)));
        }
        Err(error) => findings.push(Finding::missing("Models", error.to_string(), install(&dir, ""))),
    }
    findings
}

fn library(dir: &Path) -> Finding {
    match library_version() {
        Ok(version) => {
            let providers = library_providers().unwrap_or_default().join(", ");
            Finding::ok("ONNX Runtime", format!("{version}, built with {providers}"))
        }
        Err(error) => {
            let mend = match std::env::var_os("ORT_DYLIB_PATH") {
                Some(_) => "unset ORT_DYLIB_PATH, or point it at libonnxruntime.so 1.24 or later".to_owned(),
                None => install(dir, "--library"),
            };
            Finding::missing("ONNX Runtime", error.to_string(), mend)
        }
    }
}

/// What inference on an NVIDIA GPU needs beside the driver. Of no interest where there is no such GPU.
fn gpu(dir: &Path) -> Vec<Finding> {
    if !facialads_vision::cuda::devices().is_ok_and(|cards| !cards.is_empty()) {
        return Vec::new();
    }
    let providers = library_providers().unwrap_or_default();
    let mut findings = Vec::new();
    for (provider, name, mend) in [
        ("cuda", "CUDA", install(dir, "--gpu")),
        (
            "tensorrt",
            "TensorRT",
            "pip install 'tensorrt-cu13<11' (for an ONNX Runtime of CUDA 12: tensorrt-cu12<11), and set \
            FACIALADS_CUDA_LIBS to its folder tensorrt_libs"
                .to_owned(),
        ),
    ] {
        let what = format!("Inference by {name}");
        if !providers.contains(&name) {
            let text = format!("this ONNX Runtime was built without {name}: networks run on the CPU");
            findings.push(Finding::note(what, text, Some(&install(dir, "--gpu"))));
            continue;
        }
        let libraries = provider_libraries(provider).unwrap_or_default();
        let missing: Vec<&str> =
            libraries.iter().filter(|(_, place)| place.is_none()).map(|(name, _)| name.as_str()).collect();
        findings.push(if missing.is_empty() {
            Finding::ok(what, format!("{} libraries of NVIDIA found", libraries.len()))
        } else {
            let text = format!("not found, unless the loader does: {}", missing.join(", "));
            Finding::note(what, text, Some(&mend))
        });
    }
    findings
}

/// OpenVINO is a choice: without it ONNX Runtime does the same.
fn openvino(dir: &Path) -> Finding {
    match openvino_info() {
        Ok(info) => {
            let devices: Vec<String> = info
                .devices
                .iter()
                .map(|(name, full)| if full.is_empty() { name.clone() } else { format!("{name} ({full})") })
                .collect();
            Finding::ok("OpenVINO", format!("{}, finds {}", info.version, devices.join(", ")))
        }
        Err(error) => {
            let mend = match std::env::var_os("OPENVINO_LIB_PATH").filter(|path| !path.is_empty()) {
                Some(_) => {
                    "unset OPENVINO_LIB_PATH, or point it at the folder of libopenvino_c.so 2025.1 or later"
                        .to_owned()
                }
                None => install(dir, "--library"),
            };
            Finding::note("OpenVINO", format!("{error}; ONNX Runtime stands in"), Some(&mend))
        }
    }
}

fn finding(model: &ModelStatus, dir: &Path) -> Finding {
    let what = format!("Model {}", model.name);
    let digest = model.sha256.map(|digest| digest.to_string()).unwrap_or_default();
    let short: String = digest.chars().take(12).collect();
    match &model.state {
        State::Installed => {
            Finding::ok(what, format!("{}, sha256 {short}…, {}", model.summary, model.licence))
        }
        State::Own => Finding::ok(what, format!("your own, sha256 {short}…")),
        // The detector has a stand-in; nothing else has.
        State::Missing if model.name == "yunet" => Finding::note(
            what,
            format!(
                "{}: not installed, ssd-mobilenet-v1 stands in and finds about half as many faces",
                model.summary
            ),
            Some(&install(dir, "yunet --retry")),
        ),
        State::Missing | State::OnRequest => {
            Finding::missing(what, format!("{}: not installed", model.summary), install(dir, &model.name))
        }
        State::Changed => Finding::missing(
            what,
            "the file is not the one in the manifest".to_owned(),
            install(dir, &model.name),
        ),
        State::Undescribed(problem) => Finding::note(what, problem.clone(), None),
    }
}
