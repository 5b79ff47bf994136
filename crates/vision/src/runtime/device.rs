use crate::{Error, Result};
use std::{fmt, str::FromStr};

/// Where a network runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// The first that works of an NVIDIA GPU, OpenVINO on the CPU and ONNX Runtime on the CPU.
    #[default]
    Auto,
    /// ONNX Runtime on the CPU.
    Cpu,
    /// ONNX Runtime on an NVIDIA GPU.
    Cuda(Card),
    /// TensorRT, through ONNX Runtime, on an NVIDIA GPU.
    TensorRt(Card),
    /// OpenVINO on one of its devices: CPU, GPU, NPU; "AUTO" leaves it to OpenVINO.
    OpenVino(String),
}

/// Which NVIDIA GPU.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Card {
    /// By its number, as CUDA counts: from 0, among those that `CUDA_VISIBLE_DEVICES` leaves.
    Number(u32),
    /// By the beginning of its UUID as `nvidia-smi -L` prints it: `GPU-…`, or `MIG-…` for a part of one.
    Uuid(String),
}

impl Default for Card {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Card {
    /// `None` if it is neither a number nor the beginning of a UUID.
    fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Some(Self::Number(number));
        }
        let (kind, rest) = text.split_once('-')?;
        let kind = ["GPU", "MIG"].into_iter().find(|known| kind.eq_ignore_ascii_case(known))?;
        // MIG's older form has the GPU's UUID and numbers in it: MIG-GPU-…/1/0.
        let proper = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '/');
        (!rest.is_empty() && rest.chars().all(proper)).then(|| Self::Uuid(format!("{kind}-{rest}")))
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Uuid(uuid) => f.write_str(uuid),
        }
    }
}

impl Device {
    /// What to try, in order, when this device is asked for. `unasked`: what may be tried without being asked for, best first;
    /// ONNX Runtime on the CPU always comes last.
    pub(super) fn candidates(&self, unasked: &[Self]) -> Vec<Self> {
        let is_cpu = |device: &Self| matches!(device, Self::OpenVino(_) | Self::Cpu);
        let mut all = match self {
            Self::Auto => unasked.to_vec(),
            Self::Cpu => Vec::new(),
            Self::TensorRt(card) => vec![self.clone(), Self::Cuda(card.clone())],
            other => vec![other.clone()],
        };
        if *self != Self::Cpu {
            let others = unasked.iter().filter(|device| is_cpu(device) && *device != self);
            all.extend(others.filter(|_| *self != Self::Auto).cloned());
        }
        all.retain(|device| *device != Self::Cpu);
        all.push(Self::Cpu);
        all
    }

    /// For sentences: "OpenVINO on the CPU".
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Auto => "what works".to_owned(),
            Self::Cpu => "the CPU".to_owned(),
            Self::OpenVino(name) => format!("OpenVINO on the {name}"),
            Self::Cuda(card) => format!("CUDA on GPU {card}"),
            Self::TensorRt(card) => format!("TensorRT on GPU {card}"),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(card) => write!(f, "cuda:{card}"),
            Self::TensorRt(card) => write!(f, "tensorrt:{card}"),
            Self::OpenVino(name) => write!(f, "openvino:{name}"),
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    /// Upper or lower case, as DL Streamer's users write "CPU".
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::UnknownDevice(text.to_owned());
        let (kind, which) =
            text.trim().split_once(':').map_or((text.trim(), None), |(kind, which)| (kind, Some(which)));
        let card = || which.map_or(Some(Card::default()), Card::parse).ok_or_else(unknown);
        match (kind.to_ascii_lowercase().as_str(), which) {
            ("" | "auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("cuda", _) => card().map(Self::Cuda),
            ("tensorrt", _) => card().map(Self::TensorRt),
            ("openvino", None) => Ok(Self::OpenVino("AUTO".into())),
            ("openvino", Some(name)) if !name.is_empty() => Ok(Self::OpenVino(name.to_ascii_uppercase())),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_what_was_asked_for_comes_what_is_less() {
        let device = |text: &str| text.parse::<Device>().unwrap();
        let unasked = ["cuda", "openvino:CPU"].map(device);
        let candidates = |text: &str| {
            let all = device(text).candidates(&unasked);
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(candidates("auto"), "cuda:0 openvino:CPU cpu");
        assert_eq!(candidates("cpu"), "cpu");
        assert_eq!(candidates("cuda:1"), "cuda:1 openvino:CPU cpu");
        assert_eq!(candidates("tensorrt:GPU-1"), "tensorrt:GPU-1 cuda:GPU-1 openvino:CPU cpu");
        assert_eq!(candidates("openvino:CPU"), "openvino:CPU cpu");
        assert_eq!(candidates("openvino:GPU"), "openvino:GPU openvino:CPU cpu");
        assert_eq!(device("auto").candidates(&[]), [Device::Cpu]);
    }
}
