//! ONNX Runtime, on the CPU and on NVIDIA's GPUs.

mod call;
mod cuda;
mod handle;
mod library;
mod providers;
mod tensorrt;

pub use cuda::{cuda_library_folders, provider_libraries};
pub(super) use cuda::{tensorrt_is_ready, tensorrt_state};
pub use library::{library_candidates, library_version};
pub use providers::library_providers;
pub use tensorrt::tensorrt_cache;

use super::{Description, Device, Network, Port, Precision, Runtime, Tensor};
use crate::{Error, Result};
use call::Call;
use ort::{
    environment::Environment,
    session::{Session, builder::SessionBuilder},
    value::{TensorElementType, ValueType},
};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

pub(super) struct OnnxRuntime;

impl Runtime for OnnxRuntime {
    fn name(&self) -> String {
        library_version().map_or_else(|_| "ONNX Runtime".into(), |v| format!("ONNX Runtime {v}"))
    }

    fn load(&self, file: &Path, device: &Device, precision: Precision) -> Result<Arc<dyn Network>> {
        if matches!(device, Device::Cuda(_) | Device::TensorRt(_)) {
            return cuda::load(file, device, precision);
        }
        let fail = |problem: String| Error::Load { path: file.to_owned(), problem };
        // Read here: ONNX Runtime's own message for a missing file is about a protobuf.
        let bytes = std::fs::read(file).map_err(|source| Error::Read { path: file.to_owned(), source })?;
        let session = builder()?.commit_from_memory(&bytes).map_err(|e| fail(e.to_string()))?;
        let model = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let description = Description {
            model,
            runtime: self.name(),
            device: Device::Cpu.to_string(),
            precision: Precision::F32.to_string(),
            inputs: session.inputs().iter().map(|i| port(i.name(), i.dtype())).collect(),
            outputs: session.outputs().iter().map(|o| port(o.name(), o.dtype())).collect(),
        };
        description.check(file)?;
        let call = Mutex::new(Call::new(session).map_err(fail)?);
        Ok(Arc::new(OnnxNetwork { call, description }))
    }
}

fn builder() -> Result<SessionBuilder> {
    // One thread, no spinning: a pipeline has threads of its own, and other elements need the cores.
    fn configured(environment: &Environment) -> ort::Result<SessionBuilder> {
        Ok(Session::builder(environment)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_log_level(ort::logging::LogLevel::Error)?)
    }
    configured(&library::environment()?).map_err(|e| Error::Library { problem: e.to_string() })
}

fn port(name: &str, kind: &ValueType) -> Port {
    let (shape, float) = match kind {
        ValueType::Tensor { ty, shape, .. } => {
            (shape.iter().map(|n| usize::try_from(*n).ok()).collect(), *ty == TensorElementType::Float32)
        }
        _ => (Vec::new(), false),
    };
    Port { name: name.to_owned(), shape, float }
}

fn is_half(kind: &ValueType) -> bool {
    matches!(kind, ValueType::Tensor { ty: TensorElementType::Float16, .. })
}

struct OnnxNetwork {
    call: Mutex<Call>,
    description: Description,
}

impl OnnxNetwork {
    fn failed(&self, problem: impl std::fmt::Display) -> Error {
        Error::Inference { model: self.description.model.clone(), problem: problem.to_string() }
    }
}

impl Network for OnnxNetwork {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn run(&self, shape: &[usize], values: &[f32], outputs: &mut Vec<Tensor>) -> Result<()> {
        self.call
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .run(shape, values, outputs)
            .map_err(|e| self.failed(e))
    }
}
