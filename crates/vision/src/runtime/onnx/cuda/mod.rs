//! ONNX Runtime on an NVIDIA GPU: its CUDA provider, alone or behind TensorRT's.

mod bindings;
mod elf;
mod engine;
mod failure;
mod libraries;
mod network;
mod options;

pub use libraries::cuda_library_folders;
use libraries::{preload, wanted_by};
pub(super) use options::{CStrings, Pairs};

use super::{
    handle::Outcome,
    library::{self, library_version},
    port,
    providers::library_providers,
    tensorrt::{self, Engines},
};
use crate::{
    Error, Result,
    cuda::{Gpu, capture, ordinal_of},
    runtime::{Card, Description, Device, Network, Precision},
};
use bindings::Bindings;
use engine::Engine;
use network::CudaNetwork;
use ort::session::{Session, builder::SessionBuilder};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What one network on a GPU is made of.
struct Plan {
    device: Device,
    gpu: Gpu,
    precision: Precision,
    /// With TensorRT's provider before CUDA's.
    engines: Option<Engines>,
}

/// Loads a network onto a GPU. `device`: one of CUDA's or TensorRT's.
///
/// # Errors
/// There is no such GPU, no usable driver, a library is missing, the file is damaged, or the card's memory is full.
pub(super) fn load(file: &Path, device: &Device, precision: Precision) -> Result<Arc<dyn Network>> {
    let (card, is_tensorrt) = match device {
        Device::Cuda(card) => (card, false),
        Device::TensorRt(card) => (card, true),
        _ => return Err(unusable(device, "it is no NVIDIA GPU")),
    };
    let gpu = open(device, card, is_tensorrt)?;
    let (file, bytes) = read(file, precision)?;
    let engines = match is_tensorrt {
        true => Some(Engines::of(&file, &bytes, &gpu, precision).map_err(|e| unusable(device, e))?),
        false => None,
    };
    let plan = Plan { device: device.clone(), gpu, precision, engines };
    network(&file, bytes, plan)
}

/// The file that is for a precision, and what is in it.
fn read(file: &Path, precision: Precision) -> Result<(PathBuf, Vec<u8>)> {
    let file = half_of(file, precision).unwrap_or_else(|| file.to_owned());
    match std::fs::read(&file) {
        Ok(bytes) => Ok((file, bytes)),
        Err(source) => Err(Error::Read { path: file, source }),
    }
}

/// Whether TensorRT's engine for a network is there already; building it takes minutes.
///
/// # Errors
/// TensorRT cannot be used here at all, or its engines cannot be kept.
pub(in crate::runtime) fn tensorrt_state(file: &Path, card: &Card, precision: Precision) -> Result<bool> {
    let device = Device::TensorRt(card.clone());
    let gpu = open(&device, card, true)?;
    let (file, bytes) = read(file, precision)?;
    let engines = Engines::of(&file, &bytes, &gpu, precision).map_err(|e| unusable(&device, e))?;
    Ok(engines.are_ready())
}

/// The same where nobody asked for TensorRT: whatever is wrong with it is no news.
pub(in crate::runtime) fn tensorrt_is_ready(file: &Path, card: &Card, precision: Precision) -> bool {
    // Most have never used it: nothing is opened for them.
    let used = tensorrt::tensorrt_cache().is_some_and(|folder| folder.is_dir());
    used && tensorrt_state(file, card, precision).unwrap_or(false)
}

/// NVIDIA's libraries that a provider ("cuda", "tensorrt") of ONNX Runtime asks for, by name, and where each lies; `None` of those
/// that only the loader may know of. Nothing where the opened ONNX Runtime has no such provider in a file beside it.
///
/// # Errors
/// ONNX Runtime cannot be opened.
pub fn provider_libraries(provider: &str) -> Result<Vec<(String, Option<PathBuf>)>> {
    library::environment()?;
    let runtime = library::opened().unwrap_or_default();
    let file = provider_file(&runtime, provider);
    Ok(if file.is_file() { wanted_by(&file, &runtime) } else { Vec::new() })
}

fn provider_file(runtime: &Path, name: &str) -> PathBuf {
    runtime.with_file_name(format!("libonnxruntime_providers_{name}.so"))
}

/// The GPU, once everything that ONNX Runtime needs of it is there.
fn open(device: &Device, card: &Card, is_tensorrt: bool) -> Result<Gpu> {
    // First: it has the shortest answer where there is no NVIDIA GPU.
    let number = match card {
        Card::Number(number) => Ok(*number),
        Card::Uuid(uuid) => ordinal_of(uuid),
    };
    let gpu = number.and_then(Gpu::primary).map_err(|e| unusable(device, e.to_string()))?;
    library::environment()?;
    let runtime = library::opened().unwrap_or_default();
    let wanted = if is_tensorrt { "TensorRT" } else { "CUDA" };
    if !library_providers()?.contains(&wanted) {
        let version = library_version().unwrap_or_default();
        return Err(unusable(device, without(wanted, &runtime, &version)));
    }
    let providers: &[&str] = if is_tensorrt { &["cuda", "tensorrt"] } else { &["cuda"] };
    for name in providers {
        let provider = provider_file(&runtime, name);
        // One that is not there may be built in; if it is not, ONNX Runtime says so.
        if provider.is_file() {
            preload(&provider, &runtime).map_err(|e| unusable(device, e))?;
        }
    }
    Ok(gpu)
}

fn unusable(device: &Device, reason: impl Into<String>) -> Error {
    Error::Device { device: device.to_string(), reason: reason.into() }
}

/// What to do about an ONNX Runtime without a provider.
fn without(provider: &str, runtime: &Path, version: &str) -> String {
    let mend = match std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        Some(_) => {
            "unset ORT_DYLIB_PATH and run `facialads models install --gpu`, or point it at a libonnxruntime.so of the package onnxruntime-gpu"
        }
        None => "run `facialads models install --gpu`",
    };
    format!("ONNX Runtime {version} ({}) was built without {provider}; {mend}", runtime.display())
}

/// The same network in 16 bits, where that is wanted and `facialads models half` has made it since the network was last changed.
fn half_of(file: &Path, precision: Precision) -> Option<PathBuf> {
    if precision != Precision::Fast {
        return None;
    }
    let half = file.with_extension("f16.onnx");
    let changed = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    (changed(&half)? >= changed(file)?).then_some(half)
}

fn network(file: &Path, bytes: Vec<u8>, plan: Plan) -> Result<Arc<dyn Network>> {
    let model = model_name(file);
    let Plan { device, gpu, precision, engines } = plan;
    let stream = Arc::new(gpu.new_stream(false)?);
    let doing = format!("model \"{model}\" cannot be loaded on {device}");
    let wiped = (gpu.clone(), Arc::clone(&stream));
    let (card, inside, path) = (gpu.info().ordinal, Arc::clone(&stream), file.to_owned());
    let memory = gpu.info().memory;
    let is_tensorrt = engines.is_some();
    let kept = engines.clone();
    let make = move || {
        let _no_capture = capture::keep_out();
        let handle = inside.handle();
        let append = |builder: &SessionBuilder, graphs: bool| {
            if let Some(engines) = &engines {
                tensorrt::append(builder, &engines.options(card, precision, graphs, handle), handle)?;
            }
            // With TensorRT it is TensorRT's provider that captures.
            let graphs = graphs && engines.is_none();
            options::append(builder, &options::options(card, memory, handle, precision, graphs), handle)
        };
        let made = session(&bytes, &append).map_err(|text| failure::error(&doing, &text))?;
        let (session, graphs) = made;
        let (description, half) = describe(&session, &path, &model, &device, precision, is_tensorrt);
        description.check(&path)?;
        let bindings =
            Bindings::new(session, card, half, graphs).map_err(|text| failure::error(&doing, &text))?;
        Ok((bindings, (description, half)))
    };
    let last = move |bindings: Bindings| {
        network::wipe(&wiped.0, &wiped.1, bindings.inputs());
        let _no_capture = capture::keep_out();
        drop(bindings);
    };
    let (engine, (description, half)) = Engine::start("facialads-gpu", make, last)?;
    Ok(Arc::new(CudaNetwork::new(engine, stream, gpu, description, half, kept)))
}

/// "yunet" of "yunet.onnx" and of "yunet.f16.onnx".
fn model_name(file: &Path) -> String {
    let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    name.strip_suffix(".f16").map_or(name.clone(), str::to_owned)
}

/// A session, and whether it captures graphs: it does unless a part of the network has to run on the CPU.
fn session(bytes: &[u8], append: &dyn Fn(&SessionBuilder, bool) -> Outcome<()>) -> Outcome<(Session, bool)> {
    let make = |graphs: bool| {
        let mut builder = super::builder().map_err(|e| e.to_string())?;
        append(&builder, graphs)?;
        builder.commit_from_memory(bytes).map_err(|e| e.to_string())
    };
    let wanted = std::env::var_os("FACIALADS_CUDA_GRAPHS").is_none_or(|value| value != "0");
    match make(wanted) {
        Err(problem) if wanted && problem.to_lowercase().contains("graph capture") => {
            Ok((make(false)?, false))
        }
        made => Ok((made?, wanted)),
    }
}

fn describe(
    session: &Session,
    file: &Path,
    model: &str,
    device: &Device,
    precision: Precision,
    is_tensorrt: bool,
) -> (Description, bool) {
    let mut inputs: Vec<_> = session.inputs().iter().map(|i| port(i.name(), i.dtype())).collect();
    let half = session.inputs().first().is_some_and(|input| super::is_half(input.dtype()));
    if let Some(input) = inputs.first_mut() {
        // Our kernels, and the run on host values, write halves.
        input.float |= half;
    }
    let calculates = match (half, precision) {
        (true, _) => "f16",
        (false, Precision::Fast) if is_tensorrt => "f16",
        (false, Precision::Fast) => "tf32",
        // There is no switch for it.
        (false, Precision::F32) if is_tensorrt => "tf32",
        (false, Precision::F32) => "f32",
    };
    let version = library_version().unwrap_or_default();
    let runtime = if is_tensorrt {
        format!("ONNX Runtime {version} with TensorRT")
    } else {
        format!("ONNX Runtime {version}")
    };
    let description = Description {
        model: if model.is_empty() { model_name(file) } else { model.to_owned() },
        runtime,
        device: device.to_string(),
        precision: calculates.to_owned(),
        inputs,
        outputs: session.outputs().iter().map(|o| port(o.name(), o.dtype())).collect(),
    };
    (description, half)
}
