//! Without any runtime. A test program of its own, because the library is opened once in a process.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use looking::{
    Bench, init,
    nets::{MIDDLE, Nets},
    stamp,
};

#[test]
fn without_a_runtime_pictures_pass_and_the_message_says_what_to_do() {
    // SAFETY: the only test of this program, and no other thread has been started yet that could read the environment.
    unsafe {
        std::env::set_var("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so");
        std::env::set_var("OPENVINO_LIB_PATH", "/nowhere/libopenvino_c.so");
    }
    init();
    let nets = Nets::new();
    let element = gst::ElementFactory::make("faceanalyze")
        .property("model", nets.detector(&[MIDDLE]).to_str().unwrap())
        .property("age-gender-model", nets.age_gender().to_str().unwrap())
        .build()
        .unwrap();
    let mut bench = Bench::start(element);
    let warnings = bench.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].1.contains("facialads doctor"), "{}", warnings[0].1);
    for _ in 0..3 {
        assert!(bench.see(255, Some(&stamp())).nothing());
    }
}
