//! CUDA caps on a machine that has no CUDA: the plugin loads, inspects and says what is missing; nothing panics.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use looking::{Bench, init, nets::Nets, stamp};

const CUDA: &str = "video/x-raw(memory:CUDAMemory),format=NV12,width=160,height=160,framerate=25/1";

/// `false`, said out loud, on a machine that has a card.
fn no_cuda() -> bool {
    init();
    let none = facialads_gstcuda::GstCuda::get().is_err();
    if !none {
        facialads_testkit::skip("this machine has CUDA");
    }
    none
}

#[test]
fn templates_offer_system_memory_first_and_cuda_memory_beside_it() {
    init();
    for name in ["faceanalyze", "subjectclassify", "audienceoverlay"] {
        let factory = gst::ElementFactory::find(name).unwrap();
        for template in factory.static_pad_templates() {
            let caps = template.caps();
            assert!(
                caps.features(0).unwrap().is_equal(&gst::CapsFeatures::new_empty())
                    || !facialads_gstcuda::is_cuda(&caps)
            );
            let cuda: Vec<_> =
                caps.iter_with_features().filter(|(_, f)| f.contains("memory:CUDAMemory")).collect();
            assert_eq!(cuda.len(), 1, "{name}: one line in gst-inspect");
            for format in ["NV12", "P010_10LE", "I420", "RGB", "RGBA", "RGBx", "BGR", "BGRA", "BGRx"] {
                let wanted: gst::Caps =
                    format!("video/x-raw(memory:CUDAMemory),format={format}").parse().unwrap();
                assert!(caps.can_intersect(&wanted), "{name}: {format}");
                let system: gst::Caps = format!("video/x-raw,format={format}").parse().unwrap();
                assert!(caps.can_intersect(&system), "{name}: {format}");
            }
            let packed: gst::Caps = "video/x-raw(memory:CUDAMemory),format=v210".parse().unwrap();
            assert!(!caps.can_intersect(&packed), "{name}: what no kernel reads is not offered");
        }
    }
}

#[test]
fn what_cannot_be_linked_is_refused_in_words() {
    if !no_cuda() {
        return;
    }
    for line in [
        "videotestsrc ! video/x-raw(memory:CUDAMemory) ! faceanalyze ! fakesink",
        "videotestsrc ! video/x-raw(memory:CUDAMemory) ! subjectclassify ! fakesink",
        "videotestsrc ! cudaupload ! faceanalyze ! fakesink",
    ] {
        let error = gst::parse::launch(line).unwrap_err().to_string();
        assert!(
            error.contains("could not link") || error.contains("no element \"cudaupload\""),
            "{line}: {error}"
        );
    }
}

#[test]
fn frames_that_say_they_are_in_cuda_memory_pass_and_what_is_missing_is_said() {
    if !no_cuda() {
        return;
    }
    let nets = Nets::new();
    let elements = [
        gst::ElementFactory::make("faceanalyze")
            .property("model", path(nets.detector(&[looking::nets::MIDDLE]))),
        gst::ElementFactory::make("subjectclassify").property("model", path(nets.subject(0))),
    ];
    for element in elements {
        let mut bench = Bench::start_with(element.build().unwrap(), CUDA, 160);
        let seen = bench.see(200, Some(&stamp()));
        assert!(seen.faces.is_empty());
        let warnings = bench.warnings();
        assert!(
            warnings
                .iter()
                .any(|(_, text)| text.contains("nvidia-smi") || text.contains("gstreamer1.0-plugins-bad")),
            "{warnings:?}"
        );
        let stats = bench.stats();
        assert_eq!(
            (stats.get::<String>("memory"), stats.get::<String>("gpu")),
            (Ok(String::new()), Ok(String::new()))
        );
    }
}

#[test]
fn without_fallback_it_is_an_error() {
    if !no_cuda() || !looking::onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let element = gst::ElementFactory::make("subjectclassify")
        .property("model", path(nets.subject(0)))
        .property("map", path(nets.subject_map()))
        .property("fallback", false)
        .build()
        .unwrap();
    let mut bench = Bench::start_with(element, CUDA, 160);
    let picture = bench.picture(100);
    assert!(bench.harness.push(picture).is_err());
    let error = bench.bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = error.view() else { unreachable!() };
    assert!(!error.error().to_string().is_empty());
}

#[test]
fn a_gpu_that_is_asked_for_and_not_there_is_said_and_the_network_runs_elsewhere() {
    if !no_cuda() || !looking::onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let element = gst::ElementFactory::make("subjectclassify")
        .property("model", path(nets.subject(0)))
        .property("map", path(nets.subject_map()))
        .property("device", "cuda")
        .build()
        .unwrap();
    let mut bench = Bench::start(element);
    bench.see(200, None);
    assert_eq!(bench.count("classified"), 1);
    let stats = bench.stats();
    assert_eq!(
        (stats.get::<String>("memory"), stats.get::<String>("gpu")),
        (Ok("system".into()), Ok(String::new()))
    );
    assert_eq!(stats.get::<u64>("pixel-bytes-to-gpu"), Ok(0));
    assert!(bench.warnings().iter().any(|(reason, text)| reason == "note" && text.contains("cuda")));
}

fn path(path: std::path::PathBuf) -> String {
    path.to_str().unwrap().to_owned()
}
