//! Elements that share a network and run their pictures together learn what each would learn alone.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Picture, ask, onnx_runtime, stamp};
use facialads_consent::{Demographics, Emotion, Measurement, wall_clock};
use facialads_vision::{
    Allowed, FaceAnalyzer, FaceOptions, SubjectClassifier, SubjectOptions, TrackedFace,
    face::{AgeGender, Portrait},
    process::{Memory, Terms, Took, process},
    runtime::LoadOptions,
};
use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

const FRAMES: u32 = 6;

fn batched(instance: &str, batch_size: u32) -> LoadOptions {
    LoadOptions {
        fallback: true,
        instance: instance.into(),
        batch_size,
        batch_timeout: Duration::from_millis(40),
        ..LoadOptions::default()
    }
}

fn analyzer(load: LoadOptions) -> FaceAnalyzer {
    FaceAnalyzer::new(&FaceOptions {
        load,
        reclassify_interval: Duration::ZERO,
        gender_threshold: Some(0.5),
        emotion_threshold: 0.0,
        seed: Some(1),
        ..FaceOptions::default()
    })
    .unwrap()
}

/// What a camera sees that shows the photograph from its own corner; told after each frame.
fn watch(analyzer: &FaceAnalyzer, views: &[Picture]) -> Vec<Vec<TrackedFace>> {
    let (stamp, mut memory) = (stamp(), Memory::default());
    let look = |(number, view): (u32, &Picture)| {
        let now = Duration::from_millis(40) * number;
        let terms = Terms { stamp: &stamp, now, wall: wall_clock(), emotion: true };
        process(analyzer, &view.frame(), &terms, &mut memory, &mut Took::default()).unwrap();
        let faces = analyzer.count(now);
        let (demographics, emotion) = (ask::<Demographics>(&stamp, faces), ask::<Emotion>(&stamp, faces));
        let allowed =
            Allowed { demographics: demographics.as_ref(), emotion: emotion.as_ref(), adult_declared: true };
        analyzer.faces(&ask::<Measurement>(&stamp, faces).unwrap(), &allowed, now)
    };
    (0..FRAMES).zip(views.iter().cycle()).map(look).collect()
}

fn views(photograph: &Picture, camera: u32) -> Vec<Picture> {
    (0..3).map(|i| photograph.crop(280 + 20 * camera + 6 * i, 100 + 8 * camera, 1280, 960)).collect()
}

/// In pixels of the pictures above, years, and the step of a percentage.
fn assert_same(alone: &[Vec<TrackedFace>], together: &[Vec<TrackedFace>]) {
    assert_eq!(alone.len(), together.len());
    for (alone, together) in alone.iter().zip(together) {
        assert_eq!(alone.len(), together.len(), "as many faces");
        for (one, other) in alone.iter().zip(together) {
            let off = |a: f32, b: f32, side: f32| (a - b).abs() * side;
            assert_eq!(one.id, other.id);
            let worst = [
                off(one.bounds.x, other.bounds.x, 1280.0),
                off(one.bounds.y, other.bounds.y, 960.0),
                off(one.bounds.right(), other.bounds.right(), 1280.0),
                off(one.bounds.bottom(), other.bounds.bottom(), 960.0),
            ];
            assert!(worst.iter().all(|off| *off < 0.05), "{worst:?}");
            assert_eq!(one.age.is_some(), other.age.is_some());
            if let (Some(one), Some(other)) = (one.age, other.age) {
                assert!((one.years - other.years).abs() < 0.05);
            }
            assert_eq!(one.gender.map(|label| label.value), other.gender.map(|label| label.value));
            assert_eq!(one.emotion.map(|label| label.value), other.emotion.map(|label| label.value));
        }
    }
}

#[test]
fn three_cameras_on_one_network_see_together_what_each_sees_alone() {
    if !onnx_runtime()
        || facialads_testkit::model("age-gender").is_none()
        || facialads_testkit::model("expression").is_none()
    {
        return;
    }
    let Some(photograph) = facialads_testkit::media("sample5.jpg").map(|file| Picture::open(&file)) else {
        return;
    };
    let cameras = [0, 1, 2].map(|camera| views(&photograph, camera));
    let alone = cameras.each_ref().map(|views| watch(&analyzer(batched("alone", 1)), views));
    assert!(alone.iter().all(|seen| seen[FRAMES as usize - 1].len() >= 3), "people are on the photograph");
    assert!(alone[0].iter().flatten().filter(|face| face.age.is_some()).count() > 3, "and described");
    // Four pictures are three detections, or two faces with their mirror images; forty also everybody's faces.
    for size in [4, 40] {
        let analyzers = [0; 3].map(|_| analyzer(batched(&format!("together {size}"), size)));
        assert_eq!(
            analyzers[0].runs_on().inputs[0].shape[0],
            None,
            "a network that takes any number of pictures"
        );
        let together = thread::scope(|scope| {
            let threads: Vec<_> = analyzers
                .iter()
                .zip(&cameras)
                .map(|(analyzer, views)| scope.spawn(move || watch(analyzer, views)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for (alone, together) in alone.iter().zip(&together) {
            assert_same(alone, together);
        }
    }
}

#[test]
fn a_lone_element_is_not_kept_waiting_for_nobody() {
    if !onnx_runtime() || facialads_testkit::model("age-gender").is_none() {
        return;
    }
    let face = Picture::plain(160, 160, [180, 140, 120]);
    let load = |instance: &str| AgeGender::load("age-gender", &batched(instance, 64)).unwrap();
    let (lone, one, _two) = (load("lone"), load("pair"), load("pair"));
    let permit = ask::<Demographics>(&stamp(), 1).unwrap();
    let bounds = facialads_vision::Rect::new(20.0, 20.0, 120.0, 120.0);
    let portrait = Portrait::cut(&face.frame(), &bounds, 0.0, lone.input()).unwrap();
    let quickest = |network: &AgeGender| {
        let once = || {
            let begun = Instant::now();
            network.estimate(&permit, std::slice::from_ref(&portrait)).unwrap();
            begun.elapsed()
        };
        (0..10).map(|_| once()).min().unwrap()
    };
    let (alone, waited) = (quickest(&lone), quickest(&one));
    assert!(waited >= Duration::from_millis(40), "the other might have come: {waited:?}");
    assert!(alone < waited, "{alone:?}");
}

#[test]
fn programmes_share_batches_too() {
    if !onnx_runtime() || facialads_testkit::model("efficientnet-lite0").is_none() {
        return;
    }
    let Some(photograph) = facialads_testkit::media("sample5.jpg").map(|file| Picture::open(&file)) else {
        return;
    };
    let classifier = |load: LoadOptions| {
        SubjectClassifier::new(&SubjectOptions { load, ..SubjectOptions::default() }).unwrap()
    };
    let pictures = [0, 300, 600].map(|x| photograph.crop(x, 0, 800, 800));
    let labels = |classifier: &SubjectClassifier, picture: &Picture| {
        classifier.labels(&classifier.shrink(&picture.frame()), 3).unwrap()
    };
    let lone = classifier(batched("lone", 1));
    let alone = pictures.each_ref().map(|picture| labels(&lone, picture));
    let classifiers = [0; 3].map(|_| classifier(batched("three", 3)));
    let start = Barrier::new(3);
    let together = thread::scope(|scope| {
        let ask = |(classifier, picture)| {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                labels(classifier, picture)
            })
        };
        let threads: Vec<_> = classifiers.iter().zip(&pictures).map(ask).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for (alone, together) in alone.iter().zip(&together) {
        assert!(alone.iter().zip(together).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-3), "{alone:?}");
    }
}
