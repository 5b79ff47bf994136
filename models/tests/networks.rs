//! Each installed network gives the numbers of the reference.
//!
//! The reference: the networks as written with numpy and the `onnx` Python package by a converter that agreed with the
//! original JavaScript on its six photographs (boxes to 0.003 px, age to 1e-4 years, probabilities to 1e-6), run by ONNX
//! Runtime 1.32.0 on the pattern below, which every decoder of pictures gives alike.

use facialads_vision::runtime::{LoadOptions, Tensor, load};

/// `((7x + 13y + 29c) * (x + 2y + 5) / 64) mod 256` for channel c, row y, column x.
fn pattern(side: usize) -> Tensor {
    let value =
        |c: usize, y: usize, x: usize| ((x * 7 + y * 13 + c * 29) * (x + 2 * y + 5) / 64 % 256) as f32;
    let rows = (0..3).flat_map(|c| (0..side).map(move |y| (c, y)));
    let data = rows.flat_map(|(c, y)| (0..side).map(move |x| value(c, y, x))).collect();
    Tensor::new(vec![1, 3, side, side], data).unwrap()
}

/// Runs an installed network on the pattern. `None` where it, or ONNX Runtime, is not installed.
fn run(model: &str, side: usize) -> Option<Vec<(String, Tensor)>> {
    let path = facialads_testkit::model(model)?;
    let network = match load(&path, &LoadOptions::default()) {
        Ok(loaded) => loaded.network,
        Err(error @ facialads_vision::Error::Library { .. }) => {
            facialads_testkit::skip(&error.to_string());
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let names: Vec<String> = network.describe().outputs.iter().map(|port| port.name.clone()).collect();
    Some(names.into_iter().zip(network.run(&pattern(side)).unwrap()).collect())
}

/// Asserts an output's shape, sum and some of its values.
fn assert_output(output: &(String, Tensor), name: &str, shape: &[usize], sum: f64, values: &[(usize, f32)]) {
    let (found, tensor) = output;
    assert_eq!((found.as_str(), tensor.shape()), (name, shape));
    let total: f64 = tensor.data().iter().map(|&v| f64::from(v)).sum();
    assert!((total - sum).abs() <= 1e-5 * sum.abs().max(1.0), "{name}: sum {total}, expected {sum}");
    for &(index, expected) in values {
        let value = tensor.data()[index];
        assert!(
            (value - expected).abs() <= 2e-5 * expected.abs().max(1.0),
            "{name}[{index}] = {value}, expected {expected}"
        );
    }
}

#[test]
fn ssd_decodes_its_boxes_inside_the_graph() {
    let Some(outputs) = run("ssd-mobilenet-v1", 512) else { return };
    let boxes = [(0, 0.002_790_729), (2924, 0.122_391_6), (11_697, 0.369_050_5), (20_155, 1.352_831_2)];
    assert_output(&outputs[0], "boxes", &[1, 5118, 4], 10_267.399_093, &boxes);
    let scores = [(0, 0.004_796_803), (2193, 0.019_164_413), (5077, 0.044_784_814)];
    assert_output(&outputs[1], "scores", &[1, 5118], 27.105_646, &scores);
}

#[test]
fn the_tiny_detector_gives_the_reference_grid_and_takes_other_sizes() {
    let Some(outputs) = run("tiny-face", 416) else { return };
    let values = [(0, 0.900_519_6), (2413, -8.263_014), (3712, 4.048_019), (4224, -18.775_167)];
    assert_output(&outputs[0], "grid", &[1, 25, 13, 13], -12_785.119_455, &values);
    let larger = run("tiny-face", 608).unwrap();
    assert_eq!(larger[0].1.shape(), [1, 25, 19, 19]);
}

#[test]
fn age_and_gender_are_the_references() {
    let Some(outputs) = run("age-gender", 112) else { return };
    assert_output(&outputs[0], "age", &[1, 1], 51.848_698, &[]);
    assert_output(&outputs[1], "gender", &[1, 2], 1.0, &[(0, 0.962_944_27), (1, 0.037_055_787)]);
}

#[test]
fn expression_is_the_references() {
    let Some(outputs) = run("expression", 112) else { return };
    let values =
        [(0, 0.054_264_92), (1, 0.140_070_97), (2, 0.802_492_8), (3, 3.466_484e-5), (6, 0.003_097_437)];
    assert_output(&outputs[0], "expression", &[1, 7], 1.0, &values);
}

#[test]
fn landmarks_are_the_references() {
    let Some(outputs) = run("landmarks-68-tiny", 112) else { return };
    let values = [(0, 0.177_130_16), (19, 0.886_995_3), (77, 0.337_176_68), (135, 0.585_604_43)];
    assert_output(&outputs[0], "landmarks", &[1, 136], 71.473_825, &values);
}

#[test]
fn efficientnet_is_the_references() {
    let Some(outputs) = run("efficientnet-lite0", 224) else { return };
    let values = [(0, 4.272_063_4e-4), (749, 0.418_253_42), (999, 1.966_227e-5)];
    assert_output(&outputs[0], "probs", &[1, 1000], 1.0, &values);
}

#[test]
fn yunet_with_free_sizes_gives_the_fixed_files_numbers_and_serves_the_second_pass() {
    let Some(outputs) = run("yunet", 640) else { return };
    let sums = [
        ("cls_8", 6400, 1, 3214.454_872),
        ("cls_16", 1600, 1, 817.701_142),
        ("cls_32", 400, 1, 229.793_219),
        ("obj_8", 6400, 1, 0.152_669),
        ("obj_16", 1600, 1, 0.137_575),
        ("obj_32", 400, 1, 1.078_117),
        ("bbox_8", 6400, 4, 13_826.250_831),
        ("bbox_16", 1600, 4, 4_658.898_559),
        ("bbox_32", 400, 4, 1_800.397_173),
        ("kps_8", 6400, 10, 27_060.088_198),
        ("kps_16", 1600, 10, 7_810.110_181),
        ("kps_32", 400, 10, 2_749.139_438),
    ];
    for (name, cells, width, sum) in sums {
        let output = outputs.iter().find(|(found, _)| found == name).unwrap();
        assert_output(output, name, &[1, cells, width], sum, &[]);
    }
    let half = run("yunet", 320).unwrap();
    assert_eq!(half.iter().find(|(name, _)| name == "bbox_32").unwrap().1.shape(), [1, 100, 4]);
}
