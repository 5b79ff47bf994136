use crate::{Error, Result};
use std::{fmt, str::FromStr};

/// Where a network runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// The fastest that works.
    #[default]
    Auto,
    Cpu,
    /// An NVIDIA GPU by its number.
    Cuda(u32),
    TensorRt(u32),
    /// OpenVINO on one of its devices: CPU, GPU, NPU; "AUTO" leaves it to OpenVINO.
    OpenVino(String),
}

impl Device {
    /// What to try, in order, when this device is asked for.
    pub(crate) fn candidates(&self) -> Vec<Self> {
        match self {
            Self::Auto | Self::Cpu => vec![Self::Cpu],
            other => vec![other.clone(), Self::Cpu],
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
