//! Hours of looking in little: people come and go, scenes and caps change, and memory does not grow.
//!
//! 10,000 frames here; `make soak` runs it on 200,000 (`FACIALADS_SOAK_FRAMES`) in a release build and keeps the figures that it
//! writes (`FACIALADS_SOAK_JSON`), the time a frame takes among them.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_consent::Stamp;
use gst::prelude::*;
use looking::{Seen, init, onnx_runtime, stamp};
use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Instant,
};

const WIDTH: u32 = 480;
const HEIGHT: u32 = 270;
/// Frames of one scene; every fourth scene is an empty room.
const SCENE: usize = 50;
/// Frames between two changes of caps.
const CAPS_EVERY: usize = 700;
const CAPS: [&str; 5] = [
    "format=I420,width=480,height=270",
    "format=NV12,width=640,height=360",
    "format=RGB,width=320,height=240",
    "format=YUY2,width=482,height=272",
    "format=BGRx,width=400,height=300",
];
/// As much as the resident memory may grow after the first fifth: every kind of scene and caps has come by then, but the
/// allocators of the libraries below still settle.
const GROWTH: u64 = 24 << 20;

/// Frames of all scenes, as packed RGB: parts of photographs that move, and an empty room in between.
fn scenes() -> Option<Vec<Vec<u8>>> {
    let mut frames = Vec::new();
    for number in [1, 4, 6] {
        let photograph = facialads_testkit::media(&format!("sample{number}.jpg"))?;
        let picture =
            image::open(photograph).unwrap().resize(640, 640, image::imageops::Triangle).into_rgb8();
        for frame in 0..SCENE {
            // Faces come in from below and leave to the left.
            let shift = |most: u32| u32::try_from(frame).unwrap() * most / u32::try_from(SCENE).unwrap();
            let (x, y) = (
                shift(picture.width() - WIDTH),
                picture.height() - HEIGHT - shift(picture.height() - HEIGHT),
            );
            let view = image::imageops::crop_imm(&picture, x, y, WIDTH, HEIGHT);
            frames.push(view.to_image().into_raw());
        }
    }
    frames.extend(std::iter::repeat_n(vec![90; (WIDTH * HEIGHT * 3) as usize], SCENE));
    Some(frames)
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[derive(Default)]
struct Figures {
    frames: usize,
    faces: usize,
    ids: HashSet<i32>,
    /// Frames of the empty room with a face on them.
    ghosts: usize,
    /// Bytes, and seconds since the beginning, after each twentieth of the frames.
    marks: Vec<(u64, f64)>,
}

#[test]
fn people_come_and_go_caps_change_and_memory_does_not_grow() {
    init();
    if !onnx_runtime() || facialads_testkit::model("age-gender").is_none() {
        return;
    }
    let Some(scenes) = scenes() else { return };
    let wanted: usize =
        std::env::var("FACIALADS_SOAK_FRAMES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let line = "appsrc name=in format=time block=true max-buffers=4 max-bytes=0 ! videoconvert ! videoscale ! capsfilter name=caps caps-change-mode=delayed \
                ! faceanalyze name=faces async=false emotion=true fallback=false ! fakesink name=out sync=false signal-handoffs=true";
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let by_name = |name: &str| pipeline.by_name(name).unwrap();
    let everybody = Stamp { max_faces: 10, expires: u64::MAX, ..stamp() };
    by_name("faces").static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            facialads_meta::consent::attach(&everybody, buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    let figures = Arc::new(Mutex::new(Figures::default()));
    let (kept, length, begun) = (figures.clone(), scenes.len(), Instant::now());
    by_name("out").connect("handoff", false, move |values| {
        let buffer = values[1].get::<gst::Buffer>().unwrap();
        let mut figures = kept.lock().unwrap();
        let faces = Seen::of(&buffer).faces;
        let in_room = figures.frames % length;
        // The tracker may tell of a face for a third of a second after it was seen last.
        let empty = in_room >= length - SCENE + 12;
        figures.ghosts += usize::from(empty && !faces.is_empty());
        figures.faces += faces.len();
        figures.ids.extend(faces.iter().map(|face| face.id));
        figures.frames += 1;
        if figures.frames.is_multiple_of((wanted / 20).max(1)) {
            let mark = (resident(), begun.elapsed().as_secs_f64());
            figures.marks.push(mark);
        }
        None
    });
    let source = by_name("in").downcast::<gst_app::AppSrc>().unwrap();
    let caps = format!("video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},framerate=25/1");
    source.set_caps(Some(&caps.parse::<gst::Caps>().unwrap()));
    pipeline.set_state(gst::State::Playing).unwrap();
    let pictures: Vec<gst::Buffer> = scenes.into_iter().map(gst::Buffer::from_slice).collect();
    for frame in 0..wanted {
        if frame.is_multiple_of(CAPS_EVERY) {
            let caps = format!("video/x-raw,{}", CAPS[frame / CAPS_EVERY % CAPS.len()]);
            by_name("caps").set_property("caps", caps.parse::<gst::Caps>().unwrap());
        }
        let mut buffer = pictures[frame % pictures.len()].copy();
        let fields = buffer.make_mut();
        fields.set_pts(gst::ClockTime::from_mseconds(40 * u64::try_from(frame).unwrap()));
        fields.set_duration(gst::ClockTime::from_mseconds(40));
        if source.push_buffer(buffer).is_err() {
            break;
        }
    }
    let _ = source.end_of_stream();
    let wanted_messages = [gst::MessageType::Eos, gst::MessageType::Error];
    let message =
        pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(7200), &wanted_messages);
    let stats: gst::Structure = by_name("faces").property("stats");
    pipeline.set_state(gst::State::Null).unwrap();
    let message = message.unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");

    let figures = figures.lock().unwrap();
    assert_eq!(figures.frames, wanted);
    assert_eq!(stats.get::<u64>("errors"), Ok(0));
    let loops = wanted / length;
    assert!(figures.faces > wanted, "two faces and more on most frames, found {}", figures.faces);
    // Each scene brings new people: far fewer ids would mean that they are mistaken for those before, far more that tracks break.
    let people = figures.ids.len();
    assert!((loops * 3..=loops * 30).contains(&people), "{people} ids in {loops} loops of three scenes");
    assert!(figures.ghosts <= loops, "{} frames of an empty room with a face", figures.ghosts);
    let (early, late) = (figures.marks[3].0, figures.marks.last().unwrap().0);
    println!("{wanted} frames, memory {} MB after a fifth, {} MB at the end", early >> 20, late >> 20);
    write(&figures, wanted);
    assert!(late < early + GROWTH, "memory grew from {early} to {late} bytes");
}

/// Milliseconds a frame in each twentieth, and the memory after it.
fn write(figures: &Figures, wanted: usize) {
    let Some(file) = std::env::var_os("FACIALADS_SOAK_JSON").map(PathBuf::from) else { return };
    let ends = figures.marks.iter().map(|mark| mark.1);
    let begins = std::iter::once(0.0).chain(ends.clone());
    let part = (wanted / 20).max(1) as f64;
    let milliseconds: Vec<f64> = ends.zip(begins).map(|(end, begin)| (end - begin) * 1e3 / part).collect();
    let megabytes: Vec<f64> = figures.marks.iter().map(|mark| mark.0 as f64 / f64::from(1 << 20)).collect();
    let json = serde_json::json!({
        "frames": wanted, "ids": figures.ids.len(), "milliseconds_a_frame": milliseconds, "resident_megabytes": megabytes,
    });
    std::fs::write(file, format!("{json:#}\n")).unwrap();
}
