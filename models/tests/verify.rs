//! The installed models say what they said when they were measured, and whoever says something else is named.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails should say where")]

use facialads_models::{Digest, Error, Reference, Verification, manifest, verify_against};
use std::{fs, path::Path};

const REFERENCE: &str = include_str!("../reference.toml");

/// Verifies the installed models against a reference. `None` where they, the photographs or ONNX Runtime are not installed.
fn verify(dir: &Path, reference: &str) -> Option<Verification> {
    let installed = ["ssd-mobilenet-v1", "age-gender"].iter().all(|m| facialads_testkit::model(m).is_some());
    if !installed {
        return None;
    }
    match verify_against(manifest().unwrap(), &Reference::parse(reference).unwrap(), dir) {
        Ok(verification) => Some(verification),
        Err(error @ (Error::NoMedia { .. } | Error::Vision(facialads_vision::Error::Library { .. }))) => {
            facialads_testkit::skip(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_six_photographs_have_22_women_aged_19_to_36() {
    let Some(result) = verify(&facialads_testkit::models_dir(), REFERENCE) else { return };
    assert_eq!(result.problems, [""; 0]);
    let ssd = result.detections.iter().filter(|check| check.detector == "ssd-mobilenet-v1");
    assert_eq!(ssd.map(|check| check.found).collect::<Vec<_>>(), [3, 3, 3, 4, 5, 4]);
    assert_eq!(result.attributes.iter().map(|check| check.women).sum::<usize>(), 22);
    let youngest = result.attributes.iter().map(|check| check.youngest).fold(f32::MAX, f32::min);
    let oldest = result.attributes.iter().map(|check| check.oldest).fold(0.0, f32::max);
    assert_eq!((youngest.round(), oldest.round()), (19.0, 36.0));
    for model in result.files.iter().filter(|file| file.agrees()) {
        assert!(
            result.patterns.iter().any(|check| check.model == model.model),
            "{} was not run",
            model.model
        );
    }
}

#[test]
fn a_disagreement_is_named() {
    let other = REFERENCE
        .replacen("sum = 51.848698", "sum = 52.5", 1)
        .replacen("box = [414.12", "box = [314.12", 1)
        .replacen("age = 27.77", "age = 31.00", 1);
    let Some(result) = verify(&facialads_testkit::models_dir(), &other) else { return };
    assert!(!result.agrees());
    let named = |parts: &[&str]| {
        let found = result.problems.iter().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} in {:?}", result.problems);
    };
    named(&["age-gender", "\"age\" differs"]);
    named(&["ssd-mobilenet-v1", "sample1.jpg has 3 faces", "2 of them"]);
    named(&["age-gender: sample1.jpg", "years"]);
    assert!(result.problems.iter().all(|line| !line.contains("sample2")), "{:?}", result.problems);
}

#[test]
fn a_file_that_was_changed_is_named_and_not_run_and_yunet_may_be_missing() {
    let Some(age) = facialads_testkit::model("age-gender") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (models, media) = (folder.path().join("models"), folder.path().join("media"));
    fs::create_dir_all(&models).unwrap();
    fs::create_dir_all(&media).unwrap();
    for photograph in (1..=6).map(|n| format!("sample{n}.jpg")) {
        let Some(file) = facialads_testkit::media(&photograph) else { return };
        fs::copy(file, media.join(photograph)).unwrap();
    }
    let mut bytes = fs::read(&age).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(models.join("age-gender.onnx"), &bytes).unwrap();
    let Some(result) = verify(&models, REFERENCE) else { return };
    let found = Digest::of(&bytes).to_string();
    assert!(result.problems[1].contains(&found) || result.problems.iter().any(|p| p.contains(&found)));
    assert!(result.problems.iter().any(|line| line.contains("ssd-mobilenet-v1 is not installed")));
    assert!(result.problems.iter().all(|line| !line.contains("yunet")), "{:?}", result.problems);
    assert!(result.patterns.is_empty() && result.attributes.is_empty());
}

#[test]
fn without_the_photographs_the_message_says_how_to_have_them() {
    let folder = tempfile::tempdir().unwrap();
    let error = verify_against(manifest().unwrap(), &Reference::parse(REFERENCE).unwrap(), folder.path())
        .unwrap_err();
    assert!(error.to_string().contains("facialads models install --media"), "{error}");
}
