//! Networks on CUDA and TensorRT, over a driver and an ONNX Runtime that stand in for those of NVIDIA: what they are told, what
//! comes out, and what happens when something fails. That a real card gives these numbers is another question.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_testkit::gpu::{OUT_OF_MEMORY, onnx_runtime};
use facialads_vision::{
    Error,
    cuda::{self, Gpu, GpuFailure},
    runtime::{LoadOptions, Notice, NoticeKind, PatternRun, Precision, Tensor, tensorrt_cache},
};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Name, width and height of what `facialads models install` brings by itself.
const NETWORKS: [(&str, usize, usize); 8] = [
    ("yunet", 640, 384),
    ("ssd-mobilenet-v1", 512, 512),
    ("tiny-face", 416, 416),
    ("age-gender", 112, 112),
    ("faceres", 224, 224),
    ("expression", 112, 112),
    ("landmarks-68-tiny", 112, 112),
    ("efficientnet-lite0", 224, 224),
];

/// An instance of its own each time: what another test has loaded is not asked for.
fn on(device: &str, fallback: bool, instance: &str) -> LoadOptions {
    LoadOptions {
        device: device.parse().unwrap(),
        fallback,
        instance: instance.into(),
        ..LoadOptions::default()
    }
}

fn small(options: &LoadOptions) -> Result<PatternRun, Error> {
    PatternRun::load(options, &file("landmarks-68-tiny"), 112, 1)
}

fn file(name: &str) -> PathBuf {
    facialads_testkit::models_dir().join(format!("{name}.onnx"))
}

fn difference(a: &[Tensor], b: &[Tensor]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b).inspect(|(a, b)| assert_eq!(a.shape(), b.shape()));
    let all =
        pairs.flat_map(|(a, b)| a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs() / a.abs().max(1.0)));
    all.fold(0.0, |most, off| if off.is_nan() { f32::NAN } else { most.max(off) })
}

/// Tries until something is there, for ten seconds.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A warning that says this.
fn warned(notices: &[Notice], words: &[&str]) -> bool {
    notices.iter().any(|n| n.kind == NoticeKind::Warning && words.iter().all(|word| n.text.contains(word)))
}

#[test]
fn every_network_gives_the_numbers_of_the_cpu_in_batches_of_any_size_and_again_and_again() {
    let Some(ort) = onnx_runtime() else { return };
    ort.gpu.run_late(true);
    for (name, width, height) in NETWORKS {
        if facialads_testkit::model(name).is_none() {
            continue;
        }
        // YuNet takes one picture at a time.
        for pictures in if name == "yunet" { &[1][..] } else { &[1, 3, 8] } {
            let load = |device| {
                let options = on(device, false, "numbers");
                PatternRun::load_sized(&options, &file(name), (width, height), *pictures).unwrap()
            };
            let (mut host, mut gpu) = (load("cpu"), load("cuda"));
            assert_eq!(gpu.describe().device, "cuda:0");
            let expected = host.run().unwrap().to_vec();
            for _ in 0..3 {
                let off = difference(&expected, gpu.run().unwrap());
                assert!(off < 1e-4, "{name}, {pictures} pictures: {off}");
            }
        }
    }
    assert_eq!(ort.gpu.problems(), [""; 0]);
}

#[test]
fn the_provider_is_told_of_our_stream_and_of_32_bits() {
    let Some(ort) = onnx_runtime() else { return };
    let mut run = small(&on("cuda", false, "options")).unwrap();
    run.run().unwrap();
    let log = ort.log();
    let line = log.iter().find(|line| line.starts_with("append cuda")).unwrap();
    for part in [
        "device_id=0",
        "use_tf32=0",
        "enable_cuda_graph=1",
        "has_user_compute_stream=1",
        "HEURISTIC",
        "gpu_mem_limit=4294967296",
    ] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    assert_eq!(run.describe().precision, "f32");
    let fast = LoadOptions { precision: Precision::Fast, ..on("cuda", false, "options") };
    let fast = small(&fast).unwrap();
    assert_eq!(fast.describe().precision, "tf32");
    assert!(ort.log().iter().any(|line| line.contains("use_tf32=1")));
}

#[test]
fn elements_share_a_network_and_a_card_may_be_named_by_its_uuid() {
    let Some(ort) = onnx_runtime() else { return };
    let uuid = cuda::devices().unwrap()[0].uuid.clone();
    let device = format!("cuda:{}", &uuid[..12]);
    let sessions = || ort.log().iter().filter(|line| *line == "session").count();
    let both = [small(&on(&device, true, "uuid")).unwrap(), small(&on(&device, false, "uuid")).unwrap()];
    assert_eq!(sessions(), 1);
    assert_eq!(both[0].describe().device, device);
    let error = small(&on("cuda:GPU-ffffffff-ffff", false, "uuid")).err().unwrap().to_string();
    assert!(error.contains("cannot be used") && error.contains(&uuid), "{error}");
    assert!(small(&on("cuda:7", false, "uuid")).is_err());
}

#[test]
fn an_onnx_runtime_without_cuda_says_what_to_run() {
    let Some(ort) = onnx_runtime() else { return };
    ort.providers(false);
    let error = small(&on("cuda", false, "without")).err().unwrap().to_string();
    for part in ["built without CUDA", "facialads models install --gpu"] {
        assert!(error.contains(part), "{error}");
    }
    let run = small(&on("cuda", true, "without")).unwrap();
    assert!(run.note().unwrap().contains("models install --gpu"));
    assert!(run.note().unwrap().contains("instead"));
    // Nobody asked for it here.
    assert_eq!(small(&on("auto", false, "without")).unwrap().note(), None);
}

#[test]
fn without_a_card_auto_says_nothing_and_cuda_does() {
    let Some(ort) = onnx_runtime() else { return };
    ort.gpu.devices(0);
    assert_eq!(small(&on("auto", false, "none")).unwrap().note(), None);
    let error = small(&on("cuda", false, "none")).err().unwrap();
    assert!(matches!(&error, Error::Device { .. }), "{error}");
    assert!(error.to_string().contains("nvidia-smi"), "{error}");
}

#[test]
fn auto_takes_the_card_where_onnx_runtime_has_cuda() {
    let Some(_ort) = onnx_runtime() else { return };
    assert_eq!(small(&on("auto", false, "auto")).unwrap().describe().device, "cuda:0");
}

#[test]
fn a_provider_that_does_not_start_is_an_error_or_the_next_device() {
    let Some(ort) = onnx_runtime() else { return };
    ort.fail(
        "append cuda",
        "Failed to load library libonnxruntime_providers_cuda.so: libcudart.so.13: cannot open",
        0,
        None,
    );
    let error = small(&on("cuda", false, "append")).err().unwrap().to_string();
    assert!(error.contains("libcudart.so.13"), "{error}");
    let mut run = small(&on("cuda", true, "append")).unwrap();
    assert!(run.note().unwrap().contains("libcudart.so.13"));
    assert!(run.run().is_ok());
}

#[test]
fn a_network_that_cannot_be_captured_runs_without_graphs() {
    let Some(ort) = onnx_runtime() else { return };
    let words = "This session cannot use the graph capture feature as requested by the user as the model has control flow nodes";
    ort.fail("session", words, 0, Some(1));
    let mut run = small(&on("cuda", false, "graphs")).unwrap();
    assert!(run.run().is_ok());
    let last = ort.log().into_iter().rfind(|line| line.starts_with("append cuda")).unwrap();
    assert!(last.contains("enable_cuda_graph=0"), "{last}");
}

#[test]
fn a_capture_that_fails_costs_nothing_but_the_graph() {
    let Some(ort) = onnx_runtime() else { return };
    // The first run is without, the second captures.
    ort.fail("run", "CUDA failure 900: operation not permitted when stream is capturing", 1, Some(1));
    let mut run = small(&on("cuda", false, "capture")).unwrap();
    assert!(run.run().is_ok());
    let mut host = small(&on("cpu", false, "capture")).unwrap();
    assert!(difference(host.run().unwrap(), run.run().unwrap()) < 1e-4);
}

#[test]
fn while_a_graph_is_captured_no_other_network_allocates_and_no_stream_is_touched() {
    let Some(ort) = onnx_runtime() else { return };
    // More pictures than graphs are captured for: each run makes its outputs anew.
    let options = on("cuda", false, "beside");
    let mut beside = PatternRun::load(&options, &file("landmarks-68-tiny"), 112, 33).unwrap();
    let gpu = Gpu::primary(0).unwrap();
    let buffer = gpu.allocate(1000).unwrap();
    // The first run is without a graph, the second captures.
    ort.pause(1);
    let (touched, idle, runs) = std::thread::scope(|scope| {
        let captured =
            scope.spawn(|| small(&on("cuda", false, "captured")).map(|mut run| run.run().map(drop)));
        until(|| (ort.count("paused") == 1).then_some(()));
        let (recorded, idle) = (ort.gpu.count("call cuEventRecord"), gpu.idle_memory());
        drop(buffer);
        let touched = ort.gpu.count("call cuEventRecord") - recorded;
        let idle = gpu.idle_memory() - idle;
        let runs = ort.count("run");
        let other = scope.spawn(|| beside.run().map(drop));
        std::thread::sleep(Duration::from_millis(100));
        let runs = ort.count("run") - runs;
        ort.resume();
        captured.join().unwrap().unwrap().unwrap();
        other.join().unwrap().unwrap();
        (touched, idle, runs)
    });
    assert_eq!((touched, idle, runs), (0, 0, 0));
    drop(gpu.allocate(1000).unwrap());
    assert!(gpu.idle_memory() >= 1000, "wiped when it is done");
}

#[test]
fn memory_that_is_full_and_devices_that_are_lost_have_their_errors() {
    let Some(ort) = onnx_runtime() else { return };
    for (words, expected) in [
        ("Failed to allocate memory for requested buffer of size 4915200", GpuFailure::OutOfMemory),
        (
            "CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED ; an illegal memory access was encountered",
            GpuFailure::DeviceLost,
        ),
        ("Non-zero status code returned while running Conv node", GpuFailure::Other),
    ] {
        let mut run = small(&on("cuda", false, words)).unwrap();
        ort.fail("run", words, 0, Some(1));
        let error = run.run().err().unwrap();
        assert_eq!(error.gpu_failure(), Some(expected), "{error}");
        assert!(error.to_string().contains("landmarks-68-tiny"), "{error}");
        // Without a fallback it stays where it is.
        assert!(run.run().is_ok());
        assert_eq!(run.describe().device, "cuda:0");
    }
    ort.gpu.fail("cuMemAlloc", OUT_OF_MEMORY, 0, None);
    let error = small(&on("cuda", false, "full")).err().unwrap();
    assert_eq!(error.gpu_failure(), Some(GpuFailure::OutOfMemory), "{error}");
}

#[test]
fn a_network_whose_gpu_fails_moves_to_the_next_device_and_says_so() {
    let Some(ort) = onnx_runtime() else { return };
    let mut run = small(&on("cuda", true, "moves")).unwrap();
    let expected = run.run().unwrap().to_vec();
    assert_eq!(run.describe().device, "cuda:0");
    ort.fail("run", "CUDA failure 2: out of memory ; GPU=0", 0, None);
    assert_eq!(run.run().err().unwrap().gpu_failure(), Some(GpuFailure::OutOfMemory));
    let mut seen = 0;
    let notices = until(|| Some(run.notices(&mut seen)).filter(|notices| !notices.is_empty()));
    assert!(warned(&notices, &["out of memory", "from now on"]), "{notices:?}");
    assert_ne!(run.describe().device, "cuda:0");
    assert!(difference(&expected, run.run().unwrap()) < 1e-3);
    assert!(run.notices(&mut seen).is_empty());
}

#[test]
fn tensorrt_builds_beside_while_cuda_carries_on_and_is_there_at_once_the_next_time() {
    let Some(ort) = onnx_runtime() else { return };
    let _ = fs::remove_dir_all(tensorrt_cache().unwrap());
    let mut run = small(&on("tensorrt", false, "trt")).unwrap();
    let mut seen = 0;
    let mut notices = run.notices(&mut seen);
    let expected = run.run().unwrap().to_vec();
    assert!(matches!(notices[0].kind, NoticeKind::Progress(_)), "{notices:?}");
    assert!(notices[0].text.contains("CUDA on GPU 0 carries on"), "{notices:?}");
    until(|| {
        notices.extend(run.notices(&mut seen));
        notices.iter().any(|n| matches!(n.kind, NoticeKind::Done(_))).then_some(())
    });
    assert!(run.describe().runtime.contains("TensorRT"), "{:?}", run.describe());
    assert_eq!(run.describe().device, "tensorrt:0");
    assert!(difference(&expected, run.run().unwrap()) < 1e-4);
    let log = ort.log();
    let line = log.iter().find(|line| line.starts_with("append tensorrt")).unwrap();
    for part in [
        "trt_fp16_enable=0",
        "trt_engine_cache_enable=1",
        "trt_timing_cache_enable=1",
        "trt_cuda_graph_enable=1",
        "trt_profile_min_shapes=image:1x3x112x112",
        "trt_profile_opt_shapes=image:8x3x112x112",
        "trt_profile_max_shapes=image:128x3x112x112",
    ] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    assert!(line.contains(&format!("trt_engine_cache_path={}", tensorrt_cache().unwrap().display())));
    drop(run);
    let again = small(&on("tensorrt", false, "trt again")).unwrap();
    assert!(again.describe().runtime.contains("TensorRT"));
    assert!(again.notices(&mut 0).is_empty());
}

#[test]
fn an_engine_that_cannot_be_built_leaves_the_network_where_it_is() {
    let Some(ort) = onnx_runtime() else { return };
    let _ = fs::remove_dir_all(tensorrt_cache().unwrap());
    ort.fail(
        "append tensorrt",
        "Failed to load library libonnxruntime_providers_tensorrt.so: libnvinfer.so.10: cannot open",
        0,
        None,
    );
    let mut run = small(&on("tensorrt", true, "no engine")).unwrap();
    let (mut seen, mut notices) = (0, Vec::new());
    until(|| {
        notices.extend(run.notices(&mut seen));
        warned(&notices, &["cannot be built", "libnvinfer.so.10", "staying on cuda:0"]).then_some(())
    });
    assert!(run.run().is_ok());
    assert_eq!(run.describe().device, "cuda:0");
}

#[test]
fn engines_that_cannot_be_kept_are_not_built() {
    let Some(_ort) = onnx_runtime() else { return };
    let cache = tensorrt_cache().unwrap();
    let _ = fs::remove_dir_all(&cache);
    fs::create_dir_all(cache.parent().unwrap()).unwrap();
    fs::write(&cache, b"in the way").unwrap();
    let error = small(&on("tensorrt", false, "unwritable")).err().unwrap().to_string();
    assert!(error.contains("XDG_CACHE_HOME"), "{error}");
    let run = small(&on("tensorrt", true, "unwritable")).unwrap();
    assert_eq!(run.describe().device, "cuda:0");
    assert!(run.note().unwrap().contains("CUDA on GPU 0 instead"), "{:?}", run.note());
    fs::remove_file(&cache).unwrap();
}
