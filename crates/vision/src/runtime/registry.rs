//! Elements that name the same model and device share one network.

use super::{Device, Network, Runtime, onnx::OnnxRuntime};
use crate::Result;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
    time::SystemTime,
};

/// How to load a network.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    pub device: Device,
    /// Use the next best device where the wanted one cannot start; otherwise that is an error.
    pub fallback: bool,
    /// Elements with the same instance id, model and device share a network; the empty one is an id like any other.
    pub instance: String,
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
    instance: String,
}

static NETWORKS: LazyLock<Mutex<HashMap<Key, Weak<dyn Network>>>> = LazyLock::new(Mutex::default);

/// Loads an ONNX file, or returns the network that another element has already loaded from it.
///
/// # Errors
/// The file is missing or damaged, ONNX Runtime cannot be opened, or (without `fallback`) the device cannot start.
pub(crate) fn load(file: &Path, options: &LoadOptions) -> Result<Loaded> {
    let mut note = None;
    let mut last = None;
    for device in options.device.candidates() {
        match on_device(file, &device, &options.instance) {
            Ok(network) => return Ok(Loaded { network, note }),
            Err(e @ crate::Error::Device { .. }) if options.fallback => {
                note = Some(format!("{e}; running on the CPU instead"));
                last = Some(e);
            }
            Err(e) => return Err(e),
        }
    }
    Err(last.unwrap_or_else(|| crate::Error::Device {
        device: options.device.to_string(),
        reason: "no runtime knows it".into(),
    }))
}

fn on_device(file: &Path, device: &Device, instance: &str) -> Result<Arc<dyn Network>> {
    let key = Key {
        file: file.canonicalize().unwrap_or_else(|_| file.to_owned()),
        modified: file.metadata().and_then(|m| m.modified()).ok(),
        device: device.clone(),
        instance: instance.to_owned(),
    };
    // Held while loading, so that two elements starting together do not both load.
    let mut networks = NETWORKS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(network) = networks.get(&key).and_then(Weak::upgrade) {
        return Ok(network);
    }
    let network = OnnxRuntime.load(file, device)?;
    networks.retain(|_, weak| weak.strong_count() > 0);
    networks.insert(key, Arc::downgrade(&network));
    Ok(network)
}
