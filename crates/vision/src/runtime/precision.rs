use crate::{Error, Result};
use std::{fmt, str::FromStr};

/// How exactly a network calculates. For OpenVINO and NVIDIA's GPUs; ONNX Runtime on the CPU calculates in 32 bits whatever is asked
/// for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32 bits: the same numbers on every runtime, to 1e-3.
    #[default]
    F32,
    /// What the device is fastest with: bfloat16 or 16 bits where it has instructions for them, else 32 bits. Other numbers,
    /// and others again on another machine; docs/models.md has how far off.
    Fast,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Fast => "fast",
        })
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "f32" => Ok(Self::F32),
            "fast" => Ok(Self::Fast),
            _ => Err(Error::UnknownPrecision(text.to_owned())),
        }
    }
}
