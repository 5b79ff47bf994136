//! Frame to tensors to faces and subjects: pre-processing, inference, decoding, tracking, fusion.
//!
//! Knows nothing of GStreamer: a [`Frame`] borrows the planes of a picture as they lie in memory, and a [`View`] is a frame
//! in whichever memory it lies.
//!
//! | step | thread | where |
//! |---|---|---|
//! | frame to a network's small input | streaming | [`FaceAnalyzer::shrink_view`], [`FaceAnalyzer::cut_view`], [`SubjectClassifier::shrink_view`] |
//! | inference, decoding, tracking, fusion | worker | [`FaceAnalyzer::detect`], [`FaceAnalyzer::describe`], [`SubjectClassifier::classify`] |
//! | memory, streams and kernels of an NVIDIA GPU | any; compiling and loading kernels ([`cuda::Gpu::prepare`]) never on a streaming thread | [`cuda`] |
//! | reading the state | any | [`FaceAnalyzer::faces`], [`FaceAnalyzer::targeting`], [`SubjectClassifier::reading`] |
//!
//! Every method takes `&self`; inference never happens under the lock that the streaming thread needs. Whatever looks
//! at people asks for a [`facialads_consent::Permit`], so that forgetting to check consent does not compile; the
//! programme's subject is not about viewers and needs none.
//!
//! A frame may lie in a GPU's memory, and so may a network. Where both do, kernels write what the network is shown, and only
//! boxes and numbers come to the host; where one does, the small picture alone is copied:
//!
//! | frame | network | what crosses |
//! |---|---|---|
//! | host | host | nothing |
//! | host | GPU | the small picture, upwards |
//! | GPU | GPU | boxes, scalars, small outputs |
//! | GPU | host | the small picture, downwards; a notice says so once |
//!
//! On a GPU the steps of the streaming thread are enqueued on the frame's stream and wait for nothing; those of the worker wait
//! for what comes back, at their end. [`cuda::traffic`] counts what crosses, [`cuda::time_stages`] times the stages. Elements
//! that share a network run their pictures together if asked to ([`runtime::LoadOptions::batch_size`]).
//!
//! A network is an ONNX file with a description beside it, see [`spec::ModelSpec`].

mod batch;
pub mod cuda;
pub mod decode;
mod error;
pub mod face;
pub mod frame;
pub mod geometry;
pub mod half;
mod model;
mod on_gpu;
pub mod paint;
mod pool;
pub mod preprocess;
pub mod process;
mod runs;
pub mod runtime;
mod small;
pub mod spec;
pub mod subject;

pub use error::Error;
pub use face::{Allowed, FaceAnalyzer, FaceOptions, TrackedFace, Verdict};
pub use frame::{ColorModel, Component, Frame, Matrix, Range, View};
pub use geometry::Rect;
pub use process::process;
pub use runtime::{Device, inference_calls, inference_time};
pub use spec::{ModelSpec, find, models_dir};
pub use subject::{SubjectClassifier, SubjectOptions, SubjectReading};

pub type Result<T, E = Error> = std::result::Result<T, E>;
