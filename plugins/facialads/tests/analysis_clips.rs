//! The real networks on films of people who turn their heads and walk: what is told of a person stays the same.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_consent::{Purpose, Purposes, Stamp};
use facialads_meta::Gender;
use gst::prelude::*;
use looking::{Seen, init, onnx_runtime, stamp};
use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// Whether somebody in it is large enough to be described: 24 pixels and more.
const CLIPS: [(&str, bool); 3] = [
    ("head-pose-face-detection-female-and-male.gif", true),
    ("head-pose-face-detection-male.gif", true),
    ("face-demographics-walking.gif", false),
];
const FRAME_TIME: gst::ClockTime = gst::ClockTime::from_mseconds(80);

fn show(clip: &Path) -> Vec<Seen> {
    let line = format!(
        "filesrc location={} ! avdemux_gif ! avdec_gif ! videoconvert ! video/x-raw,format=I420 ! faceanalyze name=faces \
           inference-interval=1 reclassify-interval=1 seed=1 async=false fallback=false ! appsink name=out sync=false",
        clip.display(),
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("faces").unwrap().static_pad("sink").unwrap();
    let consent = Stamp { max_faces: 10, purposes: Purposes::all().without(Purpose::Emotion), ..stamp() };
    let frame = AtomicU64::new(0);
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
            let buffer = buffer.make_mut();
            // GStreamer 1.22's reader of GIF files gives every frame the time 0.
            buffer.set_pts(FRAME_TIME * frame.fetch_add(1, Ordering::Relaxed));
            facialads_meta::consent::attach(&consent, buffer);
        }
        gst::PadProbeReturn::Ok
    });
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut seen = Vec::new();
    while let Some(sample) = out.try_pull_sample(gst::ClockTime::from_seconds(60)) {
        seen.push(Seen::of(sample.buffer().unwrap()));
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{error:?}");
    seen
}

#[test]
fn no_gender_turns_and_no_age_wanders_more_than_five_years_within_a_track() {
    init();
    if gst::ElementFactory::find("avdec_gif").is_none() {
        facialads_testkit::skip("no avdec_gif (package gstreamer1.0-libav)");
        return;
    }
    let models = ["age-gender", "yunet"].map(facialads_testkit::model);
    if models.iter().any(Option::is_none) || !onnx_runtime() {
        return;
    }
    for (name, large) in CLIPS {
        let Some(clip) = facialads_testkit::shared(&format!("data/video/{name}")) else { continue };
        // Of each track: least and greatest age, and the genders that were told other than "unknown".
        let mut tracks: HashMap<_, (f64, f64, Vec<Gender>)> = HashMap::new();
        let mut described = 0;
        let shown = show(&clip);
        for face in shown.iter().flat_map(|frame| &frame.faces) {
            let (Some(age), Some(gender)) = (&face.age, &face.gender) else { continue };
            described += 1;
            let track = tracks.entry(face.id).or_insert((f64::INFINITY, f64::NEG_INFINITY, Vec::new()));
            let years = age.years;
            (track.0, track.1) = (track.0.min(years), track.1.max(years));
            if gender.value != Gender::Unknown && !track.2.contains(&gender.value) {
                track.2.push(gender.value);
            }
        }
        assert_eq!(described > 0, large, "{name}: {described} times somebody was described");
        for (least, greatest, genders) in tracks.values() {
            assert!(greatest - least <= 5.0 + 1e-3, "{name}: an age went from {least} to {greatest}");
            assert!(genders.len() <= 1, "{name}: a gender turned");
        }
    }
}
