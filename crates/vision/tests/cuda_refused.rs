//! A driver that is there and does not start: its library and the kernel's module are of different versions.
#![allow(clippy::unwrap_used)]

use facialads_testkit::gpu;
use facialads_vision::{
    Error,
    cuda::{GpuFailure, devices},
};

#[test]
fn a_driver_that_does_not_start_is_an_error_with_a_remedy_until_it_does() {
    let Some(gpu) = gpu::driver() else { return };
    gpu.fail("cuInit", gpu::DRIVER_MISMATCH, 0, Some(1));
    let error = devices().unwrap_err();
    assert!(matches!(error, Error::Gpu { failure: GpuFailure::Driver, .. }), "{error}");
    let words = error.to_string();
    assert!(words.contains("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"), "{words}");
    // A mended driver needs no restart of ours where the driver itself needs none.
    if let Ok(found) = devices() {
        assert_eq!(found.len(), 1);
    }
}
