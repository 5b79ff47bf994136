//! A first kernel, to know that a GPU can be used before anything depends on it.

use super::{
    context::Gpu,
    error::{GpuFailure, gpu_error},
    module::{Kernel, Params},
    sources::SELF_TEST,
    traffic::Payload,
};
use crate::Result;

#[derive(Clone, Copy)]
#[repr(C)]
struct SelfTestParams {
    out: u64,
    count: u32,
    seed: u32,
}

// SAFETY: field by field the struct of kernels/self_test.cu; `out` has room for `count` numbers.
unsafe impl Params for SelfTestParams {}

const COUNT: u32 = 1000;
const SEED: u32 = 0x5EED;

/// Compiles a kernel, loads it, runs it and compares what it wrote.
///
/// # Errors
/// What does not work of that.
pub fn self_test(gpu: &Gpu) -> Result<()> {
    let stream = gpu.new_stream(false)?;
    let mut values = [0_u32; COUNT as usize];
    let out = gpu.allocate(size_of_val(&values))?;
    let params = SelfTestParams { out: out.address(), count: COUNT, seed: SEED };
    let kernel = Kernel::new(&SELF_TEST, "self_test");
    gpu.launch(&stream, kernel, [COUNT.div_ceil(128), 1, 1], [128, 1, 1], &params)?;
    out.download(&stream, 0, &mut values, Payload::Results)?;
    let expected = (0..COUNT).map(|i| i.wrapping_mul(2_654_435_761).wrapping_add(SEED));
    if expected.eq(values) {
        return Ok(());
    }
    Err(gpu_error(
        GpuFailure::Other,
        format!("GPU {} calculates something else than it should", gpu.info().ordinal),
        "update the driver, and check the card with `nvidia-smi -q -d ECC`",
    ))
}
