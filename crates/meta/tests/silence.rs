//! Nothing that a buffer says about a person gets into GStreamer's log, at any level. In a process of its own, because
//! the log belongs to the process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_consent::{Basis, Policy, Purposes, Site, Stamp, Zone};
use facialads_meta::{Age, Attention, Audience, Emotion, Face, Gender, Label, Targeting, consent};
use gst::prelude::*;
use std::sync::{Arc, Mutex};

const MODEL: &str = "zebra-model";
const RECEIPT: &str = "feedfacecafe0123";
const YEARS: f64 = 47.325;

#[test]
fn attributes_and_receipts_are_in_no_log_line() {
    gst::init().unwrap();
    facialads_meta::init();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&lines);
    gst::log::remove_default_log_function();
    gst::log::add_log_function(move |_, _, _, _, _, object, message| {
        let line = format!("{} {}", message.get().unwrap_or_default(), object.is_some());
        theirs.lock().unwrap().push(line);
    });
    gst::log::set_default_threshold(gst::DebugLevel::Memdump);
    gst::log::set_threshold_from_string("*:9", true);

    let line = "videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48 ! identity name=in ! tee ! queue \
                ! videoconvert ! video/x-raw,format=RGB ! videoscale ! video/x-raw,width=32,height=24 \
                ! videorate ! videocrop left=2 ! fakesink name=sink sync=false silent=false";
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let pad = pipeline.by_name("in").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        let buffer = info.buffer_mut().unwrap().make_mut();
        describe(buffer);
        assert_eq!(Face::read(buffer).len(), 1);
        gst::PadProbeReturn::Ok
    })
    .unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let end = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &end).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).unwrap();
    gst::log::set_default_threshold(gst::DebugLevel::None);

    let lines = lines.lock().unwrap();
    assert!(lines.len() > 500, "the log was listened to: {} lines", lines.len());
    assert!(lines.iter().any(|line| line.contains("GstVideoRegionOfInterestMeta")));
    for secret in [MODEL, RECEIPT, "47.325", "female", "disgusted", "dwell_ms"] {
        let told = lines.iter().find(|line| line.contains(secret));
        assert_eq!(told, None, "{secret} is in the log");
    }
}

fn describe(buffer: &mut gst::BufferRef) {
    Face {
        id: 1,
        x: 1,
        y: 2,
        width: 30,
        height: 40,
        confidence: 0.5,
        model: MODEL.into(),
        age: Some(Age { years: YEARS, low: 40.0, high: 50.0, confidence: 0.5, model: MODEL.into() }),
        gender: Some(Label { value: Gender::Female, confidence: 0.5, model: MODEL.into() }),
        emotion: Some(Label { value: Emotion::Disgusted, confidence: 0.5, model: MODEL.into() }),
        attention: Some(Attention {
            facing: None,
            dwell: gst::ClockTime::SECOND,
            attention: None,
            yaw: None,
            pitch: None,
        }),
    }
    .attach(buffer, 64, 48);
    Audience { epoch: 1, faces: 1, targeting: Targeting::PossibleMinor }.attach(buffer);
    let stamp = Stamp {
        purposes: Purposes::all(),
        epoch: 1,
        max_faces: 1,
        adult: true,
        zone: Zone::FULL,
        basis: Basis::ViewerConsent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "lobby".into(),
        expires: u64::MAX,
        receipts: vec![RECEIPT.into()],
    };
    consent::attach(&stamp, buffer);
}
