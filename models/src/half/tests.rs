use super::*;

fn node(op: &str, input: &[&str], output: &str) -> Node {
    let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Node { input: text(input), output: text(&[output]), op_type: Some(op.into()), ..Node::default() }
}

fn floats(name: &str, values: &[f32]) -> Tensor {
    let dims = vec![i64::try_from(values.len()).unwrap()];
    Tensor {
        dims,
        data_type: Some(FLOAT),
        float_data: values.to_vec(),
        name: Some(name.into()),
        ..Tensor::default()
    }
}

fn value(name: &str) -> schema::Value {
    let tensor_type = Some(schema::TensorType { elem_type: Some(FLOAT), shape: None });
    schema::Value { name: Some(name.into()), r#type: Some(schema::Type { tensor_type }) }
}

fn model(nodes: Vec<Node>, weights: Vec<Tensor>, outputs: &[&str]) -> Vec<u8> {
    let output = outputs.iter().map(|name| value(name)).collect();
    let graph =
        Graph { node: nodes, initializer: weights, input: vec![value("image")], output, ..Graph::default() };
    Model { graph: Some(graph), ..Model::default() }.encode_to_vec()
}

fn halved(onnx: &[u8], input: Input) -> Graph {
    Model::decode(halve(onnx, input).unwrap().as_slice()).unwrap().graph.unwrap()
}

/// `op(inputs) -> outputs`, a line for each node.
fn text(graph: &Graph) -> Vec<String> {
    let line = |n: &Node| format!("{}({}) -> {}", n.op(), n.input.join(", "), n.output.join(", "));
    graph.node.iter().map(line).collect()
}

#[test]
fn what_leads_to_the_last_convolution_is_halved_and_what_comes_after_it_is_not() {
    let nodes = vec![
        node("Mul", &["image", "scale"], "a"),
        node("Conv", &["a", "w"], "b"),
        node("Exp", &["b"], "c"),
        node("Mul", &["c", "scale"], "boxes"),
    ];
    let weights = vec![floats("scale", &[0.1]), floats("w", &[1.0, 1e-9, 70000.0]), floats("unused", &[1.0])];
    let onnx = model(nodes, weights, &["boxes"]);
    let graph = halved(&onnx, Input::Half);
    assert_eq!(
        text(&graph),
        [
            "Mul(image, scale_f16) -> a",
            "Conv(a, w_f16) -> b",
            "Cast(b) -> b_f32",
            "Exp(b_f32) -> c",
            "Mul(c, scale) -> boxes",
        ]
    );
    let names: Vec<&str> = graph.initializer.iter().map(Tensor::name).collect();
    assert_eq!(names, ["scale", "scale_f16", "w_f16"]);
    assert_eq!(graph.initializer[2].raw_data.as_deref(), Some(&[0x00, 0x3c, 0, 0, 0xff, 0x7b][..]));
    let kind = |value: &schema::Value| value.r#type.clone().unwrap().tensor_type.unwrap().elem_type.unwrap();
    assert_eq!((kind(&graph.input[0]), kind(&graph.output[0])), (FLOAT16, FLOAT));
    let graph = halved(&onnx, Input::Float);
    assert_eq!(text(&graph)[..2], ["Cast(image) -> image_f16", "Mul(image_f16, scale_f16) -> a"]);
    assert_eq!(kind(&graph.input[0]), FLOAT);
}

#[test]
fn an_output_that_a_convolution_makes_keeps_its_name_and_its_32_bits() {
    let nodes = vec![node("Conv", &["image", "w"], "grid"), node("Conv", &["grid", "w"], "more")];
    let graph = halved(&model(nodes, vec![floats("w", &[1.0])], &["grid", "more"]), Input::Half);
    assert_eq!(
        text(&graph),
        [
            "Conv(image, w_f16) -> grid_f16",
            "Cast(grid_f16) -> grid",
            "Conv(grid_f16, w_f16) -> more_f16",
            "Cast(more_f16) -> more",
        ]
    );
}

#[test]
fn scales_and_sizes_stay_as_they_are() {
    let nodes = vec![
        node("Resize", &["image", "", "scales"], "large"),
        node("Shape", &["image"], "sizes"),
        node("Conv", &["large", "w"], "b"),
        node("Reshape", &["b", "sizes"], "c"),
        node("Sigmoid", &["c"], "scores"),
    ];
    let weights = vec![floats("scales", &[1.0, 1.0, 2.0, 2.0]), floats("w", &[1.0])];
    let graph = halved(&model(nodes, weights, &["scores"]), Input::Half);
    assert_eq!(
        text(&graph),
        [
            "Resize(image, , scales) -> large",
            "Shape(image) -> sizes",
            "Conv(large, w_f16) -> b",
            "Cast(b) -> b_f32",
            "Reshape(b_f32, sizes) -> c",
            "Sigmoid(c) -> scores",
        ]
    );
}

#[test]
fn what_cannot_be_halved_says_why() {
    let conv = || node("Conv", &["image", "w"], "b");
    let w = || vec![floats("w", &[1.0])];
    let fails = |onnx: &[u8]| halve(onnx, Input::Half).unwrap_err();
    assert!(fails(b"\xff\xff").contains("no ONNX file"));
    assert!(fails(&model(vec![node("Relu", &["image"], "b")], vec![], &["b"])).contains("no convolution"));
    let onnx = model(vec![node("Exp", &["image"], "a"), node("Conv", &["a", "w"], "b")], w(), &["b"]);
    assert!(fails(&onnx).contains("Exp"));
    let onnx = model(vec![conv()], vec![floats("w", &[f32::NAN])], &["b"]);
    assert!(fails(&onnx).contains("NaN"));
    let once = halve(&model(vec![conv()], w(), &["b"]), Input::Half).unwrap();
    assert!(fails(&once).contains("already"));
    let sizes = vec![
        node("Shape", &["image"], "s"),
        Node::cast("s", "f", FLOAT),
        node("Resize", &["image", "", "f"], "a"),
        node("Conv", &["a", "w"], "b"),
    ];
    assert!(fails(&model(sizes, w(), &["b"])).contains("sizes"));
}
