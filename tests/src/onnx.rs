//! As much of ONNX as it takes to write small networks whose answers a test can work out by hand.
//!
//! Field numbers are those of `onnx/onnx.proto`.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset: Vec<Opset>,
    #[prost(message, repeated, tag = "14")]
    metadata: Vec<Entry>,
}
#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}
#[derive(Clone, PartialEq, Message)]
struct Opset {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}
#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    nodes: Vec<Node>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    constants: Vec<Constant>,
    #[prost(message, repeated, tag = "11")]
    inputs: Vec<Value>,
    #[prost(message, repeated, tag = "12")]
    outputs: Vec<Value>,
}
#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    outputs: Vec<String>,
    #[prost(string, tag = "4")]
    operator: String,
    #[prost(message, repeated, tag = "5")]
    attributes: Vec<Attribute>,
}
#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, optional, tag = "3")]
    int: Option<i64>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    kind: i32,
}
#[derive(Clone, PartialEq, Message)]
struct Constant {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    shape: Vec<i64>,
    #[prost(int32, tag = "2")]
    kind: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw: Vec<u8>,
}
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<Type>,
}
#[derive(Clone, PartialEq, Message)]
struct Type {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorType>,
}
#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    element: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}
#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    sides: Vec<Side>,
}
#[derive(Clone, PartialEq, Message)]
struct Side {
    #[prost(int64, optional, tag = "1")]
    size: Option<i64>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
}

const FLOAT: i32 = 1;
/// Numbers of `TensorProto.DataType`, for [`Net::with_input_of`].
pub const UINT8: i32 = 2;
pub const INT8: i32 = 3;
pub const FLOAT16: i32 = 10;
const INT64: i32 = 7;

/// A network under construction, with one input `image` [N, 3, side, side].
pub struct Net(Graph, Vec<Entry>);

impl Net {
    pub fn new(side: i64) -> Self {
        Self::with_input(&[-1, 3, side, side])
    }

    /// With an input `image` of another shape; -1 is a side of any size.
    pub fn with_input(shape: &[i64]) -> Self {
        Self::of(value("image", shape))
    }

    fn of(input: Value) -> Self {
        Self(Graph { name: "test".into(), inputs: vec![input], ..Graph::default() }, Vec::new())
    }

    /// Something that the file says about itself.
    pub fn metadata(&mut self, key: &str, value: &str) {
        self.1.push(Entry { key: key.into(), value: value.into() });
    }

    /// With an input `data` of another kind of number, turned into the floats `image`.
    pub fn with_input_of(kind: i32, shape: &[i64]) -> Self {
        let mut net = Self::of(value_of("data", shape, kind));
        net.0.nodes.push(Node {
            inputs: vec!["data".into()],
            outputs: vec!["image".into()],
            operator: "Cast".into(),
            attributes: vec![Attribute {
                name: "to".into(),
                int: Some(FLOAT.into()),
                kind: 2,
                ints: Vec::new(),
            }],
        });
        net
    }

    pub fn floats(&mut self, name: &str, shape: &[i64], values: &[f32]) {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.0.constants.push(Constant { shape: shape.to_vec(), kind: FLOAT, name: name.into(), raw });
    }

    pub fn integers(&mut self, name: &str, values: &[i64]) {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let shape = vec![values.len() as i64];
        self.0.constants.push(Constant { shape, kind: INT64, name: name.into(), raw });
    }

    pub fn node(&mut self, operator: &str, inputs: &[&str], output: &str) {
        self.0.nodes.push(Node {
            inputs: inputs.iter().map(|s| (*s).to_owned()).collect(),
            outputs: vec![output.into()],
            operator: operator.into(),
            attributes: Vec::new(),
        });
    }

    /// `channels` [N, 3]: mean of each channel of each picture.
    pub fn channel_means(&mut self) {
        self.0.nodes.push(Node {
            inputs: vec!["image".into()],
            outputs: vec!["channels".into()],
            operator: "ReduceMean".into(),
            attributes: vec![
                Attribute { name: "axes".into(), ints: vec![2, 3], kind: 7, int: None },
                Attribute { name: "keepdims".into(), int: Some(0), kind: 2, ints: Vec::new() },
            ],
        });
    }

    /// `mean` [N, 1]: mean of all values of each picture.
    pub fn mean(&mut self) {
        self.0.nodes.push(Node {
            inputs: vec!["image".into()],
            outputs: vec!["mean-flat".into()],
            operator: "ReduceMean".into(),
            attributes: vec![
                Attribute { name: "axes".into(), ints: vec![1, 2, 3], kind: 7, int: None },
                Attribute { name: "keepdims".into(), int: Some(0), kind: 2, ints: Vec::new() },
            ],
        });
        self.integers("column", &[-1, 1]);
        self.node("Reshape", &["mean-flat", "column"], "mean");
    }

    /// -1 is a side of any size.
    pub fn output(&mut self, name: &str, shape: &[i64]) {
        self.0.outputs.push(value(name, shape));
    }

    /// Writes the network as an ONNX file.
    ///
    /// # Panics
    /// If it cannot be written.
    #[allow(clippy::unwrap_used)]
    pub fn write(self, path: &std::path::Path) {
        let opset = Opset { domain: String::new(), version: 13 };
        let model = Model { ir_version: 8, graph: Some(self.0), opset: vec![opset], metadata: self.1 };
        std::fs::write(path, model.encode_to_vec()).unwrap();
    }
}

fn value(name: &str, shape: &[i64]) -> Value {
    value_of(name, shape, FLOAT)
}

fn value_of(name: &str, shape: &[i64], element: i32) -> Value {
    let side = |n: &i64| Side { size: (*n >= 0).then_some(*n), name: (*n < 0).then(|| "N".to_owned()) };
    let shape = Shape { sides: shape.iter().map(side).collect() };
    let tensor = TensorType { element, shape: Some(shape) };
    Value { name: name.into(), kind: Some(Type { tensor: Some(tensor) }) }
}
