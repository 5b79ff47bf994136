//! Once warm, a run of a network takes nothing from the heap. Alone in its process, because allocations are counted.
#![allow(clippy::unwrap_used, clippy::panic)]

mod counting;

use facialads_vision::{
    Device,
    runtime::{LoadOptions, PatternRun, library_version, openvino_info},
    spec::models_dir,
};
#[test]
fn a_warm_run_allocates_nothing() {
    let openvino = openvino_info().map(drop);
    let onnx_runtime = library_version().map(drop);
    for (device, there) in [("openvino:cpu", openvino), ("cpu", onnx_runtime)] {
        if let Err(e) = there {
            facialads_testkit::skip(&format!("{device} (run `make setup`): {e}"));
            continue;
        }
        for (model, side, pictures) in [
            ("yunet", 640, 1),
            ("ssd-mobilenet-v1", 512, 1),
            ("age-gender", 112, 7),
            ("efficientnet-lite0", 224, 1),
        ] {
            let file = models_dir().join(format!("{model}.onnx"));
            if !file.is_file() {
                facialads_testkit::skip(&format!("{model} is not installed"));
                continue;
            }
            let options = LoadOptions { device: device.parse::<Device>().unwrap(), ..LoadOptions::default() };
            let mut run = PatternRun::load(&options, &file, side, pictures).unwrap();
            assert!((0..2).all(|_| run.run().is_ok()));
            let before = counting::allocations();
            let ran = (0..3).all(|_| run.run().is_ok());
            let allocated = counting::allocations() - before;
            assert!(ran);
            assert_eq!(allocated, 0, "{model} on {device}");
        }
    }
}
