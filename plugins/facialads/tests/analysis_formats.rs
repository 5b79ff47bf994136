//! Every raw format, and sizes from one pixel to 8K, through real pipelines.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use gst::prelude::*;
use looking::{
    Seen, init,
    nets::{MIDDLE, Nets},
    onnx_runtime, stamp,
};
use std::sync::{Arc, Mutex};

/// What came out of a pipeline, and whether each buffer's memory is that which went in.
struct Result {
    seen: Vec<Seen>,
    same_memory: Vec<bool>,
}

/// Runs light grey pictures with these caps through `faceanalyze`.
fn run(nets: &Nets, caps: &str, frames: u32) -> Result {
    let path = |p: std::path::PathBuf| p.to_str().unwrap().to_owned();
    let line = format!(
        "videotestsrc pattern=solid-color foreground-color=0xffd0d0d0 num-buffers={frames} ! {caps} ! \
         faceanalyze name=faces inference-interval=1 reclassify-interval=1 seed=1 async=false fallback=false \
           model={} age-gender-model={} ! appsink name=out sync=false",
        path(nets.detector(&[MIDDLE])),
        path(nets.age_gender()),
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let went_in: Arc<Mutex<Vec<usize>>> = Arc::default();
    let log = went_in.clone();
    let sink = pipeline.by_name("faces").unwrap().static_pad("sink").unwrap();
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
            log.lock().unwrap().push(buffer.peek_memory(0).as_ptr() as usize);
            facialads_meta::consent::attach(&stamp(), buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut result = Result { seen: Vec::new(), same_memory: Vec::new() };
    while let Some(sample) = out.try_pull_sample(gst::ClockTime::from_seconds(120)) {
        let buffer = sample.buffer().unwrap();
        let memory = buffer.peek_memory(0).as_ptr() as usize;
        let before = went_in.lock().unwrap()[result.seen.len()];
        result.same_memory.push(memory == before);
        result.seen.push(Seen::of(buffer));
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{caps}: {error:?}");
    assert!(out.is_eos(), "{caps}: ended with the stream");
    result
}

#[test]
fn a_face_is_found_in_every_raw_format_without_copying_a_pixel() {
    init();
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    for format in gst_video::VideoFormat::iter_raw() {
        // Palettes alone cannot be drawn by videotestsrc.
        if format == gst_video::VideoFormat::Rgb8p {
            continue;
        }
        let caps = format!("video/x-raw,format={},width=160,height=160", format.to_str());
        let result = run(&nets, &caps, 4);
        assert_eq!(result.seen.len(), 4, "{format}");
        assert!(result.same_memory.iter().all(|same| *same), "{format}");
        for seen in &result.seen {
            let boxes: Vec<_> = seen.faces.iter().map(|f| (f.x, f.y, f.width, f.height)).collect();
            assert_eq!(boxes, [(40, 40, 80, 80)], "{format}");
        }
        // Grey is grey in every format, whatever its range: half a year per level. (videotestsrc's grey formats stop
        // at 235 although their range goes to 255.)
        let grey = if format.to_str().starts_with("GRAY") { 33.8 } else { 40.5 };
        let years = result.seen.last().unwrap().faces[0].age.as_ref().unwrap().years;
        // Formats of five bits round by up to six levels.
        assert!((years - grey).abs() < 3.5, "{format}: {years}");
    }
}

#[test]
fn odd_sizes_from_a_pixel_to_8k_pass() {
    init();
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    for (format, width, height) in [
        ("RGB", 1, 1),
        ("I420", 1, 1),
        ("v210", 1, 1),
        ("YUY2", 3, 1),
        ("NV12", 1, 161),
        ("I420", 163, 161),
        ("P010_10LE", 33, 17),
        ("NV12", 7680, 4320),
        ("BGRx", 4320, 7680),
    ] {
        let caps = format!("video/x-raw,format={format},width={width},height={height}");
        let result = run(&nets, &caps, 2);
        assert_eq!(result.seen.len(), 2, "{caps}");
        assert!(result.seen.iter().all(|seen| seen.audience.is_some()), "{caps}");
        for face in result.seen.iter().flat_map(|seen| &seen.faces) {
            assert!(face.width >= 1 && face.x + face.width <= width, "{caps}");
            assert!(face.height >= 1 && face.y + face.height <= height, "{caps}");
        }
    }
}
