//! What is written on a buffer is read back as it was, and nothing that is malformed allows anything.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_consent::{Basis, Policy, Purpose, Purposes, Site, Stamp, Zone};
use facialads_meta::{
    Age, Attention, Audience, Emotion, Face, Gender, Label, Subject, SubjectClass, Targeting, audience,
    consent,
    event::{Gate, Running},
    json, strip, subject,
};
use gst_video::{VideoCaptionMeta, VideoRegionOfInterestMeta};

fn init() {
    gst::init().unwrap();
    facialads_meta::init();
}

fn buffer() -> gst::Buffer {
    gst::Buffer::with_size(64).unwrap()
}

fn face() -> Face {
    Face {
        id: 7,
        x: 32,
        y: 24,
        width: 64,
        height: 48,
        confidence: 0.75,
        model: "yunet".into(),
        age: Some(Age { years: 33.6, low: 28.0, high: 39.0, confidence: 0.5, model: "age-gender".into() }),
        gender: Some(Label { value: Gender::Female, confidence: 0.9, model: "age-gender".into() }),
        emotion: Some(Label { value: Emotion::Surprised, confidence: 0.6, model: "expression".into() }),
        attention: Some(Attention {
            facing: Some(0.5),
            dwell: gst::ClockTime::from_mseconds(1500),
            attention: Some(gst::ClockTime::from_mseconds(700)),
            yaw: Some(-3.0),
            pitch: None,
        }),
    }
}

fn bare(id: i32) -> Face {
    Face { id, age: None, gender: None, emotion: None, attention: None, ..face() }
}

fn stamp() -> Stamp {
    Stamp {
        purposes: [Purpose::Measurement, Purpose::Personalisation].into_iter().collect(),
        epoch: 42,
        max_faces: 2,
        adult: true,
        zone: Zone { x: 0.25, y: 0.0, width: 0.5, height: 1.0 },
        basis: Basis::ViewerConsent,
        site: Site::Public,
        policy: Policy::Nearest,
        screen: "lobby".into(),
        expires: 1_900_000_000_000_000_000,
        receipts: vec!["aa".into(), "bb".into()],
    }
}

fn programme() -> Subject {
    Subject {
        taxonomy: "iab-content-3.1".into(),
        classes: vec![
            SubjectClass { id: "123".into(), name: "Cycling".into(), confidence: 0.8 },
            SubjectClass { id: "v9i3On".into(), name: "Sensitive".into(), confidence: 0.1 },
        ],
        shot: 3,
        shot_start: gst::ClockTime::from_mseconds(2040),
        safety: vec!["weapons".into()],
    }
}

#[test]
fn faces_come_back_as_they_were_and_in_order() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    for face in [face(), bare(1), bare(2)] {
        face.attach(buffer, 640, 480);
    }
    assert_eq!(Face::read(buffer), [face(), bare(1), bare(2)]);
}

#[test]
fn a_face_has_the_structures_that_dl_streamer_reads() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    face().attach(buffer, 640, 480);
    let region = buffer.meta::<VideoRegionOfInterestMeta>().unwrap();
    // The number of the object detection where there is one, else the track's.
    let number = if facialads_meta::analytics::BUILT_IN { 0 } else { 7 };
    assert_eq!((region.roi_type(), region.id(), region.rect()), ("face", number, (32, 24, 64, 48)));
    let param = |name| region.param(name).unwrap();

    let detection = param("detection");
    assert_eq!(detection.get::<i32>("label_id"), Ok(0));
    assert_eq!(detection.get::<&str>("label"), Ok("face"));
    assert_eq!(detection.get::<&str>("model_name"), Ok("yunet"));
    for (field, value) in [
        ("confidence", 0.75),
        ("x_min", 0.05),
        ("x_max", 0.15),
        ("y_min", 0.05),
        ("y_max", 0.15),
        ("rotation", 0.0),
    ] {
        assert!((detection.get::<f64>(field).unwrap() - value).abs() < 1e-12, "{field}");
    }
    assert_eq!(param("object_id").get::<i32>("id"), Ok(7));
    assert_eq!(param("age").get::<&str>("label"), Ok("34"));
    assert_eq!(param("age").get::<i32>("label_id"), Ok(34));
    assert_eq!(param("age").get::<f64>("years"), Ok(33.6));
    assert_eq!(param("age").get::<&str>("model_name"), Ok("age-gender"));
    assert_eq!(param("gender").get::<&str>("label"), Ok("female"));
    assert_eq!(param("emotion").get::<&str>("label"), Ok("surprised"));
    assert_eq!(param("emotion").get::<i32>("label_id"), Ok(6));
    assert_eq!(param("attention").get::<u64>("dwell_ms"), Ok(1500));
    assert_eq!(param("attention").get::<u64>("attention_ms"), Ok(700));
    assert_eq!(param("attention").get::<f64>("yaw"), Ok(-3.0));
    assert!(!param("attention").has_field("pitch"), "what is not known is left out");
}

#[test]
fn an_attribute_that_is_not_known_has_no_structure() {
    init();
    let mut buffer = buffer();
    bare(1).attach(buffer.make_mut(), 640, 480);
    let region = buffer.meta::<VideoRegionOfInterestMeta>().unwrap();
    let names: Vec<_> = region.params().map(|p| p.name().to_string()).collect();
    assert_eq!(names, ["detection", "object_id"]);
}

#[test]
fn regions_of_others_are_neither_read_nor_removed() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    VideoRegionOfInterestMeta::add(buffer, "car", (0, 0, 9, 9));
    for id in [0, 7] {
        VideoRegionOfInterestMeta::add(buffer, "face", (100, 1, 9, 9)).set_id(id);
    }
    face().attach(buffer, 640, 480);
    assert_eq!(
        Face::read(buffer),
        [face()],
        "a face without our structures is not ours, whatever its number"
    );
    facialads_meta::face::remove_all(buffer);
    let left: Vec<_> =
        buffer.iter_meta::<VideoRegionOfInterestMeta>().map(|r| r.roi_type().to_owned()).collect();
    assert_eq!(left, ["car"]);
    assert_eq!(buffer.iter_meta::<gst::Meta>().count(), 1, "nothing is kept about faces that were removed");
}

#[test]
fn a_stamp_comes_back_and_a_second_one_replaces_it() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    assert_eq!(consent::read(buffer), None);
    consent::attach(&stamp(), buffer);
    assert_eq!(consent::read(buffer), Some(stamp()));
    let newer = Stamp { epoch: 43, receipts: Vec::new(), ..stamp() };
    consent::attach(&newer, buffer);
    assert_eq!(consent::read(buffer), Some(newer));
    consent::remove(buffer);
    assert_eq!(consent::read(buffer), None);
}

#[test]
fn a_stamp_with_any_field_missing_or_of_another_type_is_no_stamp() {
    init();
    let fields = [
        "purposes",
        "epoch",
        "max-faces",
        "adult",
        "zone-x",
        "zone-y",
        "zone-width",
        "zone-height",
        "basis",
        "site",
        "policy",
        "screen",
        "expires",
        "receipts",
    ];
    for field in fields {
        for broken in [false, true] {
            let mut buffer = buffer();
            let buffer = buffer.make_mut();
            consent::attach(&stamp(), buffer);
            let mut meta = gst::meta::CustomMeta::from_mut_buffer(buffer, consent::NAME).unwrap();
            let structure = meta.mut_structure();
            if broken {
                structure.set(field, gst::Fraction::new(1, 3));
            } else {
                structure.remove_field(field);
            }
            assert_eq!(consent::read(buffer), None, "{field}");
        }
    }
}

#[test]
fn purposes_that_nobody_knows_are_not_permissions() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    consent::attach(&stamp(), buffer);
    let mut meta = gst::meta::CustomMeta::from_mut_buffer(buffer, consent::NAME).unwrap();
    meta.mut_structure().set("purposes", 0xfff0_u32);
    assert_eq!(consent::read(buffer).unwrap().purposes, Purposes::NONE);
}

#[test]
fn a_crop_that_only_marks_the_buffer_leaves_nothing_allowed() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    gst_video::VideoCropMeta::add(buffer, (0, 0, 8, 8));
    consent::attach(&stamp(), buffer);
    let verdict = Audience { epoch: 42, faces: 1, targeting: Targeting::Allowed };
    verdict.attach(buffer);
    assert_eq!(
        consent::read(buffer),
        Some(stamp()),
        "a crop that was there before the stamp is part of the picture"
    );
    buffer.meta_mut::<gst_video::VideoCropMeta>().unwrap().set_rect((4, 0, 4, 8));
    assert_eq!(consent::read(buffer), Some(stamp().allowing_nothing()));
    assert_eq!(Audience::read(buffer).unwrap().targeting, Targeting::NotPermitted);
}

#[test]
fn every_verdict_comes_back_and_an_unknown_one_is_none() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    for targeting in Targeting::ALL {
        let verdict = Audience { epoch: 9, faces: 3, targeting };
        verdict.attach(buffer);
        assert_eq!(Audience::read(buffer), Some(verdict));
    }
    let mut meta = gst::meta::CustomMeta::from_mut_buffer(buffer, audience::NAME).unwrap();
    meta.mut_structure().set("targeting", "everybody");
    assert_eq!(Audience::read(buffer), None);
}

#[test]
fn a_subject_comes_back() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    programme().attach(buffer);
    assert_eq!(Subject::read(buffer), Some(programme()));
    let empty = Subject { classes: Vec::new(), safety: Vec::new(), ..programme() };
    empty.attach(buffer);
    assert_eq!(Subject::read(buffer), Some(empty));
    subject::remove(buffer);
    assert_eq!(Subject::read(buffer), None);
}

#[test]
fn strip_takes_everything_off_and_leaves_what_is_not_ours() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    face().attach(buffer, 640, 480);
    VideoRegionOfInterestMeta::add(buffer, "car", (0, 0, 9, 9));
    consent::attach(&stamp(), buffer);
    programme().attach(buffer);
    Audience { epoch: 1, faces: 1, targeting: Targeting::Allowed }.attach(buffer);
    VideoCaptionMeta::add(buffer, gst_video::VideoCaptionType::Cea708Raw, &[1, 2, 3]);
    strip(buffer);
    let left: Vec<_> = buffer.iter_meta::<gst::Meta>().map(|m| m.api().name().to_owned()).collect();
    assert_eq!(left, ["GstVideoRegionOfInterestMetaAPI"]);
    assert_eq!(buffer.meta::<VideoRegionOfInterestMeta>().unwrap().roi_type(), "car");
}

#[test]
fn init_may_be_called_from_many_threads() {
    gst::init().unwrap();
    let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(facialads_meta::init)).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(gst::meta::CustomMeta::is_registered(consent::NAME));
}

#[test]
fn events_come_back() {
    init();
    let gate = Gate { epoch: 5, open: true, screen: "lobby".into(), reason: "a grant".into() };
    let event = gate.to_event();
    assert_eq!(event.type_(), gst::EventType::CustomDownstreamOob);
    assert_eq!(Gate::parse(&event), Some(gate.clone()));
    let event = gate.to_serialized_event();
    assert_eq!(event.type_(), gst::EventType::CustomDownstream);
    assert_eq!(Gate::parse(&event), Some(gate));

    for running in [
        Running::default(),
        Running {
            campaign: Some("bikes".into()),
            creative: Some("b1".into()),
            basis: "by subject".into(),
            why: "cycling".into(),
            subject: vec!["Cycling".into(), "Sports".into()],
            since: Some(gst::ClockTime::from_seconds(3)),
        },
    ] {
        let event = running.to_event();
        assert_eq!(event.type_(), gst::EventType::CustomUpstream);
        assert_eq!(Running::parse(&event), Some(running));
    }
    assert_eq!(Gate::parse(&Running::default().to_event()), None);
    assert_eq!(Running::parse(&gst::event::Eos::new()), None);
}

#[test]
fn a_time_that_is_no_time_is_not_read_and_panics_nobody() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    programme().attach(buffer);
    let mut meta = gst::meta::CustomMeta::from_mut_buffer(buffer, subject::NAME).unwrap();
    meta.mut_structure().set("shot-start", u64::MAX);
    assert_eq!(Subject::read(buffer), None);
    let event = gst::event::CustomUpstream::new(
        gst::Structure::builder(Running::NAME).field("since", u64::MAX).build(),
    );
    assert_eq!(Running::parse(&event), Some(Running::default()));
}

#[test]
fn a_gate_event_that_cannot_be_read_is_a_closed_gate() {
    init();
    let event = gst::event::CustomDownstreamOob::new(
        gst::Structure::builder(Gate::NAME).field("open", true).field("epoch", "seven").build(),
    );
    let gate = Gate::parse(&event).unwrap();
    assert!(!gate.open);
    assert_eq!(gate.epoch, u64::MAX);
}

#[test]
fn json_has_the_fields_of_gvametaconvert() {
    let time = gst::ClockTime::from_mseconds(40);
    let value = facialads_meta::to_json(&[face(), bare(8)], 640, 480, Some(time));
    let expected = serde_json::json!({
        "resolution": { "width": 640, "height": 480 },
        "timestamp": 40_000_000,
        "objects": [
            {
                "x": 32, "y": 24, "w": 64, "h": 48, "id": 7, "roi_type": "face",
                "detection": {
                    "bounding_box": { "x_min": 0.05, "x_max": 0.15, "y_min": 0.05, "y_max": 0.15 },
                    "confidence": 0.75, "label_id": 0, "label": "face"
                },
                "age": {
                    "label": "34", "label_id": 34, "model": { "name": "age-gender" }, "confidence": 0.5,
                    "years": 33.6, "low": 28.0, "high": 39.0
                },
                "gender": { "label": "female", "label_id": 0, "model": { "name": "age-gender" }, "confidence": 0.9 },
                "emotion": { "label": "surprised", "label_id": 6, "model": { "name": "expression" }, "confidence": 0.6 },
                "attention": { "facing": 0.5, "dwell_ms": 1500, "attention_ms": 700, "yaw": -3.0 }
            },
            {
                "x": 32, "y": 24, "w": 64, "h": 48, "id": 8, "roi_type": "face",
                "detection": {
                    "bounding_box": { "x_min": 0.05, "x_max": 0.15, "y_min": 0.05, "y_max": 0.15 },
                    "confidence": 0.75, "label_id": 0, "label": "face"
                }
            }
        ]
    });
    assert_eq!(value, expected);
    assert!(facialads_meta::to_json(&[], 1, 1, None).get("timestamp").is_none());
}

/// The text that DL Streamer's jsonconverter.cpp makes of the regions of `a_face_has_the_structures_that_dl_streamer_reads`
/// (its JSON library sorts keys too), with `years`, `low`, `high` and `attention` added.
#[test]
fn json_of_a_buffer_is_what_gvametaconvert_writes() {
    init();
    let mut buffer = buffer();
    let buffer = buffer.make_mut();
    assert_eq!(json::of_buffer(buffer, 640, 480, None), None, "nobody there, nothing said");
    assert_eq!(
        facialads_meta::to_json(&[], 640, 480, None).to_string(),
        r#"{"resolution":{"height":480,"width":640}}"#
    );
    face().attach(buffer, 640, 480);
    let number = buffer.meta::<VideoRegionOfInterestMeta>().unwrap().id();
    let value = json::of_buffer(buffer, 640, 480, Some(gst::ClockTime::from_mseconds(40))).unwrap();
    let expected = [
        r#"{"objects":[{"age":{"confidence":0.5,"high":39.0,"label":"34","label_id":34,"low":28.0,"#,
        r#""model":{"name":"age-gender"},"years":33.6},"attention":{"attention_ms":700,"dwell_ms":1500,"facing":0.5,"yaw":-3.0},"#,
        r#""detection":{"bounding_box":{"x_max":0.15,"x_min":0.05,"y_max":0.15,"y_min":0.05},"#,
        r#""confidence":0.75,"label":"face","label_id":0},"#,
        r#""emotion":{"confidence":0.6,"label":"surprised","label_id":6,"model":{"name":"expression"}},"#,
        r#""gender":{"confidence":0.9,"label":"female","label_id":0,"model":{"name":"age-gender"}},"h":48,"id":7,"#,
        &format!(r#""region_id":{number},"roi_type":"face","w":64,"x":32,"y":24}}],"#),
        r#""resolution":{"height":480,"width":640},"timestamp":40000000}"#,
    ];
    assert_eq!(value.to_string(), expected.concat());
}
