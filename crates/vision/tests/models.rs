//! Bad models and devices: each has a message that says what was expected, what was found and what to do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    Picture, ask,
    nets::{LARGE, Nets, SMALL, color},
    onnx_runtime, stamp,
};
use facialads_testkit::onnx::{FLOAT16, INT8, Net, UINT8};
use facialads_vision::{
    Device, Error, FaceAnalyzer, FaceOptions, ModelSpec, SubjectClassifier, SubjectOptions,
    face::{AgeGender, Detector},
    runtime::{Card, LoadOptions},
    spec::{find_in, models_dir},
};
use std::path::Path;

fn fails(options: &FaceOptions, parts: &[&str]) -> Error {
    let error = FaceAnalyzer::new(options).err().unwrap();
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is not in: {text}");
    }
    error
}

#[test]
fn a_missing_model_says_how_to_install_it() {
    let nets = Nets::new();
    let options = FaceOptions { detector: Some("no-such-model".into()), ..nets.options(&[LARGE]) };
    let error =
        fails(&options, &["\"no-such-model\" is not installed", "facialads models install no-such-model"]);
    assert!(matches!(error, Error::ModelMissing { .. }));
    let path = nets.0.path().join("gone.onnx").to_string_lossy().into_owned();
    fails(&FaceOptions { detector: Some(path.clone()), ..nets.options(&[LARGE]) }, &[&path]);
}

#[test]
fn a_damaged_or_empty_model_is_named() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let options = nets.options(&[LARGE]);
    let file = options.detector.clone().unwrap();
    let whole = std::fs::read(&file).unwrap();
    for damaged in [Vec::new(), b"not an onnx file".to_vec(), whole[..whole.len() / 2].to_vec()] {
        std::fs::write(&file, damaged).unwrap();
        let error = fails(&options, &[&file, "install it again"]);
        assert!(matches!(error, Error::Load { .. }), "{error}");
    }
}

#[test]
fn a_model_without_a_description_or_with_a_mistaken_one_says_where() {
    let nets = Nets::new();
    let options = nets.options(&[LARGE]);
    let toml = nets.0.path().join("detector.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, text.replace("decoder", "decodr")).unwrap();
    fails(&options, &["detector.toml", "line 3, column 1", "decodr"]);
    std::fs::write(&toml, text.replace("width = 32", "width = \"32\"")).unwrap();
    fails(&options, &["line 5, column 9"]);
    std::fs::write(&toml, text.replace("ssd-face", "classification")).unwrap();
    fails(&options, &["\"classification\" cannot serve the role \"face-detector\""]);
    std::fs::remove_file(&toml).unwrap();
    fails(&options, &["detector.toml"]);
}

#[test]
fn values_of_a_description_that_make_no_sense_are_refused() {
    let good = "name = \"x\"\nrole = \"subject\"\ndecoder = \"classification\"\n[input]\nwidth = 64\nheight = 64\nfit = \"stretch\"\n";
    assert!(ModelSpec::parse(good).is_ok());
    for (from, to, part) in [
        ("width = 64", "width = 0", "input.width = 0"),
        ("width = 64", "width = 64\nmultiple = 48", "multiple = 48"),
        ("[input]", "threshold = 1.5\n[input]", "threshold = 1.5"),
        ("[input]", "threshold = nan\n[input]", "threshold"),
        ("width = 64", "width = 64\nscale = [1.0, inf, 1.0]", "finite"),
        ("\"x\"", "\" \"", "name is empty"),
        ("[input]", "[second-pass]\nscale = 1.0\nmin-size = 0.5\n[input]", "second-pass.scale"),
        (
            "[input]",
            "[second-pass]\nscale = 0.5\nmin-size = 0.5\n[input]",
            "second-pass is for face detectors",
        ),
    ] {
        let error = ModelSpec::parse(&good.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_picture_of_a_face_detector_shows_the_whole_frame() {
    let with = |fit: &str, more: &str| {
        ModelSpec::parse(&format!(
            "name = \"x\"\nrole = \"face-detector\"\ndecoder = \"ultralight\"\n[input]\nwidth = 64\nheight = 32\nfit = \"{fit}\"\n{more}"
        ))
    };
    for fit in ["pad-right-bottom", "pad-centre", "stretch"] {
        assert!(with(fit, "").is_ok());
    }
    assert!(with("centre-crop", "").unwrap_err().to_string().contains("faces beside the middle"));
    let second = "[second-pass]\nscale = 0.5\nmin-size = 0.5\n";
    assert!(with("pad-centre", second).is_ok());
    assert!(with("stretch", second).unwrap_err().to_string().contains("needs a border"));
}

/// A face at the same place of the frame, whichever way the frame comes to lie in the picture.
#[test]
fn boxes_and_points_come_back_to_the_frame_from_every_fit() {
    use facialads_vision::{Rect, preprocess::Placement};
    let face = Rect::new(320.0, 90.0, 64.0, 36.0);
    // Of a frame of 640 x 360 on a square; padded in the middle, 140 of 640 rows are black above it.
    for (fit, of_picture) in [
        ("pad-right-bottom", Rect::new(0.5, 90.0 / 640.0, 0.1, 36.0 / 640.0)),
        ("pad-centre", Rect::new(0.5, 230.0 / 640.0, 0.1, 36.0 / 640.0)),
        ("stretch", Rect::new(0.5, 0.25, 0.1, 0.1)),
    ] {
        let text = format!(
            "name = \"x\"\nrole = \"face-detector\"\ndecoder = \"ultralight\"\n[input]\nwidth = 320\nheight = 320\n\
             fit = \"{fit}\"\n"
        );
        let placed = Placement::of_frame(640, 360, &ModelSpec::parse(&text).unwrap().input, 1.0);
        let found = placed.to_frame(&of_picture);
        let pairs =
            [(found.x, face.x), (found.y, face.y), (found.width, face.width), (found.height, face.height)];
        assert!(pairs.iter().all(|(a, b)| (a - b).abs() < 0.01), "{fit}: {found:?}");
    }
}

#[test]
fn a_description_survives_being_written_and_read() {
    let text = "name = \"x\"\nrole = \"face-detector\"\ndecoder = \"yunet\"\nthreshold = 0.5\nlicence = \"MIT\"\n\
        [input]\nwidth = 640\nheight = 640\nmultiple = 32\nchannels = \"bgr\"\nmean = [1.0, 2.0, 3.0]\n\
        fit = \"pad-right-bottom\"\n[second-pass]\nscale = 0.5\nmin-size = 0.25\n";
    let spec = ModelSpec::parse(text).unwrap();
    assert_eq!(ModelSpec::parse(&spec.to_toml().unwrap()).unwrap(), spec);
}

#[test]
fn a_network_of_another_shape_names_what_was_expected_and_found() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let options = nets.options(&[LARGE]);
    // Input.
    let toml = nets.0.path().join("detector.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, text.replace("width = 32\nheight = 32", "width = 48\nheight = 32")).unwrap();
    fails(&options, &["[N, 3, 32, 48]", "found image [?, 3, 32, 32]"]);
    std::fs::write(&toml, text.replace("width = 32", "multiple = 16\nwidth = 32")).unwrap();
    fails(&options, &["input.multiple", "fixed"]);
    std::fs::write(&toml, text.replace("[input]", "[input]\nname = \"data\"")).unwrap();
    fails(&options, &["data [N, 3, 32, 32]", "found image"]);
    // Outputs.
    for decoder in ["yunet", "tiny-yolo-face"] {
        std::fs::write(&toml, text.replace("ssd-face", decoder)).unwrap();
        let error = fails(&options, &[decoder, "found boxes [1, 1, 4], scores [?, 1]"]);
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
    std::fs::write(&toml, text).unwrap();
    // As many labels as classes.
    let toml = nets.0.path().join("expression.toml");
    let labels = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, labels.replace(", \"surprised\"", "")).unwrap();
    fails(&options, &["[N, 6]", "expression [?, 7]"]);
    std::fs::write(&toml, labels.replace("\"surprised\"", "\"bored\"")).unwrap();
    fails(&options, &["\"bored\"", "surprised"]);
}

#[test]
fn a_model_of_another_role_is_refused() {
    let nets = Nets::new();
    let options = FaceOptions { detector: Some(nets.age_gender()), ..nets.options(&[LARGE]) };
    fails(&options, &["it is for age-gender, and face-detector is needed"]);
}

/// As quantised or halved files are exported.
#[test]
fn a_network_that_takes_other_numbers_than_floats_says_so() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let options = nets.options(&[LARGE]);
    for kind in [UINT8, INT8, FLOAT16] {
        let mut net = Net::with_input_of(kind, &[1, 3, 32, 32]);
        net.floats("boxes-constant", &[1, 1, 4], &LARGE);
        net.node("Identity", &["boxes-constant"], "boxes");
        net.output("boxes", &[1, 1, 4]);
        net.channel_means();
        net.floats("weights", &[3, 1], &[0.0, 0.0, 1.0 / 256.0]);
        net.node("MatMul", &["channels", "weights"], "scores");
        net.output("scores", &[-1, 1]);
        net.write(Path::new(options.detector.as_ref().unwrap()));
        let error = fails(&options, &["detector.onnx", "float32"]);
        assert!(matches!(error, Error::Load { .. } | Error::Shape { .. }), "{error}");
    }
}

/// Networks whose numbers mean nothing, as after a conversion that went wrong.
#[test]
fn scores_that_mean_nothing_are_an_error_and_boxes_that_mean_nothing_are_no_faces() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let blue = Picture::plain(64, 64, [0, 0, 255]);
    let detect = |places: &[[f32; 4]], divide: [f32; 2]| {
        let file = nets.0.path().join("detector.onnx");
        nets.detector(places);
        let count = places.len() as i64;
        let mut net = Net::new(32);
        net.floats("boxes-constant", &[1, count, 4], places.as_flattened());
        net.node("Identity", &["boxes-constant"], "boxes");
        net.output("boxes", &[1, count, 4]);
        net.channel_means();
        net.floats("weights", &[3, count], &vec![1.0 / 256.0; 3 * places.len()]);
        net.node("MatMul", &["channels", "weights"], "sums");
        // 0 / 0 is no number.
        net.floats("times", &[1], &divide[..1]);
        net.node("Mul", &["sums", "times"], "products");
        net.floats("by", &[1], &divide[1..]);
        net.node("Div", &["products", "by"], "scores");
        net.output("scores", &[-1, count]);
        net.write(&file);
        let options = LoadOptions { instance: format!("{places:?}{divide:?}"), ..LoadOptions::default() };
        let detector = Detector::load(file.to_str(), None, &options).unwrap();
        detector.detect(&ask(&stamp(), 0).unwrap(), &detector.shrink(&blue.frame()))
    };
    let error = detect(&[LARGE], [0.0, 0.0]).unwrap_err().to_string();
    assert!(
        error.contains("\"detector\" failed to run: its output scores holds values that are not numbers"),
        "{error}"
    );
    let error = detect(&[LARGE], [20.0, 1.0]).unwrap_err().to_string();
    assert!(error.contains("a score is 0 to 1") && error.contains("sigmoid"), "{error}");
    let places = [
        LARGE,
        [f32::NAN, 0.0, 1.0, 1.0],
        [0.0, f32::NEG_INFINITY, 1.0, f32::INFINITY],
        [0.5, 0.5, 0.2, 0.2],
        [5.0, 5.0, 6.0, 6.0],
        [-1e30, -1e30, 1e30, 1e30],
    ];
    let found = detect(&places, [1.0, 1.0]).unwrap();
    for face in &found {
        assert!(face.bounds.x >= 0.0 && face.bounds.right() <= 64.0 && face.bounds.is_proper(), "{face:?}");
    }
    assert!((1..=2).contains(&found.len()), "{found:?}");
}

#[test]
fn a_device_that_is_not_there_falls_back_with_a_note_or_fails() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    for device in ["openvino:gpu", "tensorrt", "cuda:99"] {
        let load = LoadOptions { device: device.parse().unwrap(), fallback: true, ..LoadOptions::default() };
        let options = FaceOptions { load, ..nets.options(&[LARGE]) };
        let analyzer = FaceAnalyzer::new(&options).unwrap();
        assert_eq!(analyzer.notes().len(), 3, "one for each network");
        assert!(analyzer.notes()[0].contains("CPU instead"), "{:?}", analyzer.notes());
        let strict = FaceOptions { load: LoadOptions { fallback: false, ..options.load.clone() }, ..options };
        assert!(matches!(fails(&strict, &["cannot be used"]), Error::Device { .. }));
    }
}

#[test]
fn devices_are_written_as_dl_streamers_users_write_them() {
    for (text, device) in [
        ("", Device::Auto),
        ("CPU", Device::Cpu),
        ("cuda", Device::Cuda(Card::Number(0))),
        ("CUDA:1", Device::Cuda(Card::Number(1))),
        ("cuda:gpu-8f3a", Device::Cuda(Card::Uuid("GPU-8f3a".into()))),
        ("tensorrt:MIG-c6d4/1/0", Device::TensorRt(Card::Uuid("MIG-c6d4/1/0".into()))),
        ("TensorRT:2", Device::TensorRt(Card::Number(2))),
        ("openvino:npu", Device::OpenVino("NPU".into())),
    ] {
        assert_eq!(text.parse::<Device>().unwrap(), device);
    }
    for text in
        ["gpu", "cuda:x", "cpu:1", "openvino:", "cuda:-1", "cuda:", "cuda:GPU-", "cuda:TPU-1", "cuda:GPU-a b"]
    {
        assert!(text.parse::<Device>().unwrap_err().to_string().contains("known are auto, cpu"));
    }
}

#[test]
fn a_path_is_a_path_and_a_name_is_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.onnx"), b"").unwrap();
    assert_eq!(find_in(folder.path(), "mine").unwrap(), folder.path().join("mine.onnx"));
    let path = folder.path().join("mine.onnx");
    assert_eq!(find_in(Path::new("/nowhere"), path.to_str().unwrap()).unwrap(), path);
    assert!(find_in(folder.path(), "yours").is_err());
    assert!(models_dir().is_absolute() || std::env::var_os("FACIALADS_MODELS").is_some());
}

/// As many models are exported: with a batch of one.
#[test]
fn a_network_that_takes_one_picture_at_a_time_describes_several_faces() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let path = nets.0.path().join("one.onnx");
    let mut net = Net::with_input(&[1, 3, 32, 32]);
    net.channel_means();
    net.floats("w", &[3, 1], &[0.5, 0.0, 0.0]);
    net.node("MatMul", &["channels", "w"], "age");
    net.output("age", &[1, 1]);
    net.floats("w2", &[3, 2], &[0.0, 0.0, 0.0, 1.0 / 255.0, 0.0, 0.0]);
    net.node("MatMul", &["channels", "w2"], "gender");
    net.output("gender", &[1, 2]);
    net.write(&path);
    nets.describe("one", "role = \"age-gender\"\ndecoder = \"age-gender\"", "fit = \"pad-centre\"");
    let network = AgeGender::load(path.to_str().unwrap(), &LoadOptions::default()).unwrap();
    let picture = |years| Picture::plain(64, 64, color(years, 0.5));
    let whole = facialads_vision::Rect::new(0.0, 0.0, 64.0, 64.0);
    let cut = |p: &Picture| {
        facialads_vision::face::Portrait::cut(&p.frame(), &whole, 0.0, network.input()).unwrap()
    };
    let portraits = [cut(&picture(20)), cut(&picture(60))];
    let estimates = network.estimate(&ask(&stamp(), 2).unwrap(), &portraits).unwrap();
    assert!((estimates[0].years - 20.0).abs() < 0.01 && (estimates[1].years - 60.0).abs() < 0.01);
}

#[test]
fn elements_with_the_same_model_share_a_network_unless_they_say_otherwise() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let file = nets.detector(&[LARGE]);
    let load = |instance: &str| {
        let options = LoadOptions { instance: instance.into(), ..LoadOptions::default() };
        Detector::load(Some(&file), None, &options).unwrap()
    };
    let (one, two, other) = (load(""), load(""), load("mine"));
    assert!(one.shares_network_with(&two));
    assert!(!one.shares_network_with(&other));
    // A file that was replaced is another network.
    nets.detector(&[LARGE, SMALL]);
    let changed = std::fs::File::options().append(true).open(&file).unwrap();
    changed.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert!(!one.shares_network_with(&load("")));
}

#[test]
fn a_subject_network_and_its_map_must_meet() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let options = SubjectOptions { model: nets.subject(&["car", "dog", "sea"]), ..SubjectOptions::default() };
    let error = SubjectClassifier::new(&options).err().unwrap().to_string();
    assert!(error.contains("ImageNet"), "{error}");
    let map = nets.0.path().join("map.toml");
    let text = "taxonomy = \"iab-content-3.1\"\nthreshold = 0.6\n[[group]]\nid = \"1\"\nname = \"Automotive\"\nclasses = [\"car\"]\n\
        [[group]]\nid = \"425\"\nname = \"Dogs\"\nclasses = [\"dog\"]\n[[safety]]\nflag = \"wet\"\nclasses = [\"sea\"]\n";
    std::fs::write(&map, text).unwrap();
    let classifier = SubjectClassifier::new(&SubjectOptions { map: Some(map), ..options }).unwrap();
    let show = |rgb: [u8; 3], second: u64| {
        let picture = Picture::plain(100, 50, rgb);
        let now = std::time::Duration::from_secs(second);
        classifier.classify(&classifier.shrink(&picture.frame()), now).unwrap();
        classifier.reading(now)
    };
    let reading = show([255, 0, 0], 0);
    assert_eq!((reading.classes.len(), reading.samples), (1, 1));
    assert_eq!((reading.classes[0].id.as_str(), reading.classes[0].name.as_str()), ("1", "Automotive"));
    assert!(reading.classes[0].confidence > 0.99, "logits become probabilities");
    assert_eq!(show([0, 255, 0], 1).classes, [], "half car and half dog is neither");
    let last = show([0, 255, 0], 2);
    assert_eq!(last.classes[0].id, "425");
    assert_eq!(show([0, 0, 255], 20).safety, ["wet"]);
    classifier.reset();
    assert_eq!(classifier.reading(std::time::Duration::from_secs(20)).samples, 0);
}
