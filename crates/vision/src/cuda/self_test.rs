//! A first kernel, to know that a GPU can be used before anything depends on it.

use super::{
    context::Gpu,
    error::{GpuFailure, gpu_error},
    module::{Kernel, Params},
    sources::FILL,
    traffic::Payload,
};
use crate::Result;

#[derive(Clone, Copy)]
#[repr(C)]
struct FillParams {
    out: u64,
    count: u64,
    value: u32,
}

// SAFETY: field by field the struct of kernels/fill.cu; `out` has room for `count` bytes.
unsafe impl Params for FillParams {}

const BYTES: usize = 1000;
/// What is filled, from byte 100 on.
const FILLED: u64 = 700;

/// Compiles a kernel, loads it, runs it and looks at what it wrote.
///
/// # Errors
/// What does not work of that.
pub fn self_test(gpu: &Gpu) -> Result<()> {
    let stream = gpu.new_stream(false)?;
    let mut bytes = [1_u8; BYTES];
    let out = gpu.allocate(BYTES)?;
    out.upload(&stream, 0, &bytes, Payload::Results)?;
    let params = FillParams { out: out.address() + 100, count: FILLED, value: 0x5A };
    gpu.launch(&stream, Kernel::new(&FILL, "fill"), [6, 1, 1], [128, 1, 1], &params)?;
    out.download(&stream, 0, &mut bytes, Payload::Results)?;
    let expected = |index| if (100..800).contains(&index) { 0x5A } else { 1 };
    if bytes.iter().enumerate().all(|(index, byte)| *byte == expected(index)) {
        return Ok(());
    }
    Err(gpu_error(
        GpuFailure::Other,
        format!("GPU {} calculates something else than it should", gpu.info().ordinal),
        "update the driver, and check the card with `nvidia-smi -q -d ECC`",
    ))
}
