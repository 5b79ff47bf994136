//! What the driver answers, in words, with what to do about it.

use crate::Error;
use std::fmt;

/// What kind of trouble a GPU made: what decides between going on elsewhere, trying again and giving up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GpuFailure {
    /// The card's memory is full; other work on the card goes on.
    OutOfMemory,
    /// The context is dead: an uncorrectable memory error, an illegal address, a failed launch, a card that fell off the bus.
    /// Nothing in this context will ever work again.
    DeviceLost,
    /// The driver is missing, too old, or does not match the kernel module or the compiler.
    Driver,
    /// There is a driver, but no such GPU.
    NoDevice,
    /// Kernels cannot be compiled or loaded.
    Compile,
    /// Anything else: mostly a call that the driver refused.
    Other,
}

impl GpuFailure {
    /// Whether the context is of no use any more.
    pub fn is_final(self) -> bool {
        self == Self::DeviceLost
    }
}

impl fmt::Display for GpuFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfMemory => "GPU memory is full",
            Self::DeviceLost => "the GPU is lost",
            Self::Driver => "the NVIDIA driver cannot be used",
            Self::NoDevice => "there is no such GPU",
            Self::Compile => "kernels cannot be compiled",
            Self::Other => "the GPU refused",
        })
    }
}

impl Error {
    /// What kind of trouble, where the GPU made it.
    pub fn gpu_failure(&self) -> Option<GpuFailure> {
        match self {
            Self::Gpu { failure, .. } => Some(*failure),
            _ => None,
        }
    }
}

/// An [`Error::Gpu`]. `remedy` is a clause that follows "; ".
pub(super) fn gpu_error(failure: GpuFailure, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
    Error::Gpu { failure, problem: problem.into(), remedy: remedy.into() }
}

/// The driver's result codes that mean something particular to us; `CUresult` of cuda.h.
pub(super) mod code {
    pub const SUCCESS: u32 = 0;
    pub const OUT_OF_MEMORY: u32 = 2;
    pub const NO_DEVICE: u32 = 100;
    pub const INVALID_DEVICE: u32 = 101;
    pub const UNSUPPORTED_PTX_VERSION: u32 = 222;
    pub const NOT_READY: u32 = 600;
}

/// The kind of a driver's result code and what to do about it.
pub(super) fn classify(code: u32) -> (GpuFailure, &'static str) {
    use GpuFailure::{Compile, DeviceLost, Driver, NoDevice, Other, OutOfMemory};
    match code {
        code::OUT_OF_MEMORY => {
            (OutOfMemory, "use fewer streams or a smaller batch-size, or close other programs on the card")
        }
        // Not initialised, shut down.
        3 | 4 => (Driver, "start the program again; the driver was shut down under it"),
        34 => (
            Driver,
            "libcuda.so.1 is the toolkit's stub, not the driver: take its folder (…/stubs) out of LD_LIBRARY_PATH",
        ),
        46 => (
            DeviceLost,
            "another program holds the card exclusively; `nvidia-smi -q -d COMPUTE` shows the compute mode",
        ),
        code::NO_DEVICE => (
            NoDevice,
            "check `nvidia-smi`, CUDA_VISIBLE_DEVICES, and in a container that it was started with its GPUs (--gpus all)",
        ),
        code::INVALID_DEVICE => (
            NoDevice,
            "`facialads doctor` lists the GPUs; CUDA_VISIBLE_DEVICES changes what counts as number 0",
        ),
        102 => (Driver, "the GPU has no licence (vGPU); see NVIDIA's licensing log"),
        200 | 209 | 218 | 219 | 223 | 224 => (
            Compile,
            "delete the kernel cache that `facialads doctor` names, and install NVRTC for this driver's CUDA",
        ),
        221 => {
            (Compile, "the driver's compiler (libnvidia-ptxjitcompiler) is missing: install the whole driver")
        }
        code::UNSUPPORTED_PTX_VERSION => (
            Driver,
            "NVRTC is newer than the driver: update the driver, or install the NVRTC of the driver's CUDA version",
        ),
        701 => (
            Compile,
            "the kernel needs more registers than the card has; please report it with the card's name",
        ),
        // ECC and NVLink errors, contained ones, illegal addresses and instructions, timeouts, traps, a client that MPS has ended.
        214 | 220 | 226 | 700 | 702 | 709 | 710 | 714..=719 | 721 | 810 => (
            DeviceLost,
            "the card's context is dead: start the program again; if it comes back, look for \"Xid\" in `dmesg`",
        ),
        802 => (Driver, "the system is not ready: is nvidia-fabricmanager running?"),
        803 | 804 => (
            Driver,
            "the driver's library and its kernel module do not match: reboot, or install the same version of both",
        ),
        805..=809 => (Driver, "CUDA's Multi-Process Service does not answer: restart it or switch it off"),
        999 => (
            Driver,
            "the driver does not say why: check `nvidia-smi` and that /dev/nvidia-uvm exists (`sudo nvidia-modprobe -u`)",
        ),
        _ => (Other, "run `facialads doctor`, and report it with the card's name and the driver's version"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_new_process_mends_is_final() {
        // A card that contains its errors, as Hopper does, gives 226 where others give 214; 810 comes of MPS.
        for code in [214, 220, 226, 700, 714, 719, 721, 810] {
            assert!(classify(code).0.is_final(), "{code}");
        }
        for code in [2, 100, 201, 600, 701, 713, 720, 805, 900] {
            assert!(!classify(code).0.is_final(), "{code}");
        }
    }
}
