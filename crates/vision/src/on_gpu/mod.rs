//! Pictures that lie in a GPU's memory, from the kernels that make them to the network that looks at them.
//!
//! | frame | network | what happens |
//! |---|---|---|
//! | host | host | none of this |
//! | host | GPU | the CPU makes the small picture, the runtime uploads it |
//! | GPU | GPU | a kernel makes the small picture beside the frame ([`Memory`]); the network's stream waits for it, copies it into the network's input and runs ([`session`]); boxes and small outputs come back ([`Taker`]) |
//! | GPU | host | a kernel makes the small picture, the worker brings it to the host ([`fetch`]) |
//!
//! The streaming thread enqueues kernels and goes on. Only the worker waits, at the end, for what comes back. Which network is
//! on a GPU is asked for each run: it may have moved.

mod fetch;
mod memory;
mod session;
mod taker;

pub(crate) use fetch::Fetch;
pub(crate) use memory::{Part, Shell};
pub(crate) use session::Batch;
pub(crate) use taker::{Faces, Taker};

use crate::{Error, cuda::GpuFailure, spec::InputSpec};

/// Where pictures begin in a buffer: every kernel's accesses are aligned there.
const ALIGNED: usize = 256;

/// Bytes up to where the next picture may begin.
pub(crate) fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNED)
}

/// Bytes of a number.
pub(crate) fn bytes_of_value(half: bool) -> usize {
    if half { 2 } else { 4 }
}

/// Bytes of a network's picture.
pub(crate) fn picture_bytes(input: &InputSpec, half: bool) -> usize {
    3 * input.width as usize * input.height as usize * bytes_of_value(half)
}

/// Only a defect of ours can cause it.
fn defect(problem: impl Into<String>) -> Error {
    Error::Gpu { failure: GpuFailure::Other, problem: problem.into(), remedy: "please report this".into() }
}
