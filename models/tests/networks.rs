//! The installed networks take the sizes that their descriptions promise. Their numbers: `verify.rs`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails should say where")]

use facialads_vision::{Error, runtime::run_on_pattern};

/// Shapes of a network's outputs. `None` where it, or ONNX Runtime, is not installed.
fn shapes(model: &str, side: usize, pictures: usize) -> Option<Vec<(String, Vec<usize>)>> {
    let path = facialads_testkit::model(model)?;
    match run_on_pattern(&path, (side, side), pictures) {
        Ok(outputs) => Some(outputs.into_iter().map(|(name, t)| (name, t.shape().to_vec())).collect()),
        Err(error @ Error::Library { .. }) => {
            facialads_testkit::skip(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn named(shapes: &[(String, Vec<usize>)], name: &str) -> Vec<usize> {
    shapes.iter().find(|(found, _)| found == name).unwrap().1.clone()
}

#[test]
fn one_file_of_yunet_serves_the_first_and_the_second_pass() {
    for (side, cells) in [(640, 400), (320, 100)] {
        let Some(shapes) = shapes("yunet", side, 1) else { return };
        assert_eq!(named(&shapes, "bbox_32"), [1, cells, 4]);
        assert_eq!(named(&shapes, "kps_8"), [1, cells * 16, 10]);
    }
}

#[test]
fn the_tiny_detector_takes_any_multiple_of_32() {
    for (side, grid) in [(416, 13), (608, 19)] {
        let Some(shapes) = shapes("tiny-face", side, 1) else { return };
        assert_eq!(named(&shapes, "grid"), [1, 25, grid, grid]);
    }
}

#[test]
fn the_networks_that_describe_faces_take_several_at_once() {
    for (model, output, values) in [
        ("age-gender", "gender", 2),
        ("expression", "expression", 7),
        ("landmarks-68-tiny", "landmarks", 136),
    ] {
        let Some(shapes) = shapes(model, 112, 3) else { continue };
        assert_eq!(named(&shapes, output), [3, values]);
    }
}
