//! Where OpenVINO is not, or what stands in its place is not OpenVINO. Alone in its process, because the library is opened once in
//! a process.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    nets::{LARGE, Nets},
    onnx_runtime,
};
use facialads_vision::{
    Error, FaceAnalyzer, FaceOptions,
    runtime::{LoadOptions, openvino_candidates, openvino_info},
};

#[test]
fn without_openvino_the_best_device_is_onnx_runtimes_and_says_so_only_where_openvino_was_asked_for() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let folder = nets.0.path();
    let foreign = folder.join("libopenvino_c.so.1");
    std::fs::write(&foreign, b"not a library").unwrap();
    let load = |device: &str, fallback| FaceOptions {
        load: LoadOptions { device: device.parse().unwrap(), fallback, ..LoadOptions::default() },
        ..nets.options(&[LARGE])
    };
    // A file that is no library, a folder with one, a library that is another, nothing.
    let other = facialads_vision::runtime::library_candidates().remove(0);
    for (path, part) in [
        (foreign.clone(), "libopenvino_c.so.1"),
        (folder.to_owned(), "libopenvino_c.so.1"),
        (other, "not OpenVINO's C library"),
        (folder.join("nowhere"), "nowhere"),
    ] {
        // SAFETY: the only test of this process, and no other thread reads the environment.
        unsafe { std::env::set_var("OPENVINO_LIB_PATH", &path) };
        for text in [
            FaceAnalyzer::new(&load("openvino", false)).err().unwrap().to_string(),
            openvino_info().unwrap_err().to_string(),
            FaceAnalyzer::new(&load("openvino", true)).unwrap().notes()[0].clone(),
            // A path was given: that it does not work is worth a line.
            FaceAnalyzer::new(&load("auto", false)).unwrap().notes()[0].clone(),
        ] {
            assert!(text.contains(part) && text.contains("OPENVINO_LIB_PATH"), "{text}");
        }
    }
    // SAFETY: as above.
    unsafe {
        std::env::remove_var("OPENVINO_LIB_PATH");
        std::env::remove_var("INTEL_OPENVINO_DIR");
        std::env::remove_var("LD_LIBRARY_PATH");
        std::env::set_var("FACIALADS_MODELS", folder.join("models"));
    }
    if !openvino_candidates().is_empty() {
        return facialads_testkit::skip("this system has an OpenVINO of its own");
    }
    assert_eq!(FaceAnalyzer::new(&load("auto", true)).unwrap().notes(), [""; 0], "nothing to say");
    let error = FaceAnalyzer::new(&load("openvino:cpu", false)).err().unwrap();
    assert!(matches!(error, Error::Device { .. }), "{error}");
    assert!(error.to_string().contains("facialads models install --library"), "{error}");
    let analyzer = FaceAnalyzer::new(&load("openvino:cpu", true)).unwrap();
    assert!(analyzer.notes()[0].ends_with("running on the CPU instead"), "{:?}", analyzer.notes());
}
