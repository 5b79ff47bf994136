//! The real networks on the six sample photographs (22 women), through real pipelines.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_consent::{Purpose, Purposes, Stamp};
use facialads_meta::{Face, Gender};
use gst::prelude::*;
use looking::{Seen, init, onnx_runtime, stamp};
use std::path::Path;

/// Faces that each photograph shows.
const FACES: [usize; 6] = [3, 3, 3, 4, 5, 4];
const FRAMES: usize = 10;

/// Shows a photograph as a film of [`FRAMES`] frames to `faceanalyze`.
fn show(photograph: &Path, detector: &Path, age_gender: &Path, format: &str, stamp: Stamp) -> Vec<Seen> {
    let line = format!(
        "filesrc location={} ! jpegdec ! videoconvert ! video/x-raw,format={format} ! imagefreeze num-buffers={FRAMES} \
           ! video/x-raw,framerate=10/1 ! faceanalyze name=faces inference-interval=1 reclassify-interval=1 seed=1 \
           async=false fallback=false model={} age-gender-model={} ! appsink name=out sync=false",
        photograph.display(),
        detector.display(),
        age_gender.display(),
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("faces").unwrap().static_pad("sink").unwrap();
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
            facialads_meta::consent::attach(&stamp, buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut seen = Vec::new();
    while let Some(sample) = out.try_pull_sample(gst::ClockTime::from_seconds(120)) {
        seen.push(Seen::of(sample.buffer().unwrap()));
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{error:?}");
    seen
}

fn everybody() -> Stamp {
    Stamp { max_faces: 10, purposes: Purposes::all().without(Purpose::Emotion), ..stamp() }
}

fn ids(faces: &[Face]) -> Vec<i32> {
    let mut ids: Vec<i32> = faces.iter().map(|face| face.id).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn every_woman_is_found_once_and_described_the_same_from_frame_to_frame() {
    init();
    let (Some(ages), true) = (facialads_testkit::model("age-gender"), onnx_runtime()) else { return };
    for detector in ["yunet", "ssd-mobilenet-v1"] {
        let Some(model) = facialads_testkit::model(detector) else { continue };
        let (mut women, mut described) = (0, 0);
        for (number, count) in FACES.into_iter().enumerate() {
            let name = format!("sample{}.jpg", number + 1);
            let Some(photograph) = facialads_testkit::media(&name) else { continue };
            let seen = show(&photograph, &model, &ages, "I420", everybody());
            assert_eq!(seen.len(), FRAMES);
            // A face that the detector is not sure of is told of when it was seen twice.
            for frame in &seen[1..] {
                assert_eq!(frame.faces.len(), count, "{detector} on {name}");
                assert_eq!(ids(&frame.faces), ids(&seen[1].faces), "{detector} on {name}: tracks are stable");
            }
            let last = &seen[FRAMES - 1].faces;
            // The rule about possible minors may hide an age; who is described is a woman, or not known well enough.
            women += last.len();
            for face in last.iter().filter(|face| face.age.is_some()) {
                described += 1;
                let age = face.age.as_ref().unwrap();
                assert!((21.0..50.0).contains(&age.years), "{name}: {}", age.years);
                assert_ne!(face.gender.as_ref().unwrap().value, Gender::Male, "{detector} on {name}");
            }
            // Fused over the track: once settled an estimate no longer moves on a picture that stands still.
            let before = &seen[FRAMES - 2].faces;
            for (now, then) in last.iter().zip(before) {
                let years = |face: &Face| face.age.as_ref().map_or(0.0, |age| age.years);
                assert!((years(now) - years(then)).abs() < 0.5, "{detector} on {name}");
            }
        }
        assert!(3 * described > women, "{detector}: {described} of {women} were described");
    }
}

#[test]
fn the_same_faces_are_found_in_other_formats() {
    init();
    let (Some(ages), true) = (facialads_testkit::model("age-gender"), onnx_runtime()) else { return };
    let Some(model) =
        facialads_testkit::model("yunet").or_else(|| facialads_testkit::model("ssd-mobilenet-v1"))
    else {
        return;
    };
    let Some(photograph) = facialads_testkit::media("sample5.jpg") else { return };
    let reference = show(&photograph, &model, &ages, "RGB", everybody()).remove(FRAMES - 1).faces;
    for format in ["NV12", "YUY2", "BGRx", "I420_10LE", "v210", "GRAY8"] {
        let faces = show(&photograph, &model, &ages, format, everybody()).remove(FRAMES - 1).faces;
        assert_eq!(faces.len(), reference.len(), "{format}");
        for face in &faces {
            let near = |other: &&Face| face.x.abs_diff(other.x).max(face.y.abs_diff(other.y)) <= 8;
            assert!(reference.iter().any(|other| near(&other)), "{format}: a face where there was none");
        }
    }
}

#[test]
fn one_grant_and_several_women_and_nobody_is_described() {
    init();
    let (Some(ages), true) = (facialads_testkit::model("age-gender"), onnx_runtime()) else { return };
    let Some(model) = facialads_testkit::model("ssd-mobilenet-v1") else { return };
    let Some(photograph) = facialads_testkit::media("sample1.jpg") else { return };
    let seen = show(&photograph, &model, &ages, "I420", Stamp { max_faces: 1, ..everybody() });
    for frame in seen {
        assert_eq!(frame.faces.len(), 3);
        assert!(frame.faces.iter().all(|face| face.age.is_none() && face.gender.is_none()));
    }
}

/// A network of one's own as docs/models.md has it, by its path, without landmarks: everything after detection copes.
#[test]
fn a_detector_of_ones_own_is_used_by_its_path() {
    init();
    let page = include_str!("../../../docs/models.md");
    let description = page.split("```toml\n").find(|part| part.starts_with("name = \"rfb-320\"")).unwrap();
    let onnx = facialads_testkit::shared("data/models/ultralight/version-RFB-320_simplified.onnx");
    let (Some(onnx), Some(ages), true) = (onnx, facialads_testkit::model("age-gender"), onnx_runtime())
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("rfb-320.onnx");
    std::fs::copy(onnx, &mine).unwrap();
    std::fs::write(mine.with_extension("toml"), description.split("```").next().unwrap()).unwrap();
    let mut described = 0;
    for (number, count) in FACES.into_iter().enumerate() {
        let name = format!("sample{}.jpg", number + 1);
        let Some(photograph) = facialads_testkit::media(&name) else { return };
        let seen = show(&photograph, &mine, &ages, "NV12", everybody());
        assert_eq!(seen.len(), FRAMES);
        // A face that the detector is not sure of is told of when it was seen twice.
        for frame in &seen[1..] {
            assert_eq!(frame.faces.len(), count, "{name}");
            assert_eq!(ids(&frame.faces), ids(&seen[1].faces), "{name}: tracks are stable");
        }
        described += seen[FRAMES - 1].faces.iter().filter(|face| face.gender.is_some()).count();
    }
    // The rule about possible minors hides several.
    assert!(described > 22 / 3, "described all the same: {described} of 22");
}
