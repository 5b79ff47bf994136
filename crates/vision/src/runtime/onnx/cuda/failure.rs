//! What went wrong on a GPU, told from the words of ONNX Runtime, which has no codes for it.

use crate::{Error, cuda::GpuFailure};

/// Words of ONNX Runtime, CUDA's runtime, cuBLAS, cuDNN and TensorRT, in lower case; the first that is found decides.
const WORDS: [(&str, GpuFailure); 27] = [
    ("out of memory", GpuFailure::OutOfMemory),
    ("out_of_memory", GpuFailure::OutOfMemory),
    ("outofmemory", GpuFailure::OutOfMemory),
    ("failed to allocate memory", GpuFailure::OutOfMemory),
    ("available memory of", GpuFailure::OutOfMemory),
    ("cudaerrormemoryallocation", GpuFailure::OutOfMemory),
    ("status_alloc_failed", GpuFailure::OutOfMemory),
    ("cuda failure 2:", GpuFailure::OutOfMemory),
    ("driver version is insufficient", GpuFailure::Driver),
    ("cuda failure 35:", GpuFailure::Driver),
    ("unsupported display driver", GpuFailure::Driver),
    ("system has unsupported", GpuFailure::Driver),
    ("no cuda-capable device", GpuFailure::NoDevice),
    ("invalid device ordinal", GpuFailure::NoDevice),
    ("no kernel image is available", GpuFailure::Compile),
    ("the provided ptx was compiled", GpuFailure::Compile),
    ("illegal memory access", GpuFailure::DeviceLost),
    ("illegal address", GpuFailure::DeviceLost),
    ("illegal instruction", GpuFailure::DeviceLost),
    ("device-side assert", GpuFailure::DeviceLost),
    ("unspecified launch failure", GpuFailure::DeviceLost),
    ("uncorrectable", GpuFailure::DeviceLost),
    ("launch timed out", GpuFailure::DeviceLost),
    ("misaligned address", GpuFailure::DeviceLost),
    ("device lost", GpuFailure::DeviceLost),
    ("fallen off the bus", GpuFailure::DeviceLost),
    ("context is destroyed", GpuFailure::DeviceLost),
];

/// The kind of a failure, from its message.
pub(in crate::runtime) fn kind(message: &str) -> GpuFailure {
    let message = message.to_lowercase();
    WORDS.iter().find(|(words, _)| message.contains(words)).map_or(GpuFailure::Other, |(_, kind)| *kind)
}

fn remedy(kind: GpuFailure) -> &'static str {
    match kind {
        GpuFailure::OutOfMemory => {
            "close what else uses the card (nvidia-smi lists it), lower batch-size, or spread elements over several cards (device=cuda:1)"
        }
        GpuFailure::DeviceLost => {
            "the process has to be started again to use the card; the kernel's log (dmesg, \"Xid\") says what happened"
        }
        GpuFailure::Driver => {
            "install the NVIDIA driver that this CUDA needs (CUDA 13: 580 or later, CUDA 12: 525 or later) and start the process again"
        }
        GpuFailure::NoDevice => "nvidia-smi -L lists the cards; CUDA_VISIBLE_DEVICES may hide some",
        GpuFailure::Compile => {
            "the card is older than this ONNX Runtime supports: use device=cpu or an older library"
        }
        GpuFailure::Other => "`facialads doctor` lists the card, the driver and the libraries",
    }
}

/// ONNX Runtime's message as an error of the GPU.
pub(in crate::runtime) fn error(doing: &str, message: &str) -> Error {
    let failure = kind(message);
    Error::Gpu { failure, problem: format!("{doing}: {}", brief(message)), remedy: remedy(failure).into() }
}

/// The part that says what is wrong: ONNX Runtime puts the source file, template arguments and the expression before it.
fn brief(message: &str) -> String {
    const MOST: usize = 400;
    let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given");
    // The last of these: errors of errors are put one behind the other.
    let marks = [
        "CUDA failure",
        "CUDNN failure",
        "CUBLAS failure",
        "Failed to load library",
        "Failed to allocate memory",
    ];
    let start = marks.iter().filter_map(|mark| line.rfind(mark)).max();
    let start = start.or_else(|| line.rfind(" FAIL : ").map(|at| at + " FAIL : ".len())).unwrap_or(0);
    let text = line.get(start..).unwrap_or(line);
    // Then come the host's name, source file and expression.
    let text = text.split(" ; GPU=").next().unwrap_or(text);
    if text.chars().count() > MOST {
        text.chars().take(MOST).chain(['…']).collect()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_as_the_libraries_write_them_are_told_apart() {
        for (message, expected) in [
            (
                "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(...) Failed to allocate memory for requested buffer of size 4915200",
                GpuFailure::OutOfMemory,
            ),
            (
                "CUDA failure 2: out of memory ; GPU=0 ; hostname=tv ; expr=cudaMalloc((void**)&p, size);",
                GpuFailure::OutOfMemory,
            ),
            ("CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0", GpuFailure::OutOfMemory),
            (
                "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1",
                GpuFailure::Driver,
            ),
            ("CUDA failure 100: no CUDA-capable device is detected ; GPU=-1", GpuFailure::NoDevice),
            ("CUDA failure 101: invalid device ordinal ; GPU=0", GpuFailure::NoDevice),
            (
                "CUDA failure 209: no kernel image is available for execution on the device",
                GpuFailure::Compile,
            ),
            ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", GpuFailure::DeviceLost),
            ("Non-zero status code returned while running Conv node. Name:'conv1'", GpuFailure::Other),
        ] {
            assert_eq!(kind(message), expected, "{message}");
        }
    }

    #[test]
    fn what_comes_before_the_reason_is_left_out() {
        let long = format!(
            "std::conditional_t<THRW, void, Status> onnxruntime::CudaCall({}) CUDA failure 2: out of memory",
            "x".repeat(500)
        );
        let text = error("model \"yunet\" failed to run", &long).to_string();
        assert!(text.contains("failed to run: CUDA failure 2: out of memory"), "{text}");
    }
}
