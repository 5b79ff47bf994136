//! Models that are missing, damaged or of the wrong kind: a clear message, and the picture goes on.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use gst::prelude::*;
use looking::{
    Bench, init,
    nets::{MIDDLE, Nets},
    onnx_runtime, stamp, warnings,
};
use std::path::{Path, PathBuf};

fn faceanalyze(model: &Path, nets: &Nets) -> gst::Element {
    gst::ElementFactory::make("faceanalyze")
        .property("model", model.to_str().unwrap())
        .property("age-gender-model", nets.age_gender().to_str().unwrap())
        .build()
        .unwrap()
}

fn subjectclassify(model: &Path) -> gst::Element {
    gst::ElementFactory::make("subjectclassify").property("model", model.to_str().unwrap()).build().unwrap()
}

/// A folder with models that are wrong in various ways, and a word that each message must hold.
fn bad_models(nets: &Nets) -> Vec<(PathBuf, &'static str)> {
    let good = nets.detector(&[MIDDLE]);
    let damaged = nets.path().join("damaged.onnx");
    std::fs::write(&damaged, b"this was a network once").unwrap();
    std::fs::copy(good.with_extension("toml"), damaged.with_extension("toml")).unwrap();
    let undescribed = nets.path().join("undescribed.onnx");
    std::fs::copy(&good, &undescribed).unwrap();
    let misdescribed = nets.path().join("misdescribed.onnx");
    std::fs::copy(&good, &misdescribed).unwrap();
    std::fs::write(misdescribed.with_extension("toml"), "name = 5").unwrap();
    let misshapen = nets.path().join("misshapen.onnx");
    std::fs::copy(nets.age_gender(), &misshapen).unwrap();
    std::fs::copy(good.with_extension("toml"), misshapen.with_extension("toml")).unwrap();
    vec![
        (nets.path().join("missing.onnx"), "missing"),
        (damaged, "damaged"),
        (undescribed, "undescribed.toml"),
        (misdescribed, "line 1"),
        (misshapen, "does not fit"),
        (nets.age_gender(), "face-detector"),
    ]
}

#[test]
fn with_an_unusable_detector_pictures_pass_and_the_reason_is_said() {
    init();
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    for (model, word) in bad_models(&nets) {
        let mut bench = Bench::start(faceanalyze(&model, &nets));
        let warnings = bench.warnings();
        assert_eq!(warnings.len(), 1, "{model:?}: {warnings:?}");
        assert_eq!(warnings[0].0, "unanalysed");
        assert!(warnings[0].1.contains(word), "{model:?}: {}", warnings[0].1);
        for _ in 0..3 {
            assert!(bench.see(255, Some(&stamp())).nothing(), "{model:?}");
        }
        assert_eq!(bench.count("frames"), 3);
        assert_eq!(bench.count("inference-calls"), 0);
    }
}

#[test]
fn a_model_that_is_not_installed_names_the_command_that_installs_it() {
    init();
    for name in ["faceanalyze", "subjectclassify"] {
        let element = gst::ElementFactory::make(name).property("model", "no-such-model").build().unwrap();
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        element.set_state(gst::State::Paused).unwrap();
        let warnings = warnings(&bus);
        assert!(
            warnings.iter().any(|(_, text)| text.contains("facialads models install no-such-model")),
            "{name}: {warnings:?}"
        );
        element.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn without_fallback_an_unusable_model_is_an_error_at_start() {
    init();
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    for (model, word) in bad_models(&nets) {
        for element in [faceanalyze(&model, &nets), subjectclassify(&model)] {
            let word = if element.type_().name().ends_with("Analyze") { word } else { "" };
            element.set_property("fallback", false);
            let bus = gst::Bus::new();
            element.set_bus(Some(&bus));
            assert!(element.set_state(gst::State::Paused).is_err(), "{model:?}");
            let error = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
            let gst::MessageView::Error(error) = error.view() else { unreachable!() };
            assert!(error.error().to_string().contains(word), "{model:?}: {}", error.error());
            element.set_state(gst::State::Null).unwrap();
        }
    }
}

#[test]
fn with_an_unusable_classifier_pictures_pass_without_a_subject() {
    init();
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    for (model, _) in bad_models(&nets) {
        let mut bench = Bench::start(subjectclassify(&model));
        let warnings = bench.warnings();
        assert_eq!(warnings.len(), 1, "{model:?}: {warnings:?}");
        assert_eq!(warnings[0].0, "unclassified");
        let picture = bench.picture(255);
        assert_eq!(bench.harness.push(picture), Ok(gst::FlowSuccess::Ok));
        assert!(facialads_meta::Subject::read(&bench.harness.pull().unwrap()).is_none());
    }
}

#[test]
fn a_device_that_is_not_there_is_replaced_with_a_note_or_refused() {
    init();
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let element = faceanalyze(&nets.detector(&[MIDDLE]), &nets);
    element.set_property("device", "openvino:VPU");
    let mut bench = Bench::start(element);
    bench.see(255, Some(&stamp()));
    let notes = bench.warnings();
    assert!(notes.iter().any(|(reason, text)| reason == "note" && text.contains("VPU")), "{notes:?}");
    let strict = faceanalyze(&nets.detector(&[MIDDLE]), &nets);
    strict.set_property("device", "openvino:VPU");
    strict.set_property("fallback", false);
    assert!(strict.set_state(gst::State::Paused).is_err());
    strict.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_device_that_nobody_knows_is_explained() {
    init();
    let nets = Nets::new();
    let element = faceanalyze(&nets.detector(&[MIDDLE]), &nets);
    element.set_property("device", "toaster");
    let bench = Bench::start(element);
    let warnings = bench.warnings();
    assert!(warnings[0].1.contains("toaster") && warnings[0].1.contains("cuda"), "{warnings:?}");
}
