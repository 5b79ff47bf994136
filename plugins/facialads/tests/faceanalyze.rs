//! What `faceanalyze` does to buffers under every kind of consent, with small networks whose answers are known.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_consent::{Policy, Purpose, Purposes, Site, Stamp, wall_clock};
use facialads_meta::{Audience, Emotion, Gender, Targeting, event::Gate};
use gst::prelude::*;
use looking::{
    Bench, FRAME, Seen, init,
    nets::{MIDDLE, Nets, grey},
    onnx_runtime, stamp, until,
};

/// An element that waits for each result and looks at every frame.
fn element(nets: &Nets, places: &[looking::nets::Place]) -> gst::Element {
    let path = |p: std::path::PathBuf| p.to_str().unwrap().to_owned();
    gst::ElementFactory::make("faceanalyze")
        .property("model", path(nets.detector(places)))
        .property("age-gender-model", path(nets.age_gender()))
        .property("emotion-model", path(nets.expression()))
        .property("inference-interval", 1u32)
        .property("reclassify-interval", 1u32)
        .property_from_str("async", "false")
        .property("seed", 7u64)
        .build()
        .unwrap()
}

fn only(purposes: &[Purpose]) -> Purposes {
    purposes.iter().copied().collect()
}

fn gate(epoch: u64, open: bool) -> gst::Event {
    Gate { epoch, open, screen: "test".into(), reason: "test".into() }.to_event()
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
fn a_consenting_viewer_is_found_followed_and_described() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, &[MIDDLE]));
    let stamp = stamp();
    let first = bench.see(grey(34), Some(&stamp));
    assert_eq!(first.faces.len(), 1);
    assert_eq!(first.audience, Some(Audience { epoch: 1, faces: 1, targeting: Targeting::Undecided }));
    let seen: Vec<Seen> = (0..10).map(|_| bench.see(grey(34), Some(&stamp))).collect();
    let last = seen.last().unwrap();
    let face = &last.faces[0];
    assert_eq!((face.x, face.y, face.width, face.height), (40, 40, 80, 80));
    assert_eq!(face.model, "detector-1-0");
    assert!(face.confidence > 0.5 && face.confidence <= 1.0);
    assert!(seen.iter().all(|s| s.faces.len() == 1 && s.faces[0].id == first.faces[0].id), "one track");
    let age = face.age.as_ref().unwrap();
    assert!((age.years - 34.0).abs() < 1.0, "{} years", age.years);
    assert!(age.low < age.years && age.years < age.high);
    assert_eq!(age.model, "ages");
    let gender = face.gender.as_ref().unwrap();
    assert_eq!((gender.value, gender.model.as_str()), (Gender::Female, "ages"));
    assert_eq!(face.emotion, None, "nobody asked for it");
    assert_eq!(face.attention.as_ref().map(|a| a.dwell), Some(FRAME * 10));
    assert_eq!(last.audience, Some(Audience { epoch: 1, faces: 1, targeting: Targeting::Allowed }));
}

#[test]
fn without_consent_nothing_is_run_nothing_is_written_and_one_warning_is_said() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, &[MIDDLE]));
    for _ in 0..5 {
        assert!(bench.see(255, None).nothing());
    }
    assert_eq!(bench.count("inference-calls"), 0);
    assert_eq!(bench.count("analysed"), 0);
    assert_eq!(bench.count("frames"), 5);
    assert_eq!(bench.count("frames-without-consent"), 5);
    let warnings = bench.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].0, "no-consent");
    assert!(warnings[0].1.contains("consentgate"), "says what to do: {}", warnings[0].1);
    assert!(bench.messages("facialads-audience").is_empty());
}

#[test]
fn consent_that_is_void_in_any_way_is_none() {
    need_runtime!();
    let nets = Nets::new();
    let expired = Stamp { expires: wall_clock() - 1, ..stamp() };
    let nobody = Stamp { max_faces: 0, ..stamp() };
    let not_to_measuring = Stamp { purposes: only(&[Purpose::Demographics]), ..stamp() };
    for void in [expired, nobody, not_to_measuring, stamp().allowing_nothing()] {
        let mut bench = Bench::start(element(&nets, &[MIDDLE]));
        for _ in 0..3 {
            assert!(bench.see(255, Some(&void)).nothing());
        }
        assert_eq!(bench.count("inference-calls"), 0, "{void:?}");
    }
}

#[test]
fn consent_to_measurement_alone_gives_counts_and_no_attributes() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, &[MIDDLE]));
    let stamp = Stamp { purposes: only(&[Purpose::Measurement]), ..stamp() };
    for _ in 0..6 {
        let seen = bench.see(grey(34), Some(&stamp));
        assert_eq!(seen.faces.len(), 1);
        assert!(seen.faces[0].age.is_none() && seen.faces[0].gender.is_none());
        assert_eq!(seen.audience.unwrap().targeting, Targeting::NotPermitted);
    }
    assert_eq!(bench.count("inference-calls"), 6, "detection alone, once a frame");
}

#[test]
fn more_faces_than_grants_and_nobody_is_described() {
    need_runtime!();
    let nets = Nets::new();
    let two = [[0.1, 0.1, 0.4, 0.4], [0.4, 0.4, 0.9, 0.9]];
    let mut bench = Bench::start(element(&nets, &two));
    for _ in 0..6 {
        let seen = bench.see(grey(34), Some(&stamp()));
        assert_eq!(seen.faces.len(), 2);
        assert!(seen.faces.iter().all(|f| f.age.is_none() && f.gender.is_none() && f.emotion.is_none()));
        assert_eq!(seen.audience, Some(Audience { epoch: 1, faces: 2, targeting: Targeting::NotPermitted }));
    }
    assert_eq!(bench.count("inference-calls"), 6);
}

#[test]
fn policy_nearest_describes_only_the_largest_faces() {
    need_runtime!();
    let nets = Nets::new();
    let two = [[0.1, 0.1, 0.4, 0.4], [0.4, 0.4, 0.9, 0.9]];
    let mut bench = Bench::start(element(&nets, &two));
    let stamp = Stamp { policy: Policy::Nearest, ..stamp() };
    let last = (0..6).map(|_| bench.see(grey(34), Some(&stamp))).last().unwrap();
    let described: Vec<u32> = last.faces.iter().filter(|f| f.age.is_some()).map(|f| f.width).collect();
    assert_eq!(described, [80], "the larger one");
    assert_eq!(last.faces.len(), 2);
}

#[test]
fn a_face_outside_the_zone_is_not_there() {
    need_runtime!();
    let nets = Nets::new();
    let two = [[0.1, 0.1, 0.4, 0.4], [0.4, 0.4, 0.9, 0.9]];
    let mut bench = Bench::start(element(&nets, &two));
    let zone = facialads_consent::Zone { x: 0.5, y: 0.0, width: 0.5, height: 1.0 };
    let stamp = Stamp { zone, ..stamp() };
    let last = (0..6).map(|_| bench.see(grey(34), Some(&stamp))).last().unwrap();
    assert_eq!(last.faces.iter().map(|f| f.x).collect::<Vec<_>>(), [64]);
    assert_eq!(last.audience.unwrap().faces, 1);
}

#[test]
fn a_possible_minor_is_counted_never_described_and_ends_targeting() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, &[MIDDLE]));
    let seen: Vec<Seen> = (0..10).map(|_| bench.see(grey(15), Some(&stamp()))).collect();
    // This detector is not sure at all: the face is told of once it was seen for a moment.
    assert!(
        seen[2..]
            .iter()
            .all(|s| s.faces.len() == 1 && s.faces[0].age.is_none() && s.faces[0].gender.is_none())
    );
    assert_eq!(seen.last().unwrap().audience.as_ref().unwrap().targeting, Targeting::PossibleMinor);
    // The face leaves, an adult comes: nobody is targeted while the doubt lasts.
    let later: Vec<Seen> = (0..60).map(|_| bench.see(0, Some(&stamp()))).collect();
    assert!(later.last().unwrap().faces.is_empty());
    let adult = (0..10).map(|_| bench.see(grey(45), Some(&stamp()))).last().unwrap();
    assert_eq!(adult.audience.unwrap().targeting, Targeting::PossibleMinor);
}

#[test]
fn emotion_needs_to_be_asked_for_and_agreed_to() {
    need_runtime!();
    let nets = Nets::new();
    let asking = element(&nets, &[MIDDLE]);
    asking.set_property("emotion", true);
    let mut bench = Bench::start(asking);
    let agreed = (0..8).map(|_| bench.see(grey(34), Some(&stamp()))).last().unwrap();
    let emotion = agreed.faces[0].emotion.as_ref().unwrap();
    assert_eq!((emotion.value, emotion.model.as_str()), (Emotion::Happy, "moods"));
    let without = Stamp { purposes: Purposes::all().without(Purpose::Emotion), epoch: 2, ..stamp() };
    let refused = (0..8).map(|_| bench.see(grey(34), Some(&without))).last().unwrap();
    assert!(refused.faces[0].emotion.is_none() && refused.faces[0].age.is_some());
}

#[test]
fn emotion_at_work_or_in_a_school_is_an_error_that_names_the_rule() {
    need_runtime!();
    let nets = Nets::new();
    for site in [Site::Workplace, Site::Education] {
        let asking = element(&nets, &[MIDDLE]);
        asking.set_property("emotion", true);
        let mut bench = Bench::start(asking);
        let mut buffer = bench.picture(255);
        facialads_meta::consent::attach(&Stamp { site, ..stamp() }, buffer.make_mut());
        assert_eq!(bench.harness.push(buffer), Err(gst::FlowError::Error));
        let error = bench.bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
        let gst::MessageView::Error(error) = error.view() else { unreachable!() };
        let text = error.error().to_string();
        assert!(text.contains("Art. 5(1)(f)") && text.contains(site.name()), "{text}");
        assert_eq!(bench.count("inference-calls"), 0);
    }
}

#[test]
fn when_the_gate_closes_nothing_of_its_epoch_comes_out_any_more() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, &[MIDDLE]));
    let before = (0..5).map(|_| bench.see(grey(34), Some(&stamp()))).last().unwrap();
    assert_eq!(before.faces.len(), 1);
    let calls = bench.count("inference-calls");
    assert!(bench.harness.push_event(gate(1, false)));
    // Buffers that were stamped before the gate closed are still on their way.
    for _ in 0..3 {
        assert!(bench.see(grey(34), Some(&stamp())).nothing());
    }
    assert_eq!(bench.count("inference-calls"), calls);
    // It opens again: somebody else, as far as anybody may know.
    assert!(bench.harness.push_event(gate(2, true)));
    let again = bench.see(grey(34), Some(&Stamp { epoch: 2, ..stamp() }));
    assert_eq!(again.audience.as_ref().unwrap().epoch, 2);
    assert!(
        again.faces[0].age.is_none()
            || again.faces[0].attention.as_ref().unwrap().dwell == gst::ClockTime::ZERO
    );
    assert_ne!(again.faces[0].id, before.faces[0].id, "an id is never used again");
    assert!(bench.see(grey(34), Some(&stamp())).nothing(), "the old stamp is worth nothing");
}

#[test]
fn a_gate_event_that_cannot_be_read_is_a_closed_gate() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, &[MIDDLE]));
    assert_eq!(bench.see(grey(34), Some(&stamp())).faces.len(), 1);
    let odd = gst::event::CustomDownstreamOob::new(gst::Structure::new_empty(Gate::NAME));
    assert!(bench.harness.push_event(odd));
    assert!(bench.see(grey(34), Some(&stamp())).nothing());
}

#[test]
fn the_bus_hears_numbers_once_a_second_and_only_from_three_people_up() {
    need_runtime!();
    let nets = Nets::new();
    let three = [[0.1, 0.1, 0.4, 0.4], [0.5, 0.1, 0.8, 0.4], [0.1, 0.5, 0.4, 0.8]];
    for (places, people) in [(&three[..1], 1), (&three[..2], 2), (&three[..], 3)] {
        let mut bench = Bench::start(element(&nets, places));
        let stamp = Stamp { max_faces: 3, ..stamp() };
        for _ in 0..51 {
            bench.see(grey(34), Some(&stamp));
        }
        let messages = bench.messages("facialads-audience");
        let times: Vec<u64> =
            messages.iter().map(|m| m.get::<gst::ClockTime>("running-time").unwrap().mseconds()).collect();
        assert_eq!(times, [0, 1000, 2000]);
        let last = messages.last().unwrap();
        assert_eq!(last.get("present"), Ok(true));
        if people < 3 {
            assert_eq!(last.n_fields(), 3, "present and no more: {last}");
        } else {
            let of = |name: &str| last.get::<u32>(name).unwrap();
            assert_eq!((of("faces"), of("female"), of("age-25-34")), (3, 3, 3));
        }
    }
}

#[test]
fn pictures_pass_untouched_and_uncopied_also_when_others_hold_the_buffer() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, &[MIDDLE]));
    for shared in [false, true] {
        let mut buffer = bench.picture(grey(34));
        facialads_meta::consent::attach(&stamp(), buffer.make_mut());
        let memory = buffer.peek_memory(0).as_ptr();
        let held = shared.then(|| buffer.clone());
        bench.harness.push(buffer).unwrap();
        let out = bench.harness.pull().unwrap();
        assert_eq!(out.peek_memory(0).as_ptr(), memory, "the same memory");
        assert!(out.map_readable().unwrap().iter().all(|byte| *byte == grey(34)));
        assert_eq!(Seen::of(&out).faces.len(), 1);
        if let Some(held) = held {
            assert!(Seen::of(&held).nothing(), "nothing is written on a buffer that is somebody else's");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_metadata_and_another_other_ids() {
    need_runtime!();
    let nets = Nets::new();
    let run = |seed: u64| -> Vec<Seen> {
        let element = element(&nets, &[MIDDLE]);
        element.set_property("seed", seed);
        element.set_property("inference-interval", 3u32);
        let mut bench = Bench::start(element);
        let greys = (0..40).map(|i| if (10..20).contains(&i) { 0 } else { grey(24 + i) });
        greys.map(|grey| bench.see(grey, Some(&stamp()))).collect()
    };
    let (one, two, other) = (run(7), run(7), run(8));
    assert_eq!(one, two);
    assert_ne!(one[4].faces[0].id, other[4].faces[0].id);
}

#[test]
fn detection_happens_every_nth_frame_and_every_frame_has_its_faces() {
    need_runtime!();
    let nets = Nets::new();
    let element = element(&nets, &[MIDDLE]);
    element.set_property("inference-interval", 4u32);
    let mut bench = Bench::start(element);
    for _ in 0..13 {
        assert_eq!(bench.see(grey(34), Some(&stamp())).faces.len(), 1);
    }
    assert_eq!(bench.count("analysed"), 4);
    assert_eq!(bench.count("faces"), 13);
}

#[test]
fn a_live_stream_never_waits_for_a_slow_network() {
    need_runtime!();
    let nets = Nets::new();
    let slow = element(&nets, &[MIDDLE]);
    slow.set_property("model", nets.slow_detector(&[MIDDLE], 30).to_str().unwrap());
    slow.set_property_from_str("async", "true");
    let mut bench = Bench::start(slow);
    let mut seen = Vec::new();
    // Frames go on coming out while the first of them is being looked at.
    while bench.count("skipped") < 20 {
        seen.push(bench.see(grey(34), Some(&stamp())));
        assert!(seen.len() < 10_000, "each frame waited for its result");
    }
    assert!(seen[0].faces.is_empty(), "the first frame did not wait");
    assert_eq!(seen[0].audience.as_ref().unwrap().targeting, Targeting::Nobody);
    assert_eq!(bench.count("analysed") + bench.count("skipped"), seen.len() as u64);
    let face = until("the first result", || {
        let seen = bench.see(grey(34), Some(&stamp()));
        seen.faces.first().cloned()
    });
    assert_eq!((face.x, face.width), (40, 80));
    let (frames, stats) = (bench.count("frames"), bench.stats());
    assert_eq!(bench.count("analysed") + bench.count("skipped"), frames, "{stats}");
    assert_eq!(stats.get("async"), Ok(true));
}

#[test]
fn what_the_worker_has_in_hand_when_the_gate_closes_is_thrown_away() {
    need_runtime!();
    let nets = Nets::new();
    let slow = element(&nets, &[MIDDLE]);
    slow.set_property("model", nets.slow_detector(&[MIDDLE], 30).to_str().unwrap());
    slow.set_property_from_str("async", "true");
    let mut bench = Bench::start(slow);
    assert!(bench.see(grey(34), Some(&stamp())).faces.is_empty());
    assert!(bench.harness.push_event(gate(1, false)));
    assert!(bench.harness.push_event(gate(2, true)));
    // Dark pictures: a face could only come from the bright one before.
    let dark = Stamp { epoch: 2, ..stamp() };
    until("the stale result", || {
        let seen = bench.see(0, Some(&dark));
        assert!(seen.faces.is_empty());
        assert_eq!(seen.audience.as_ref().map(|a| a.epoch), Some(2));
        (bench.count("results-after-consent") > 0).then_some(())
    });
}

#[test]
fn flush_stop_and_end_of_stream_find_a_busy_worker_and_nothing_hangs() {
    need_runtime!();
    let nets = Nets::new();
    let slow = element(&nets, &[MIDDLE]);
    slow.set_property("model", nets.slow_detector(&[MIDDLE], 30).to_str().unwrap());
    slow.set_property_from_str("async", "true");
    let mut bench = Bench::start(slow);
    bench.see(grey(34), Some(&stamp()));
    bench.harness.push_event(gst::event::FlushStart::new());
    bench.harness.push_event(gst::event::FlushStop::new(true));
    bench.harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    bench.see(grey(34), Some(&stamp()));
    assert!(bench.harness.push_event(gst::event::Eos::new()));
    bench.element.set_state(gst::State::Null).unwrap();
    assert_eq!(bench.count("frames"), 2, "statistics outlive the run");
}

#[test]
fn gaps_pass_and_time_without_timestamps_goes_on() {
    need_runtime!();
    let nets = Nets::new();
    let caps = "video/x-raw,format=RGB,width=160,height=160,framerate=0/1";
    let mut bench = Bench::start_with(element(&nets, &[MIDDLE]), caps, 160);
    bench.see(grey(34), Some(&stamp()));
    assert!(bench.harness.push_event(gst::event::Gap::new(FRAME, FRAME)));
    let mut gaps = 0;
    while let Some(event) = bench.harness.try_pull_event() {
        gaps += u32::from(event.type_() == gst::EventType::Gap);
    }
    assert_eq!(gaps, 1);
    let mut buffer = bench.picture(grey(34));
    facialads_meta::consent::attach(&stamp(), buffer.make_mut());
    buffer.make_mut().set_pts(gst::ClockTime::NONE);
    bench.harness.push(buffer).unwrap();
    let seen = Seen::of(&bench.harness.pull().unwrap());
    assert_eq!(seen.faces.len(), 1);
    assert_eq!(seen.faces[0].attention.as_ref().unwrap().dwell.mseconds(), 40);
}

#[test]
fn caps_may_change_in_mid_stream_and_boxes_follow() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, &[MIDDLE]));
    assert_eq!(bench.see(grey(34), Some(&stamp())).faces[0].width, 80);
    bench.harness.set_src_caps_str("video/x-raw,format=GRAY8,width=320,height=320,framerate=50/1");
    let mut buffer = gst::Buffer::from_mut_slice(vec![grey(34); 320 * 320]);
    buffer.get_mut().unwrap().set_pts(FRAME * 2);
    facialads_meta::consent::attach(&stamp(), buffer.make_mut());
    bench.harness.push(buffer).unwrap();
    let seen = Seen::of(&bench.harness.pull().unwrap());
    assert_eq!((seen.faces[0].x, seen.faces[0].width), (80, 160));
}

#[test]
fn a_buffer_that_holds_no_whole_picture_is_counted_said_once_and_passed_on() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets, &[MIDDLE]));
    for _ in 0..3 {
        let mut buffer = gst::Buffer::from_mut_slice(vec![255u8; 100]);
        facialads_meta::consent::attach(&stamp(), buffer.make_mut());
        assert_eq!(bench.harness.push(buffer), Ok(gst::FlowSuccess::Ok));
        assert!(Seen::of(&bench.harness.pull().unwrap()).faces.is_empty());
    }
    assert_eq!(bench.count("errors"), 3);
    assert_eq!(bench.count("inference-calls"), 0);
    assert_eq!(bench.warnings().iter().filter(|(reason, _)| reason == "failed").count(), 1);
}

#[test]
fn a_settled_face_is_described_again_after_so_many_frames() {
    need_runtime!();
    let nets = Nets::new();
    let calls = |interval: u32| {
        let element = element(&nets, &[MIDDLE]);
        element.set_property("reclassify-interval", interval);
        let mut bench = Bench::start(element);
        for _ in 0..20 {
            bench.see(grey(34), Some(&stamp()));
        }
        bench.count("inference-calls") - bench.count("analysed")
    };
    // Three looks settle the first estimate, in frames 0 to 2. While looks agree, the time between them doubles after every
    // second one: frames 3, 4, 6, 8, 12, 16; and 7, 12 where it begins at five.
    assert_eq!(calls(1), 9);
    assert_eq!(calls(5), 5);
}

#[test]
fn the_detector_sees_a_picture_of_the_size_asked_for_or_says_why_not() {
    init();
    let (Some(yunet), true) = (facialads_testkit::model("yunet"), onnx_runtime()) else { return };
    let Some(ages) = facialads_testkit::model("age-gender") else { return };
    // As large as the second pass or smaller, the first finds large faces by itself. 1 is rounded up to what the network takes.
    for (size, passes) in [(1u32, 1), (320, 1), (640, 2), (832, 2), (1000, 2), (1280, 2), (0, 2)] {
        let element = gst::ElementFactory::make("faceanalyze")
            .property("model", yunet.to_str().unwrap())
            .property("age-gender-model", ages.to_str().unwrap())
            .property("detector-size", size)
            .property_from_str("async", "false")
            .property("fallback", false)
            .build()
            .unwrap();
        let mut bench = Bench::start(element);
        assert!(bench.see(128, Some(&stamp())).audience.is_some());
        assert_eq!(bench.count("errors"), 0);
        assert_eq!(bench.count("inference-calls"), passes, "detector-size {size}");
    }
    let nets = Nets::new();
    let fixed = element(&nets, &[MIDDLE]);
    fixed.set_property("detector-size", 320u32);
    let bench = Bench::start(fixed);
    assert!(bench.warnings()[0].1.contains("64 x 64 only"), "{:?}", bench.warnings());
    if let Some(ssd) = facialads_testkit::model("ssd-mobilenet-v1") {
        let element = element(&nets, &[MIDDLE]);
        element.set_property("model", ssd.to_str().unwrap());
        element.set_property("detector-size", 640u32);
        let bench = Bench::start(element);
        let warning = &bench.warnings()[0].1;
        let said = "detector size 640 cannot be used with model \"ssd-mobilenet-v1\": it takes pictures of 512 x 512 only";
        assert!(warning.contains(said), "{warning}");
    }
}

#[test]
fn a_gate_that_closes_during_an_inference_neither_waits_for_it_nor_lets_its_result_out() {
    need_runtime!();
    let nets = Nets::new();
    // The event has to arrive while the network runs; where the machine was too slow for that, with a slower network.
    for effort in [40, 80, 160, 320] {
        let slow = element(&nets, &[MIDDLE]);
        slow.set_property("model", nets.slow_detector(&[MIDDLE], effort).to_str().unwrap());
        let mut bench = Bench::start(slow.clone());
        let sink = slow.static_pad("sink").unwrap();
        let (out, seen) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            out.send(bench.see(grey(34), Some(&stamp()))).unwrap();
        });
        until("the network to be run", || {
            let calls: u64 = slow.property::<gst::Structure>("stats").get("inference-calls").unwrap();
            (calls > 0).then_some(())
        });
        assert!(sink.send_event(gate(1, false)));
        if seen.try_recv().is_ok() {
            thread.join().unwrap();
            continue;
        }
        let late = seen.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        thread.join().unwrap();
        assert!(late.nothing(), "learned under consent that had ended");
        return;
    }
    panic!("the network was always faster than the event");
}

#[test]
fn inference_runs_beside_a_live_stream_and_in_step_with_a_file() {
    need_runtime!();
    let nets = Nets::new();
    for (live, wanted) in [(true, true), (false, false)] {
        let source = gst::ElementFactory::make("videotestsrc")
            .property("is-live", live)
            .property("num-buffers", 5i32)
            .build()
            .unwrap();
        let faces = element(&nets, &[MIDDLE]);
        faces.set_property_from_str("async", "auto");
        let sink = gst::ElementFactory::make("fakesink").build().unwrap();
        faces.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, |_, info| {
            if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
                facialads_meta::consent::attach(&stamp(), buffer.make_mut());
            }
            gst::PadProbeReturn::Ok
        });
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([&source, &faces, &sink]).unwrap();
        gst::Element::link_many([&source, &faces, &sink]).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let mut said = None;
        loop {
            let message = pipeline.bus().unwrap().timed_pop(gst::ClockTime::from_seconds(60)).unwrap();
            match message.view() {
                gst::MessageView::Eos(_) => break,
                gst::MessageView::Error(error) => panic!("{error:?}"),
                gst::MessageView::Element(_) if message.has_name("facialads-faceanalyze-stats") => {
                    said = message.structure().map(|s| s.get::<u64>("frames"));
                }
                _ => {}
            }
        }
        assert_eq!(said, Some(Ok(5)), "the end of the stream says what was done");
        pipeline.set_state(gst::State::Null).unwrap();
        let stats = faces.property::<gst::Structure>("stats");
        assert_eq!(stats.get("async"), Ok(wanted));
        assert_eq!(stats.get::<u64>("frames"), Ok(5));
        assert!(stats.get::<u64>("analysed").unwrap() > 0);
    }
}

#[test]
fn stopping_lifts_nothing_of_the_hold_after_a_possible_minor() {
    need_runtime!();
    let nets = Nets::new();
    let faces = element(&nets, &[MIDDLE]);
    let source = gst::ElementFactory::make("videotestsrc").property("num-buffers", 10i32).build().unwrap();
    let sink = gst::ElementFactory::make("fakesink").build().unwrap();
    faces.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
            facialads_meta::consent::attach(&stamp(), buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    let verdict = std::sync::Arc::new(std::sync::Mutex::new(None));
    let last = verdict.clone();
    faces.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        *last.lock().unwrap() = info.buffer().and_then(|buffer| Audience::read(buffer)).map(|a| a.targeting);
        gst::PadProbeReturn::Ok
    });
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([&source, &faces, &sink]).unwrap();
    let caps = "video/x-raw,format=RGB,width=160,height=160".parse::<gst::Caps>().unwrap();
    source.link_filtered(&faces, &caps).unwrap();
    faces.link(&sink).unwrap();
    // Brightness is the age that the network sees: a child, then an adult.
    for colour in [15, 45].map(|age| 0xff00_0000 | (u32::from(grey(age)) * 0x0001_0101)) {
        source.set_property_from_str("pattern", "solid-color");
        source.set_property("foreground-color", colour);
        pipeline.set_state(gst::State::Playing).unwrap();
        let end = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(20), &end);
        assert_eq!(end.map(|m| m.type_()), Some(gst::MessageType::Eos));
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(verdict.lock().unwrap().take(), Some(Targeting::PossibleMinor));
    }
}
