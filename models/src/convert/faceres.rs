//! FaceRes (`HSE_FaceRec_tf`, A. Savchenko): age and gender on a MobileNet v1, out of the TensorFlow.js files of
//! `@vladmandic/human`.

use super::{
    ConvertError, Tensor, Weights,
    graph::{Edge, Graph, Padding},
    onnx::Size::{Named, Of},
};

/// Of the training pictures (those of VGGFace), red, green, blue.
const MEAN: [f32; 3] = [123.68, 116.779, 103.939];
/// Depthwise blocks of MobileNet v1 that halve the picture.
const HALVING: [usize; 4] = [2, 4, 6, 12];
const BLOCKS: usize = 13;
/// Years 1 to 100.
const AGES: i64 = 100;

/// `age` [N,100], the probabilities of 1 to 100 years, and `gender` [N,1], the logit of male, from `image` [N,3,224,224], RGB 0..255.
///
/// The original also puts out what it computes both from, a description that tells people apart. That is biometric
/// identification, which nobody has agreed to: it does not leave this graph.
pub fn faceres(weights: &Weights) -> Result<Vec<u8>, ConvertError> {
    let mut g = Graph::new(weights);
    let x = g.normalise(&g.image(), MEAN, 1.0);
    // The original takes blue, green, red (`human` gives it red first, and gets fewer genders right).
    let first = reversed_inputs(weights.get("conv1/convolution/merged_input", 4)?)?;
    let mut x = pointwise(&mut g, &x, &first, "conv1", 2, Padding::END)?;
    for block in 1..=BLOCKS {
        x = depthwise(&mut g, &x, block)?;
        let kernel = weights.get(&format!("conv_pw_{block}/convolution/merged_input"), 4)?;
        x = pointwise(&mut g, &x, kernel, &format!("conv_pw_{block}"), 1, Padding::NONE)?;
    }
    let x = g.average(&x);
    let x = g.gemm(&x, weights.get("feats/kernel", 2)?, "feats/bias", None)?;
    let x = g.relu(&x);
    let ages = g.gemm(&x, weights.get("age_pred/kernel", 2)?, "age_pred/bias", None)?;
    g.softmax(&ages, "age");
    g.gemm(&x, weights.get("gender_pred/kernel", 2)?, "gender_pred/bias", Some("gender"))?;
    let outputs: [(&str, &[_]); 2] = [("age", &[Named("N"), Of(AGES)]), ("gender", &[Named("N"), Of(1)])];
    Ok(g.finish("faceres", &[Named("N"), Of(3), Of(224), Of(224)], &outputs, &[]))
}

/// A kernel (height, width, in, out) for input channels in the opposite order.
fn reversed_inputs(kernel: &Tensor) -> Result<Tensor, ConvertError> {
    let &[_, _, inputs, outputs] = kernel.shape() else {
        return Err(ConvertError::Rank { expected: 4, shape: kernel.shape().to_vec() });
    };
    let pixels = kernel.data().chunks_exact((inputs * outputs).max(1));
    let data = pixels.flat_map(|pixel| pixel.chunks_exact(outputs.max(1)).rev().flatten().copied()).collect();
    Tensor::new(kernel.shape().to_vec(), data)
}

/// A convolution whose batch normalisation the original has folded in, all but its offset.
fn pointwise(
    g: &mut Graph<'_>,
    x: &Edge,
    kernel: &Tensor,
    name: &str,
    stride: usize,
    padding: Padding,
) -> Result<Edge, ConvertError> {
    let kernel = kernel.permuted(&[3, 2, 0, 1])?;
    let bias = g.weights.vector(&format!("{name}_bn/batchnorm_1/sub"), kernel.shape()[0])?;
    let x = g.conv(x, &kernel, Some(bias), stride, padding, 1)?;
    Ok(g.relu6(&x))
}

fn depthwise(g: &mut Graph<'_>, x: &Edge, block: usize) -> Result<Edge, ConvertError> {
    let stride = if HALVING.contains(&block) { 2 } else { 1 };
    let kernel = g.weights.get(&format!("conv_dw_{block}/depthwise_kernel"), 4)?;
    let norm =
        |part: &str| g.weights.vector(&format!("conv_dw_{block}_bn/batchnorm_1/{part}"), kernel.shape()[2]);
    let (scale, bias) = (norm("mul")?, norm("sub")?);
    let kernel = kernel.scaled_along(2, scale.data())?;
    let x = g.depthwise_tf(x, &kernel, Some(bias), stride)?;
    Ok(g.relu6(&x))
}
