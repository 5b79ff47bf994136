//! Where kernels write pictures to.

use super::{DeviceBuffer, error::GpuFailure, error::gpu_error};
use crate::Result;

/// A stretch of device memory that pictures are written to, and read from again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    address: u64,
    bytes: usize,
}

impl Target {
    /// The memory at an address, such as a network's input.
    ///
    /// # Safety
    /// `bytes` bytes from `address` on are device memory of the context that it is used in, which stays allocated, and is in nobody
    /// else's use, until the work that uses it is done.
    pub unsafe fn new(address: u64, bytes: usize) -> Self {
        Self { address, bytes }
    }

    /// A buffer from `offset` bytes on; nothing if that is outside. A buffer may be dropped while work that uses it runs.
    pub fn of(buffer: &DeviceBuffer, offset: usize) -> Self {
        let bytes = buffer.len().saturating_sub(offset);
        let offset = u64::try_from(offset.min(buffer.len())).unwrap_or(0);
        Self { address: buffer.address().saturating_add(offset), bytes }
    }

    /// The part from `offset` bytes on; nothing if that is outside.
    #[must_use]
    pub fn from(self, offset: usize) -> Self {
        let skipped = offset.min(self.bytes);
        Self { address: self.address.saturating_add(skipped as u64), bytes: self.bytes - skipped }
    }

    pub fn address(&self) -> u64 {
        self.address
    }
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The address, if `needed` bytes fit and values of `value` bytes are aligned.
    pub(super) fn check(&self, needed: usize, value: u64) -> Result<u64> {
        let problem = if needed > self.bytes {
            format!("a picture of {needed} bytes was to be in {} bytes of GPU memory", self.bytes)
        } else if self.address == 0 || !self.address.is_multiple_of(value) {
            format!("a picture's values of {value} bytes were to be at an address that suits none")
        } else {
            return Ok(self.address);
        };
        Err(gpu_error(GpuFailure::Other, problem, "please report this"))
    }
}
