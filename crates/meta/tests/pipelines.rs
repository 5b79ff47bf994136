//! What real elements leave of our metas: they stay where fractions of the picture still mean the same, and nothing
//! is allowed where they do not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_consent::{Basis, Policy, Purposes, Site, Stamp, Zone};
use facialads_meta::{Age, Audience, Face, Gender, Label, Subject, SubjectClass, Targeting, consent};
use gst::prelude::*;

const SIZE: (u32, u32) = (320, 240);
const FRAMES: u64 = 4;

fn stamp(number: u64) -> Stamp {
    Stamp {
        purposes: Purposes::all(),
        epoch: number,
        max_faces: 1,
        adult: true,
        zone: Zone { x: 0.5, y: 0.0, width: 0.5, height: 1.0 },
        basis: Basis::ViewerConsent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "lobby".into(),
        expires: u64::MAX,
        receipts: vec!["d1".into()],
    }
}

fn subject() -> Subject {
    Subject {
        taxonomy: "iab-content-3.1".into(),
        classes: vec![SubjectClass { id: "9".into(), name: "Cycling".into(), confidence: 1.0 }],
        shot: 0,
        shot_start: gst::ClockTime::ZERO,
        safety: Vec::new(),
    }
}

fn face() -> Face {
    Face {
        id: 1,
        x: 160,
        y: 60,
        width: 80,
        height: 120,
        confidence: 1.0,
        model: "m".into(),
        age: Some(Age { years: 33.0, low: 30.0, high: 36.0, confidence: 0.5, model: "a".into() }),
        gender: Some(Label { value: Gender::Male, confidence: 0.5, model: "a".into() }),
        emotion: None,
        attention: None,
    }
}

/// Runs frames, each with all our metas and an epoch of its own, through `elements`, and returns what comes out.
fn through(elements: &str) -> Vec<gst::Buffer> {
    gst::init().unwrap();
    facialads_meta::init();
    let line = format!(
        "videotestsrc num-buffers={FRAMES} ! video/x-raw,format=I420,width={},height={},framerate=30/1,\
         pixel-aspect-ratio=1/1 ! identity name=in ! {elements} ! appsink name=out sync=false",
        SIZE.0, SIZE.1
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let pad = pipeline.by_name("in").unwrap().static_pad("src").unwrap();
    let number = std::sync::atomic::AtomicU64::new(0);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let epoch = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let buffer = info.buffer_mut().unwrap().make_mut();
        consent::attach(&stamp(epoch), buffer);
        Audience { epoch, faces: 1, targeting: Targeting::Allowed }.attach(buffer);
        subject().attach(buffer);
        face().attach(buffer, SIZE.0, SIZE.1);
        gst::PadProbeReturn::Ok
    })
    .unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut out = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        out.push(sample.buffer_owned().unwrap());
    }
    if let Some(message) = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]) {
        panic!("{elements}: {message:?}");
    }
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(out.len() as u64 >= FRAMES, "{elements} gave only {} buffers", out.len());
    out
}

fn assert_kept(elements: &str) {
    for buffer in through(elements) {
        let read = consent::read(&buffer).unwrap_or_else(|| panic!("{elements}: consent is gone"));
        assert_eq!(read, stamp(read.epoch), "{elements}");
        let verdict = Audience { epoch: read.epoch, faces: 1, targeting: Targeting::Allowed };
        assert_eq!(Audience::read(&buffer), Some(verdict), "{elements}");
        assert_eq!(Subject::read(&buffer), Some(subject()), "{elements}");
        let attributes: Vec<_> = Face::read(&buffer).into_iter().map(|f| (f.id, f.age, f.gender)).collect();
        assert_eq!(attributes, [(face().id, face().age, face().gender)], "{elements}");
    }
}

/// No stamp, or one that allows nothing; no verdict, or "not permitted".
fn assert_nothing_allowed(elements: &str) -> Vec<gst::Buffer> {
    let buffers = through(elements);
    for buffer in &buffers {
        if let Some(left) = consent::read(buffer) {
            assert_eq!(left, stamp(left.epoch).allowing_nothing(), "{elements}");
        }
        if let Some(verdict) = Audience::read(buffer) {
            assert_eq!(verdict.targeting, Targeting::NotPermitted, "{elements}");
        }
    }
    buffers
}

#[test]
fn what_leaves_the_picture_alone_keeps_everything() {
    for elements in ["queue", "tee ! queue", "identity", "capssetter caps=video/x-raw", "videorate"] {
        assert_kept(elements);
    }
}

#[test]
fn a_tee_gives_every_branch_its_metas() {
    assert_kept("tee name=t ! queue ! fakesink sync=false t. ! queue");
}

#[test]
fn copies_made_by_a_rate_change_keep_everything() {
    let line = "videorate ! video/x-raw,framerate=60/1";
    assert_kept(line);
    assert!(through(line).len() as u64 > FRAMES, "frames were doubled");
}

#[test]
fn a_writable_deep_copy_keeps_everything() {
    gst::init().unwrap();
    facialads_meta::init();
    let mut buffer = gst::Buffer::with_size(100).unwrap();
    consent::attach(&stamp(3), buffer.make_mut());
    assert_eq!(consent::read(&buffer.copy_deep().unwrap()), Some(stamp(3)));
    let part = buffer.copy_region(gst::BufferCopyFlags::all(), 10..50).unwrap();
    assert_eq!(
        consent::read(&part),
        Some(stamp(3).allowing_nothing()),
        "a part of a frame is another picture"
    );
}

#[test]
fn conversion_and_scaling_keep_everything() {
    for elements in [
        "videoconvert ! video/x-raw,format=RGB",
        "videoconvert ! video/x-raw,format=NV12",
        "videoscale ! video/x-raw,width=160,height=120,pixel-aspect-ratio=1/1",
        "videoscale ! video/x-raw,width=160",
        "videoconvertscale ! video/x-raw,format=BGRx,width=640,height=480,pixel-aspect-ratio=1/1",
    ] {
        assert_kept(elements);
    }
}

#[test]
fn scaling_moves_the_faces_with_the_picture() {
    for buffer in through("videoscale ! video/x-raw,width=160,height=120") {
        let faces = Face::read(&buffer);
        assert_eq!((faces[0].x, faces[0].y, faces[0].width, faces[0].height), (80, 30, 40, 60));
    }
}

#[test]
fn scaling_into_black_borders_leaves_nothing_allowed() {
    for shape in ["width=100,height=200", "width=400,height=100", "width=240,height=240"] {
        let line = format!("videoscale add-borders=true ! video/x-raw,{shape},pixel-aspect-ratio=1/1");
        for buffer in assert_nothing_allowed(&line) {
            assert!(consent::read(&buffer).is_some(), "the stamp is there and says that nothing is allowed");
        }
    }
}

#[test]
fn a_crop_or_flip_takes_the_faces_off() {
    for elements in ["videocrop left=40", "videoflip video-direction=horiz", "videobox left=40"] {
        for buffer in through(elements) {
            assert_eq!(Face::read(&buffer), [], "{elements}");
        }
    }
}

#[test]
fn crops_flips_and_boxes_leave_nothing_allowed() {
    for elements in [
        "videocrop left=40",
        "videocrop left=40 right=40 top=30 bottom=30",
        "videocrop right=160 ! videoscale ! video/x-raw,width=320,height=240",
        "aspectratiocrop aspect-ratio=1/1",
        "videoflip video-direction=horiz",
        "videoflip video-direction=90r",
        "videoflip video-direction=180",
        "videobox left=40 right=-40",
        "videobox top=-20",
        "alpha method=green ! video/x-raw,format=AYUV",
        "compositor",
    ] {
        assert_nothing_allowed(elements);
    }
}

#[test]
fn an_encoder_and_a_decoder_leave_nothing_allowed_and_no_subject() {
    for elements in [
        "jpegenc ! jpegdec",
        "jpegenc",
        "x264enc speed-preset=ultrafast tune=zerolatency ! avdec_h264",
        "vp8enc deadline=1 ! vp8dec",
        "avenc_mpeg4 ! avdec_mpeg4",
    ] {
        for buffer in assert_nothing_allowed(elements) {
            assert_eq!(Subject::read(&buffer), None, "{elements}");
        }
    }
}

#[test]
fn elements_that_do_nothing_to_the_picture_are_believed() {
    for elements in ["videocrop", "videobox", "videoscale", "videoconvert"] {
        assert_kept(elements);
    }
}
