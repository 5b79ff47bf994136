//! Elements that name the same model and device share one network.

use super::{
    Card, Device, Network, Precision, Runtime,
    onnx::{self, OnnxRuntime},
    openvino::{OpenVino, openvino_candidates},
    resilient::{Loader, Resilient},
};
use crate::{Error, Result};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
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
    /// How long the first picture of a batch waits for others, at most 50 ms: a withdrawal of consent must not find pictures of
    /// people waiting. Nobody waits once everybody who shares the network has come.
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
        let device = match &self.device {
            // TensorRT calculates 32 bits in TensorFloat-32, and cannot be told not to through ONNX Runtime.
            Device::TensorRt(card) => Device::Cuda(card.clone()),
            other => other.clone(),
        };
        Self { device, precision: Precision::F32, ..self.clone() }
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
    /// Whether it goes elsewhere when its device fails.
    moves: bool,
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
    let mut candidates = options.device.candidates(&unasked(file, options));
    let fallback = options.fallback || options.device == Device::Auto;
    let mut problems: Vec<String> = Vec::new();
    while !candidates.is_empty() {
        let device = candidates.remove(0);
        let next = if fallback { candidates.as_slice() } else { &[] };
        match start(file, &device, next, options, first) {
            Ok(network) => {
                let note = (!problems.is_empty())
                    .then(|| format!("{}; running on {} instead", problems.join("; "), device.in_words()));
                return Ok(Loaded { network, note });
            }
            Err(e) if next.is_empty() || matches!(e, Error::Read { .. }) => return Err(e),
            Err(e) => problems.push(e.to_string()),
        }
    }
    // No device is without candidates.
    Err(Error::Device { device: options.device.to_string(), reason: "no runtime knows it".into() })
}

/// What may be tried unasked on this machine, best first. Where there is no NVIDIA GPU that costs next to nothing.
fn unasked(file: &Path, options: &LoadOptions) -> Vec<Device> {
    let mut devices = Vec::new();
    if options.device == Device::Auto && crate::cuda::devices().is_ok_and(|cards| !cards.is_empty()) {
        let card = Card::default();
        // An engine is never built unasked: that takes minutes. F32 is to mean 32 bits, which TensorRT's are not quite.
        if options.precision == Precision::Fast && onnx::tensorrt_is_ready(file, &card, options.precision) {
            devices.push(Device::TensorRt(card.clone()));
        }
        // An ONNX Runtime without CUDA is as good as no GPU; `facialads doctor` says what could be had.
        if onnx::library_providers().is_ok_and(|providers| providers.contains(&"CUDA")) {
            devices.push(Device::Cuda(card));
        }
    }
    if !openvino_candidates().is_empty() {
        devices.push(Device::OpenVino("CPU".into()));
    }
    devices
}

/// The network on a device; one that moves to the `next` ones should a GPU fail while it runs, and to TensorRT once its engine
/// is there.
fn start(
    file: &Path,
    device: &Device,
    next: &[Device],
    options: &LoadOptions,
    first: &[usize],
) -> Result<Arc<dyn Network>> {
    let build = match device {
        Device::TensorRt(card) => !onnx::tensorrt_state(file, card, options.precision)?,
        Device::Cuda(_) if !next.is_empty() => false,
        _ => return on_device(file, device, options, first),
    };
    let key = Key { moves: true, ..Key::of(file, device, options) };
    // Not held while loading, for that comes by here as well: of two that start together one is kept.
    if let Some(network) = networks().get(&key).and_then(Weak::upgrade) {
        return Ok(network);
    }
    let stands_in = match device {
        Device::TensorRt(card) if build => Device::Cuda(card.clone()),
        other => other.clone(),
    };
    let network = on_device(file, &stands_in, options, first)?;
    let (path, copy, shape) = (file.to_owned(), options.clone(), first.to_vec());
    let load: Loader = Arc::new(move |device| on_device(&path, device, &copy, &shape));
    let devices = next.iter().filter(|device| **device != stands_in).cloned().collect();
    let mut networks = networks();
    if let Some(network) = networks.get(&key).and_then(Weak::upgrade) {
        return Ok(network);
    }
    let moving = Resilient::new(network, devices, load);
    let network: Arc<dyn Network> = moving.clone();
    networks.retain(|_, weak| weak.strong_count() > 0);
    networks.insert(key, Arc::downgrade(&network));
    drop(networks);
    if build {
        moving.build(device.clone(), stands_in);
    }
    Ok(network)
}

fn networks() -> MutexGuard<'static, HashMap<Key, Weak<dyn Network>>> {
    NETWORKS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Key {
    fn of(file: &Path, device: &Device, options: &LoadOptions) -> Self {
        Self {
            file: file.canonicalize().unwrap_or_else(|_| file.to_owned()),
            modified: file.metadata().and_then(|m| m.modified()).ok(),
            device: device.clone(),
            precision: match device {
                // It has one precision, so that elements which ask for different ones can share.
                Device::Auto | Device::Cpu => Precision::F32,
                Device::Cuda(_) | Device::TensorRt(_) | Device::OpenVino(_) => options.precision,
            },
            instance: options.instance.clone(),
            moves: false,
        }
    }
}

fn on_device(
    file: &Path,
    device: &Device,
    options: &LoadOptions,
    first: &[usize],
) -> Result<Arc<dyn Network>> {
    let runtime: &dyn Runtime = match device {
        Device::OpenVino(_) => &OpenVino,
        Device::Auto | Device::Cpu | Device::Cuda(_) | Device::TensorRt(_) => &OnnxRuntime,
    };
    let key = Key::of(file, device, options);
    let make = || -> Result<Arc<dyn Network>> {
        let network = runtime.load(file, device, key.precision)?;
        // A description that does not fit has a better message coming.
        if network.describe().takes(first) {
            network.prepare(first)?;
        }
        Ok(network)
    };
    // Held while loading, so that two elements starting together do not both load; but not for the minutes that an engine of
    // TensorRT's takes, of which only one is built at a time anyway.
    let mut held = networks();
    if let Some(network) = held.get(&key).and_then(Weak::upgrade) {
        return Ok(network);
    }
    let network = if matches!(device, Device::TensorRt(_)) {
        drop(held);
        let network = make()?;
        held = networks();
        network
    } else {
        make()?
    };
    held.retain(|_, weak| weak.strong_count() > 0);
    held.insert(key, Arc::downgrade(&network));
    Ok(network)
}
