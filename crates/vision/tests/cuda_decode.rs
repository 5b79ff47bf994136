//! Detectors that are decoded on the device give the faces that the host's decoders give, on the stand-in driver.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::Picture;
use facialads_testkit::{gpu::StandIn, media, model};
use facialads_vision::{
    Error, ModelSpec, Rect,
    cuda::{
        DeviceBuffer, Gpu, Payload, Stream,
        decode::{DecodeBuffers, DecodePicture, DeviceDecoder, MOST_PICTURES, Suppression},
        traffic,
    },
    decode::{self, Candidates, Detection},
    preprocess::{self, Placement},
    runtime::{Description, GpuTensor, Port, Tensor, library_candidates},
};
use proptest::{prelude::*, test_runner::TestRunner};

const BOTH: Suppression = Suppression { iou: 0.3, most: 100 };

struct Device {
    gpu: Gpu,
    stream: Stream,
    _driver: StandIn,
}

/// Nothing is written beside the sources; a failing case is printed.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

fn device() -> Option<Device> {
    let driver = facialads_testkit::gpu::stand_in()?;
    let gpu = Gpu::primary(0).unwrap();
    let stream = gpu.new_stream(false).unwrap();
    Some(Device { gpu, stream, _driver: driver })
}

/// A detector on both sides.
struct Both {
    spec: ModelSpec,
    network: Description,
    device: DeviceDecoder,
    buffers: DecodeBuffers,
}

impl Both {
    fn new(spec: ModelSpec, outputs: &[(String, Vec<usize>)]) -> Self {
        let network = description(outputs);
        let device = DeviceDecoder::bind(&spec, &network).expect("it is one of those");
        Self { spec, network, device, buffers: DecodeBuffers::default() }
    }

    fn host(
        &self,
        outputs: &[Tensor],
        picture: DecodePicture,
        size: (usize, usize),
        how: Suppression,
    ) -> Result<Vec<Detection>, Error> {
        let decoder = decode::detector(&self.spec, &self.network).unwrap();
        let mut candidates = Candidates::default();
        decoder.candidates(outputs, picture.item, size, picture.threshold, &mut candidates)?;
        candidates.suppress(how.iou, how.most);
        Ok(candidates.kept().collect())
    }

    /// Decodes on both and compares; gives back how many faces the pictures had.
    fn check(
        &mut self,
        on: &Device,
        outputs: &[Tensor],
        pictures: &[DecodePicture],
        size: (usize, usize),
        how: Suppression,
    ) -> Vec<Option<usize>> {
        let (_memory, tensors) = upload(on, outputs);
        let enqueued = self.device.enqueue(&on.stream, &tensors, pictures, size, how, &mut self.buffers);
        let mut counts = Vec::new();
        for (nth, picture) in pictures.iter().enumerate() {
            let expected = self.host(outputs, *picture, size, how);
            let found = match &enqueued {
                Ok(()) => self.device.read(&mut self.buffers, nth).map(<[Detection]>::to_vec),
                Err(error) => panic!("{error}"),
            };
            counts.push(expected.as_ref().ok().map(Vec::len));
            match (found, expected) {
                (Ok(found), Ok(expected)) => same(&found, &expected),
                (Err(found), Err(expected)) => assert_eq!(found.to_string(), expected.to_string()),
                (found, expected) => panic!("{found:?}, not {expected:?}"),
            }
        }
        counts
    }
}

fn same(found: &[Detection], expected: &[Detection]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert_eq!(a.confidence, b.confidence);
        // Relative to the box, where it is larger than the picture.
        let near = |a: f32, b: f32| (a - b).abs() <= 1e-4 * b.abs().max(1.0) || a.to_bits() == b.to_bits();
        let Rect { x, y, width, height } = b.bounds;
        assert!(near(a.bounds.x, x) && near(a.bounds.y, y), "{:?}, not {:?}", a.bounds, b.bounds);
        assert!(near(a.bounds.width, width) && near(a.bounds.height, height));
        match (&a.points, &b.points) {
            (None, None) => {}
            (Some(a), Some(b)) => {
                assert!(a.iter().zip(b).all(|(a, b)| near(a.0, b.0) && near(a.1, b.1)), "{a:?}, not {b:?}");
            }
            other => panic!("points {other:?}"),
        }
    }
}

fn description(outputs: &[(String, Vec<usize>)]) -> Description {
    let port = |(name, shape): &(String, Vec<usize>)| Port {
        name: name.clone(),
        shape: shape
            .iter()
            .map(|_| None)
            .zip(shape)
            .enumerate()
            .map(|(i, (any, n))| if i < 2 { any } else { Some(*n) })
            .collect(),
        float: true,
    };
    Description {
        model: "test".into(),
        runtime: "none".into(),
        device: "none".into(),
        precision: "f32".into(),
        inputs: Vec::new(),
        outputs: outputs.iter().map(port).collect(),
    }
}

fn upload(on: &Device, outputs: &[Tensor]) -> (Vec<DeviceBuffer>, Vec<GpuTensor>) {
    let memory: Vec<DeviceBuffer> = outputs
        .iter()
        .map(|tensor| {
            let buffer = on.gpu.allocate(size_of_val(tensor.data())).unwrap();
            buffer.upload(&on.stream, 0, tensor.data(), Payload::Results).unwrap();
            buffer
        })
        .collect();
    let tensors = outputs
        .iter()
        .zip(&memory)
        .map(|(t, m)| GpuTensor { address: m.address(), shape: t.shape().to_vec() });
    let tensors = tensors.collect();
    (memory, tensors)
}

fn spec(decoder: &str) -> ModelSpec {
    let text = format!(
        "name = \"test\"\nrole = \"face-detector\"\ndecoder = \"{decoder}\"\n[input]\nwidth = 64\nheight = 64\n\
         fit = \"pad-right-bottom\"\n"
    );
    ModelSpec::parse(&text).unwrap()
}

fn yunet_shapes((width, height): (usize, usize), pictures: usize) -> Vec<(String, Vec<usize>)> {
    let cells = |stride: usize| width.div_ceil(stride) * height.div_ceil(stride);
    let kinds = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)];
    let all = kinds.iter().flat_map(|(kind, size)| {
        [8, 16, 32].map(|stride| (format!("{kind}_{stride}"), vec![pictures, cells(stride), *size]))
    });
    all.collect()
}

fn filled(shapes: &[(String, Vec<usize>)], mut next: impl FnMut(&str) -> f32) -> Vec<Tensor> {
    let tensor = |(name, shape): &(String, Vec<usize>)| {
        Tensor::new(shape.clone(), (0..shape.iter().product()).map(|_| next(name)).collect()).unwrap()
    };
    shapes.iter().map(tensor).collect()
}

fn random(seed: u64) -> impl FnMut() -> (f32, u64) {
    let mut state = seed | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((state >> 40) as f32) / 16_777_216.0, (state >> 33) % 64)
    }
}

fn any_suppression() -> impl Strategy<Value = Suppression> {
    let iou = prop_oneof![Just(0.0_f32), Just(0.3), Just(0.5), Just(1.0)];
    (iou, prop_oneof![Just(0_usize), Just(1), Just(33), Just(100), Just(1000)])
        .prop_map(|(iou, most)| Suppression { iou, most })
}

/// Scores around the threshold, on it, outside 0 to 1, sometimes no number; boxes of all sizes, sometimes none.
#[test]
fn yunet_is_decoded_as_on_the_host() {
    let Some(on) = device() else { return };
    let size =
        prop_oneof![Just((64_usize, 64_usize)), Just((33, 70)), Just((320, 192)), Just((8, 8)), Just((1, 1))];
    let threshold = prop_oneof![Just(0.0_f32), Just(0.6), Just(0.7), Just(1.0)];
    let cases = (size, threshold, 1_usize..4, any::<u64>(), any_suppression(), prop::bool::weighted(0.2));
    TestRunner::new(config(60))
        .run(&cases, |(size, threshold, batch, seed, how, broken)| {
            let shapes = yunet_shapes(size, batch);
            let mut next = random(seed);
            let outputs = filled(&shapes, |name| {
                let (value, kind) = next();
                match (name.starts_with("cls") || name.starts_with("obj"), kind) {
                    (true, 0) if broken => f32::NAN,
                    (true, 1..16) => threshold,
                    (true, 16..40) => value * 1.5 - 0.2,
                    (true, _) => value * 0.2,
                    (false, 0) => [f32::NAN, f32::INFINITY, 100.0, -200.0][(value * 4.0) as usize],
                    (false, 1..4) => value * 20.0 - 10.0,
                    _ => value - 0.5,
                }
            });
            let pictures: Vec<_> = (0..batch)
                .rev()
                .map(|item| DecodePicture { item, threshold: threshold + item as f32 * 0.05 })
                .collect();
            Both::new(spec("yunet"), &shapes).check(&on, &outputs, &pictures, size, how);
            Ok(())
        })
        .unwrap();
}

#[test]
fn single_shot_detectors_are_decoded_as_on_the_host() {
    let Some(on) = device() else { return };
    let cases = (1_usize..400, 1_usize..4, any::<u64>(), any_suppression(), 0_u8..12);
    TestRunner::new(config(60))
        .run(&cases, |(count, batch, seed, how, kind)| {
            let shapes =
                vec![("boxes".to_owned(), vec![batch, count, 4]), ("scores".to_owned(), vec![batch, count])];
            let mut next = random(seed);
            let outputs = filled(&shapes, |name| {
                let (value, place) = next();
                match (name, place, kind) {
                    ("scores", 0, 0) => f32::NAN,
                    ("scores", 0, 1) => 37.5,
                    ("scores", 1, 2) => 1.0005,
                    ("scores", 2, 2) => f32::NEG_INFINITY,
                    ("scores", 3, 3) => f32::INFINITY,
                    // Ties, and scores on the threshold.
                    ("scores", 4..20, _) => 0.5,
                    ("scores", 20..30, _) => 0.75,
                    ("boxes", 0, _) => f32::NAN,
                    ("boxes", 1, 4..) => 3e38,
                    _ => value,
                }
            });
            let pictures: Vec<_> = (0..batch).map(|item| DecodePicture { item, threshold: 0.5 }).collect();
            Both::new(spec("ssd-face"), &shapes).check(&on, &outputs, &pictures, (64, 64), how);
            Ok(())
        })
        .unwrap();
}

/// More candidates than any table of fixed size: the 1000 surest stay, wherever they are; of equal ones the first.
#[test]
fn a_network_gone_wild_is_cut_to_its_surest_boxes() {
    let Some(on) = device() else { return };
    let size = (640, 640);
    let shapes = yunet_shapes(size, 1);
    let mut both = Both::new(spec("yunet"), &shapes);
    let pictures = [DecodePicture { item: 0, threshold: 0.3 }];
    // Boxes a quarter of a cell wide overlap with nobody.
    let small = |name: &str| if name.starts_with("bbox") { -1.4 } else { 0.4 };
    let all_sure =
        filled(&shapes, |name| if name.len() < 7 && !name.starts_with('b') { 1.0 } else { small(name) });
    let how = Suppression { iou: 0.3, most: 1000 };
    assert_eq!(both.check(&on, &all_sure, &pictures, size, how), [Some(1000)]);
    let mut next = random(5);
    let rising = filled(&shapes, |name| match name {
        "cls_8" | "cls_16" | "cls_32" => 0.2 + 0.8 * next().0,
        "obj_8" | "obj_16" | "obj_32" => 1.0,
        _ => small(name),
    });
    assert_eq!(both.check(&on, &rising, &pictures, size, how), [Some(1000)]);
    assert_eq!(both.check(&on, &rising, &pictures, size, BOTH), [Some(100)]);
}

#[test]
fn only_the_faces_come_to_the_host() {
    let Some(on) = device() else { return };
    let size = (320, 192);
    let shapes = yunet_shapes(size, 2);
    let mut next = random(3);
    let outputs = filled(&shapes, |_| next().0);
    let mut both = Both::new(spec("yunet"), &shapes);
    both.device.prepare(&on.gpu).unwrap();
    let (_memory, tensors) = upload(&on, &outputs);
    let before = traffic();
    let pictures = [0, 1].map(|item| DecodePicture { item, threshold: 0.7 });
    both.device.enqueue(&on.stream, &tensors, &pictures, size, BOTH, &mut both.buffers).unwrap();
    assert!(!both.device.read(&mut both.buffers, 1).unwrap().is_empty());
    assert!(both.buffers.is_done().unwrap());
    let moved = traffic().since(&before);
    assert_eq!((moved.pixels_to_device, moved.pixels_to_host, moved.other_to_device), (0, 0, 0));
    // A head of 16 bytes and 100 faces of 64 for each picture.
    assert_eq!(moved.other_to_host, 2 * (16 + 100 * 64));
}

#[test]
fn outputs_that_do_not_belong_to_the_input_are_refused_as_on_the_host() {
    let Some(on) = device() else { return };
    let size = (64, 64);
    let shapes = yunet_shapes(size, 1);
    let outputs = filled(&shapes, |_| 0.9);
    let mut both = Both::new(spec("yunet"), &shapes);
    let (_memory, tensors) = upload(&on, &outputs);
    let first = [DecodePicture { item: 0, threshold: 0.6 }];
    let mut fails = |tensors: &[GpuTensor], pictures: &[DecodePicture], size, how, part: &str| {
        let error =
            both.device.enqueue(&on.stream, tensors, pictures, size, how, &mut both.buffers).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(both.device.read(&mut both.buffers, 0).is_err(), "nothing is left of what was before");
    };
    fails(
        &tensors,
        &first,
        (72, 64),
        BOTH,
        "expected 1 x 72 (stride 8 of 72x64) values per picture; found 64",
    );
    fails(&tensors, &[DecodePicture { item: 1, threshold: 0.6 }], size, BOTH, "found 0");
    fails(&[], &first, size, BOTH, "found 0");
    let mut short = tensors.clone();
    short[11].shape = vec![1, 4, 9];
    fails(&short, &first, size, BOTH, "expected 10 x 4 (stride 32 of 64x64) values per picture; found 36");
    fails(&tensors, &first.repeat(MOST_PICTURES + 1), size, BOTH, "at most 64");
    fails(&tensors, &first, size, Suppression { iou: 0.3, most: 1001 }, "1001 faces");
    let ssd = vec![("boxes".to_owned(), vec![1, 3, 4]), ("scores".to_owned(), vec![1, 2])];
    let mut both = Both::new(spec("ssd-face"), &ssd);
    let (_memory, tensors) = upload(&on, &filled(&ssd, |_| 0.5));
    let error = both.device.enqueue(&on.stream, &tensors, &first, size, BOTH, &mut both.buffers).unwrap_err();
    assert!(error.to_string().contains("expected 4 x 2 box values per picture; found 12"), "{error}");
}

#[test]
fn other_decoders_are_left_to_the_host() {
    for (decoder, outputs) in [
        ("ultralight", vec![("boxes".to_owned(), vec![1, 8, 4]), ("scores".to_owned(), vec![1, 8, 2])]),
        ("tiny-yolo-face", vec![("grid".to_owned(), vec![1, 25, 4, 4])]),
        ("yunet", vec![("boxes".to_owned(), vec![1, 8, 4])]),
        ("ssd-face", vec![("boxes".to_owned(), vec![1, 8, 5])]),
    ] {
        assert!(DeviceDecoder::bind(&spec(decoder), &description(&outputs)).is_none(), "{decoder}");
    }
}

#[test]
fn a_full_card_is_an_error_and_the_next_picture_works() {
    let Some(on) = device() else { return };
    let size = (64, 64);
    let shapes = yunet_shapes(size, 1);
    let outputs = filled(&shapes, |_| 0.9);
    let (_memory, tensors) = upload(&on, &outputs);
    let mut both = Both::new(spec("yunet"), &shapes);
    let first = [DecodePicture { item: 0, threshold: 0.6 }];
    on.gpu.trim();
    on._driver.fail("cuMemAlloc", facialads_testkit::gpu::OUT_OF_MEMORY, 0, Some(10));
    let error = both.device.enqueue(&on.stream, &tensors, &first, size, BOTH, &mut both.buffers).unwrap_err();
    assert_eq!(error.gpu_failure(), Some(facialads_vision::cuda::GpuFailure::OutOfMemory), "{error}");
    on._driver.reset();
    assert!(both.check(&on, &outputs, &first, size, BOTH)[0].unwrap() > 0);
}

/// What the networks say of photographs.
#[test]
fn the_faces_of_photographs_are_the_same() {
    let Some(on) = device() else { return };
    // The crate's own door to networks needs a permit; this is the library itself.
    let opened = library_candidates().iter().find_map(|path| ort::init_from(path).ok());
    let Some(environment) = opened.and_then(|builder| builder.build().ok()) else {
        return facialads_testkit::skip("no ONNX Runtime (run `make setup`)");
    };
    for (name, least) in [("yunet", 0.02), ("ssd-mobilenet-v1", 0.1)] {
        let Some(file) = model(name) else { continue };
        let spec = ModelSpec::read(&file.with_extension("toml")).unwrap();
        let mut session =
            ort::session::Session::builder(&environment).unwrap().commit_from_file(&file).unwrap();
        let mut faces = 0;
        for photograph in
            ["sample1.jpg", "sample2.jpg", "sample3.jpg", "sample4.jpg", "sample5.jpg", "sample6.jpg"]
        {
            let Some(path) = media(photograph) else { continue };
            let picture = Picture::open(&path);
            let placement = Placement::of_frame(picture.0, picture.1, &spec.input, 1.0);
            let values = preprocess::picture(&picture.frame(), &placement, &spec.input);
            let size = (placement.out_width, placement.out_height);
            let shape = match spec.input.layout {
                facialads_vision::spec::Layout::Nchw => [1, 3, size.1, size.0],
                facialads_vision::spec::Layout::Nhwc => [1, size.1, size.0, 3],
            };
            let input = ort::value::TensorRef::from_array_view((shape, values.as_slice())).unwrap();
            let ran = session.run(ort::inputs![input]).unwrap();
            let mut outputs = Vec::new();
            let mut shapes = Vec::new();
            for (name, value) in ran.iter() {
                let (shape, data) = value.try_extract_tensor::<f32>().unwrap();
                let shape: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
                shapes.push((name.to_owned(), shape.clone()));
                outputs.push(Tensor::new(shape, data.to_vec()).unwrap());
            }
            let mut both = Both::new(spec.clone(), &shapes);
            for (threshold, how) in
                [(0.6, BOTH), (least, BOTH), (least, Suppression { iou: 0.5, most: 1000 })]
            {
                let picture = [DecodePicture { item: 0, threshold }];
                faces += both.check(&on, &outputs, &picture, size, how)[0].unwrap();
            }
        }
        println!("{name}: {faces} faces compared");
        assert!(faces > 20, "{name}: {faces}");
    }
}
