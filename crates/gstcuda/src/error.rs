/// Why CUDA memory cannot be used. Every message says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "GStreamer's CUDA library cannot be used: {problem}; install GStreamer's \"bad\" plugins, 1.22 or later (Debian and Ubuntu: gstreamer1.0-plugins-bad)"
    )]
    Library { problem: String },
    #[error(
        "NVIDIA's driver cannot be used: {problem}; `nvidia-smi` must list the card (in a container start it with the GPU and NVIDIA_DRIVER_CAPABILITIES=compute,video,utility)"
    )]
    Driver { problem: String },
    #[error("no CUDA context on device {device}: {problem}")]
    Context { device: u32, problem: &'static str },
    #[error(
        "the buffer is in {found}, and one block of CUDA memory is needed; put cudaupload upstream, or leave (memory:CUDAMemory) out of the caps"
    )]
    Memory { found: String },
    #[error("CUDA memory cannot be mapped for {purpose} as {format} of {width}x{height}: {problem}")]
    Map { purpose: &'static str, format: String, width: u32, height: u32, problem: &'static str },
    #[error("no pool of CUDA buffers for {caps}: {problem}")]
    Pool { caps: String, problem: String },
}

/// Shorthand.
pub type Result<T, E = Error> = std::result::Result<T, E>;
