//! Running a network: one small trait, and who is behind it.
//!
//! Adding a runtime: implement [`Runtime`] and [`Network`], and name it in [`Device`]'s order of preference.

mod counter;
mod device;
mod gpu;
mod notices;
mod onnx;
mod openvino;
mod pattern;
mod precision;
mod registry;
mod resilient;
mod tensor;

pub(crate) use counter::{Whom, count_on_people};
pub use counter::{inference_calls, inference_time};
pub use device::{Card, Device};
pub use gpu::{GpuNetwork, GpuSession, GpuTensor};
pub use notices::{Notice, NoticeKind, Notices};
pub use onnx::{
    cuda_library_folders, library_candidates, library_providers, library_version, provider_libraries,
    tensorrt_cache,
};
pub use openvino::{OpenVinoInfo, openvino_candidates, openvino_info};
pub use pattern::{PatternRun, run_on_pattern};
pub use precision::Precision;
pub use registry::LoadOptions;
pub(crate) use registry::load;
pub use tensor::Tensor;

use crate::{Error, Result};
use std::{path::Path, sync::Arc};

/// Something that can load networks.
pub trait Runtime: Send + Sync {
    /// "ONNX Runtime 1.32.0".
    fn name(&self) -> String;
    /// Loads an ONNX file. Slow (tens of milliseconds to seconds): never on a streaming thread.
    ///
    /// # Errors
    /// The file is missing or damaged, or the device cannot start.
    fn load(&self, file: &Path, device: &Device, precision: Precision) -> Result<Arc<dyn Network>>;
}

/// A loaded network. Shared between threads; runs wait for one another.
pub trait Network: Send + Sync {
    fn describe(&self) -> &Description;
    /// Makes ready for inputs of a shape, so that the first run takes no longer than the others. Slow: never on a streaming
    /// thread.
    ///
    /// # Errors
    /// The device cannot run the network, or not with this shape.
    fn prepare(&self, _shape: &[usize]) -> Result<()> {
        Ok(())
    }
    /// Runs a batch: the first dimension of `shape` and of every output counts pictures. Outputs come in the order of
    /// [`Description::outputs`] and replace what `outputs` held, whose memory is used again: give the same one to each run.
    ///
    /// # Errors
    /// The input's shape does not fit, or the runtime failed; `outputs` then holds nothing of use.
    fn run(&self, shape: &[usize], values: &[f32], outputs: &mut Vec<Tensor>) -> Result<()>;
    /// The same network where its input and outputs can lie in a GPU's memory. To be asked for each run: a network that fails on
    /// a GPU moves on to the next device, and one whose TensorRT engines become ready moves there.
    fn gpu(&self) -> Option<&dyn GpuNetwork> {
        None
    }
    /// What became known of it since it was loaded, where that can happen.
    fn notices(&self) -> Option<&Notices> {
        None
    }
}

/// What a network says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// File name without ending, for messages.
    pub model: String,
    /// "ONNX Runtime 1.32.0".
    pub runtime: String,
    pub device: String,
    /// What it calculates in: "f32", "bf16", "f16"; empty where the device does not tell.
    pub precision: String,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
}

impl Description {
    /// Refuses what no decoder could use.
    fn check(&self, file: &Path) -> Result<()> {
        let fail = |problem: String| Err(Error::Load { path: file.to_owned(), problem });
        let [input] = self.inputs.as_slice() else {
            return fail(format!("it has {} inputs, 1 expected", self.inputs.len()));
        };
        match self.outputs.iter().chain([input]).find(|port| !port.float) {
            Some(wrong) => fail(format!("{wrong}: only float32 inputs and outputs are supported")),
            None => Ok(()),
        }
    }

    /// Whether the input can have this shape.
    fn takes(&self, shape: &[usize]) -> bool {
        self.inputs.first().is_some_and(|port| {
            port.shape.len() == shape.len()
                && port.shape.iter().zip(shape).all(|(own, given)| own.is_none_or(|own| own == *given))
        })
    }
}

/// A named tensor at a network's edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    /// Dimensions; `None` where any size will do.
    pub shape: Vec<Option<usize>>,
    /// Whether it holds 32-bit floating-point numbers, the only kind supported; on a GPU the input may hold 16-bit ones.
    pub float: bool,
}

impl std::fmt::Display for Port {
    /// `scores [?, 5118]`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dimensions: Vec<String> =
            self.shape.iter().map(|d| d.map_or_else(|| "?".to_owned(), |n| n.to_string())).collect();
        write!(f, "{} [{}]", self.name, dimensions.join(", "))?;
        if self.float { Ok(()) } else { f.write_str(" (not float32)") }
    }
}
