//! Conversion of published weights to ONNX.

mod efficientnet;
mod faceres;
mod faces;
mod graph;
mod onnx;
mod pickle;
mod ssd;
mod tensor;
mod tfjs;
mod torch;
mod weights;

#[cfg(test)]
mod tests;

use serde::Deserialize;
use tensor::Tensor;
use weights::Weights;

/// How a model's source becomes an ONNX file. Names as in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Converter {
    /// The source is ONNX already.
    Copy,
    TfjsSsdMobilenetV1,
    TfjsTinyFace,
    TfjsAgeGender,
    TfjsExpression,
    #[serde(rename = "tfjs-landmarks-68-tiny")]
    TfjsLandmarks68Tiny,
    TfjsFaceres,
    #[serde(rename = "torch-efficientnet-lite0")]
    TorchEfficientnetLite0,
}

impl Converter {
    /// How many files it reads: TensorFlow.js weights come as a list (first) and the numbers (second).
    pub fn sources(self) -> usize {
        match self {
            Self::Copy | Self::TorchEfficientnetLite0 => 1,
            _ => 2,
        }
    }

    /// The ONNX file's bytes; the same sources always give the same bytes.
    pub fn convert(self, sources: &[Vec<u8>]) -> Result<Vec<u8>, ConvertError> {
        let tfjs = |network: fn(&Weights) -> Result<Vec<u8>, ConvertError>| match sources {
            [list, numbers] => network(&tfjs::read(list, numbers)?),
            _ => Err(ConvertError::Sources { expected: 2, found: sources.len() }),
        };
        let one = || match sources {
            [source] => Ok(source),
            _ => Err(ConvertError::Sources { expected: 1, found: sources.len() }),
        };
        match self {
            Self::Copy => one().cloned(),
            Self::TfjsSsdMobilenetV1 => tfjs(ssd::ssd_mobilenet_v1),
            Self::TfjsTinyFace => tfjs(faces::tiny_face),
            Self::TfjsAgeGender => tfjs(faces::age_gender),
            Self::TfjsExpression => tfjs(faces::expression),
            Self::TfjsLandmarks68Tiny => tfjs(faces::landmarks_68_tiny),
            Self::TfjsFaceres => tfjs(faceres::faceres),
            Self::TorchEfficientnetLite0 => efficientnet::efficientnet_lite0(&torch::read(one()?)?),
        }
    }
}

/// Why weights could not be converted: they are damaged, or not those that the converter was written for.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    #[error("the list of weights cannot be read: {0}")]
    Manifest(#[source] serde_json::Error),
    #[error("the file ends within \"{name}\" ({left} bytes are left)")]
    Truncated { name: String, left: usize },
    #[error("{0} bytes follow the last weight")]
    Leftover(usize),
    #[error("weight \"{0}\" is missing")]
    Missing(String),
    #[error("weight \"{0}\" is there twice")]
    Twice(String),
    #[error("weight \"{0}\" contains numbers that are not finite")]
    NotFinite(String),
    #[error("weight \"{name}\" has shape {found:?}, expected {expected}")]
    Shape { name: String, expected: String, found: Vec<usize> },
    #[error("shape {shape:?} does not hold {found} numbers")]
    Count { shape: Vec<usize>, found: usize },
    #[error("shape {shape:?} where {expected} dimensions were expected")]
    Rank { expected: usize, shape: Vec<usize> },
    #[error("a layer of shape {kernel:?} does not fit onto {found} channels")]
    Channels { found: usize, kernel: Vec<usize> },
    #[error("not supported: {0}")]
    Unsupported(String),
    #[error("the checkpoint's pickle is refused at byte {at}: {reason}")]
    Pickle { at: usize, reason: String },
    #[error("{found} source files given, expected {expected}")]
    Sources { expected: usize, found: usize },
}
