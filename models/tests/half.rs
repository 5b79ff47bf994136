//! Networks in 16 bits beside those in 32, on photographs: what they find and how far off that is. Both run on the CPU, which
//! calculates 16-bit networks in 32 bits where it has no other way: weights, pictures and what passes between the casts are
//! rounded, sums are not, as on a GPU.
#![expect(clippy::unwrap_used, reason = "a test that fails should say where")]

use facialads_consent::{Basis, Measurement, Permit, Policy, Purpose, Site, Stamp, Zone, permit, wall_clock};
use facialads_models::{HalfInput, beside, halve, make_half};
use facialads_testkit::{models_dir, skip};
use facialads_vision::{
    Device, Frame,
    face::Detector,
    runtime::{LoadOptions, Precision},
    subject::{SubjectClassifier, SubjectOptions},
};
use std::{fs, path::Path, time::Duration};

/// Published photographs of the package face-api: nobody in front of a screen is looked at.
fn published() -> Permit<Measurement> {
    let stamp = Stamp {
        purposes: [Purpose::Measurement].into_iter().collect(),
        epoch: 0,
        max_faces: 100,
        adult: false,
        zone: Zone::FULL,
        basis: Basis::PublishedContent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "test".into(),
        expires: wall_clock() + 60_000_000_000,
        receipts: Vec::new(),
    };
    permit::<Measurement>(Some(&stamp), 0, wall_clock()).unwrap()
}

fn photographs() -> Option<Vec<image::RgbImage>> {
    let media = beside(&models_dir(), "media");
    let files = (1..=6).map(|n| media.join(format!("sample{n}.jpg")));
    let pictures: Option<Vec<_>> = files.map(|file| image::open(file).ok().map(|p| p.to_rgb8())).collect();
    if pictures.is_none() {
        skip("the photographs are not installed: run `facialads models install --media`");
    }
    pictures
}

/// A folder with the network in 16 bits under its own name, with an input of 32, which any runtime takes.
fn halved(name: &str) -> Option<tempfile::TempDir> {
    let (dir, folder) = (models_dir(), tempfile::tempdir().unwrap());
    let Ok(onnx) = fs::read(dir.join(format!("{name}.onnx"))) else {
        skip(&format!("{name} is not installed"));
        return None;
    };
    let file = |ending: &str| folder.path().join(format!("{name}.{ending}"));
    fs::write(file("onnx"), halve(&onnx, HalfInput::Float).unwrap()).unwrap();
    fs::copy(dir.join(format!("{name}.toml")), file("toml")).unwrap();
    if let Ok(labels) = fs::read(dir.join("imagenet-1000.txt")) {
        fs::write(folder.path().join("imagenet-1000.txt"), labels).unwrap();
    }
    Some(folder)
}

fn on_cpu() -> LoadOptions {
    LoadOptions { device: Device::Cpu, precision: Precision::F32, ..LoadOptions::default() }
}

#[test]
fn detectors_find_the_same_faces_at_the_same_places() {
    let Some(pictures) = photographs() else { return };
    for name in ["yunet", "ssd-mobilenet-v1", "tiny-face"] {
        let Some(folder) = halved(name) else { continue };
        let load = |dir: &Path| {
            let file = dir.join(format!("{name}.onnx"));
            Detector::load(Some(&file.to_string_lossy()), None, &on_cpu()).unwrap()
        };
        let (exact, half) = (load(&models_dir()), load(folder.path()));
        let (mut count, mut edge, mut sum, mut score) = (0_u16, 0.0_f32, 0.0_f32, 0.0_f32);
        for picture in &pictures {
            let frame = Frame::rgb(picture.width(), picture.height(), picture.as_raw()).unwrap();
            let found = exact.detect(&published(), &exact.shrink(&frame)).unwrap();
            let other = half.detect(&published(), &half.shrink(&frame)).unwrap();
            assert_eq!(found.len(), other.len(), "{name}");
            for face in &found {
                let same = other.iter().find(|o| o.bounds.iou(&face.bounds) > 0.9).unwrap();
                let corners = |r: &facialads_vision::Rect| [r.x, r.y, r.right(), r.bottom()];
                for (a, b) in corners(&face.bounds).into_iter().zip(corners(&same.bounds)) {
                    edge = edge.max((a - b).abs());
                    sum += (a - b).abs();
                }
                score = score.max((face.confidence - same.confidence).abs());
                count += 1;
            }
        }
        let mean = sum / f32::from(4 * count.max(1));
        println!(
            "{name}: {count} faces, edges {mean:.3} px on average, {edge:.3} at most; confidence {score:.5} at most"
        );
        assert!(edge < 1.5 && score < 0.02, "{name}: {edge} px, {score}");
    }
}

#[test]
fn the_subject_stays_the_same() {
    let Some(pictures) = photographs() else { return };
    let Some(folder) = halved("efficientnet-lite0") else { return };
    let read = |dir: &Path| -> Vec<Vec<(String, f32)>> {
        let model = dir.join("efficientnet-lite0.onnx").to_string_lossy().into_owned();
        let options =
            SubjectOptions { model, load: on_cpu(), threshold: Some(0.01), ..SubjectOptions::default() };
        let classifier = SubjectClassifier::new(&options).unwrap();
        let look = |picture: &image::RgbImage| {
            classifier.reset();
            let frame = Frame::rgb(picture.width(), picture.height(), picture.as_raw()).unwrap();
            classifier.classify(&classifier.shrink(&frame), Duration::ZERO).unwrap();
            let reading = classifier.reading(Duration::ZERO);
            reading.classes.iter().map(|class| (class.name.clone(), class.confidence)).collect()
        };
        pictures.iter().map(look).collect()
    };
    let (exact, half) = (read(&models_dir()), read(folder.path()));
    let mut most = 0.0_f32;
    for (exact, half) in exact.iter().zip(&half) {
        assert_eq!(exact.first().map(|c| &c.0), half.first().map(|c| &c.0));
        for (label, probability) in exact {
            if let Some((_, other)) = half.iter().find(|(l, _)| l == label) {
                most = most.max((probability - other).abs());
            }
        }
    }
    println!("efficientnet-lite0: probabilities off by {most:.5} at most");
    assert!(most < 0.02, "{most}");
}

#[test]
fn the_command_writes_the_file_beside_or_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    for (name, expected) in
        [("yunet", None), ("age-gender", Some("32 bits always")), ("nobody", Some("nobody.onnx"))]
    {
        for ending in ["onnx", "toml"] {
            let from = models_dir().join(format!("{name}.{ending}"));
            if from.is_file() {
                fs::copy(from, folder.path().join(format!("{name}.{ending}"))).unwrap();
            } else if name != "nobody" {
                return skip(&format!("{name} is not installed"));
            }
        }
        match (make_half(folder.path(), name), expected) {
            (Ok(made), None) => {
                assert_eq!(made.path, folder.path().join("yunet.f16.onnx"));
                assert!(made.difference < 0.03, "{}", made.difference);
                let size = |file: &str| folder.path().join(file).metadata().unwrap().len();
                assert!(made.size < size("yunet.onnx") * 3 / 4);
                assert!(
                    facialads_models::status(folder.path()).unwrap().iter().all(|m| !m.name.contains("f16"))
                );
            }
            (Err(e), Some(words)) => assert!(e.to_string().contains(words), "{e}"),
            (result, _) => assert!(result.is_ok() != expected.is_some(), "{name}: {result:?}"),
        }
    }
}
