//! NVIDIA GPUs: memory, streams and kernels of our own, through the driver's library, which is opened at run time. On a machine
//! without one everything in here answers with an [`Error::Gpu`](crate::Error::Gpu) that says what is missing; nothing panics.
//!
//! GPUs have numbers ([`GpuInfo::ordinal`]) and UUIDs. The environment variable `CUDA_VISIBLE_DEVICES` chooses which of them a
//! process sees, and in which order: number 0 is the first of that list.
//!
//! Kernels are CUDA C in `kernels/`, listed in `sources.rs`, compiled for the GPU at hand by NVRTC when they are first needed,
//! and kept on disk ([`kernel_cache`]).

mod buffer;
mod cache;
pub(crate) mod capture;
mod compile;
mod context;
pub mod crop;
pub mod decode;
mod driver;
mod error;
mod event;
mod frame;
mod gpu;
mod memory;
mod module;
mod notes;
mod nvrtc;
pub mod paint;
pub mod picture;
pub mod quality;
mod self_test;
pub mod sources;
mod steps;
mod stream;
mod table;
mod target;
mod timer;
mod traffic;
mod workspace;

pub use buffer::{DeviceBuffer, PinnedBuffer, Place, Plain};
pub use cache::kernel_cache;
pub use compile::{Compiled, CompiledKernel, compile_all, compile_source};
pub use context::{Current, Gpu};
pub use error::GpuFailure;
pub use event::Event;
pub use frame::{CudaComponent, CudaFrame, Depth};
pub use gpu::{GpuInfo, devices, ordinal_of};
pub use module::{Kernel, MOST_PARAMETER_BYTES, Params};
pub use notes::notes;
pub use nvrtc::{NvrtcInfo, nvrtc_candidates, nvrtc_info};
pub use self_test::self_test;
pub use sources::Source;
pub use steps::BytesMoved;
pub use stream::Stream;
pub use target::Target;
pub use timer::{StageTime, StageTimer, bytes_moved, stage_times, time_stages};
pub use traffic::{Payload, Traffic, count_to_device, count_to_host, traffic};
pub use workspace::Workspace;
