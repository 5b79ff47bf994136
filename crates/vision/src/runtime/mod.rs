//! Running a network: one small trait, and who is behind it.
//!
//! Adding a runtime: implement [`Runtime`] and [`Network`], and name it in [`Device`]'s order of preference.

mod counter;
mod device;
mod library;
mod onnx;
mod pattern;
mod providers;
mod registry;
mod tensor;

pub(crate) use counter::count_on_people;
pub use counter::inference_calls;
pub use device::Device;
pub use library::{library_candidates, library_version};
pub use pattern::run_on_pattern;
pub use providers::library_providers;
pub use registry::LoadOptions;
pub(crate) use registry::load;
pub use tensor::Tensor;

use crate::Result;
use std::{path::Path, sync::Arc};

/// Something that can load networks.
pub trait Runtime: Send + Sync {
    /// "ONNX Runtime 1.32.0".
    fn name(&self) -> String;
    /// Loads an ONNX file. Slow (tens of milliseconds to seconds): never on a streaming thread.
    ///
    /// # Errors
    /// The file is missing or damaged, or the device cannot start.
    fn load(&self, file: &Path, device: &Device) -> Result<Arc<dyn Network>>;
}

/// A loaded network. Shared between threads; runs wait for one another.
pub trait Network: Send + Sync {
    fn describe(&self) -> &Description;
    /// Runs a batch: the first dimension of `shape` and of every output counts pictures. Outputs come in the order of
    /// [`Description::outputs`] and replace what `outputs` held, whose memory is used again: give the same one to each run.
    ///
    /// # Errors
    /// The input's shape does not fit, or the runtime failed; `outputs` then holds nothing of use.
    fn run(&self, shape: &[usize], values: &[f32], outputs: &mut Vec<Tensor>) -> Result<()>;
}

/// What a network says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// File name without ending, for messages.
    pub model: String,
    /// "ONNX Runtime 1.32.0".
    pub runtime: String,
    pub device: String,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
}

/// A named tensor at a network's edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    /// Dimensions; `None` where any size will do.
    pub shape: Vec<Option<usize>>,
    /// Whether it holds 32-bit floating-point numbers, the only kind supported.
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
