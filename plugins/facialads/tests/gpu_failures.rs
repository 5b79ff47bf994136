//! What an element says on the bus when its network moves: over a driver and an ONNX Runtime that stand in for NVIDIA's.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_testkit::gpu::onnx_runtime;
use gst::prelude::*;
use looking::{Bench, init, nets::Nets, until};

fn element(nets: &Nets, device: &str, fallback: bool) -> gst::Element {
    gst::ElementFactory::make("subjectclassify")
        .property("model", nets.subject(0).to_str().unwrap())
        .property("map", nets.subject_map().to_str().unwrap())
        .property("interval", 0.0)
        .property("device", device)
        .property("fallback", fallback)
        .property_from_str("async", "false")
        .build()
        .unwrap()
}

fn push(bench: &mut Bench) -> bool {
    let picture = bench.picture(255);
    let pushed = bench.harness.push(picture).is_ok();
    while bench.harness.try_pull().is_some() {}
    pushed
}

fn in_use(element: &gst::Element) -> String {
    let stats: gst::Structure = element.property("stats");
    format!("{} {}", stats.get::<String>("runtime").unwrap(), stats.get::<String>("device").unwrap())
}

/// Warnings so far, with the reasons in their details.
fn warnings(bus: &gst::Bus) -> Vec<(String, String)> {
    let messages = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning]));
    let told = messages.map(|message| {
        let gst::MessageView::Warning(warning) = message.view() else { panic!() };
        let reason = warning.details().map_or_else(String::new, |d| d.get("reason").unwrap_or_default());
        (reason, warning.error().to_string())
    });
    told.collect()
}

#[test]
fn a_gpu_that_fails_in_the_middle_is_a_warning_and_the_stream_goes_on_elsewhere() {
    init();
    let Some(ort) = onnx_runtime() else { return };
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, "cuda", true));
    let (element, bus) = (bench.element.clone(), bench.bus.clone());
    assert!(push(&mut bench));
    assert!(in_use(&element).ends_with("cuda:0"), "{}", in_use(&element));
    ort.fail("run", "CUDA failure 700: an illegal memory access was encountered ; GPU=0", 0, None);
    let mut told = Vec::new();
    until("the move", || {
        assert!(push(&mut bench), "the programme goes on");
        told.extend(warnings(&bus));
        told.iter().any(|(reason, text)| reason == "device" && text.contains("from now on")).then_some(())
    });
    assert!(!in_use(&element).contains("cuda"), "{}", in_use(&element));
    assert!(push(&mut bench));
}

#[test]
fn tensorrt_tells_how_its_engine_comes_along() {
    init();
    let Some(_ort) = onnx_runtime() else { return };
    let _ = std::fs::remove_dir_all(facialads_vision::runtime::tensorrt_cache().unwrap());
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, "tensorrt", true));
    let (element, bus) = (bench.element.clone(), bench.bus.clone());
    let mut states = Vec::new();
    until("the engine", || {
        assert!(push(&mut bench));
        let messages = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]));
        states.extend(messages.filter_map(|message| {
            let structure = message.structure().filter(|s| s.name() == "facialads-progress")?;
            assert_eq!(structure.get::<String>("what").unwrap(), "tensorrt");
            assert!(structure.get::<f64>("ms").unwrap() >= 0.0);
            Some(structure.get::<String>("state").unwrap())
        }));
        states.iter().any(|state| state == "ready").then_some(())
    });
    assert_eq!(states.first().map(String::as_str), Some("building"));
    assert!(in_use(&element).ends_with("tensorrt:0"), "{}", in_use(&element));
}
