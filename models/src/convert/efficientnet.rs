//! EfficientNet-Lite0 (224 px, 1000 ImageNet classes) from the weights of a PyTorch port of TensorFlow's checkpoint.

use super::{
    ConvertError, Tensor, Weights,
    graph::{Edge, Graph, Padding},
    onnx::Size::{Named, Of},
};

/// Of the batch normalisations (the port keeps TensorFlow's, not PyTorch's 1e-5).
const EPSILON: f32 = 1e-3;
/// Stages of Lite0: repeats, kernel, stride of the first, expansion, channels in, channels out.
const STAGES: [(usize, usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
];

/// `probs` [N,1000] from `image` [N,3,224,224], RGB 0..255.
pub fn efficientnet_lite0(weights: &Weights) -> Result<Vec<u8>, ConvertError> {
    let mut g = Graph::new(weights);
    // (x - 127) / 128: with ImageNet's mean and deviation it is 11 points worse.
    let x = g.normalise(&g.image(), [127.0; 3], 1.0 / 128.0);
    let mut x = conv_norm(&mut g, &x, "_conv_stem", "_bn0", 2, false)?;
    x = g.relu6(&x);
    let mut block = 0;
    for (repeats, kernel, stride, expansion, before, after) in STAGES {
        for repeat in 0..repeats {
            let (stride, before) = if repeat == 0 { (stride, before) } else { (1, after) };
            let y = inverted_residual(&mut g, &x, block, kernel, stride, expansion != 1)?;
            x = if stride == 1 && before == after { g.add(&y, &x)? } else { y };
            block += 1;
        }
    }
    x = conv_norm(&mut g, &x, "_conv_head", "_bn1", 1, false)?;
    x = g.relu6(&x);
    let x = g.average(&x);
    let classes = weights.get("_fc.weight", 2)?.permuted(&[1, 0])?;
    let logits = g.gemm(&x, &classes, "_fc.bias", None)?;
    g.softmax(&logits, "probs");
    let input = [Named("N"), Of(3), Of(224), Of(224)];
    Ok(g.finish("efficientnet-lite0", &input, &[("probs", &[Named("N"), Of(1000)])], &[]))
}

/// Widen, convolve each channel, narrow.
fn inverted_residual(
    g: &mut Graph<'_>,
    x: &Edge,
    block: usize,
    kernel: usize,
    stride: usize,
    widen: bool,
) -> Result<Edge, ConvertError> {
    let name = |part: &str| format!("_blocks.{block}.{part}");
    let mut y = x.clone();
    if widen {
        y = conv_norm(g, &y, &name("_expand_conv"), &name("_bn0"), 1, false)?;
        y = g.relu6(&y);
    }
    let depthwise = name("_depthwise_conv");
    let found = g.weights.get(&format!("{depthwise}.weight"), 4)?.shape();
    if found[2..] != [kernel, kernel] {
        let expected = format!("a {kernel}x{kernel} kernel");
        return Err(ConvertError::Shape { name: depthwise, expected, found: found.to_vec() });
    }
    y = conv_norm(g, &y, &depthwise, &name("_bn1"), stride, true)?;
    y = g.relu6(&y);
    conv_norm(g, &y, &name("_project_conv"), &name("_bn2"), 1, false)
}

/// A convolution with its batch normalisation folded in.
fn conv_norm(
    g: &mut Graph<'_>,
    x: &Edge,
    conv: &str,
    norm: &str,
    stride: usize,
    depthwise: bool,
) -> Result<Edge, ConvertError> {
    let kernel = g.weights.get(&format!("{conv}.weight"), 4)?;
    let (out, size) = (kernel.shape()[0], kernel.shape()[2]);
    let of = |part: &str| g.weights.vector(&format!("{norm}.{part}"), out);
    let (gamma, beta) = (of("weight")?.data(), of("bias")?.data());
    let (mean, variance) = (of("running_mean")?.data(), of("running_var")?.data());
    let scale: Vec<f32> = gamma.iter().zip(variance).map(|(g, v)| g / (v + EPSILON).sqrt()).collect();
    let bias = beta.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
    let kernel = kernel.scaled_along(0, &scale)?;
    let groups = if depthwise { out } else { 1 };
    g.conv(x, &kernel, Some(&Tensor::vector(bias)), stride, Padding::same(size, stride), groups)
}
