//! The face networks of `@vladmandic/face-api`: their architecture is code there (`src/*Net.ts`), so it is code here.
//!
//! Each takes `image` [N,3,S,S], RGB 0..255, and normalises inside the graph.

use super::{
    ConvertError, Weights,
    graph::{Edge, Graph, Padding},
    onnx::Size::{Named, Of},
};

/// Per-channel mean of the attribute networks (`faceProcessor`), subtracted before dividing by 255.
const MEAN: [f32; 3] = [122.782, 117.001, 104.298];
/// Per-channel mean of the tiny face detector.
const TINY_MEAN: [f32; 3] = [117.001, 114.697, 97.404];
/// Slope of the tiny face detector's leaky ReLU.
const LEAK: f32 = 0.1;
const CROP: [super::onnx::Size<'static>; 4] = [Named("N"), Of(3), Of(112), Of(112)];

/// The tiny face detector, a small YOLO v2: `grid` [N,25,S/32,S/32], channel = anchor * 5 + {tx, ty, tw, th, objectness}.
pub fn tiny_face(weights: &Weights) -> Result<Vec<u8>, ConvertError> {
    let mut g = Graph::new(weights);
    let x = g.normalise(&g.image(), TINY_MEAN, 1.0 / 255.0);
    let x = g.conv_tf(&x, "conv0/filters", "conv0/bias", 1, Padding::NONE)?;
    let x = g.leaky_relu(&x, LEAK);
    let mut x = g.max_pool(&x, 2, 2, Padding::NONE);
    for layer in 1..=5 {
        x = g.separable(&x, &format!("conv{layer}/"), 1)?;
        x = g.leaky_relu(&x, LEAK);
        // The first convolution has no padding, so the size is odd before the pools of layers 1 and 5.
        let padding = if layer == 1 || layer == 5 { Padding::END } else { Padding::NONE };
        x = g.max_pool(&x, 2, if layer < 5 { 2 } else { 1 }, padding);
    }
    let grid = g.conv_tf(&x, "conv8/filters", "conv8/bias", 1, Padding::NONE)?;
    g.output(&grid, "grid");
    let input = [Named("N"), Of(3), Named("S"), Named("S")];
    Ok(g.finish("tiny-face", &input, &[("grid", &[Named("N"), Of(25), Named("G"), Named("G")])], &[]))
}

/// Age in years [N,1] and the probabilities of male and female [N,2] (`AgeGenderNet`, a small Xception).
pub fn age_gender(weights: &Weights) -> Result<Vec<u8>, ConvertError> {
    let mut g = Graph::new(weights);
    let x = g.normalise(&g.image(), MEAN, 1.0 / 255.0);
    let x = g.conv_tf(&x, "entry_flow/conv_in/filters", "entry_flow/conv_in/bias", 2, Padding::END)?;
    let x = g.relu(&x);
    let x = reduction(&mut g, &x, "entry_flow/reduction_block_0/", false)?;
    let mut x = reduction(&mut g, &x, "entry_flow/reduction_block_1/", true)?;
    for block in 0..2 {
        let mut inner = x.clone();
        for layer in 0..3 {
            let active = g.relu(&inner);
            inner =
                g.separable(&active, &format!("middle_flow/main_block_{block}/separable_conv{layer}/"), 1)?;
        }
        x = g.add(&inner, &x)?;
    }
    let x = reduction(&mut g, &x, "exit_flow/reduction_block/", true)?;
    let x = g.separable(&x, "exit_flow/separable_conv/", 1)?;
    let x = g.relu(&x);
    let x = g.average(&x);
    g.dense(&x, "fc/age/", Some("age"))?;
    let gender = g.dense(&x, "fc/gender/", None)?;
    g.softmax(&gender, "gender");
    let outputs: [(&str, &[_]); 2] = [("age", &[Named("N"), Of(1)]), ("gender", &[Named("N"), Of(2)])];
    Ok(g.finish("age-gender", &CROP, &outputs, &[("gender", "male,female")]))
}

/// Two separable convolutions and a pool beside a strided 1x1 convolution.
fn reduction(g: &mut Graph<'_>, x: &Edge, prefix: &str, active: bool) -> Result<Edge, ConvertError> {
    let inner = if active { g.relu(x) } else { x.clone() };
    let inner = g.separable(&inner, &format!("{prefix}separable_conv0/"), 1)?;
    let inner = g.relu(&inner);
    let inner = g.separable(&inner, &format!("{prefix}separable_conv1/"), 1)?;
    let pooled = g.max_pool(&inner, 3, 2, Padding::END);
    let filters = format!("{prefix}expansion_conv/filters");
    let beside = g.conv_tf(x, &filters, &format!("{prefix}expansion_conv/bias"), 2, Padding::NONE)?;
    g.add(&pooled, &beside)
}

/// Probabilities [N,7] of neutral, happy, sad, angry, fearful, disgusted, surprised (`FaceExpressionNet`).
pub fn expression(weights: &Weights) -> Result<Vec<u8>, ConvertError> {
    let mut g = Graph::new(weights);
    let x = features(&mut g, 4, 4)?;
    let x = g.dense(&x, "fc/", None)?;
    g.softmax(&x, "expression");
    let labels = "neutral,happy,sad,angry,fearful,disgusted,surprised";
    Ok(g.finish("expression", &CROP, &[("expression", &[Named("N"), Of(7)])], &[("labels", labels)]))
}

/// 68 landmarks as x, y pairs [N,136], fractions of the padded square (`FaceLandmark68TinyNet`).
pub fn landmarks_68_tiny(weights: &Weights) -> Result<Vec<u8>, ConvertError> {
    let mut g = Graph::new(weights);
    let x = features(&mut g, 3, 3)?;
    g.dense(&x, "fc/", Some("landmarks"))?;
    Ok(g.finish("landmarks-68-tiny", &CROP, &[("landmarks", &[Named("N"), Of(136)])], &[]))
}

/// The feature extractor that expression and landmarks share: densely connected blocks, then the mean.
fn features(g: &mut Graph<'_>, blocks: usize, layers: usize) -> Result<Edge, ConvertError> {
    let mut x = g.normalise(&g.image(), MEAN, 1.0 / 255.0);
    for block in 0..blocks {
        x = dense_block(g, &x, &format!("dense{block}/"), layers, block == 0)?;
    }
    Ok(g.average(&x))
}

/// Layers that each add to the sum of all before them; halves the size. The network's first layer is an ordinary
/// convolution, the first layer of later blocks a separable one.
fn dense_block(
    g: &mut Graph<'_>,
    x: &Edge,
    prefix: &str,
    layers: usize,
    first: bool,
) -> Result<Edge, ConvertError> {
    let start = if first {
        let filters = format!("{prefix}conv0/filters");
        g.conv_tf(x, &filters, &format!("{prefix}conv0/bias"), 2, Padding::END)?
    } else {
        g.separable(x, &format!("{prefix}conv0/"), 2)?
    };
    let mut sum = g.relu(&start);
    for layer in 1..layers {
        let active = if layer == 1 { sum.clone() } else { g.relu(&sum) };
        let next = g.separable(&active, &format!("{prefix}conv{layer}/"), 1)?;
        sum = g.add(&sum, &next)?;
    }
    Ok(g.relu(&sum))
}
