//! What a network expects and means: the description beside an ONNX file.
//!
//! A network of your own works like ours: put `NAME.toml` beside `NAME.onnx` in the models' folder (or anywhere, and give
//! the path of the `.onnx` file as the model). A detector, for example:
//!
//! ```
//! let spec = facialads_vision::ModelSpec::parse(r#"
//! name = "my-faces"
//! role = "face-detector"
//! decoder = "yunet"            # how the outputs are read, see `Decoder`
//! threshold = 0.6              # least confidence, 0..1
//! iou = 0.3                    # overlap above which two boxes are the same face
//! licence = "Apache-2.0"
//!
//! [input]
//! width = 640                  # pixels
//! height = 640
//! multiple = 32                # the sides may shrink to multiples of this; leave out if the size is fixed
//! channels = "bgr"             # or "rgb"
//! fit = "pad-right-bottom"     # how a picture of another shape is made to fit, see `Fit`
//! resize = "bilinear"          # see `Resize`
//!
//! [second-pass]                # look again at a smaller picture, for faces that fill it
//! scale = 0.5                  # of the input's size
//! min-size = 0.4               # keep only boxes larger than this part of the picture's longer side
//! "#).unwrap();
//! assert_eq!(spec.input.width, 640);
//! ```
//!
//! A classifier of the programme's subject has `role = "subject"`, `decoder = "classification"` and `labels`, in the order
//! of the network's output (or `labels-file`, one label a line).

mod find;
mod read;

pub use find::{find, find_in, models_dir};
pub(crate) use read::MAX_INPUT_SIDE;
pub use read::SpecError;

use serde::{Deserialize, Serialize};

/// What a network is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    FaceDetector,
    AgeGender,
    Expression,
    Landmarks,
    Subject,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::FaceDetector => "face-detector",
            Self::AgeGender => "age-gender",
            Self::Expression => "expression",
            Self::Landmarks => "landmarks",
            Self::Subject => "subject",
        }
    }
}

/// How a network's outputs are read; shapes are in [`crate::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    SsdFace,
    TinyYoloFace,
    Ultralight,
    UltralightDecoded,
    Yunet,
    #[serde(rename = "landmarks-68")]
    Landmarks68,
    AgeGender,
    AgeDistribution,
    Classification,
}

impl Decoder {
    pub fn name(self) -> &'static str {
        match self {
            Self::SsdFace => "ssd-face",
            Self::TinyYoloFace => "tiny-yolo-face",
            Self::Ultralight => "ultralight",
            Self::UltralightDecoded => "ultralight-decoded",
            Self::Yunet => "yunet",
            Self::Landmarks68 => "landmarks-68",
            Self::AgeGender => "age-gender",
            Self::AgeDistribution => "age-distribution",
            Self::Classification => "classification",
        }
    }
}

/// Order of the input tensor's dimensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    #[default]
    Nchw,
    Nhwc,
}

/// Order of the input tensor's colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    #[default]
    Rgb,
    Bgr,
}

/// How a picture of another shape is made to fit the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Whole picture, its shape kept, black to its right or below it.
    PadRightBottom,
    /// Whole picture, its shape kept, black on two sides.
    PadCentre,
    /// Whole picture, squashed.
    Stretch,
    /// The largest part of the input's shape out of the picture's middle.
    CentreCrop,
}

/// How pixels are scaled. A network wants what it was trained with: a wrong habit costs accuracy and no error tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Between four pixels, pixel centres at halves, as OpenCV does.
    #[default]
    Bilinear,
    /// Between four pixels, without half-pixel centres, as TensorFlow 1 and TensorFlow.js do.
    BilinearLegacy,
    /// A triangle as wide as the reduction, as Pillow does: every pixel counts.
    Antialias,
}

/// The description of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelSpec {
    /// Shown in metadata and messages.
    pub name: String,
    pub role: Role,
    pub decoder: Decoder,
    /// Least confidence of a detection or a class, 0..=1. `None`: the decoder's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// Overlap (intersection over union) above which two detections are one, 0..=1. `None`: the decoder's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou: Option<f32>,
    /// Class names in the order of the network's output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The same in a file beside the description, one a line. Read by [`ModelSpec::read`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels_file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Where the network comes from, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Of the `.onnx` file, in hexadecimal; checked by `facialads doctor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    pub input: InputSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_pass: Option<SecondPass>,
}

/// The network's picture. A value of the tensor is `(pixel - mean) * scale`, pixels being 0..=255.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct InputSpec {
    /// The tensor's name; `None`: the only input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// The network takes any size that is a multiple of this: a side is shortened to what the picture needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiple: Option<u32>,
    #[serde(default)]
    pub layout: Layout,
    #[serde(default)]
    pub channels: Channels,
    /// Per channel, in the tensor's order.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Per channel, in the tensor's order.
    #[serde(default = "ones")]
    pub scale: [f32; 3],
    pub fit: Fit,
    #[serde(default)]
    pub resize: Resize,
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

/// A second look at a smaller picture. Detectors are trained on faces in scenes and miss those that fill the picture,
/// as they do at a kiosk.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecondPass {
    /// Size of the picture in this pass, as a part of the input's, above 0 and below 1.
    pub scale: f32,
    /// Least longer side of a box to keep, as a part of the picture's longer side, 0..=1.
    pub min_size: f32,
    /// Least confidence in this pass, 0..=1. `None`: the same as in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
}
