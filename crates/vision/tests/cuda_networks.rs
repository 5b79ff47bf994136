//! Networks on CUDA and TensorRT, on the stand-ins for the driver and for ONNX Runtime's providers: what the providers are
//! told, that inputs and outputs lie in device memory and are waited for, and what happens when something fails.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_testkit::gpu::{self, OnnxRuntime};
use facialads_vision::{
    Device,
    runtime::{LoadOptions, PatternRun},
    spec::models_dir,
};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

const SIDE: usize = 112;

fn on(device: &str, fallback: bool) -> LoadOptions {
    LoadOptions { device: device.parse::<Device>().unwrap(), fallback, ..LoadOptions::default() }
}

/// The stand-ins and a network. First in every test of this file.
fn start(model: &str) -> Option<(OnnxRuntime, PathBuf)> {
    let onnx = gpu::onnx_runtime()?;
    let path = models_dir().join(format!("{model}.onnx"));
    if !path.is_file() {
        facialads_testkit::skip(&format!("{model} is not installed"));
        return None;
    }
    Some((onnx, path))
}

fn numbers(device: &str, file: &std::path::Path, side: usize, pictures: usize) -> Vec<Vec<f32>> {
    let mut run = PatternRun::load(&on(device, false), file, side, pictures).unwrap();
    // Several times: the first run makes the outputs' memory, later ones write into it.
    (0..4)
        .map(|_| run.run().unwrap().iter().map(|tensor| tensor.data().to_vec()).collect::<Vec<_>>())
        .last()
        .unwrap()
}

#[test]
fn a_network_on_cuda_gives_the_numbers_of_the_cpu_at_any_size_of_batch_and_however_late_the_gpu_is() {
    let Some((onnx, file)) = start("age-gender") else { return };
    for pictures in [1, 3, 8] {
        let wanted = numbers("cpu", &file, SIDE, pictures);
        for late in [false, true] {
            onnx.gpu.run_late(late);
            let got = numbers("cuda", &file, SIDE, pictures);
            assert_eq!(wanted, got, "{pictures} pictures, late: {late}");
        }
    }
    assert!(onnx.count("run") > 0);
    let told = onnx.log();
    let told = told.iter().find(|line| line.starts_with("append cuda")).unwrap();
    for option in [
        "device_id=0",
        "use_tf32=0",
        "user_compute_stream=",
        "has_user_compute_stream=1",
        "gpu_mem_limit=4294967296",
    ] {
        assert!(told.contains(option), "{told}");
    }
}

#[test]
fn tensorrt_stands_before_cuda_and_keeps_its_engines() {
    let Some((onnx, file)) = start("age-gender") else { return };
    assert_eq!(numbers("cpu", &file, SIDE, 2), numbers("tensorrt", &file, SIDE, 2));
    // While an engine is being built CUDA carries on alone: TensorRT's turn may come later.
    let appended = || onnx.log().into_iter().filter(|line| line.starts_with("append")).collect::<Vec<_>>();
    let tensorrt = |told: &[String]| told.iter().position(|line| line.starts_with("append tensorrt"));
    let end = Instant::now() + Duration::from_secs(60);
    let told = loop {
        let told = appended();
        if tensorrt(&told).is_some_and(|at| at + 1 < told.len()) || Instant::now() > end {
            break told;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let at = tensorrt(&told).unwrap();
    let (tensorrt, cuda) = (&told[at], &told[at + 1]);
    assert!(cuda.starts_with("append cuda"), "{told:?}");
    for option in [
        "trt_engine_cache_enable=1",
        "trt_timing_cache_enable=1",
        "trt_fp16_enable=0",
        "trt_profile_max_shapes=",
    ] {
        assert!(tensorrt.contains(option), "{tensorrt}");
    }
}

#[test]
fn a_full_card_is_an_error_that_says_so_when_loading_and_when_running() {
    let Some((onnx, file)) = start("age-gender") else { return };
    onnx.gpu.fail("cuMemAlloc", gpu::OUT_OF_MEMORY, 0, None);
    let error = PatternRun::load(&on("cuda", false), &file, SIDE, 1)
        .map(|mut run| run.run().map(|_| ()))
        .flatten_error();
    assert!(error.contains("out of memory"), "{error}");
    onnx.gpu.reset();
    let mut run = PatternRun::load(&on("cuda", false), &file, SIDE, 1).unwrap();
    run.run().unwrap();
    onnx.fail("run", "CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc", 0, Some(1));
    let error = run.run().unwrap_err().to_string();
    assert!(error.contains("out of memory") && error.contains("batch-size"), "{error}");
    run.run().unwrap();
}

#[test]
fn providers_that_are_missing_or_refuse_are_an_error_that_says_why_or_the_next_device() {
    let Some((onnx, file)) = start("age-gender") else { return };
    onnx.providers(false);
    let error = PatternRun::load(&on("cuda", false), &file, SIDE, 1).err().unwrap().to_string();
    assert!(error.contains("was built without CUDA"), "{error}");
    onnx.providers(true);
    onnx.fail(
        "append cuda",
        "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version",
        0,
        None,
    );
    let error = PatternRun::load(&on("cuda", false), &file, SIDE, 1).err().unwrap().to_string();
    assert!(error.contains("driver"), "{error}");
    let mut next = PatternRun::load(&on("cuda", true), &file, SIDE, 1).unwrap();
    assert!(!next.describe().device.contains("cuda"), "{}", next.describe().device);
    next.run().unwrap();
}

/// `Err`'s text, from whichever of the two.
trait FlattenError {
    fn flatten_error(self) -> String;
}

impl<E: std::fmt::Display> FlattenError for Result<Result<(), E>, E> {
    fn flatten_error(self) -> String {
        match self {
            Ok(Ok(())) => String::new(),
            Ok(Err(error)) | Err(error) => error.to_string(),
        }
    }
}
