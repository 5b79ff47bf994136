//! Photographs in a GPU's memory, analysed there: GStreamer's own `cudaupload`, our elements, our kernels and the real
//! networks, on stand-ins for the driver and for ONNX Runtime's CUDA. What is found is what the CPU finds, no pixel comes
//! back to the host, and whatever goes wrong with the GPU, every frame comes out.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_consent::{NewGrant, Notice, Purpose, Purposes, Stamp, Store, wall_clock};
use facialads_meta::Face;
use facialads_testkit::gpu::{self, OnnxRuntime};
use facialads_vision::cuda;
use gst::prelude::*;
use looking::{Seen, init, stamp, warnings};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const FRAMES: usize = 6;

struct World {
    onnx: OnnxRuntime,
    detector: PathBuf,
    ages: PathBuf,
    photograph: PathBuf,
}

/// First in every test of this file.
fn start() -> Option<World> {
    let onnx = gpu::onnx_runtime()?;
    if !gpu::elements(&onnx.gpu) {
        return None;
    }
    init();
    let detector =
        facialads_testkit::model("yunet").or_else(|| facialads_testkit::model("ssd-mobilenet-v1"))?;
    let (ages, photograph) =
        (facialads_testkit::model("age-gender")?, facialads_testkit::media("sample5.jpg")?);
    Some(World { onnx, detector, ages, photograph })
}

/// What came out of a pipeline.
struct Shown {
    /// Frames that came to `faceanalyze`.
    arrived: usize,
    seen: Vec<Seen>,
    warnings: Vec<(String, String)>,
    errors: Vec<String>,
    /// Bytes that our code moved between host and GPU.
    traffic: cuda::Traffic,
}

impl World {
    /// Shows a photograph as a film. `path`: what stands before `faceanalyze`; `settings`: of `faceanalyze`.
    fn show(&self, format: &str, path: &str, settings: &str) -> Shown {
        let line = format!(
            "filesrc location={} ! jpegdec ! videoconvert ! video/x-raw,format={format} ! imagefreeze num-buffers={FRAMES} \
               ! video/x-raw,framerate=10/1 {path} ! faceanalyze name=faces inference-interval=1 reclassify-interval=1 seed=1 \
               async=false model={} age-gender-model={} {settings} ! fakesink name=out sync=false",
            self.photograph.display(),
            self.detector.display(),
            self.ages.display(),
        );
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let arrived = Arc::new(AtomicUsize::new(0));
        let (counter, sink) =
            (arrived.clone(), pipeline.by_name("faces").unwrap().static_pad("sink").unwrap());
        sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
            gst::PadProbeReturn::Ok
        });
        if !path.contains("consentgate") {
            let everybody =
                Stamp { max_faces: 10, purposes: Purposes::all().without(Purpose::Emotion), ..stamp() };
            let sink = pipeline.by_name("faces").unwrap().static_pad("sink").unwrap();
            sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
                    facialads_meta::consent::attach(&everybody, buffer.make_mut());
                }
                gst::PadProbeReturn::Ok
            });
        }
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let out = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
        out.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer() {
                log.lock().unwrap().push(Seen::of(buffer));
            }
            gst::PadProbeReturn::Ok
        });
        let before = cuda::traffic();
        pipeline.set_state(gst::State::Playing).unwrap();
        let bus = pipeline.bus().unwrap();
        let mut errors = Vec::new();
        let mut said = Vec::new();
        let kinds = [gst::MessageType::Error, gst::MessageType::Eos, gst::MessageType::Warning];
        loop {
            let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(120), &kinds).unwrap();
            match message.view() {
                gst::MessageView::Error(error) => {
                    errors.push(format!("{} {:?}", error.error(), error.debug()))
                }
                gst::MessageView::Warning(warning) => {
                    let reason = warning.details().and_then(|details| details.get::<String>("reason").ok());
                    said.push((reason.unwrap_or_default(), warning.error().to_string()));
                    continue;
                }
                _ => {}
            }
            break;
        }
        said.extend(warnings(&bus));
        pipeline.set_state(gst::State::Null).unwrap();
        let traffic = cuda::traffic().since(&before);
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        Shown { arrived: arrived.load(Ordering::Relaxed), seen, warnings: said, errors, traffic }
    }

    /// In the GPU's memory, on the GPU.
    fn show_on_gpu(&self, format: &str, settings: &str) -> Shown {
        self.show(format, "! cudaupload ! video/x-raw(memory:CUDAMemory)", &format!("device=cuda {settings}"))
    }
}

/// The same faces: boxes within a pixel, ages within half a year, probabilities within 0.02.
fn assert_same(what: &str, got: &[Face], wanted: &[Face]) {
    assert_eq!(got.len(), wanted.len(), "{what}");
    for face in wanted {
        let near = |other: &&Face| {
            let far = [
                (face.x, other.x),
                (face.y, other.y),
                (face.width, other.width),
                (face.height, other.height),
            ];
            far.iter().all(|(a, b)| a.abs_diff(*b) <= 1)
        };
        let Some(found) = got.iter().find(near) else { panic!("{what}: a face is elsewhere") };
        assert!((found.confidence - face.confidence).abs() <= 0.02, "{what}: confidence");
        match (&found.age, &face.age) {
            (Some(a), Some(b)) => assert!((a.years - b.years).abs() <= 0.5, "{what}: age"),
            (a, b) => assert_eq!(a.is_some(), b.is_some(), "{what}: an age"),
        }
        let gender = |face: &Face| face.gender.as_ref().map(|gender| gender.value);
        assert_eq!(gender(found), gender(face), "{what}: gender");
    }
}

#[test]
fn the_gpu_finds_what_the_cpu_finds_and_no_pixel_comes_back() {
    let Some(world) = start() else { return };
    for format in ["NV12", "I420", "BGRA", "RGB", "P010_10LE"] {
        let wanted = world.show(format, "", "device=cpu");
        let faces = &wanted.seen[FRAMES - 1].faces;
        assert!(faces.len() >= 4 && faces.iter().any(|face| face.age.is_some()), "{format}");
        for late in [false, true] {
            world.onnx.gpu.reset();
            world.onnx.gpu.run_late(late);
            let got = world.show_on_gpu(format, "fallback=false");
            assert!(got.errors.is_empty(), "{format}: {:?} {:?}", got.errors, got.warnings);
            assert_eq!(got.seen.len(), FRAMES);
            assert_same(&format!("{format}, late: {late}"), &got.seen[FRAMES - 1].faces, faces);
            assert_eq!((got.traffic.pixels_to_host, got.traffic.pixels_to_device), (0, 0), "{format}");
            assert!(world.onnx.gpu.count("launches") >= FRAMES as u64, "kernels were run");
            // All that came back is what our code knows of, and it is little.
            let back = world.onnx.gpu.bytes_to_host();
            assert_eq!(back, got.traffic.other_to_host, "{}", world.onnx.gpu.counters());
            assert!(back < 200_000 * FRAMES as u64, "{back} bytes came back");
        }
    }
}

#[test]
fn through_the_gate_as_well() {
    let Some(world) = start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consent.db");
    let store = Store::open(&path).unwrap();
    for _ in 0..8 {
        let grant = NewGrant {
            screen: "lobby".into(),
            purposes: Purposes::all().without(Purpose::Emotion),
            adult: true,
            duration: Duration::from_secs(600),
            notice: Notice { version: "1".into(), language: "en".into() },
            method: "operator".into(),
        };
        store.grant(&grant, wall_clock()).unwrap();
    }
    let wanted = world.show("NV12", "", "device=cpu");
    let gate = format!(
        "! cudaupload ! video/x-raw(memory:CUDAMemory) ! consentgate screen=lobby store={}",
        path.display()
    );
    let got = world.show("NV12", &gate, "device=cuda fallback=false");
    assert!(got.errors.is_empty(), "{:?}", got.errors);
    assert_same("NV12", &got.seen.last().unwrap().faces, &wanted.seen[FRAMES - 1].faces);
    assert_eq!(got.traffic.pixels_to_host, 0);
}

#[test]
fn a_network_on_the_cpu_gets_the_small_picture_only() {
    let Some(world) = start() else { return };
    let wanted = world.show("NV12", "", "device=cpu");
    let got = world.show("NV12", "! cudaupload ! video/x-raw(memory:CUDAMemory)", "device=cpu");
    assert!(got.errors.is_empty(), "{:?}", got.errors);
    assert_same("NV12", &got.seen[FRAMES - 1].faces, &wanted.seen[FRAMES - 1].faces);
    assert!(got.traffic.pixels_to_host > 0);
    assert_eq!(world.onnx.gpu.bytes_to_host(), got.traffic.pixels_to_host + got.traffic.other_to_host);
}

/// Every frame came out, and something was said.
fn assert_unharmed(what: &str, shown: &Shown) {
    assert!(shown.errors.is_empty(), "{what}: {:?}", shown.errors);
    assert_eq!(shown.seen.len(), FRAMES, "{what}");
    assert!(!shown.warnings.is_empty(), "{what}: nothing was said");
}

#[test]
fn no_gpu_an_old_driver_or_no_provider_and_the_cpu_does_it_with_a_word() {
    let Some(world) = start() else { return };
    let wanted = world.show("NV12", "", "device=cpu").seen.remove(FRAMES - 1).faces;
    let old = "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version";
    let cases: [(&str, &dyn Fn()); 4] = [
        ("no device", &|| world.onnx.gpu.devices(0)),
        ("an old driver", &|| world.onnx.fail("append cuda", old, 0, None)),
        ("no provider", &|| world.onnx.providers(false)),
        ("a card that somebody else has", &|| {
            world.onnx.gpu.fail("cuDevicePrimaryCtxRetain", gpu::UNAVAILABLE, 0, None)
        }),
    ];
    for (what, fail) in cases {
        world.onnx.reset();
        fail();
        let shown = world.show("NV12", "", "device=cuda");
        assert_unharmed(what, &shown);
        assert_same(what, &shown.seen[FRAMES - 1].faces, &wanted);
    }
}

#[test]
fn a_card_that_is_full_or_lost_in_mid_stream_costs_faces_not_frames() {
    let Some(world) = start() else { return };
    let cases: [(&str, &dyn Fn()); 3] = [
        ("full", &|| {
            world.onnx.fail("run", "CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc", 4, None)
        }),
        ("full at a launch's table", &|| world.onnx.gpu.fail("cuLaunchKernel", gpu::OUT_OF_MEMORY, 6, None)),
        ("lost", &|| world.onnx.gpu.lose_device(30)),
    ];
    for (what, fail) in cases {
        world.onnx.reset();
        fail();
        let shown = world.show_on_gpu("NV12", "");
        assert!(!shown.warnings.is_empty(), "{what}: nothing was said");
        // A card that is lost fails cudaupload too, which ends the stream; what reached us before came out.
        if what != "lost" {
            assert_unharmed(what, &shown);
        }
        assert!(shown.arrived >= 2, "{what}: {:?}", shown.errors);
        assert_eq!(shown.seen.len(), shown.arrived, "{what}: {:?}", shown.errors);
        let _ = world.onnx.gpu.problems();
    }
}

#[test]
fn a_full_card_at_the_start_is_a_word_and_the_cpu() {
    let Some(world) = start() else { return };
    world.onnx.fail("allocate", "Failed to allocate memory for requested buffer of size 4915200", 0, None);
    let shown = world.show_on_gpu("NV12", "");
    assert_unharmed("full", &shown);
    assert!(!shown.seen[FRAMES - 1].faces.is_empty());
}
