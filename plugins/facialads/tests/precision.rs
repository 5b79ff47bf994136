//! The property `precision` of the elements that run networks, and what their `stats` tell of it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_vision::runtime::openvino_info;
use gst::{glib, prelude::*};
use looking::{
    init,
    nets::{MIDDLE, Nets},
    onnx_runtime,
};

const ELEMENTS: [&str; 2] = ["faceanalyze", "subjectclassify"];

#[test]
fn precision_is_f32_unless_fast_is_asked_for() {
    init();
    for name in ELEMENTS {
        let element = gst::ElementFactory::make(name).build().unwrap();
        let nick = || {
            let value = element.property_value("precision");
            glib::EnumValue::from_value(&value).unwrap().1.nick().to_owned()
        };
        assert_eq!(nick(), "f32", "{name}");
        element.set_property_from_str("precision", "fast");
        assert_eq!(nick(), "fast", "{name}");
        let spec = element.find_property("precision").unwrap();
        assert_eq!((spec.nick(), spec.value_type().name()), ("Precision", "GstFacialAdsPrecision"));
        let blurb = spec.blurb().unwrap();
        assert!(blurb.contains("ONNX Runtime on the CPU ignores it"), "{name}: {blurb}");
    }
}

#[test]
fn stats_tell_runtime_device_and_precision_that_are_in_use() {
    init();
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let path = |p: std::path::PathBuf| p.to_str().unwrap().to_owned();
    let faces = || {
        gst::ElementFactory::make("faceanalyze")
            .property("model", path(nets.detector(&[MIDDLE])))
            .property("age-gender-model", path(nets.age_gender()))
            .property("fallback", false)
            .build()
            .unwrap()
    };
    let subject = || {
        gst::ElementFactory::make("subjectclassify")
            .property("model", path(nets.subject(0)))
            .property("map", path(nets.subject_map()))
            .property("fallback", false)
            .build()
            .unwrap()
    };
    let told = |element: gst::Element, device: &str, precision: &str| {
        element.set_property("device", device);
        element.set_property_from_str("precision", precision);
        element.set_state(gst::State::Paused).unwrap();
        let stats = element.property::<gst::Structure>("stats");
        element.set_state(gst::State::Null).unwrap();
        ["runtime", "device", "precision"].map(|field| stats.get::<String>(field).unwrap())
    };
    for element in [&faces as &dyn Fn() -> gst::Element, &subject] {
        for precision in ["f32", "fast"] {
            let [runtime, device, used] = told(element(), "cpu", precision);
            assert!(runtime.starts_with("ONNX Runtime "), "{runtime}");
            assert_eq!((device.as_str(), used.as_str()), ("cpu", "f32"));
        }
        if let Err(e) = openvino_info() {
            facialads_testkit::skip(&format!("no OpenVINO (run `make setup`): {e}"));
            return;
        }
        let [runtime, device, used] = told(element(), "openvino:CPU", "f32");
        assert!(runtime.starts_with("OpenVINO "), "{runtime}");
        assert_eq!((device.as_str(), used.as_str()), ("openvino:CPU", "f32"));
        let [.., used] = told(element(), "openvino:CPU", "fast");
        assert!(["f32", "bf16", "f16"].contains(&used.as_str()), "{used}");
    }
}
