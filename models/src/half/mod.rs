//! Networks in 16-bit floating-point numbers, for GPUs.
//!
//! What is costly is halved: everything that leads to a convolution or a product of matrices. What comes after the last of these
//! (Sigmoid, Softmax, the arithmetic of boxes) costs next to nothing, and is where 16 bits would be seen: it stays in 32 bits, as
//! do the network's outputs.

mod schema;

use facialads_vision::half::from_f32;
use prost::Message as _;
use schema::{Attribute, Entry, FLOAT, FLOAT16, Graph, Model, Node, Tensor};
use std::collections::{HashMap, HashSet};

/// Operators that are worth it.
const COSTLY: [&str; 4] = ["Conv", "ConvTranspose", "Gemm", "MatMul"];
/// Operators known to take 16 bits wherever they take 32, and not to lose more than the rounding by it. Among them those that
/// work on sizes.
const KNOWN: [&str; 44] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "Div",
    "Dropout",
    "Elu",
    "Expand",
    "Flatten",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Relu",
    "Reshape",
    "Resize",
    "Shape",
    "Sigmoid",
    "Slice",
    "Split",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
    "Upsample",
];
/// Added to the file, with the digest of the file that it was made from.
const MADE_FROM: &str = "facialads.half-of";

/// What the input is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// 16 bits, as our kernels write it.
    Half,
    /// 32 bits, halved inside: to compare the results on a CPU.
    Float,
}

/// Makes the network of an ONNX file calculate in 16 bits.
///
/// # Errors
/// Why it cannot be done, in words.
pub fn halve(onnx: &[u8], input: Input) -> Result<Vec<u8>, String> {
    let mut model = Model::decode(onnx).map_err(|e| format!("it is no ONNX file: {e}"))?;
    if !model.functions.is_empty() {
        return Err("it has functions of its own".into());
    }
    let graph = model.graph.as_mut().ok_or("it has no graph")?;
    let mut halver = Halver::new(graph)?;
    halver.run(input)?;
    let entry = Entry { key: Some(MADE_FROM.into()), value: Some(crate::Digest::of(onnx).to_string()) };
    model.metadata.push(entry);
    Ok(model.encode_to_vec())
}

struct Halver<'g> {
    graph: &'g mut Graph,
    /// What each value holds, as `TensorProto.DataType`.
    kinds: HashMap<String, i32>,
    /// Whether each node leads to a costly one.
    body: Vec<bool>,
}

impl<'g> Halver<'g> {
    fn new(graph: &'g mut Graph) -> Result<Self, String> {
        if !graph.sparse_initializer.is_empty() {
            return Err("it has sparse weights".into());
        }
        constants_to_initializers(graph);
        let weights: HashSet<String> = graph.initializer.iter().map(|t| t.name().to_owned()).collect();
        // Old files name weights as inputs too.
        graph.input.retain(|value| value.name.as_ref().is_none_or(|name| !weights.contains(name)));
        let body = leads_to_costly(graph);
        if !body.contains(&true) {
            return Err("it has no convolution and no product of matrices".into());
        }
        for (node, _) in graph.node.iter().zip(&body).filter(|(_, body)| **body) {
            check(node)?;
        }
        let kinds = kinds(graph)?;
        Ok(Self { graph, kinds, body })
    }

    fn run(&mut self, input: Input) -> Result<(), String> {
        let name = self.input(input)?;
        let mut halved: HashMap<String, Tensor> = HashMap::new();
        let mut nodes = Vec::with_capacity(self.graph.node.len());
        // Under which name each value of floating-point numbers is there in 16 bits, and in 32 where it is in both.
        let (mut in_16, mut in_32) = (HashMap::new(), HashMap::new());
        if input == Input::Float {
            nodes.push(Node::cast(&name, &half(&name), FLOAT16));
            in_16.insert(name.clone(), half(&name));
            in_32.insert(name.clone(), name);
        } else {
            in_16.insert(name.clone(), name);
        }
        let outputs: HashSet<String> = self.graph.output.iter().filter_map(|o| o.name.clone()).collect();
        for (mut node, body) in std::mem::take(&mut self.graph.node).into_iter().zip(self.body.clone()) {
            if body {
                self.weights(&mut node, &mut halved)?;
                rename(&mut node.input, &in_16);
                cast_to_half(&mut node);
                let floats = |name: &&String| self.kinds.get(*name) == Some(&FLOAT);
                let made: Vec<String> = node.output.iter().filter(floats).cloned().collect();
                for value in made {
                    // An output of the network, where nothing comes after the last convolution, keeps its name for 32 bits.
                    let own = if outputs.contains(&value) { half(&value) } else { value.clone() };
                    in_16.insert(value, own);
                }
                rename(&mut node.output, &in_16);
                let told: Vec<String> = in_16.keys().filter(|v| outputs.contains(*v)).cloned().collect();
                nodes.push(node);
                for value in told {
                    if !in_32.contains_key(&value) {
                        nodes.push(Node::cast(&half(&value), &value, FLOAT));
                        in_32.insert(value.clone(), value);
                    }
                }
            } else if matches!(node.op(), "Shape" | "Size") {
                rename(&mut node.input, &in_16);
                nodes.push(node);
            } else {
                for value in &node.input {
                    let Some(from) = in_16.get(value) else { continue };
                    if !in_32.contains_key(value) {
                        nodes.push(Node::cast(from, &wide(value), FLOAT));
                        in_32.insert(value.clone(), wide(value));
                    }
                }
                rename(&mut node.input, &in_32);
                nodes.push(node);
            }
        }
        self.graph.node = nodes;
        self.graph.initializer.extend(halved.into_values());
        let used: HashSet<&str> =
            self.graph.node.iter().flat_map(|node| &node.input).map(String::as_str).collect();
        let told = |name: &str| outputs.contains(name);
        self.graph.initializer.retain(|tensor| used.contains(tensor.name()) || told(tensor.name()));
        // Whatever the order of the table was.
        self.graph.initializer.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(())
    }

    /// Gives the one input its type, and returns its name.
    fn input(&mut self, wanted: Input) -> Result<String, String> {
        let [input] = self.graph.input.as_mut_slice() else {
            return Err(format!("it has {} inputs, 1 expected", self.graph.input.len()));
        };
        let kind = input.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut());
        let kind = kind.filter(|kind| kind.elem_type == Some(FLOAT));
        let kind = kind.ok_or(
            "its input is not of 32-bit floating-point numbers: it may be halved or quantised already",
        )?;
        if wanted == Input::Half {
            kind.elem_type = Some(FLOAT16);
        }
        Ok(input.name.clone().unwrap_or_default())
    }

    /// Puts halved weights in the places of a node's own.
    fn weights(&self, node: &mut Node, halved: &mut HashMap<String, Tensor>) -> Result<(), String> {
        let op = node.op().to_owned();
        for (index, value) in node.input.iter_mut().enumerate() {
            // Scales and regions of Resize are of 32 bits whatever the picture is.
            let is_size = matches!(op.as_str(), "Resize" | "Upsample") && index > 0;
            let Some(tensor) = self.graph.initializer.iter().find(|t| t.name() == value && t.is_float())
            else {
                continue;
            };
            if is_size {
                continue;
            }
            if !halved.contains_key(value) {
                halved.insert(value.clone(), halved_tensor(tensor)?);
            }
            *value = half(value);
        }
        Ok(())
    }
}

fn rename(values: &mut [String], names: &HashMap<String, String>) {
    for value in values {
        if let Some(name) = names.get(value) {
            value.clone_from(name);
        }
    }
}

/// A Cast to 32 bits in what is halved is one to 16.
fn cast_to_half(node: &mut Node) {
    if node.op() == "Cast"
        && let Some(to) = node.attribute.iter_mut().find(|a| a.name.as_deref() == Some("to"))
        && to.i == Some(FLOAT.into())
    {
        to.i = Some(FLOAT16.into());
    }
}

fn half(name: &str) -> String {
    format!("{name}_f16")
}

fn wide(name: &str) -> String {
    format!("{name}_f32")
}

fn check(node: &Node) -> Result<(), String> {
    let op = node.op();
    let domain = node.domain.as_deref().unwrap_or_default();
    if !KNOWN.contains(&op) || !(domain.is_empty() || domain == "ai.onnx") {
        return Err(format!("the operator {op} before a convolution is not known to work in 16 bits"));
    }
    let has_graph = |attribute: &Attribute| attribute.g.is_some() || !attribute.graphs.is_empty();
    if node.attribute.iter().any(has_graph) {
        return Err(format!("{op} has a graph of its own"));
    }
    Ok(())
}

/// Floating-point constants among the nodes are weights like others.
fn constants_to_initializers(graph: &mut Graph) {
    let nodes = std::mem::take(&mut graph.node);
    for node in nodes {
        let value = node.attribute("value").and_then(|attribute| attribute.t.clone());
        match (node.op(), value, node.output.first()) {
            ("Constant", Some(mut tensor), Some(name)) if tensor.is_float() => {
                tensor.name = Some(name.clone());
                graph.initializer.push(tensor);
            }
            _ => graph.node.push(node),
        }
    }
}

fn leads_to_costly(graph: &Graph) -> Vec<bool> {
    let mut wanted: HashSet<&str> = HashSet::new();
    let mut body = vec![false; graph.node.len()];
    // Nodes come after what they need.
    for (node, body) in graph.node.iter().zip(&mut body).rev() {
        *body = COSTLY.contains(&node.op()) || node.output.iter().any(|name| wanted.contains(name.as_str()));
        if *body {
            wanted.extend(node.input.iter().map(String::as_str));
        }
    }
    body
}

/// What each value holds.
fn kinds(graph: &Graph) -> Result<HashMap<String, i32>, String> {
    const INT64: i32 = 7;
    let mut kinds: HashMap<String, i32> = graph
        .initializer
        .iter()
        .filter_map(|tensor| Some((tensor.name().to_owned(), tensor.data_type?)))
        .collect();
    for input in &graph.input {
        let kind = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()?.elem_type);
        kinds.insert(input.name.clone().unwrap_or_default(), kind.unwrap_or(0));
    }
    for node in &graph.node {
        let first = node.input.first().and_then(|name| kinds.get(name)).copied().unwrap_or(0);
        let kind = match node.op() {
            "Shape" | "Size" => INT64,
            "Constant" => node.attribute("value").and_then(|a| a.t.as_ref()?.data_type).unwrap_or(INT64),
            "Cast" => {
                let to = node.attribute("to").and_then(|attribute| attribute.i).unwrap_or(0);
                if to == i64::from(FLOAT) && first != FLOAT && first != FLOAT16 {
                    return Err(
                        "it calculates sizes in floating-point numbers, which 16 bits are too few for".into(),
                    );
                }
                i32::try_from(to).unwrap_or(0)
            }
            _ => first,
        };
        kinds.extend(node.output.iter().map(|name| (name.clone(), kind)));
    }
    Ok(kinds)
}

fn halved_tensor(tensor: &Tensor) -> Result<Tensor, String> {
    let name = tensor.name();
    if tensor.data_location.is_some_and(|place| place != 0) || !tensor.external_data.is_empty() {
        return Err(format!("its weights {name} are in a file of their own"));
    }
    let values: Vec<f32> = match &tensor.raw_data {
        Some(raw) => raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        None => tensor.float_data.clone(),
    };
    let count = tensor.dims.iter().try_fold(1_usize, |all, n| all.checked_mul(usize::try_from(*n).ok()?));
    if count != Some(values.len()) {
        return Err(format!("its weights {name} are damaged"));
    }
    // Larger than the largest there is means "no limit", as in Clip.
    const LARGEST: f32 = 65504.0;
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(format!("its weights {name} hold {value}"));
    }
    let halves = values.iter().flat_map(|value| from_f32(value.clamp(-LARGEST, LARGEST)).to_le_bytes());
    Ok(Tensor {
        dims: tensor.dims.clone(),
        data_type: Some(FLOAT16),
        name: Some(half(name)),
        raw_data: Some(halves.collect()),
        ..Tensor::default()
    })
}

#[cfg(test)]
mod tests;
