//! The same file and the same seed give the same metadata, however often and however busy the machine.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_consent::Stamp;
use gst::prelude::*;
use looking::{init, onnx_runtime, stamp};
use std::path::Path;

const RUNS: usize = 20;
const FRAMES: usize = 40;

/// Everything that `faceanalyze` writes on the frames of a coded clip, as text: the faces as JSON, and the verdict.
fn analyse(clip: &Path) -> Vec<String> {
    let line = format!(
        "filesrc location={} ! decodebin ! queue ! faceanalyze name=faces seed=7 emotion=true fallback=false \
         ! queue ! appsink name=out sync=false",
        clip.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("faces").unwrap().static_pad("sink").unwrap();
    let everybody = Stamp { max_faces: 10, ..stamp() };
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            facialads_meta::consent::attach(&everybody, buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut frames = Vec::new();
    while let Some(sample) = out.try_pull_sample(gst::ClockTime::from_seconds(120)) {
        let buffer = sample.buffer().unwrap();
        let seen = looking::Seen::of(buffer);
        let json = facialads_meta::json::to_json(&seen.faces, 640, 480, seen.pts);
        frames
            .push(format!("{json} {:?}", seen.audience.map(|audience| (audience.faces, audience.targeting))));
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{error:?}");
    frames
}

/// A clip of a photograph with several faces under a moving camera.
fn clip(photograph: &Path, file: &Path) {
    let status = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-loop", "1", "-framerate", "25", "-i"])
        .arg(photograph)
        .args(["-vf", "scale=800:-2,crop=640:480:x='60+50*sin(t*2)':y='40+30*cos(t*3)',format=yuv420p"])
        .args(["-frames:v", &FRAMES.to_string(), "-c:v", "libx264", "-preset", "veryfast"])
        .arg(file)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn twenty_runs_over_a_file_with_one_seed_give_identical_metadata() {
    init();
    if !onnx_runtime() || facialads_testkit::model("age-gender").is_none() {
        return;
    }
    let Some(photograph) = facialads_testkit::media("sample5.jpg") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clip.mp4");
    clip(&photograph, &file);
    let first = analyse(&file);
    assert_eq!(first.len(), FRAMES);
    let last = first.last().unwrap();
    for part in ["\"age\"", "\"gender\"", "\"emotion\"", "\"attention\""] {
        assert!(last.contains(part), "nothing to compare: {part} is missing in {last}");
    }
    for run in 1..RUNS {
        for (frame, (now, then)) in analyse(&file).iter().zip(&first).enumerate() {
            assert_eq!(now, then, "run {run}, frame {frame}");
        }
    }
}
