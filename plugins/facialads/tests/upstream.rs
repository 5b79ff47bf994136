//! `detector=upstream`: faces that another element found are followed, described and counted under the same rules.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_consent::{Purpose, Purposes, Stamp, Zone};
use facialads_meta::{Audience, Face, Targeting, consent, event::Gate};
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;
use looking::{
    Bench, FRAME, Seen, init,
    nets::{MIDDLE, Nets, grey},
    onnx_runtime, stamp,
};

macro_rules! need_runtime {
    () => {
        init();
        if !onnx_runtime() {
            return;
        }
    };
}

/// Box in the middle of a picture of 160 x 160.
const THERE: (u32, u32, u32, u32) = (40, 40, 80, 80);

fn element(nets: &Nets) -> gst::Element {
    let path = |p: std::path::PathBuf| p.to_str().unwrap().to_owned();
    gst::ElementFactory::make("faceanalyze")
        .property_from_str("detector", "upstream")
        // Nothing of this is there: it must not be asked for.
        .property("model", "/no/such/detector.onnx")
        .property("age-gender-model", path(nets.age_gender()))
        .property("emotion-model", path(nets.expression()))
        .property("reclassify-interval", 1u32)
        .property_from_str("async", "false")
        .property("fallback", false)
        .property("seed", 7u64)
        .build()
        .unwrap()
}

/// As `gvadetect` writes it.
fn region(label: &str, place: (u32, u32, u32, u32), confidence: f64) -> impl Fn(&mut gst::BufferRef) {
    move |buffer: &mut gst::BufferRef| {
        let mut region = VideoRegionOfInterestMeta::add(buffer, label, place);
        region.set_id(4711);
        region.add_param(
            gst::Structure::builder("detection")
                .field("confidence", confidence)
                .field("label_id", 1i32)
                .build(),
        );
    }
}

/// Pushes a picture on which upstream has written something, and returns what comes out.
fn push(
    bench: &mut Bench,
    grey: u8,
    stamp: Option<&Stamp>,
    upstream: impl Fn(&mut gst::BufferRef),
) -> gst::Buffer {
    let mut buffer = bench.picture(grey);
    if let Some(stamp) = stamp {
        consent::attach(stamp, buffer.make_mut());
    }
    upstream(buffer.make_mut());
    assert_eq!(bench.harness.push(buffer), Ok(gst::FlowSuccess::Ok));
    bench.harness.pull().unwrap()
}

fn see(bench: &mut Bench, grey: u8, stamp: Option<&Stamp>, upstream: impl Fn(&mut gst::BufferRef)) -> Seen {
    Seen::of(&push(bench, grey, stamp, upstream))
}

/// Types of all regions on a buffer.
fn regions(buffer: &gst::BufferRef) -> Vec<String> {
    buffer.iter_meta::<VideoRegionOfInterestMeta>().map(|region| region.roi_type().to_owned()).collect()
}

#[test]
fn a_face_that_upstream_found_is_followed_and_described_and_no_detector_is_loaded() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets));
    let seen: Vec<Seen> =
        (0..10).map(|_| see(&mut bench, grey(34), Some(&stamp()), region("face", THERE, 0.75))).collect();
    let (first, last) = (seen.first().unwrap(), seen.last().unwrap());
    assert!(seen.iter().all(|s| s.faces.len() == 1 && s.faces[0].id == first.faces[0].id), "one track");
    assert_ne!(last.faces[0].id, 4711, "upstream's number is not ours");
    let face = &last.faces[0];
    assert_eq!((face.x, face.y, face.width, face.height), THERE);
    assert_eq!((face.confidence, face.model.as_str()), (0.75, "upstream"));
    assert!((face.age.as_ref().unwrap().years - 34.0).abs() < 1.0);
    assert!(face.gender.is_some());
    assert_eq!(face.attention.as_ref().map(|a| a.dwell), Some(FRAME * 9));
    assert_eq!(last.audience, Some(Audience { epoch: 1, faces: 1, targeting: Targeting::Allowed }));
    assert_eq!((bench.count("analysed"), bench.count("faces")), (10, 10));
    assert_eq!(bench.stats().get::<String>("model").unwrap(), "upstream");
    assert!(bench.warnings().is_empty());
}

#[test]
fn what_upstream_found_is_replaced_and_what_else_it_found_stays() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets));
    let both = |buffer: &mut gst::BufferRef| {
        region("face", THERE, 0.9)(buffer);
        region("car", (0, 0, 20, 20), 0.9)(buffer);
    };
    let out = push(&mut bench, grey(34), Some(&stamp()), both);
    assert_eq!(regions(&out), ["car", "face"]);
    assert_eq!(Face::read(&out).len(), 1);
}

#[test]
fn without_consent_nothing_is_read_and_what_upstream_wrote_is_left_alone() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets));
    let only = |purposes: &[Purpose]| purposes.iter().copied().collect::<Purposes>();
    let void = [None, Some(Stamp { purposes: only(&[Purpose::Demographics]), ..stamp() })];
    for stamp in void {
        let out = push(&mut bench, grey(34), stamp.as_ref(), region("face", THERE, 0.9));
        assert!(Seen::of(&out).nothing());
        assert_eq!(regions(&out), ["face"]);
    }
    assert_eq!((bench.count("analysed"), bench.count("inference-calls")), (0, 0));
    // What was not read is not known either.
    let after = see(&mut bench, grey(34), Some(&stamp()), |_| ());
    assert_eq!(after.audience.unwrap().targeting, Targeting::Nobody);
}

#[test]
fn consent_reaches_as_far_as_with_a_detector_of_its_own() {
    need_runtime!();
    let nets = Nets::new();
    let two = |buffer: &mut gst::BufferRef| {
        region("face", (16, 16, 48, 48), 0.9)(buffer);
        region("face", (64, 64, 80, 80), 0.9)(buffer);
    };
    // More faces than grants: nobody is described.
    let mut bench = Bench::start(element(&nets));
    for _ in 0..6 {
        let seen = see(&mut bench, grey(34), Some(&stamp()), two);
        assert_eq!(seen.faces.len(), 2);
        assert!(seen.faces.iter().all(|f| f.age.is_none() && f.gender.is_none()));
        assert_eq!(seen.audience.unwrap().targeting, Targeting::NotPermitted);
    }
    assert_eq!(bench.count("inference-calls"), 0);
    // Who stands outside the zone is not there, nor in upstream's own words.
    let zone = Zone { x: 0.5, y: 0.0, width: 0.5, height: 1.0 };
    let stamp = Stamp { zone, epoch: 2, ..stamp() };
    let out = (0..6).map(|_| push(&mut bench, grey(34), Some(&stamp), two)).last().unwrap();
    let seen = Seen::of(&out);
    assert_eq!(seen.faces.iter().map(|f| f.x).collect::<Vec<_>>(), [64]);
    assert!(seen.faces[0].age.is_some());
    assert_eq!(regions(&out), ["face"]);
    // The gate closes: nothing of what was known comes out, and upstream is not read any more.
    let gate = Gate { epoch: 2, open: false, screen: "test".into(), reason: "test".into() };
    assert!(bench.harness.push_event(gate.to_event()));
    assert!(see(&mut bench, grey(34), Some(&stamp), two).nothing());
}

#[test]
fn a_possible_minor_is_counted_and_never_described() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets));
    let seen = (0..10)
        .map(|_| see(&mut bench, grey(15), Some(&stamp()), region("face", THERE, 0.9)))
        .last()
        .unwrap();
    assert!(seen.faces[0].age.is_none() && seen.faces[0].gender.is_none());
    assert_eq!(seen.audience.unwrap().targeting, Targeting::PossibleMinor);
}

#[test]
fn detections_on_every_third_frame_are_enough_and_nobody_stays_who_left() {
    need_runtime!();
    let nets = Nets::new();
    let mut bench = Bench::start(element(&nets));
    let mut ids = Vec::new();
    for frame in 0..12 {
        let looked = frame % 3 == 0;
        let seen = see(&mut bench, grey(34), Some(&stamp()), |buffer| {
            if looked {
                region("face", THERE, 0.9)(buffer);
            }
        });
        assert_eq!(seen.faces.len(), 1, "frame {frame}");
        ids.push(seen.faces[0].id);
    }
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(bench.count("analysed"), 4);
    let later: Vec<Seen> = (0..75).map(|_| see(&mut bench, grey(34), Some(&stamp()), |_| ())).collect();
    assert!(later.last().unwrap().faces.is_empty(), "three seconds later the place is empty");
    assert_eq!(later.last().unwrap().audience.as_ref().unwrap().targeting, Targeting::Nobody);
}

#[test]
fn another_label_and_a_threshold_choose_among_what_upstream_found() {
    need_runtime!();
    let nets = Nets::new();
    let all = |buffer: &mut gst::BufferRef| {
        region("head", (0, 0, 40, 40), 0.9)(buffer);
        region("head", (100, 0, 40, 40), 0.3)(buffer);
        region("person", (60, 60, 90, 90), 0.9)(buffer);
    };
    let places = |label: &str, threshold: f32| {
        let element = element(&nets);
        element.set_property("upstream-label", label);
        element.set_property("threshold", threshold);
        let mut bench = Bench::start(element);
        let out = push(&mut bench, grey(34), Some(&stamp()), all);
        let mut x: Vec<u32> = Face::read(&out).iter().map(|face| face.x).collect();
        x.sort_unstable();
        (x, regions(&out).len())
    };
    assert_eq!(places("face", 0.0), (vec![], 3));
    assert_eq!(places("head", 0.0), (vec![0, 100], 3), "two replaced, the person stays");
    assert_eq!(places("head", 0.5), (vec![0], 2), "what is too unsure to be a face is not left as one");
    assert_eq!(places("", 0.0), (vec![0, 60, 100], 3));
}

#[test]
fn one_faceanalyze_can_be_the_detector_of_another_and_they_share_networks() {
    need_runtime!();
    let nets = Nets::new();
    let path = |p: std::path::PathBuf| p.to_str().unwrap().to_owned();
    let line = format!(
        "videotestsrc num-buffers=8 pattern=solid-color foreground-color=0xffc3c3c3 \
         ! video/x-raw,format=RGB,width=160,height=160,framerate=25/1 ! identity name=in \
         ! faceanalyze model={} age-gender-model={} inference-interval=1 seed=1 async=false fallback=false \
           model-instance-id=shared \
         ! videoconvert ! video/x-raw,format=NV12 ! queue \
         ! faceanalyze detector=upstream age-gender-model={} reclassify-interval=1 seed=2 async=false \
           fallback=false model-instance-id=shared ! appsink name=out sync=false",
        path(nets.detector(&[MIDDLE])),
        path(nets.age_gender()),
        path(nets.age_gender()),
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let pad = pipeline.by_name("in").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
            consent::attach(&stamp(), buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut seen = Vec::new();
    while let Ok(sample) = out.pull_sample() {
        seen.push(Seen::of(sample.buffer().unwrap()));
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{error:?}");
    assert_eq!(seen.len(), 8);
    assert!(seen.iter().all(|s| s.faces.len() == 1), "each face once");
    let last = &seen[7].faces[0];
    assert_eq!((last.x, last.width, last.model.as_str()), (40, 80, "upstream"));
    assert!((last.age.as_ref().unwrap().years - 34.0).abs() < 1.5);
}
