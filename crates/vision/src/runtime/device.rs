use crate::{Error, Result};
use std::{fmt, str::FromStr};

/// Where a network runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// The first that works of OpenVINO and ONNX Runtime, both on the CPU.
    #[default]
    Auto,
    /// ONNX Runtime on the CPU.
    Cpu,
    /// An NVIDIA GPU by its number.
    Cuda(u32),
    TensorRt(u32),
    /// OpenVINO on one of its devices: CPU, GPU, NPU; "AUTO" leaves it to OpenVINO.
    OpenVino(String),
}

impl Device {
    /// What to try, in order, when this device is asked for. `openvino`: whether there is an OpenVINO to be tried unasked.
    pub(super) fn candidates(&self, openvino: bool) -> Vec<Self> {
        let second = Self::OpenVino("CPU".into());
        let asked = (!matches!(self, Self::Auto)).then(|| self.clone());
        let unasked = (openvino && !matches!(self, Self::Cpu) && *self != second).then_some(second);
        let last = (*self != Self::Cpu).then_some(Self::Cpu);
        asked.into_iter().chain(unasked).chain(last).collect()
    }

    /// For sentences: "OpenVINO on the CPU".
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Auto => "what works".to_owned(),
            Self::Cpu => "the CPU".to_owned(),
            Self::OpenVino(name) => format!("OpenVINO on the {name}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::TensorRt(number) => write!(f, "tensorrt:{number}"),
            Self::OpenVino(name) => write!(f, "openvino:{name}"),
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    /// Upper or lower case, as DL Streamer's users write "CPU".
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::UnknownDevice(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        let (kind, which) = lower.split_once(':').map_or((lower.as_str(), None), |(k, w)| (k, Some(w)));
        let number = || which.map_or(Ok(0), |w| w.parse::<u32>().map_err(|_| unknown()));
        match (kind, which) {
            ("" | "auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("cuda", _) => number().map(Self::Cuda),
            ("tensorrt", _) => number().map(Self::TensorRt),
            ("openvino", None) => Ok(Self::OpenVino("AUTO".into())),
            ("openvino", Some(name)) if !name.is_empty() => Ok(Self::OpenVino(name.to_ascii_uppercase())),
            _ => Err(unknown()),
        }
    }
}
