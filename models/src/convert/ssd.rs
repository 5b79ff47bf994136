//! SSD MobileNet v1 of `@vladmandic/face-api` (`SsdMobilenetv1`), with the box decoding inside the graph.

use super::{
    ConvertError, Tensor, Weights,
    graph::{Edge, Graph, Padding},
    onnx::{
        AttributeProto,
        Size::{Named, Of},
    },
};

/// Of the batch normalisations.
const EPSILON: f32 = 0.001;
/// Default boxes of the six feature maps together.
const BOXES: usize = 5118;
/// The box coder's scales (TensorFlow's object detection): offsets of the centre are divided by 10, of the size by 5.
const CENTRE_SCALE: f32 = 10.0;
const SIZE_SCALE: f32 = 0.2;
/// Classes that each box is scored for: background, face, and one that is never used.
const CLASSES: i64 = 3;

/// `boxes` [N,5118,4] ymin, xmin, ymax, xmax, fractions of the square picture, not clipped; `scores` [N,5118], 0..1.
pub fn ssd_mobilenet_v1(weights: &Weights) -> Result<Vec<u8>, ConvertError> {
    let mut g = Graph::new(weights);
    let image = g.normalise(&g.image(), [127.5; 3], 1.0 / 127.5);
    let maps = feature_maps(&mut g, &image)?;
    let (mut boxes, mut classes) = (Vec::new(), Vec::new());
    for (i, map) in maps.iter().enumerate() {
        let prefix = format!("Prediction/BoxPredictor_{i}/");
        boxes.push(predictor(&mut g, map, &format!("{prefix}BoxEncodingPredictor"), 4)?);
        classes.push(predictor(&mut g, map, &format!("{prefix}ClassPredictor"), CLASSES)?);
    }
    decode(&mut g, &boxes)?;
    score(&mut g, &classes);
    let all = Of(i64::try_from(BOXES).unwrap_or(i64::MAX));
    let outputs: [(&str, &[_]); 2] = [("boxes", &[Named("N"), all, Of(4)]), ("scores", &[Named("N"), all])];
    Ok(g.finish("ssd-mobilenet-v1", &[Named("N"), Of(3), Of(512), Of(512)], &outputs, &[]))
}

/// MobileNet's two last stages and the four that the detector adds.
fn feature_maps(g: &mut Graph<'_>, image: &Edge) -> Result<Vec<Edge>, ConvertError> {
    let mut maps = Vec::new();
    let mut x = pointwise(g, image, "MobilenetV1/Conv2d_0_pointwise", 2)?;
    for i in 1..=13 {
        let stride = if matches!(i, 2 | 4 | 6 | 12) { 2 } else { 1 };
        x = depthwise(g, &x, &format!("MobilenetV1/Conv2d_{i}_depthwise/"), stride)?;
        x = pointwise(g, &x, &format!("MobilenetV1/Conv2d_{i}_pointwise"), 1)?;
        if matches!(i, 11 | 13) {
            maps.push(x.clone());
        }
    }
    for i in 0..8 {
        let last = i % 2 == 1;
        x = pointwise(g, &x, &format!("Prediction/Conv2d_{i}_pointwise"), if last { 2 } else { 1 })?;
        if last {
            maps.push(x.clone());
        }
    }
    Ok(maps)
}

/// A convolution with the offset of its folded batch normalisation.
fn pointwise(g: &mut Graph<'_>, x: &Edge, prefix: &str, stride: usize) -> Result<Edge, ConvertError> {
    let filters = format!("{prefix}/weights");
    let one = g.weights.get(&filters, 4)?.shape()[0] == 1;
    let padding = if one { Padding::NONE } else { Padding::same3(stride) };
    let x = g.conv_tf(x, &filters, &format!("{prefix}/convolution_bn_offset"), stride, padding)?;
    Ok(g.relu6(&x))
}

/// A depthwise convolution with its batch normalisation folded in.
fn depthwise(g: &mut Graph<'_>, x: &Edge, prefix: &str, stride: usize) -> Result<Edge, ConvertError> {
    let kernel = g.weights.get(&format!("{prefix}depthwise_weights"), 4)?;
    let norm = |name: &str| g.weights.vector(&format!("{prefix}BatchNorm/{name}"), kernel.shape()[2]);
    let (gamma, beta) = (norm("gamma")?.data(), norm("beta")?.data());
    let (mean, variance) = (norm("moving_mean")?.data(), norm("moving_variance")?.data());
    let scale: Vec<f32> = gamma.iter().zip(variance).map(|(g, v)| g / (v + EPSILON).sqrt()).collect();
    let bias = beta.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
    let kernel = kernel.scaled_along(2, &scale)?;
    let x = g.depthwise_tf(x, &kernel, Some(&Tensor::vector(bias)), stride)?;
    Ok(g.relu6(&x))
}

/// A predictor's values as [N, boxes, width].
fn predictor(g: &mut Graph<'_>, map: &Edge, prefix: &str, width: i64) -> Result<String, ConvertError> {
    let (filters, bias) = (format!("{prefix}/weights"), format!("{prefix}/biases"));
    let x = g.conv_tf(map, &filters, &bias, 1, Padding::NONE)?;
    let x = g.node("Transpose", &[x.name()], None, vec![AttributeProto::ints("perm", &[0, 2, 3, 1])]);
    let shape = g.integers(&[0, -1, width]);
    Ok(g.node("Reshape", &[&x, &shape], None, Vec::new()))
}

fn concat(g: &mut Graph<'_>, parts: &[String], axis: i64, output: Option<&str>) -> String {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    g.node("Concat", &parts, output, vec![AttributeProto::int("axis", axis)])
}

/// `x[.., from..to]` of the last of three axes.
fn slice(g: &mut Graph<'_>, x: &str, from: i64, to: i64) -> String {
    let (from, to, axis) = (g.integers(&[from]), g.integers(&[to]), g.integers(&[2]));
    g.node("Slice", &[x, &from, &to, &axis], None, Vec::new())
}

fn with(g: &mut Graph<'_>, op: &str, x: &str, constant: &Tensor) -> String {
    let constant = g.constant(constant);
    g.node(op, &[x, &constant], None, Vec::new())
}

/// From offsets to boxes, relative to the default boxes in `Output/extra_dim` (ymin, xmin, ymax, xmax).
fn decode(g: &mut Graph<'_>, offsets: &[String]) -> Result<(), ConvertError> {
    let anchors = g.weights.get("Output/extra_dim", 3)?;
    if anchors.shape() != [1, BOXES, 4] {
        return Err(ConvertError::Shape {
            name: "Output/extra_dim".into(),
            expected: format!("[1, {BOXES}, 4]"),
            found: anchors.shape().to_vec(),
        });
    }
    let (mut centres, mut sizes) = (Vec::new(), Vec::new());
    for anchor in anchors.data().chunks_exact(4) {
        for axis in 0..2 {
            let size = anchor[axis + 2] - anchor[axis];
            sizes.push(size);
            centres.push(anchor[axis] + size / 2.0);
        }
    }
    let scaled = |divisor: f32| Tensor::new(vec![1, BOXES, 2], sizes.iter().map(|s| s / divisor).collect());
    let (moves, halves) = (scaled(CENTRE_SCALE)?, scaled(2.0)?);
    let centres = Tensor::new(vec![1, BOXES, 2], centres)?;

    let offsets = concat(g, offsets, 1, None);
    let centre = slice(g, &offsets, 0, 2);
    let centre = with(g, "Mul", &centre, &moves);
    let centre = with(g, "Add", &centre, &centres);
    let size = slice(g, &offsets, 2, 4);
    let size = with(g, "Mul", &size, &Tensor::vector(vec![SIZE_SCALE]));
    let size = g.node("Exp", &[&size], None, Vec::new());
    let half = with(g, "Mul", &size, &halves);
    let low = g.node("Sub", &[&centre, &half], None, Vec::new());
    let high = g.node("Add", &[&centre, &half], None, Vec::new());
    concat(g, &[low, high], 2, Some("boxes"));
    Ok(())
}

/// The face class of all boxes, through a sigmoid.
fn score(g: &mut Graph<'_>, classes: &[String]) {
    let classes = concat(g, classes, 1, None);
    let face = slice(g, &classes, 1, 2);
    let face = g.node("Sigmoid", &[&face], None, Vec::new());
    let axis = g.integers(&[2]);
    g.node("Squeeze", &[&face, &axis], Some("scores"), Vec::new());
}
