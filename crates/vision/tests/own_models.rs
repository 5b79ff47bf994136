//! The three descriptions of docs/models.md, as they stand there, beside the files that they are for.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Picture, ask, onnx_runtime, stamp};
use facialads_testkit::{media, model, shared};
use facialads_vision::{ModelSpec, face::Detector, runtime::LoadOptions};
use std::path::PathBuf;

const PAGE: &str = include_str!("../../../docs/models.md");

/// The complete examples: those after the first, which explains the keys.
fn examples() -> Vec<&'static str> {
    PAGE.split("```toml\n").skip(2).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn example(name: &str) -> &'static str {
    let named = |text: &&&str| ModelSpec::parse(text).unwrap().name == name;
    examples().iter().find(named).copied().unwrap_or_else(|| panic!("{name} is not in docs/models.md"))
}

/// Faces of each of the six photographs, found with the documentation's description.
fn faces(name: &str, onnx: Option<PathBuf>) -> Option<Vec<usize>> {
    let text = example(name);
    let onnx = onnx.filter(|_| onnx_runtime())?;
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine.onnx");
    std::fs::copy(onnx, &mine).unwrap();
    std::fs::write(mine.with_extension("toml"), text).unwrap();
    let detector = Detector::load(mine.to_str(), None, &LoadOptions::default()).unwrap();
    assert_eq!(detector.name(), name);
    let count = |number: usize| {
        let picture = Picture::open(&media(&format!("sample{number}.jpg"))?);
        let found = detector.detect(&ask(&stamp(), 0).unwrap(), &detector.shrink(&picture.frame())).unwrap();
        assert!(found.iter().all(|face| face.points.is_some() == (name == "yunet")));
        Some(found.len())
    };
    (1..=6).map(count).collect()
}

#[test]
fn the_page_has_three_complete_examples() {
    let names: Vec<String> = examples().iter().map(|text| ModelSpec::parse(text).unwrap().name).collect();
    assert_eq!(names, ["yunet", "rfb-320", "ssd-mobilenet-v1"]);
}

#[test]
fn each_example_of_the_page_finds_the_faces_of_the_photographs() {
    let files = [
        ("yunet", shared("data/models/yunet/yunet_n_dynamic.onnx")),
        ("rfb-320", shared("data/models/ultralight/version-RFB-320_simplified.onnx")),
        ("ssd-mobilenet-v1", model("ssd-mobilenet-v1")),
    ];
    for (name, onnx) in files {
        let Some(found) = faces(name, onnx) else { continue };
        assert_eq!(found, [3, 3, 3, 4, 5, 4], "{name}");
    }
}

/// The page promises it for the file of fixed size.
#[test]
fn yunet_of_fixed_size_needs_the_same_without_multiple() {
    let text = example("yunet").replace("multiple = 32\n", "");
    let Some(onnx) = shared("data/models/yunet/yunet_n_640_640.onnx").filter(|_| onnx_runtime()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("fixed.onnx");
    std::fs::copy(onnx, &mine).unwrap();
    std::fs::write(mine.with_extension("toml"), text).unwrap();
    let Some(photograph) = media("sample5.jpg") else { return };
    let load = || Detector::load(mine.to_str(), None, &LoadOptions::default()).unwrap();
    let (detector, picture) = (load(), Picture::open(&photograph));
    let found = detector.detect(&ask(&stamp(), 0).unwrap(), &detector.shrink(&picture.frame())).unwrap();
    assert_eq!(found.len(), 5);
    let error = load().sized(320).err().unwrap().to_string();
    assert!(error.contains("640 x 640 only") && error.contains("0 is the model's own"), "{error}");
}

#[test]
fn rfb_of_fixed_size_says_so_when_another_is_asked_for() {
    let onnx = shared("data/models/ultralight/version-RFB-320_simplified.onnx");
    let Some(onnx) = onnx.filter(|_| onnx_runtime()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("rfb.onnx");
    std::fs::copy(onnx, &mine).unwrap();
    std::fs::write(mine.with_extension("toml"), example("rfb-320")).unwrap();
    let detector = Detector::load(mine.to_str(), None, &LoadOptions::default()).unwrap();
    let error = detector.sized(640).err().unwrap().to_string();
    let said = "detector size 640 cannot be used with model \"rfb-320\": it takes pictures of 320 x 240 only";
    assert!(error.contains(said), "{error}");
}
