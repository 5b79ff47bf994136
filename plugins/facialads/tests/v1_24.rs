//! With the feature `v1_24`: GStreamer's own analytics elements before and behind ours. `make test-v1_24` runs this on
//! GStreamer 1.26.

#![cfg(feature = "v1_24")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod looking;

use facialads_meta::{
    Face,
    analytics::{self, gst_analytics::*},
    consent, detection,
};
use facialads_testkit::onnx::Net;
use gst::glib::Quark;
use gst::prelude::*;
use gst_video::prelude::*;
use looking::{
    init,
    nets::{MIDDLE, Nets, grey},
    onnx_runtime, stamp,
};
use std::path::{Path, PathBuf};

macro_rules! need {
    ($($element:literal),*) => {
        init();
        assert!(analytics::BUILT_IN);
        if !onnx_runtime() {
            return;
        }
        $(if gst::ElementFactory::find($element).is_none() {
            facialads_testkit::skip(concat!("this GStreamer has no element ", $element));
            return;
        })*
    };
}

const SIZE: i32 = 160;

fn text(path: PathBuf) -> String {
    path.to_str().unwrap().to_owned()
}

/// Runs grey frames of 160 x 160, with consent, through `elements`; `mark` may write on each before them.
fn through(
    elements: &str,
    frames: u32,
    mark: impl Fn(&mut gst::BufferRef) + Send + Sync + 'static,
) -> Vec<gst::Sample> {
    let colour = 0xff00_0000 | (u32::from(grey(34)) * 0x0001_0101);
    let line = format!(
        "videotestsrc num-buffers={frames} pattern=solid-color foreground-color={colour} \
         ! video/x-raw,format=RGB,width={SIZE},height={SIZE},framerate=25/1,pixel-aspect-ratio=1/1 \
         ! identity name=in ! {elements} ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let pad = pipeline.by_name("in").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
            consent::attach(&stamp(), buffer.make_mut());
            mark(buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let samples: Vec<_> = std::iter::from_fn(|| out.pull_sample().ok()).collect();
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{elements}: {error:?}");
    assert_eq!(samples.len(), frames as usize, "{elements}");
    samples
}

fn analyzer(nets: &Nets, how: &str) -> String {
    format!(
        "faceanalyze name=faces age-gender-model={} reclassify-interval=1 seed=7 async=false fallback=false {how}",
        text(nets.age_gender())
    )
}

fn with_detector(nets: &Nets) -> String {
    analyzer(nets, &format!("inference-interval=1 model={}", text(nets.detector(&[MIDDLE]))))
}

/// Box and track of each detection of a face in the relation meta.
fn faces(buffer: &gst::BufferRef) -> Vec<([i32; 4], Vec<u64>)> {
    assert!(buffer.iter_meta::<AnalyticsRelationMeta>().count() <= 1);
    let Some(meta) = buffer.meta::<AnalyticsRelationMeta>() else { return Vec::new() };
    meta.iter::<AnalyticsODMtd>()
        .filter(|found| found.obj_type().is_some_and(|label| label.as_str() == "face"))
        .map(|found| {
            let at = found.location().unwrap();
            let tracks = meta.iter_direct_related::<AnalyticsTrackingMtd>(found.id(), RelTypes::RELATE_TO);
            ([at.x, at.y, at.w, at.h], tracks.map(|track| track.info().0).collect())
        })
        .collect()
}

/// Adds a detection as GStreamer's tensor decoders do.
fn detected(buffer: &mut gst::BufferRef, label: &str, [x, y, w, h]: [i32; 4], confidence: f32) {
    let there = buffer.meta::<AnalyticsRelationMeta>().is_some();
    if !there {
        AnalyticsRelationMeta::add(buffer);
    }
    let mut meta = buffer.meta_mut::<AnalyticsRelationMeta>().unwrap();
    meta.add_od_mtd(Quark::from_str(label), x, y, w, h, confidence).unwrap();
}

fn pixels(sample: &gst::Sample) -> (Vec<u8>, usize) {
    let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer().unwrap(), &info).unwrap();
    (frame.plane_data(0).unwrap().to_vec(), frame.plane_stride()[0] as usize)
}

#[test]
fn objectdetectionoverlay_draws_our_faces_where_they_are_and_nothing_said_about_them() {
    need!("objectdetectionoverlay");
    let nets = Nets::new();
    let line = format!(
        "{} ! videoconvert ! video/x-raw,format=BGRA ! objectdetectionoverlay draw-labels=false \
         object-detection-outline-color=0xffff0000",
        with_detector(&nets)
    );
    let samples = through(&line, 6, |_| ());
    for sample in &samples {
        let (picture, stride) = pixels(sample);
        let red =
            |x: usize, y: usize| picture[y * stride + 4 * x + 2] > 200 && picture[y * stride + 4 * x] < 100;
        // The face is at 40,40 and 80 wide and high; the line is drawn around its edge.
        let near =
            |x: usize, y: usize| (x - 2..x + 3).any(|x| red(x, y)) || (y - 2..y + 3).any(|y| red(x, y));
        for along in [50, 80, 110] {
            for (x, y) in [(along, 40), (along, 120), (40, along), (120, along)] {
                assert!(near(x, y), "no line at {x},{y}");
            }
        }
        for (x, y) in [(80, 80), (20, 20), (150, 150), (60, 60)] {
            assert!(!near(x, y), "a line at {x},{y}");
        }
    }
    let last = samples.last().unwrap().buffer().unwrap();
    assert!(Face::read(last)[0].age.is_some(), "known, and not drawn");
}

#[test]
fn a_relation_meta_goes_where_the_regions_go() {
    need!();
    let nets = Nets::new();
    for (elements, place) in [
        ("queue", [40, 40, 80, 80]),
        ("tee ! queue", [40, 40, 80, 80]),
        ("videoconvert ! video/x-raw,format=NV12", [40, 40, 80, 80]),
        ("videorate", [40, 40, 80, 80]),
    ] {
        for sample in through(&format!("{} ! {elements}", with_detector(&nets)), 3, |_| ()) {
            let buffer = sample.buffer().unwrap();
            let found = Face::read(buffer);
            assert_eq!(found.len(), 1, "{elements}");
            assert_eq!(faces(buffer), [(place, vec![found[0].id as u64])], "{elements}");
        }
    }
}

#[test]
fn a_change_of_the_picture_leaves_no_face_at_a_wrong_place_to_be_read() {
    need!();
    let nets = Nets::new();
    let line = format!(
        "{} ! videoscale ! video/x-raw,width=80,height=80,pixel-aspect-ratio=1/1",
        with_detector(&nets)
    );
    for sample in through(&line, 3, |_| ()) {
        let buffer = sample.buffer().unwrap();
        let found = Face::read(buffer);
        assert_eq!((found[0].x, found[0].width), (20, 40));
        assert!(found.iter().all(|face| face.confidence > 0.5));
        let places: Vec<_> = faces(buffer).into_iter().map(|(place, _)| place).collect();
        assert!(places.is_empty() || places == [[20, 20, 40, 40]], "{places:?}");
    }
    for elements in ["videocrop left=40", "videoflip video-direction=horiz"] {
        for sample in through(&format!("{} ! {elements}", with_detector(&nets)), 3, |_| ()) {
            assert_eq!(Face::read(sample.buffer().unwrap()), [], "{elements}");
        }
    }
}

#[test]
fn detections_of_a_tensor_decoder_are_followed_described_and_replaced() {
    need!();
    let nets = Nets::new();
    let line = analyzer(&nets, "detector=upstream");
    let samples = through(&line, 8, |buffer| {
        detected(buffer, "face", [40, 40, 80, 80], 0.75);
        detected(buffer, "car", [0, 0, 30, 30], 0.5);
    });
    let ids: Vec<_> = samples.iter().map(|sample| Face::read(sample.buffer().unwrap())[0].id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    let last = samples.last().unwrap().buffer().unwrap();
    assert_eq!(faces(last), [([40, 40, 80, 80], vec![ids[0] as u64])], "once");
    let face = &Face::read(last)[0];
    assert_eq!((face.confidence, face.model.as_str()), (0.75, "upstream"));
    assert!((face.age.as_ref().unwrap().years - 34.0).abs() < 1.0);
    assert_eq!(detection::read(last, "car").len(), 1, "what else was found stays");
}

#[test]
fn without_consent_the_detections_of_others_are_left_as_they_are() {
    need!();
    let nets = Nets::new();
    let line = analyzer(&nets, "detector=upstream");
    let samples = through(&line, 3, |buffer| {
        consent::remove(buffer);
        detected(buffer, "face", [40, 40, 80, 80], 0.75);
    });
    for sample in &samples {
        let buffer = sample.buffer().unwrap();
        assert!(Face::read(buffer).is_empty());
        assert_eq!(faces(buffer), [([40, 40, 80, 80], vec![])]);
    }
}

/// A network as `ssdobjectdetector` knows them: one box of class 1 in the middle of any picture.
fn ssd(folder: &Path) -> PathBuf {
    let mut net = Net::with_input(&[1, SIZE.into(), SIZE.into(), 3]);
    net.mean();
    net.floats("none", &[1], &[0.0]);
    net.node("Mul", &["mean", "none"], "nothing");
    // By names in the file's metadata the decoder knows what is what; they changed after 1.26.
    let known_as = if gst::version() < (1, 27, 0, 0) {
        ["Boxes", "Scores", "Classes", "NumDetections"].map(|name| format!("Gst.Model.ObjectDetector.{name}"))
    } else {
        [
            "ssd-mobilenet-v1-variant-1-out-boxes",
            "ssd-mobilenet-v1-variant-1-out-scores",
            "ssd-mobilenet-v1-variant-1-out-classes",
            "generic-variant-1-out-count",
        ]
        .map(str::to_owned)
    };
    let outputs = [
        ("boxes", &[1, 1, 4][..], &MIDDLE[..]),
        ("scores", &[1, 1], &[0.875]),
        ("classes", &[1, 1], &[1.0]),
        ("count", &[1], &[1.0]),
    ];
    for ((name, shape, values), known_as) in outputs.into_iter().zip(&known_as) {
        net.metadata(name, known_as);
        let constant = format!("{name}-constant");
        net.floats(&constant, shape, values);
        if shape.len() == 2 {
            net.node("Add", &["nothing", &constant], name);
        } else {
            net.node("Identity", &[&constant], name);
        }
        net.output(name, shape);
    }
    let path = folder.join("ssd.onnx");
    net.write(&path);
    path
}

#[test]
fn onnxinference_and_ssdobjectdetector_find_the_faces_that_we_describe() {
    need!("onnxinference", "ssdobjectdetector");
    let nets = Nets::new();
    let labels = nets.path().join("labels.txt");
    std::fs::write(&labels, "face\nface\nface\n").unwrap();
    let line = format!(
        "onnxinference model-file={} ! ssdobjectdetector label-file={} ! {}",
        text(ssd(nets.path())),
        text(labels),
        analyzer(&nets, "detector=upstream")
    );
    let samples = through(&line, 8, |_| ());
    let last = samples.last().unwrap().buffer().unwrap();
    let found = Face::read(last);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].x, found[0].y, found[0].width, found[0].height), (40, 40, 80, 80));
    assert!((found[0].confidence - 0.875).abs() < 1e-6);
    assert!((found[0].age.as_ref().unwrap().years - 34.0).abs() < 1.0);
}

#[test]
fn ioutracker_behind_and_before_us_works_with_our_faces() {
    // Since GStreamer 1.28; the next test does by hand what it does, where it is not there yet.
    need!("ioutracker");
    let nets = Nets::new();
    for sample in through(&format!("{} ! ioutracker", with_detector(&nets)), 5, |_| ()) {
        let buffer = sample.buffer().unwrap();
        let (_, tracks) = &faces(buffer)[0];
        assert!(tracks.contains(&(Face::read(buffer)[0].id as u64)));
        assert_eq!(tracks.len(), 2, "ours and its own");
    }
    let line = format!("ioutracker ! {}", analyzer(&nets, "detector=upstream"));
    for sample in through(&line, 5, |buffer| detected(buffer, "face", [40, 40, 80, 80], 0.75)) {
        let buffer = sample.buffer().unwrap();
        assert_eq!(faces(buffer), [([40, 40, 80, 80], vec![Face::read(buffer)[0].id as u64])]);
    }
}

#[test]
fn a_track_that_another_tracker_gave_goes_with_the_detection_that_we_replace() {
    need!();
    let nets = Nets::new();
    let line = analyzer(&nets, "detector=upstream");
    let samples = through(&line, 4, |buffer| {
        detected(buffer, "face", [40, 40, 80, 80], 0.75);
        let mut meta = buffer.meta_mut::<AnalyticsRelationMeta>().unwrap();
        let track = meta.add_tracking_mtd(4711, gst::ClockTime::ZERO).unwrap().id();
        meta.set_relation(RelTypes::RELATE_TO, 0, track).unwrap();
    });
    for sample in &samples {
        let buffer = sample.buffer().unwrap();
        assert_eq!(faces(buffer), [([40, 40, 80, 80], vec![Face::read(buffer)[0].id as u64])]);
        let meta = buffer.meta::<AnalyticsRelationMeta>().unwrap();
        assert_eq!(meta.iter::<AnalyticsTrackingMtd>().count(), 1, "the other's is gone");
    }
}

#[test]
fn a_tracker_behind_us_can_add_its_track_to_our_detection() {
    need!();
    let nets = Nets::new();
    for sample in through(&with_detector(&nets), 2, |_| ()) {
        let mut buffer = sample.buffer_owned().unwrap();
        let ours = faces(&buffer)[0].1[0];
        let mut meta = buffer.make_mut().meta_mut::<AnalyticsRelationMeta>().unwrap();
        let detection = meta.as_ref().iter::<AnalyticsODMtd>().next().unwrap().id();
        let track = meta.add_tracking_mtd(3, gst::ClockTime::ZERO).unwrap().id();
        meta.set_relation(RelTypes::RELATE_TO, detection, track).unwrap();
        drop(meta);
        assert_eq!(faces(&buffer), [([40, 40, 80, 80], vec![ours, 3])]);
    }
}
