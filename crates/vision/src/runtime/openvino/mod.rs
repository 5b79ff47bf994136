//! OpenVINO: Intel's CPUs, GPUs and NPUs, and the fastest on AMD's CPUs too.

mod api;
mod library;
mod network;

pub use library::openvino_candidates;

use super::{Description, Device, Network, Port, Precision, Runtime};
use crate::{Error, Result};
use library::Problem;
use std::{path::Path, sync::Arc};

pub(super) struct OpenVino;

/// What an opened OpenVINO says of itself and of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenVinoInfo {
    /// "2026.4.1".
    pub version: String,
    /// OpenVINO's name and the maker's of each device: ("CPU", "AMD EPYC 9V74 80-Core Processor").
    pub devices: Vec<(String, String)>,
}

/// OpenVINO's version and devices, opening the library if need be.
///
/// # Errors
/// The library is not there, cannot be opened, or is older than 2025.1.
pub fn openvino_info() -> Result<OpenVinoInfo> {
    let mut opened = library::open().map_err(|problem| unusable("openvino", problem))?;
    let info = opened.with(|library| {
        let named = |device: &String| {
            let full = library.exact.get(device, "FULL_DEVICE_NAME").unwrap_or_default();
            (device.clone(), full.trim().to_owned())
        };
        let devices = library.devices.iter().map(named).collect();
        OpenVinoInfo { version: library.version.clone(), devices }
    });
    info.ok_or_else(|| unusable("openvino", Problem::Absent))
}

fn unusable(device: &str, problem: Problem) -> Error {
    let reason = match problem {
        Problem::Absent => {
            "OpenVINO is not installed; run `facialads models install --library`, or set OPENVINO_LIB_PATH \
                            to the folder that has libopenvino_c.so"
                .to_owned()
        }
        Problem::Unusable(problem) => {
            format!("OpenVINO cannot be opened: {problem}; run `facialads doctor`, or set OPENVINO_LIB_PATH")
        }
    };
    Error::Device { device: device.to_owned(), reason }
}

impl Runtime for OpenVino {
    fn name(&self) -> String {
        openvino_info().map_or_else(|_| "OpenVINO".into(), |info| format!("OpenVINO {}", info.version))
    }

    fn load(&self, file: &Path, device: &Device, precision: Precision) -> Result<Arc<dyn Network>> {
        let Device::OpenVino(name) = device else {
            return Err(Error::Device {
                device: device.to_string(),
                reason: "OpenVINO does not know it".into(),
            });
        };
        let mut opened = library::open().map_err(|problem| unusable(&device.to_string(), problem))?;
        let network = opened.with(|library| load(library, file, device, name, precision));
        network.unwrap_or_else(|| Err(unusable(&device.to_string(), Problem::Absent)))
    }
}

fn load(
    library: &mut library::Library,
    file: &Path,
    device: &Device,
    name: &str,
    precision: Precision,
) -> Result<Arc<dyn Network>> {
    // "GPU" is the first of "GPU.0", "GPU.1"; AUTO leaves the choice to OpenVINO.
    let there = |known: &String| known == name || known.split_once('.').is_some_and(|(kind, _)| kind == name);
    if name != "AUTO" && !library.devices.iter().any(there) {
        let reason =
            format!("OpenVINO {} finds only {} on this machine", library.version, library.devices.join(", "));
        return Err(Error::Device { device: device.to_string(), reason });
    }
    let fail = |problem: String| Error::Load { path: file.to_owned(), problem };
    let bytes = std::fs::read(file).map_err(|source| Error::Read { path: file.to_owned(), source })?;
    let refused = |reason| Error::Device { device: device.to_string(), reason };
    let core = library.core(precision).map_err(refused)?;
    // AUTO does not tell before it has chosen.
    let used = core.get(name, library::PRECISION).unwrap_or_default();
    let model = core.read(&bytes).map_err(fail)?;
    let ports = |edges: Vec<api::Edge>| -> Vec<Port> {
        edges.into_iter().map(|e| Port { name: e.name, shape: e.shape, float: e.float }).collect()
    };
    let description = Description {
        model: file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        runtime: format!("OpenVINO {}", library.version),
        device: device.to_string(),
        precision: used,
        inputs: ports(model.inputs().map_err(fail)?),
        outputs: ports(model.outputs().map_err(fail)?),
    };
    description.check(file)?;
    Ok(Arc::new(network::OpenVinoNetwork::new(model, description, name, precision)))
}
