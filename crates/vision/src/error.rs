use std::path::PathBuf;

/// What can go wrong between a frame and a face. Every message says what to do next; none says anything about a person.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("frame of {width}x{height}: {problem}")]
    Frame { width: u32, height: u32, problem: String },
    #[error("model \"{name}\" is not installed: {} is missing; run `facialads models install {name}` or set FACIALADS_MODELS to the folder that has it", path.display())]
    ModelMissing { name: String, path: PathBuf },
    #[error("model description {}: {problem}", path.display())]
    Spec { path: PathBuf, problem: String },
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "ONNX Runtime cannot be used: {problem}; run `facialads doctor`, or set ORT_DYLIB_PATH to libonnxruntime.so (1.24 or later)"
    )]
    Library { problem: String },
    #[error("{} cannot be loaded as a network: {problem}; if it is damaged, install it again", path.display())]
    Load { path: PathBuf, problem: String },
    #[error(
        "model \"{model}\" does not fit its decoder {decoder}: {problem}; correct the .toml beside the .onnx file"
    )]
    Shape { model: String, decoder: &'static str, problem: String },
    #[error("device \"{device}\" cannot be used: {reason}")]
    Device { device: String, reason: String },
    #[error("model \"{model}\" failed to run: {problem}")]
    Inference { model: String, problem: String },
    #[error(
        "\"{0}\" is not a device; known are auto, cpu, cuda, cuda:N, cuda:GPU-UUID, tensorrt, tensorrt:N, tensorrt:GPU-UUID, openvino, openvino:NAME"
    )]
    UnknownDevice(String),
    #[error("\"{0}\" is not a precision; known are f32, fast")]
    UnknownPrecision(String),
    #[error("model \"{model}\" cannot be used here: it is for {found}, and {wanted} is needed")]
    Role { model: String, found: &'static str, wanted: &'static str },
    #[error("detector size {side} cannot be used with model \"{model}\": {problem}; 0 is the model's own")]
    Size { model: String, side: u32, problem: String },
    #[error("subject map{}: {problem}", path.as_ref().map(|p| format!(" {}", p.display())).unwrap_or_default())]
    SubjectMap { path: Option<PathBuf>, problem: String },
    #[error("a picture cannot be painted on like that: {problem}")]
    Painting { problem: String },
    #[error("consent of epoch {given} is over; {current} is the oldest still valid")]
    Stale { given: u64, current: u64 },
    /// `remedy` says what to do next.
    #[error("{problem}; {remedy}")]
    Gpu { failure: crate::cuda::GpuFailure, problem: String, remedy: String },
}

impl Error {
    /// The same once more, for the next one who has to be told: callers whose pictures ran together fail together.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Inference { model, problem } => {
                Self::Inference { model: model.clone(), problem: problem.clone() }
            }
            Self::Gpu { failure, problem, remedy } => {
                Self::Gpu { failure: *failure, problem: problem.clone(), remedy: remedy.clone() }
            }
            other => Self::Inference { model: "of a batch".into(), problem: other.to_string() },
        }
    }
}
