//! What `subjectclassify` says about bright and dark programmes, with a small network whose answers are known.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_meta::Subject;
use gst::prelude::*;
use looking::{Bench, FRAME, init, nets::Nets, onnx_runtime, until};

/// An element that looks at every frame and waits for the result.
fn element(nets: &Nets) -> gst::Element {
    gst::ElementFactory::make("subjectclassify")
        .property("model", nets.subject(0).to_str().unwrap())
        .property("map", nets.subject_map().to_str().unwrap())
        .property("interval", 0.0)
        .property("window", 0.4)
        .property("fallback", false)
        .property_from_str("async", "false")
        .build()
        .unwrap()
}

fn show(bench: &mut Bench, grey: u8) -> Option<Subject> {
    let picture = bench.picture(grey);
    assert_eq!(bench.harness.push(picture), Ok(gst::FlowSuccess::Ok));
    Subject::read(&bench.harness.pull().unwrap())
}

fn top(subject: &Option<Subject>) -> Option<String> {
    subject.as_ref()?.classes.first().map(|class| class.name.clone())
}

macro_rules! need_runtime {
    () => {
        init();
        if !onnx_runtime() {
            return;
        }
    };
}

#[test]
fn every_buffer_carries_the_subject_and_nobody_is_looked_at() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets));
    for _ in 0..5 {
        let subject = show(&mut bench, 255).unwrap();
        assert_eq!(subject.taxonomy, "iab-content-3.1");
        assert_eq!(subject.classes.len(), 1);
        assert_eq!((subject.classes[0].id.as_str(), subject.classes[0].name.as_str()), ("1", "Automotive"));
        assert!(subject.classes[0].confidence > 0.99);
        assert!(subject.safety.is_empty());
        assert_eq!((subject.shot, subject.shot_start), (0, gst::ClockTime::ZERO));
    }
    assert_eq!(show(&mut bench, 0).map(|s| s.classes.len()), Some(1), "one dark frame is not a subject");
    assert_eq!(facialads_vision::inference_calls(), 0, "no network was run on people");
}

#[test]
fn a_change_of_subject_is_told_once_and_brings_its_flags() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets));
    let mut tops: Vec<Option<String>> = (0..20).map(|_| top(&show(&mut bench, 255))).collect();
    let mut last = None;
    for _ in 0..20 {
        last = show(&mut bench, 0);
        tops.push(top(&last));
    }
    tops.dedup();
    let name = |text: &str| Some(text.to_owned());
    assert_eq!(tops, [name("Automotive"), None, name("Food & Drink")]);
    assert_eq!(last.unwrap().safety, ["tobacco"]);
    let told: Vec<Option<String>> =
        bench.messages("facialads-subject").iter().map(|m| m.get::<String>("name").ok()).collect();
    assert_eq!(told, [name("Automotive"), None, name("Food & Drink")]);
    assert_eq!(bench.count("changes"), 3);
}

#[test]
fn a_picture_that_flickers_does_not_make_the_message_flicker() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets));
    for i in 0..60 {
        show(&mut bench, if i % 4 == 3 { 0 } else { 255 });
    }
    let told = bench.messages("facialads-subject");
    assert_eq!(told.len(), 1, "{told:?}");
    let message = &told[0];
    assert_eq!(message.get::<String>("id").unwrap(), "1");
    assert_eq!(message.get::<String>("taxonomy").unwrap(), "iab-content-3.1");
    assert!(message.get::<f64>("confidence").unwrap() > 0.6);
}

#[test]
fn frames_are_classified_at_the_interval_and_the_rest_carry_the_last_reading() {
    need_runtime!();
    let nets = Nets::new();
    let element = element(&nets);
    element.set_property("interval", 0.2);
    let mut bench = Bench::start(element);
    for _ in 0..11 {
        assert_eq!(top(&show(&mut bench, 255)).as_deref(), Some("Automotive"));
    }
    assert_eq!(bench.count("frames"), 11);
    assert_eq!(bench.count("classified"), 3, "at 0, 200 and 400 ms");
}

#[test]
fn a_flush_forgets_what_was_before() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets));
    for _ in 0..10 {
        show(&mut bench, 255);
    }
    bench.harness.push_event(gst::event::FlushStart::new());
    bench.harness.push_event(gst::event::FlushStop::new(true));
    bench.harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    let subject = show(&mut bench, 0).unwrap();
    assert_eq!(top(&Some(subject.clone())).as_deref(), Some("Food & Drink"), "not an average with before");
    assert_eq!(subject.shot_start, FRAME * 10);
}

#[test]
fn pictures_pass_untouched_and_uncopied_also_when_others_hold_the_buffer() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets));
    let buffer = bench.picture(200);
    let held = buffer.clone();
    let memory = buffer.peek_memory(0).as_ptr();
    bench.harness.push(buffer).unwrap();
    let out = bench.harness.pull().unwrap();
    assert_eq!(out.peek_memory(0).as_ptr(), memory);
    assert!(out.map_readable().unwrap().iter().all(|byte| *byte == 200));
    assert!(Subject::read(&out).is_some());
    assert!(Subject::read(&held).is_none());
}

#[test]
fn a_live_stream_never_waits_for_a_slow_network() {
    need_runtime!();
    let nets = Nets::new();
    let slow = element(&nets);
    slow.set_property("model", nets.subject(30).to_str().unwrap());
    slow.set_property_from_str("async", "true");
    let mut bench = Bench::start(slow);
    assert!(show(&mut bench, 255).is_none(), "the first frame did not wait");
    while bench.count("skipped") < 20 {
        show(&mut bench, 255);
        assert!(bench.count("frames") < 10_000, "each frame waited for its result");
    }
    let frames = bench.count("frames");
    assert_eq!(bench.count("classified") + bench.count("skipped"), frames);
    let name = until("the first result", || top(&show(&mut bench, 255)));
    assert_eq!(name, "Automotive");
    bench.element.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_map_that_does_not_fit_is_said_with_its_line() {
    init();
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let map = nets.path().join("broken.toml");
    for (text, word) in [
        ("taxonomy = \"iab-content-3.1\"\nthreshold = maybe\n", "line 2"),
        ("taxonomy = \"iab-content-2.2\"\nthreshold = 0.5\ngroup = []\n", "iab-content-2.2"),
        (
            "taxonomy = \"iab-content-3.1\"\nthreshold = 0.5\n[[group]]\nid = \"1\"\nname = \"Cars\"\nclasses = [\"sedan\"]\n",
            "sedan",
        ),
    ] {
        std::fs::write(&map, text).unwrap();
        let element = element(&nets);
        element.set_property("map", map.to_str().unwrap());
        element.set_property("fallback", true);
        let mut bench = Bench::start(element);
        let warnings = bench.warnings();
        assert!(warnings.len() == 1 && warnings[0].1.contains(word), "{word}: {warnings:?}");
        assert!(show(&mut bench, 255).is_none());
    }
}

#[test]
fn the_real_network_sees_what_the_clips_show() {
    init();
    let (Some(_), true) = (facialads_testkit::model("efficientnet-lite0"), onnx_runtime()) else { return };
    let Some(clip) = facialads_testkit::media("bikes.mp4") else { return };
    let line = format!(
        "filesrc location={} ! decodebin ! subjectclassify name=subject async=false fallback=false model={} \
         ! fakesink sync=false",
        clip.display(),
        facialads_testkit::models_dir().join("efficientnet-lite0.onnx").display(),
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error, gst::MessageType::Element];
    let mut subjects = Vec::new();
    loop {
        let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(120), &wanted).unwrap();
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => panic!("{error:?}"),
            _ => {
                let structure = message.structure().filter(|s| s.name() == "facialads-subject");
                subjects.extend(structure.map(|s| s.get::<String>("name").unwrap_or_default()));
            }
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(!subjects.is_empty(), "streets, a taxi and bicycles are something");
    println!("bikes.mp4 is about {subjects:?}");
}
