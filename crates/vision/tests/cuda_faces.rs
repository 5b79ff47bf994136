//! Frames in a GPU's memory are analysed as those in the computer's, whichever of the two the networks are on, without a pixel
//! crossing where both are on the GPU. On the stand-ins for the driver and for ONNX Runtime's providers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    Picture, ask,
    card::{Card, Nv12},
    stamp,
};
use facialads_consent::{Demographics, Emotion, Measurement, wall_clock};
use facialads_testkit::gpu::{self, OnnxRuntime};
use facialads_vision::{
    Allowed, Error, FaceAnalyzer, FaceOptions, SubjectClassifier, SubjectOptions, TrackedFace, View,
    cuda::{stage_times, time_stages, traffic},
    decode::Detection,
    face::{FaceStats, Stills},
    inference_calls,
    process::{Memory, Terms, Took, process},
    runtime::LoadOptions,
};
use std::{thread, time::Duration};

/// The stand-ins. First in every test of this file.
fn start() -> Option<OnnxRuntime> {
    let onnx = gpu::onnx_runtime()?;
    ["yunet", "age-gender", "expression"]
        .iter()
        .all(|model| facialads_testkit::model(model).is_some())
        .then_some(onnx)
}

fn on(device: &str) -> LoadOptions {
    LoadOptions { device: device.parse().unwrap(), fallback: false, ..LoadOptions::default() }
}

fn analyzer(load: LoadOptions) -> FaceAnalyzer {
    FaceAnalyzer::new(&FaceOptions {
        detector: Some("yunet".into()),
        age_gender: Some("age-gender".into()),
        load,
        reclassify_interval: Duration::ZERO,
        gender_threshold: Some(0.5),
        emotion_threshold: 0.0,
        seed: Some(1),
        ..FaceOptions::default()
    })
    .unwrap()
}

/// Views of a photograph with five people, as a camera that moves a little would have them.
fn views(count: u32) -> Option<Vec<Nv12>> {
    let photograph = Picture::open(&facialads_testkit::media("sample5.jpg")?);
    Some((0..count).map(|i| Nv12::of(&photograph.crop(300 + 6 * i, 100 + 4 * i, 1280, 960))).collect())
}

fn allowed<T>(analyzer: &FaceAnalyzer, now: Duration, then: impl FnOnce(&Allowed) -> T) -> T {
    let (stamp, faces) = (stamp(), analyzer.count(now));
    let (demographics, emotion) = (ask::<Demographics>(&stamp, faces), ask::<Emotion>(&stamp, faces));
    then(&Allowed { demographics: demographics.as_ref(), emotion: emotion.as_ref(), adult_declared: true })
}

fn told(analyzer: &FaceAnalyzer, now: Duration) -> Vec<TrackedFace> {
    let permit = ask::<Measurement>(&stamp(), 0).unwrap();
    allowed(analyzer, now, |allowed| analyzer.faces(&permit, allowed, now))
}

fn at(number: usize) -> Duration {
    Duration::from_millis(40 * number as u64)
}

fn step(analyzer: &FaceAnalyzer, frame: View, number: usize, memory: &mut Memory) -> Result<(), Error> {
    let stamp = stamp();
    let terms = Terms { stamp: &stamp, now: at(number), wall: wall_clock(), emotion: true };
    process(analyzer, frame, &terms, memory, &mut Took::default())
}

fn find(analyzer: &FaceAnalyzer, frame: View, number: usize) {
    let permit = ask::<Measurement>(&stamp(), 0).unwrap();
    analyzer.detect(&permit, &analyzer.shrink_view(&frame).unwrap(), stamp().zone, at(number)).unwrap();
}

/// Told after each frame, of frames in the memory of `card` or in the computer's.
fn watch(analyzer: &FaceAnalyzer, views: &[Nv12], card: Option<&Card>) -> Vec<Vec<TrackedFace>> {
    let mut memory = Memory::default();
    let look = |(number, view): (usize, &Nv12)| {
        match card {
            Some(card) => {
                let there = card.upload(view.clone());
                step(analyzer, View::Cuda(&there.frame()), number, &mut memory).unwrap();
            }
            None => step(analyzer, View::Host(&view.frame()), number, &mut memory).unwrap(),
        }
        told(analyzer, at(number))
    };
    views.iter().enumerate().map(look).collect()
}

/// The bar of `facialads bench --check`: boxes to a pixel, ages to half a year, probabilities to 0.02.
fn assert_same(one: &[Vec<TrackedFace>], other: &[Vec<TrackedFace>]) {
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one.len(), other.len(), "as many faces");
        for (one, other) in one.iter().zip(other) {
            assert_eq!(one.id, other.id);
            let edges = |face: &TrackedFace| {
                let bounds = face.bounds.scaled(1280.0, 960.0);
                [bounds.x, bounds.y, bounds.right(), bounds.bottom()]
            };
            let off = edges(one).into_iter().zip(edges(other)).map(|(a, b)| (a - b).abs());
            assert!(off.fold(0.0, f32::max) <= 1.0, "{:?} {:?}", one.bounds, other.bounds);
            assert_eq!(one.age.is_some(), other.age.is_some());
            if let (Some(one), Some(other)) = (one.age, other.age) {
                assert!((one.years - other.years).abs() <= 0.5);
            }
            assert_eq!(one.gender.map(|label| label.value), other.gender.map(|label| label.value));
            if let (Some(one), Some(other)) = (one.gender, other.gender) {
                assert!((one.confidence - other.confidence).abs() <= 0.02);
            }
            assert_eq!(one.emotion.map(|label| label.value), other.emotion.map(|label| label.value));
        }
    }
}

fn same_counts(one: FaceStats, other: FaceStats) {
    assert_eq!(one.inference_calls, other.inference_calls);
    assert_eq!((one.detections, one.descriptions), (other.detections, other.descriptions));
}

#[test]
fn frames_and_networks_in_either_memory_give_the_same_people() {
    let (Some(onnx), Some(views)) = (start(), views(5)) else { return };
    let host = analyzer(on("cpu"));
    let seen = watch(&host, &views, None);
    let last = seen.last().unwrap();
    assert!(last.len() >= 3 && last.iter().any(|face| face.age.is_some() && face.emotion.is_some()));
    for (frames, device) in [(false, "cuda"), (true, "cpu"), (true, "cuda")] {
        for late in [false, true] {
            onnx.gpu.run_late(late);
            let card = frames.then(Card::primary);
            let analyzer = analyzer(on(device));
            let before = traffic();
            let again = watch(&analyzer, &views, card.as_ref());
            let moved = traffic().since(&before);
            println!("frames on the card: {frames}, networks: {device}, late: {late}: {moved:?}");
            assert_same(&seen, &again);
            same_counts(host.stats(), analyzer.stats());
            let texts: Vec<String> = analyzer.notices().into_iter().map(|notice| notice.text).collect();
            match (frames, device) {
                (true, "cuda") => {
                    assert_eq!((moved.pixels_to_device, moved.pixels_to_host), (0, 0), "no pixel crosses");
                    assert!(
                        moved.other_to_host < views.len() as u64 * (16 << 10),
                        "boxes and scalars: {moved:?}"
                    );
                    assert_eq!(texts, [""; 0]);
                }
                (true, _) => {
                    assert_eq!(moved.pixels_to_device, 0);
                    // 640 x 480 and half of that for the detector, at most ten faces of 112 x 112.
                    let most = views.len() as u64 * 12 * (640 * 480 + 320 * 240 + 60 * 112 * 112);
                    assert!((1..most).contains(&moved.pixels_to_host), "small pictures only: {moved:?}");
                    assert!(texts.iter().all(|text| text.contains("set device=cuda")), "{texts:?}");
                    assert_eq!(texts.len(), 3, "each network says it once");
                }
                _ => assert_eq!(moved.pixels_to_host, 0),
            }
            drop(analyzer);
        }
    }
    onnx.gpu.run_late(false);
}

#[test]
fn every_face_of_the_photographs_is_described_alike() {
    let Some(_onnx) = start() else { return };
    let stills = |device| {
        let options = FaceOptions { load: on(device), gender_threshold: Some(0.5), ..FaceOptions::default() };
        Stills::new(&options).unwrap()
    };
    let (host, card) = (stills("cpu"), Card::primary());
    let stamp = stamp();
    let measurement = ask::<Measurement>(&stamp, 0).unwrap();
    let (demographics, emotion) = (ask::<Demographics>(&stamp, 1), ask::<Emotion>(&stamp, 1));
    let allowed =
        Allowed { demographics: demographics.as_ref(), emotion: emotion.as_ref(), adult_declared: true };
    for device in ["cuda", "cpu"] {
        let there = stills(device);
        let mut described = 0;
        for number in 1..=6 {
            let Some(file) = facialads_testkit::media(&format!("sample{number}.jpg")) else { return };
            let photograph = Picture::open(&file);
            let even = photograph.crop(0, 0, photograph.0 & !1, photograph.1 & !1);
            let picture = Nv12::of(&even);
            let on_card = card.upload(picture.clone());
            let (frame, cuda) = (picture.frame(), on_card.frame());
            let (found, again) =
                (host.detect(&measurement, &frame).unwrap(), there.detect(&measurement, &cuda).unwrap());
            assert_eq!(found.len(), again.len(), "photograph {number}");
            for (face, same) in found.iter().zip(&again) {
                let edges = |face: &Detection| {
                    let bounds = face.bounds;
                    [bounds.x, bounds.y, bounds.right(), bounds.bottom()]
                };
                let off = edges(face).into_iter().zip(edges(same)).map(|(a, b)| (a - b).abs());
                assert!(off.fold(0.0, f32::max) <= 1.0);
                assert!((face.confidence - same.confidence).abs() <= 0.02);
                let one = host.describe(&allowed, &frame, face).unwrap();
                let other = there.describe(&allowed, &cuda, face).unwrap();
                assert_eq!(one.is_some(), other.is_some(), "whether it is seen well enough");
                let (Some(one), Some(other)) = (one, other) else { continue };
                described += 1;
                assert!((one.quality - other.quality).abs() <= 0.01);
                assert!((one.age.years - other.age.years).abs() <= 0.5);
                assert!((one.least_years - other.least_years).abs() <= 0.5);
                assert!((one.female - other.female).abs() <= 0.02);
                assert_eq!(one.emotion.map(|label| label.value), other.emotion.map(|label| label.value));
            }
        }
        assert!(described >= 10, "{described} faces");
    }
}

#[test]
fn frames_of_somebody_elses_context_are_copied_on_the_card() {
    let (Some(onnx), Some(views)) = (start(), views(3)) else { return };
    let seen = watch(&analyzer(on("cpu")), &views, None);
    let card = Card::foreign();
    for late in [false, true] {
        onnx.gpu.run_late(late);
        for device in ["cuda", "cpu"] {
            let before = traffic();
            assert_same(&seen, &watch(&analyzer(on(device)), &views, Some(&card)));
            let moved = traffic().since(&before);
            assert_eq!(moved.pixels_to_device, 0);
            assert_eq!(moved.pixels_to_host == 0, device == "cuda");
        }
    }
    onnx.gpu.run_late(false);
}

#[test]
fn the_streaming_thread_waits_for_nothing() {
    let (Some(onnx), Some(views)) = (start(), views(3)) else { return };
    let (card, analyzer) = (Card::primary(), analyzer(on("cuda")));
    let mut memory = Memory::default();
    for (number, view) in views.iter().take(2).enumerate() {
        let there = card.upload(view.clone());
        step(&analyzer, View::Cuda(&there.frame()), number, &mut memory).unwrap();
    }
    let there = card.upload(views[2].clone());
    let frame = there.frame();
    let waits = || {
        ["cuEventSynchronize", "cuStreamSynchronize", "cuCtxSynchronize"]
            .map(|call| onnx.gpu.count(&format!("call {call}")))
    };
    find(&analyzer, View::Cuda(&frame), 2);
    let requests = allowed(&analyzer, at(2), |allowed| analyzer.crops_due(allowed, at(2)));
    assert!(!requests.is_empty());
    onnx.gpu.run_late(true);
    let (before, runs) = (waits(), onnx.count("run"));
    let input = analyzer.shrink_view(&View::Cuda(&frame)).unwrap();
    let crops = analyzer.cut_view(&View::Cuda(&frame), &requests).unwrap();
    assert_eq!((waits(), onnx.count("run")), (before, runs));
    // The frame goes back to where it came from while the worker has yet to begin.
    drop(there);
    let permit = ask::<Measurement>(&stamp(), 0).unwrap();
    assert!(analyzer.detect(&permit, &input, stamp().zone, at(3)).unwrap() >= 3);
    allowed(&analyzer, at(2), |allowed| analyzer.describe(allowed, &crops, at(3)).unwrap());
    assert!(onnx.count("run") > runs);
    onnx.gpu.run_late(false);
}

#[test]
fn what_was_begun_under_a_consent_that_ended_is_thrown_away() {
    let (Some(_onnx), Some(views)) = (start(), views(2)) else { return };
    let (card, analyzer) = (Card::primary(), analyzer(on("cuda")));
    let mut memory = Memory::default();
    let there = card.upload(views[0].clone());
    let frame = there.frame();
    step(&analyzer, View::Cuda(&frame), 0, &mut memory).unwrap();
    let old = stamp();
    let permit = ask::<Measurement>(&old, 0).unwrap();
    find(&analyzer, View::Cuda(&frame), 1);
    allowed(&analyzer, at(1), |allowed| {
        let input = analyzer.shrink_view(&View::Cuda(&frame)).unwrap();
        let requests = analyzer.crops_due(allowed, at(1));
        assert!(!requests.is_empty());
        let crops = analyzer.cut_view(&View::Cuda(&frame), &requests).unwrap();
        analyzer.forget(old.epoch + 1);
        let calls = inference_calls();
        let stale = |result: Result<(), Error>| assert!(matches!(result, Err(Error::Stale { .. })));
        stale(analyzer.detect(&permit, &input, old.zone, at(1)).map(drop));
        stale(analyzer.describe(allowed, &crops, at(1)));
        assert_eq!(inference_calls(), calls, "no network has looked");
        // Made before the new consent, asked for under it: still not looked at.
        let new = facialads_consent::Stamp { epoch: old.epoch + 1, ..stamp() };
        let newer = ask::<Measurement>(&new, 0).unwrap();
        stale(analyzer.detect(&newer, &input, new.zone, at(1)).map(drop));
        assert_eq!(inference_calls(), calls);
    });
    assert!(analyzer.count(at(1)) == 0 && told(&analyzer, at(1)).is_empty());
}

#[test]
fn faces_that_are_seen_badly_are_shown_to_no_network() {
    let Some(_onnx) = start() else { return };
    let Some(file) = facialads_testkit::media("sample5.jpg") else { return };
    let photograph = Picture::open(&file).crop(300, 100, 1280, 960);
    // As at dusk: the boxes are found, and what is in them is too dark to say anything.
    let dusk = Picture(photograph.0, photograph.1, photograph.2.iter().map(|byte| byte / 16).collect());
    let card = Card::primary();
    let mut described = Vec::new();
    for device in ["cpu", "cuda"] {
        let analyzer = analyzer(on(device));
        let (day, dusk) = (card.upload(Nv12::of(&photograph)), card.upload(Nv12::of(&dusk)));
        let mut memory = Memory::default();
        let view = |number: usize| if number == 0 { &day } else { &dusk };
        step(&analyzer, View::Cuda(&view(0).frame()), 0, &mut memory).unwrap();
        let before = analyzer.stats();
        assert!(before.descriptions > 0);
        find(&analyzer, View::Cuda(&view(0).frame()), 1);
        let before = analyzer.stats();
        let requests = allowed(&analyzer, at(1), |allowed| analyzer.crops_due(allowed, at(1)));
        let crops = analyzer.cut_view(&View::Cuda(&view(1).frame()), &requests).unwrap();
        assert_eq!(crops.len(), requests.len(), "nobody knows yet");
        let calls = inference_calls();
        allowed(&analyzer, at(1), |allowed| analyzer.describe(allowed, &crops, at(1)).unwrap());
        assert_eq!(inference_calls(), calls);
        assert_eq!(analyzer.stats(), before);
        assert!(crops.is_empty());
        described.push(told(&analyzer, at(1)));
        find(&analyzer, View::Cuda(&view(0).frame()), 60);
        // Of a group some of whom stand in the dark, the others are described as ever.
        let half = half_dark(&photograph);
        let (on_host, on_card) = (Nv12::of(&half), card.upload(Nv12::of(&half)));
        let requests = allowed(&analyzer, at(60), |allowed| analyzer.crops_due(allowed, at(60)));
        let crops = analyzer.cut(&on_host.frame(), &requests);
        let there = analyzer.cut_view(&View::Cuda(&on_card.frame()), &requests).unwrap();
        let left = crops.len();
        assert!((1..requests.len()).contains(&left), "some are in the dark: {left} of {}", requests.len());
        allowed(&analyzer, at(60), |allowed| analyzer.describe(allowed, &there, at(60)).unwrap());
        assert_eq!(there.len(), left);
    }
    assert_same(&described[..1], &described[1..]);
}

/// The left half by day, the right half at dusk.
fn half_dark(picture: &Picture) -> Picture {
    let dark = |(i, byte): (usize, &u8)| if i / 3 % 1280 < 560 { *byte } else { byte / 16 };
    Picture(picture.0, picture.1, picture.2.iter().enumerate().map(dark).collect())
}

#[test]
fn three_cameras_on_one_card_share_batches() {
    let (Some(onnx), Some(views)) = (start(), views(4)) else { return };
    let seen = watch(&analyzer(on("cpu")), &views, None);
    for (late, size) in [(false, 4), (true, 4), (false, 60)] {
        onnx.gpu.run_late(late);
        let load = LoadOptions {
            instance: format!("three {late} {size}"),
            batch_size: size,
            batch_timeout: Duration::from_millis(40),
            ..on("cuda")
        };
        // Who shares the networks without batches keeps them.
        let _keeper = analyzer(LoadOptions { batch_size: 1, ..load.clone() });
        let mut rounds = (0..2).map(|_| {
            let cameras = [0; 3].map(|_| (analyzer(load.clone()), Card::primary()));
            let (runs, before) = (onnx.count("run"), traffic());
            let all = thread::scope(|scope| {
                let watch = |(analyzer, card)| {
                    let views = &views;
                    scope.spawn(move || watch(analyzer, views, Some(card)))
                };
                let threads: Vec<_> =
                    cameras.iter().map(|(analyzer, card)| watch((analyzer, card))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            });
            let moved = traffic().since(&before);
            assert_eq!((moved.pixels_to_device, moved.pixels_to_host), (0, 0));
            all.iter().for_each(|again| assert_same(&seen, again));
            let asked: u64 = cameras.iter().map(|(analyzer, _)| analyzer.stats().inference_calls).sum();
            (asked, onnx.count("run") - runs)
        });
        // Each size of batch runs some times more before it is used first.
        rounds.next();
        let (asked, ran) = rounds.next().unwrap();
        println!("late: {late}, batches of {size}: {asked} asked, {ran} ran");
        assert!(ran < asked, "{ran} runs for {asked} that were asked for");
    }
    onnx.gpu.run_late(false);
}

#[test]
fn a_run_that_fails_is_told_and_the_next_one_works() {
    let (Some(onnx), Some(views)) = (start(), views(1)) else { return };
    let (card, analyzer) = (Card::primary(), analyzer(on("cuda")));
    let there = card.upload(views[0].clone());
    let mut memory = Memory::default();
    onnx.fail("run", "CUDNN_STATUS_EXECUTION_FAILED", 0, Some(1));
    let error = step(&analyzer, View::Cuda(&there.frame()), 0, &mut memory).unwrap_err();
    assert!(error.to_string().contains("yunet"), "{error}");
    assert_eq!(analyzer.count(at(0)), 0);
    step(&analyzer, View::Cuda(&there.frame()), 1, &mut memory).unwrap();
    assert!(analyzer.count(at(1)) >= 3);
    // The card is full while a frame is made small.
    onnx.gpu.fail("cuLaunchKernel", gpu::LAUNCH_FAILED, 0, Some(1));
    let error = analyzer.shrink_view(&View::Cuda(&there.frame())).err().unwrap();
    assert!(error.gpu_failure().is_some(), "{error}");
}

#[test]
fn stages_are_timed_where_somebody_asks() {
    let (Some(_onnx), Some(views)) = (start(), views(2)) else { return };
    let (card, analyzer) = (Card::primary(), analyzer(on("cuda")));
    let _before = stage_times();
    watch(&analyzer, &views, Some(&card));
    assert_eq!(stage_times().unwrap(), [], "nobody has asked");
    time_stages(true);
    watch(&analyzer, &views, Some(&card));
    time_stages(false);
    let stages: Vec<&str> = stage_times().unwrap().iter().map(|time| time.stage).collect();
    for stage in ["shrink", "face-detector", "decode", "cut", "age-gender", "expression"] {
        assert!(stages.contains(&stage), "{stage} is not among {stages:?}");
    }
}

#[test]
fn programmes_on_a_card_are_what_they_are_elsewhere() {
    let Some(_onnx) = start() else { return };
    let Some(views) = views(2) else { return };
    if facialads_testkit::model("efficientnet-lite0").is_none() {
        return;
    }
    let classifier = |device| {
        let options = SubjectOptions { load: on(device), ..SubjectOptions::default() };
        SubjectClassifier::new(&options).unwrap()
    };
    let card = Card::primary();
    let host = classifier("cpu");
    for device in ["cuda", "cpu"] {
        let classifier = classifier(device);
        for view in &views {
            let wanted = host.labels(&host.shrink(&view.frame()), 5).unwrap();
            let there = card.upload(view.clone());
            let before = traffic();
            let input = classifier.shrink_view(&View::Cuda(&there.frame())).unwrap();
            let labels = classifier.labels(&input, 5).unwrap();
            let moved = traffic().since(&before);
            assert_eq!(moved.pixels_to_host == 0, device == "cuda");
            let same = |(a, b): (&(String, f32), &(String, f32))| a.0 == b.0 && (a.1 - b.1).abs() < 0.02;
            assert!(wanted.iter().zip(&labels).all(same), "{wanted:?} {labels:?}");
        }
    }
}

#[test]
fn a_card_that_is_lost_ends_no_stream_of_frames_in_the_computers_memory() {
    let (Some(onnx), Some(views)) = (start(), views(2)) else { return };
    let analyzer = analyzer(LoadOptions { fallback: true, ..on("cuda") });
    let mut memory = Memory::default();
    step(&analyzer, View::Host(&views[0].frame()), 0, &mut memory).unwrap();
    let known = analyzer.count(at(0));
    assert!(known >= 3);
    onnx.fail("run", "CUDA failure 719: unspecified launch failure", 0, None);
    let end = std::time::Instant::now() + Duration::from_secs(60);
    // Frames fail until the network has moved, then they do not.
    let mut failed = 0;
    for number in 1.. {
        match step(&analyzer, View::Host(&views[1].frame()), number, &mut memory) {
            Ok(()) => break,
            Err(error) => {
                assert!(error.gpu_failure().is_some(), "{error}");
                failed += 1;
            }
        }
        assert!(std::time::Instant::now() < end, "it has not moved");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(failed > 0);
    let notices = analyzer.notices();
    assert!(notices.iter().any(|notice| notice.text.contains("from now on")), "{notices:?}");
}
