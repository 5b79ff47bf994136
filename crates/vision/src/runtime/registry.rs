//! Elements that name the same model and device share one network.

use super::{
    Device, Network, Precision, Runtime,
    onnx::OnnxRuntime,
    openvino::{OpenVino, openvino_candidates},
};
use crate::{Error, Result};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
    time::{Duration, SystemTime},
};

/// How to load a network.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    pub device: Device,
    pub precision: Precision,
    /// Use the next best device where the wanted one cannot start; otherwise that is an error.
    pub fallback: bool,
    /// Elements with the same instance id, model, device and precision share a network; the empty one is an id like any other.
    pub instance: String,
    /// Most pictures that elements which share the network run together; 1 (and 0): each runs its own.
    pub batch_size: u32,
    /// How long the first picture of a batch waits for others.
    pub batch_timeout: Duration,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            device: Device::default(),
            precision: Precision::default(),
            fallback: false,
            instance: String::new(),
            batch_size: 1,
            batch_timeout: Duration::from_millis(5),
        }
    }
}

impl LoadOptions {
    /// The same in 32 bits: for what is told of a person, and for the rule that protects minors, which must not depend on
    /// the processor.
    pub(crate) fn exact(&self) -> Self {
        Self { precision: Precision::F32, ..self.clone() }
    }
}

/// A network and, where it is not on the wanted device, why.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) note: Option<String>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("network", self.network.describe()).field("note", &self.note).finish()
    }
}

#[derive(PartialEq, Eq, Hash, Clone)]
struct Key {
    file: PathBuf,
    // A file that was replaced is another network.
    modified: Option<SystemTime>,
    device: Device,
    precision: Precision,
    instance: String,
}

static NETWORKS: LazyLock<Mutex<HashMap<Key, Weak<dyn Network>>>> = LazyLock::new(Mutex::default);

/// Loads an ONNX file, or returns the network that another element has already loaded from it. It is ready for inputs of the
/// shape `first`, if it takes such.
///
/// With [`Device::Auto`] the next candidate is tried whatever is wrong with one; with a certain device only if `fallback` says so.
///
/// # Errors
/// The file is missing or damaged, no runtime's library can be opened, or (without `fallback`) the device cannot start.
pub(crate) fn load(file: &Path, options: &LoadOptions, first: &[usize]) -> Result<Loaded> {
    let mut candidates = options.device.candidates(!openvino_candidates().is_empty()).into_iter().peekable();
    let mut problems: Vec<String> = Vec::new();
    while let Some(device) = candidates.next() {
        let another = candidates.peek().is_some() && (options.fallback || options.device == Device::Auto);
        match on_device(file, &device, options, first) {
            Ok(network) => {
                let note = (!problems.is_empty())
                    .then(|| format!("{}; running on {} instead", problems.join("; "), device.in_words()));
                return Ok(Loaded { network, note });
            }
            Err(e) if !another || matches!(e, Error::Read { .. }) => return Err(e),
            Err(e) => problems.push(e.to_string()),
        }
    }
    // No device is without candidates.
    Err(Error::Device { device: options.device.to_string(), reason: "no runtime knows it".into() })
}

fn on_device(
    file: &Path,
    device: &Device,
    options: &LoadOptions,
    first: &[usize],
) -> Result<Arc<dyn Network>> {
    let (runtime, precision): (&dyn Runtime, _) = match device {
        Device::OpenVino(_) => (&OpenVino, options.precision),
        Device::Cuda(_) | Device::TensorRt(_) => (&OnnxRuntime, options.precision),
        // It has one precision, so that elements which ask for different ones can share.
        _ => (&OnnxRuntime, Precision::F32),
    };
    let key = Key {
        file: file.canonicalize().unwrap_or_else(|_| file.to_owned()),
        modified: file.metadata().and_then(|m| m.modified()).ok(),
        device: device.clone(),
        precision,
        instance: options.instance.clone(),
    };
    // Held while loading, so that two elements starting together do not both load.
    let mut networks = NETWORKS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(network) = networks.get(&key).and_then(Weak::upgrade) {
        return Ok(network);
    }
    let network = runtime.load(file, device, precision)?;
    // A description that does not fit has a better message coming.
    if network.describe().takes(first) {
        network.prepare(first)?;
    }
    networks.retain(|_, weak| weak.strong_count() > 0);
    networks.insert(key, Arc::downgrade(&network));
    Ok(network)
}
