//! Without ONNX Runtime: a clear error, no panic. Alone in its process, because the library is opened once in a process.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::nets::{LARGE, Nets};
use facialads_vision::{
    Device, Error, FaceAnalyzer, FaceOptions,
    runtime::{LoadOptions, library_version},
};

#[test]
fn a_missing_or_foreign_library_is_an_error_that_says_what_to_do() {
    let nets = Nets::new();
    let foreign = nets.0.path().join("libonnxruntime.so");
    std::fs::write(&foreign, b"not a library").unwrap();
    for library in [nets.0.path().join("missing.so"), foreign] {
        // SAFETY: the only test of this process, and no other thread reads the environment.
        unsafe { std::env::set_var("ORT_DYLIB_PATH", &library) };
        let load = LoadOptions { device: Device::Cpu, ..LoadOptions::default() };
        let error = FaceAnalyzer::new(&FaceOptions { load, ..nets.options(&[LARGE]) }).err().unwrap();
        assert!(matches!(error, Error::Library { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(library.to_str().unwrap()) && text.contains("facialads doctor"), "{text}");
        assert!(library_version().is_err());
    }
}
