use super::{ConvertError, Tensor, Weights, onnx::*};
use prost::Message as _;

/// ONNX operator set that the graphs are written in: ONNX Runtime reads it since 1.12, OpenVINO since 2022.3.
const OPSET: i64 = 17;
/// ONNX file format that goes with [`OPSET`].
const IR_VERSION: i64 = 8;

/// A value that flows between nodes: its name and, where it is a picture, how many channels it has.
#[derive(Clone, Debug)]
pub struct Edge {
    name: String,
    channels: usize,
}

/// Rows and columns added around a picture, in ONNX's order: top, left, bottom, right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding([i64; 4]);

impl Padding {
    pub const NONE: Self = Self([0; 4]);
    /// TensorFlow's "same" for a 3x3 kernel with stride 1.
    pub const SAME: Self = Self([1; 4]);
    /// TensorFlow's "same" for a 3x3 kernel with stride 2 on an even size: only at the end.
    pub const END: Self = Self([0, 0, 1, 1]);

    /// TensorFlow's "same" for any odd kernel on an even size.
    pub fn same(kernel: usize, stride: usize) -> Self {
        let total = kernel.saturating_sub(stride.min(2));
        let (before, after) = (total / 2, total - total / 2);
        let (before, after) = (before.try_into().unwrap_or(i64::MAX), after.try_into().unwrap_or(i64::MAX));
        Self([before, before, after, after])
    }

    /// "Same" for a 3x3 kernel.
    pub fn same3(stride: usize) -> Self {
        if stride == 1 { Self::SAME } else { Self::END }
    }
}

/// Builds an ONNX graph node by node, checking channels as it goes. Weights are asked for by name.
#[derive(Debug)]
pub struct Graph<'w> {
    pub weights: &'w Weights,
    nodes: Vec<NodeProto>,
    initialisers: Vec<TensorProto>,
}

impl<'w> Graph<'w> {
    pub fn new(weights: &'w Weights) -> Self {
        Self { weights, nodes: Vec::new(), initialisers: Vec::new() }
    }

    /// The graph's one input: pictures of three channels.
    pub fn image(&self) -> Edge {
        Edge { name: "image".into(), channels: 3 }
    }

    fn number(&self) -> usize {
        self.nodes.len() + self.initialisers.len()
    }

    fn initialiser(&mut self, data_type: i32, shape: &[usize], raw: Vec<u8>) -> String {
        let name = format!("c{}", self.number());
        self.initialisers.push(TensorProto {
            dims: shape.iter().map(|&n| i64::try_from(n).unwrap_or(i64::MAX)).collect(),
            data_type: Some(data_type),
            name: Some(name.clone()),
            raw_data: Some(raw),
        });
        name
    }

    pub fn constant(&mut self, tensor: &Tensor) -> String {
        self.initialiser(FLOAT, tensor.shape(), tensor.data().iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    pub fn integers(&mut self, values: &[i64]) -> String {
        self.initialiser(INT64, &[values.len()], values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// A node with one output. `output` names it where it leaves the graph.
    pub fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: Option<&str>,
        attributes: Vec<AttributeProto>,
    ) -> String {
        let number = self.number();
        let output = output.map_or_else(|| format!("t{number}"), str::to_owned);
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.clone()],
            name: Some(format!("{op}{number}")),
            op_type: Some(op.to_owned()),
            attribute: attributes,
        });
        output
    }

    fn keep(&mut self, op: &str, x: &Edge, inputs: &[&str], attributes: Vec<AttributeProto>) -> Edge {
        Edge { name: self.node(op, inputs, None, attributes), channels: x.channels }
    }

    /// `(x - mean) * scale`, per channel.
    pub fn normalise(&mut self, x: &Edge, mean: [f32; 3], scale: f32) -> Edge {
        let mean = self.constant(&Tensor::per_channel(mean.to_vec()));
        let x = self.keep("Sub", x, &[&x.name, &mean], Vec::new());
        let scale = self.constant(&Tensor::per_channel(vec![scale]));
        self.keep("Mul", &x, &[&x.name, &scale], Vec::new())
    }

    /// A convolution with a kernel in ONNX's order: out, in / groups, height, width.
    pub fn conv(
        &mut self,
        x: &Edge,
        kernel: &Tensor,
        bias: Option<&Tensor>,
        stride: usize,
        padding: Padding,
        groups: usize,
    ) -> Result<Edge, ConvertError> {
        let &[out, inner, height, width] = kernel.shape() else {
            return Err(ConvertError::Rank { expected: 4, shape: kernel.shape().to_vec() });
        };
        let fits = inner.checked_mul(groups) == Some(x.channels) && out.checked_rem(groups) == Some(0);
        if !fits || bias.is_some_and(|bias| bias.shape() != [out]) {
            return Err(ConvertError::Channels { found: x.channels, kernel: kernel.shape().to_vec() });
        }
        let size = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (kernel, bias) = (self.constant(kernel), bias.map(|bias| self.constant(bias)));
        let mut inputs = vec![x.name.as_str(), kernel.as_str()];
        inputs.extend(bias.as_deref());
        let mut attributes = vec![
            AttributeProto::ints("kernel_shape", &[size(height), size(width)]),
            AttributeProto::ints("strides", &[size(stride); 2]),
            AttributeProto::ints("pads", &padding.0),
        ];
        if groups != 1 {
            attributes.push(AttributeProto::int("group", size(groups)));
        }
        Ok(Edge { name: self.node("Conv", &inputs, None, attributes), channels: out })
    }

    /// A convolution whose kernel is in TensorFlow's order: height, width, in, out.
    pub fn conv_tf(
        &mut self,
        x: &Edge,
        filters: &str,
        bias: &str,
        stride: usize,
        padding: Padding,
    ) -> Result<Edge, ConvertError> {
        let kernel = self.weights.get(filters, 4)?.permuted(&[3, 2, 0, 1])?;
        let bias = self.weights.vector(bias, kernel.shape()[0])?;
        self.conv(x, &kernel, Some(bias), stride, padding, 1)
    }

    /// One kernel per channel, in TensorFlow's order: height, width, channel, 1.
    pub fn depthwise_tf(
        &mut self,
        x: &Edge,
        kernel: &Tensor,
        bias: Option<&Tensor>,
        stride: usize,
    ) -> Result<Edge, ConvertError> {
        let kernel = kernel.permuted(&[2, 3, 0, 1])?;
        let groups = kernel.shape()[0];
        self.conv(x, &kernel, bias, stride, Padding::same3(stride), groups)
    }

    /// A depthwise 3x3 and a pointwise convolution, under one prefix.
    pub fn separable(&mut self, x: &Edge, prefix: &str, stride: usize) -> Result<Edge, ConvertError> {
        let kernel = self.weights.get(&format!("{prefix}depthwise_filter"), 4)?;
        let x = self.depthwise_tf(x, kernel, None, stride)?;
        self.conv_tf(&x, &format!("{prefix}pointwise_filter"), &format!("{prefix}bias"), 1, Padding::NONE)
    }

    pub fn relu(&mut self, x: &Edge) -> Edge {
        self.keep("Relu", x, &[&x.name], Vec::new())
    }

    pub fn leaky_relu(&mut self, x: &Edge, slope: f32) -> Edge {
        self.keep("LeakyRelu", x, &[&x.name], vec![AttributeProto::float("alpha", slope)])
    }

    /// Clips to 0..6.
    pub fn relu6(&mut self, x: &Edge) -> Edge {
        let (low, high) = (self.constant(&Tensor::scalar(0.0)), self.constant(&Tensor::scalar(6.0)));
        self.keep("Clip", x, &[&x.name, &low, &high], Vec::new())
    }

    pub fn add(&mut self, a: &Edge, b: &Edge) -> Result<Edge, ConvertError> {
        if a.channels != b.channels {
            return Err(ConvertError::Channels { found: a.channels, kernel: vec![b.channels] });
        }
        Ok(self.keep("Add", a, &[&a.name, &b.name], Vec::new()))
    }

    pub fn max_pool(&mut self, x: &Edge, kernel: i64, stride: i64, padding: Padding) -> Edge {
        let attributes = vec![
            AttributeProto::ints("kernel_shape", &[kernel; 2]),
            AttributeProto::ints("strides", &[stride; 2]),
            AttributeProto::ints("pads", &padding.0),
        ];
        self.keep("MaxPool", x, &[&x.name], attributes)
    }

    /// The mean of each channel: [N, C].
    pub fn average(&mut self, x: &Edge) -> Edge {
        let x = self.keep("GlobalAveragePool", x, &[&x.name], Vec::new());
        self.keep("Flatten", &x, &[&x.name], vec![AttributeProto::int("axis", 1)])
    }

    /// A fully connected layer with weights `PREFIXweights` [in, out] and `PREFIXbias`.
    pub fn dense(&mut self, x: &Edge, prefix: &str, output: Option<&str>) -> Result<Edge, ConvertError> {
        let weights = self.weights.get(&format!("{prefix}weights"), 2)?;
        self.gemm(x, weights, &format!("{prefix}bias"), output)
    }

    /// A fully connected layer with weights [in, out].
    pub fn gemm(
        &mut self,
        x: &Edge,
        weights: &Tensor,
        bias: &str,
        output: Option<&str>,
    ) -> Result<Edge, ConvertError> {
        let &[inputs, outputs] = weights.shape() else {
            return Err(ConvertError::Rank { expected: 2, shape: weights.shape().to_vec() });
        };
        if inputs != x.channels {
            return Err(ConvertError::Channels { found: x.channels, kernel: weights.shape().to_vec() });
        }
        let bias = self.weights.vector(bias, outputs)?;
        let (weights, bias) = (self.constant(weights), self.constant(bias));
        let name = self.node("Gemm", &[&x.name, &weights, &bias], output, Vec::new());
        Ok(Edge { name, channels: outputs })
    }

    pub fn softmax(&mut self, x: &Edge, output: &str) {
        self.node("Softmax", &[&x.name], Some(output), vec![AttributeProto::int("axis", 1)]);
    }

    /// Lets `x` leave the graph under this name.
    pub fn output(&mut self, x: &Edge, name: &str) {
        self.node("Identity", &[&x.name], Some(name), Vec::new());
    }

    /// The model as the bytes of an `.onnx` file. The same weights always give the same bytes.
    pub fn finish(
        self,
        name: &str,
        input: &[Size<'_>],
        outputs: &[(&str, &[Size<'_>])],
        notes: &[(&str, &str)],
    ) -> Vec<u8> {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto {
            key: Some((*key).to_owned()),
            value: Some((*value).to_owned()),
        };
        ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some("facialads".into()),
            producer_version: None,
            doc_string: None,
            graph: Some(GraphProto {
                node: self.nodes,
                name: Some(name.to_owned()),
                initializer: self.initialisers,
                input: vec![ValueInfoProto::float("image", input)],
                output: outputs.iter().map(|(name, shape)| ValueInfoProto::float(name, shape)).collect(),
            }),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
            metadata_props: notes.iter().map(entry).collect(),
        }
        .encode_to_vec()
    }
}

impl Edge {
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_tensorflows() {
        assert_eq!(Padding::same(3, 1), Padding::SAME);
        assert_eq!(Padding::same(3, 2), Padding::END);
        assert_eq!(Padding::same(5, 1), Padding([2; 4]));
        assert_eq!(Padding::same(5, 2), Padding([1, 1, 2, 2]));
        assert_eq!(Padding::same(1, 1), Padding::NONE);
    }

    #[test]
    fn a_kernel_for_other_channels_is_refused() {
        let weights = Weights::default();
        let mut graph = Graph::new(&weights);
        let image = graph.image();
        let kernel = Tensor::new(vec![8, 4, 1, 1], vec![0.0; 32]).unwrap();
        let error = graph.conv(&image, &kernel, None, 1, Padding::NONE, 1).unwrap_err();
        assert!(error.to_string().contains("3 channels"), "{error}");
        assert!(graph.conv(&image, &kernel, None, 1, Padding::NONE, 0).is_err());
    }
}
