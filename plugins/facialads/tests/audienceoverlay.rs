//! audienceoverlay draws what there is, where it is, and nothing that consent does not cover.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::numbered::video_caps;
use facialads_consent::{Basis, Policy, Purpose, Purposes, Site, Stamp, Zone, wall_clock};
use facialads_meta::{
    Age, Audience, Emotion, Face, Gender, Label, Targeting,
    event::{Gate, Running},
};
use gst::prelude::*;
use gst_video::{VideoConverter, VideoFormat, VideoFrame, VideoFrameRef, VideoInfo, prelude::*};

fn stamp(purposes: Purposes) -> Stamp {
    Stamp {
        purposes,
        epoch: 3,
        max_faces: 5,
        adult: true,
        zone: Zone::FULL,
        basis: Basis::ViewerConsent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "lobby".into(),
        expires: wall_clock() + 840_000_000_000,
        receipts: vec![],
    }
}

fn face(id: i32, x: u32, y: u32, width: u32, height: u32) -> Face {
    Face {
        id,
        x,
        y,
        width,
        height,
        confidence: 0.93,
        model: "yunet".into(),
        age: Some(Age { years: 34.0, low: 29.0, high: 39.0, confidence: 0.8, model: "m".into() }),
        gender: Some(Label { value: Gender::Female, confidence: 0.97, model: "m".into() }),
        emotion: Some(Label { value: Emotion::Happy, confidence: 0.81, model: "m".into() }),
        attention: None,
    }
}

fn running() -> Running {
    Running {
        campaign: Some("Spring bicycles".into()),
        creative: Some("city-bike-30s".into()),
        basis: "by subject".into(),
        why: "subject Cycling is wanted; nobody in view".into(),
        subject: vec!["Cycling".into(), "Travel".into()],
        since: None,
    }
}

/// What a frame of one grey carries, and what comes out.
struct Bench {
    harness: gst_check::Harness,
    info: VideoInfo,
}

impl Bench {
    fn new(format: &str, width: i32, height: i32) -> Self {
        Self::with(format, width, height, "audienceoverlay")
    }
    fn with(format: &str, width: i32, height: i32, line: &str) -> Self {
        common::init();
        let caps = video_caps(format, width, height, (25, 1));
        let info = VideoInfo::from_caps(&caps).unwrap();
        let mut harness = gst_check::Harness::new_parse(line);
        harness.set_src_caps(caps);
        Self { harness, info }
    }
    fn blank(&self) -> gst::Buffer {
        // The same byte everywhere is some plain colour in every format.
        let mut buffer = gst::Buffer::from_mut_slice(vec![0x60; self.info.size()]);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
        buffer
    }
    fn draw(&mut self, stamp: Option<&Stamp>, faces: &[Face]) -> gst::Buffer {
        let audience = Audience { epoch: 3, faces: faces.len() as u32, targeting: Targeting::Allowed };
        self.draw_with(stamp, faces, stamp.map(|_| &audience))
    }
    fn draw_with(
        &mut self,
        stamp: Option<&Stamp>,
        faces: &[Face],
        audience: Option<&Audience>,
    ) -> gst::Buffer {
        let mut buffer = self.blank();
        let inner = buffer.get_mut().unwrap();
        if let Some(stamp) = stamp {
            facialads_meta::consent::attach(stamp, inner);
        }
        if let Some(audience) = audience {
            audience.attach(inner);
        }
        for face in faces {
            face.attach(inner, self.info.width(), self.info.height());
        }
        self.harness.push_and_pull(buffer).unwrap()
    }
    /// Whether a pixel (its first component) is not what came in.
    fn changed(&self, buffer: &gst::BufferRef, x: u32, y: u32) -> bool {
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, &self.info).unwrap();
        (0..frame.n_components()).any(|component| {
            let (w, h) = (frame.comp_width(component), frame.comp_height(component));
            let at = y * h / self.info.height() * frame.comp_stride(component) as u32
                + x * w / self.info.width() * frame.comp_pstride(component) as u32;
            frame.comp_data(component).unwrap()[at as usize] != 0x60
        })
    }
    fn changed_in(
        &self,
        buffer: &gst::BufferRef,
        xs: std::ops::Range<u32>,
        ys: std::ops::Range<u32>,
    ) -> usize {
        ys.flat_map(|y| xs.clone().map(move |x| (x, y))).filter(|(x, y)| self.changed(buffer, *x, *y)).count()
    }
    fn untouched(&self, buffer: &gst::BufferRef) -> bool {
        buffer.map_readable().unwrap().iter().all(|byte| *byte == 0x60)
    }
}

const ONLY_BOXES: &str = "audienceoverlay status=false running=false";

#[test]
fn a_frame_without_metas_is_the_same_frame() {
    let mut bench = Bench::new("I420", 320, 240);
    let buffer = bench.blank();
    let memory = buffer.map_readable().unwrap().as_ptr();
    let out = bench.harness.push_and_pull(buffer).unwrap();
    assert!(bench.untouched(&out));
    assert_eq!(out.map_readable().unwrap().as_ptr(), memory, "not even copied");
}

#[test]
fn a_box_lies_on_its_face_and_nowhere_else() {
    let mut bench = Bench::with("I420", 320, 240, &format!("{ONLY_BOXES} attributes=false"));
    let stamp = stamp(Purposes::all());
    let out = bench.draw(Some(&stamp), &[face(12, 100, 100, 80, 60)]);
    for (x, y) in
        [(100, 100), (179, 100), (100, 159), (179, 159), (140, 100), (140, 159), (100, 130), (179, 130)]
    {
        assert!(bench.changed(&out, x, y), "{x},{y} is on the outline");
    }
    assert_eq!(bench.changed_in(&out, 104..176, 104..156), 0, "the face itself stays visible");
    assert_eq!(bench.changed_in(&out, 182..320, 0..240), 0);
    assert_eq!(bench.changed_in(&out, 0..320, 162..240), 0);
    assert!(bench.changed_in(&out, 100..140, 80..99) > 100, "its id stands above it");
}

#[test]
fn attributes_are_written_beside_the_box_and_only_those_agreed_to() {
    let width_of_label = |purposes: &[Purpose]| {
        let mut bench = Bench::with("I420", 640, 480, ONLY_BOXES);
        let stamp = stamp(purposes.iter().copied().collect());
        let out = bench.draw(Some(&stamp), &[face(12, 200, 200, 100, 100)]);
        bench.changed_in(&out, 0..640, 0..199)
    };
    let none = width_of_label(&[Purpose::Measurement]);
    let demographics = width_of_label(&[Purpose::Measurement, Purpose::Demographics]);
    let all = width_of_label(&[Purpose::Measurement, Purpose::Demographics, Purpose::Emotion]);
    assert!(0 < none && none < demographics && demographics < all, "{none} {demographics} {all}");
}

#[test]
fn nobody_is_drawn_without_valid_consent() {
    let faces = [face(1, 50, 50, 60, 60)];
    let mut bench = Bench::with("I420", 320, 240, ONLY_BOXES);
    assert!(
        {
            let out = bench.draw(None, &faces);
            bench.untouched(&out)
        },
        "no stamp"
    );
    let expired = Stamp { expires: 1, ..stamp(Purposes::all()) };
    assert!(
        {
            let out = bench.draw(Some(&expired), &faces);
            bench.untouched(&out)
        },
        "expired"
    );
    let closed = stamp(Purposes::NONE);
    assert!(
        {
            let out = bench.draw(Some(&closed), &faces);
            bench.untouched(&out)
        },
        "nothing allowed"
    );
    let good = stamp(Purposes::all());
    assert!(!{
        let out = bench.draw(Some(&good), &faces);
        bench.untouched(&out)
    });
}

#[test]
fn after_a_withdrawal_frames_that_are_still_on_their_way_show_nobody() {
    let faces = [face(1, 50, 50, 60, 60)];
    let mut bench = Bench::with("I420", 320, 240, ONLY_BOXES);
    let good = stamp(Purposes::all());
    assert!(!{
        let out = bench.draw(Some(&good), &faces);
        bench.untouched(&out)
    });
    let gate = Gate { epoch: 3, open: false, screen: "lobby".into(), reason: "withdrawn".into() };
    assert!(bench.harness.push_event(gate.to_event()));
    assert!({
        let out = bench.draw(Some(&good), &faces);
        bench.untouched(&out)
    });
    let again = Stamp { epoch: 4, ..good };
    let gate = Gate { epoch: 4, open: true, ..gate };
    assert!(bench.harness.push_event(gate.to_event()));
    assert!(!{
        let out = bench.draw(Some(&again), &faces);
        bench.untouched(&out)
    });
}

#[test]
fn the_strips_stand_at_their_edges() {
    let mut bench = Bench::with("I420", 640, 480, "audienceoverlay boxes=false");
    let out = bench.draw(Some(&stamp(Purposes::all())), &[]);
    assert!(bench.changed(&out, 0, 479) && bench.changed(&out, 639, 479), "the status at the lower edge");
    assert_eq!(bench.changed_in(&out, 0..640, 0..380), 0, "nothing runs, nothing is said of it");
    assert!(bench.harness.push_upstream_event(running().to_event()));
    let out = bench.draw(None, &[]);
    assert!(bench.changed(&out, 0, 0) && bench.changed(&out, 639, 0), "what runs at the upper edge");
    assert_eq!(bench.changed_in(&out, 0..640, 170..480), 0);
}

#[test]
fn what_is_switched_off_is_not_drawn() {
    let everything = |line: &str| {
        let mut bench = Bench::with("I420", 320, 240, line);
        assert!(bench.harness.push_upstream_event(running().to_event()));
        let out = bench.draw(Some(&stamp(Purposes::all())), &[face(1, 100, 100, 40, 40)]);
        bench.changed_in(&out, 0..320, 0..240)
    };
    assert_eq!(everything("audienceoverlay boxes=false status=false running=false"), 0);
    let all = everything("audienceoverlay");
    for part in ["boxes", "attributes", "status", "running"] {
        assert!(everything(&format!("audienceoverlay {part}=false")) < all, "{part}");
    }
    assert!(everything("audienceoverlay scale=0.25") < all);
}

#[test]
fn frames_and_faces_of_any_size_are_survived() {
    for (width, height) in [(1, 1), (2, 2), (3, 500), (500, 3), (16, 16), (321, 241), (7680, 4320)] {
        let mut bench = Bench::new("I420", width, height);
        assert!(bench.harness.push_upstream_event(running().to_event()));
        let faces = [
            face(1, 0, 0, width as u32, height as u32),
            face(2, width as u32 - 1, height as u32 - 1, 1, 1),
            face(-3, width as u32 / 2, height as u32 / 2, 4000, 4000),
            face(i32::MIN, u32::MAX, u32::MAX, u32::MAX, u32::MAX),
            face(i32::MAX, 0, 0, 0, 0),
        ];
        let out = bench.draw(Some(&stamp(Purposes::all())), &faces);
        assert_eq!(out.size(), bench.info.size());
        assert!(bench.changed(&out, 0, 0), "{width}x{height}");
    }
}

/// The same picture in another format.
fn converted(buffer: gst::Buffer, from: &VideoInfo, to: &VideoInfo) -> gst::Buffer {
    let source = VideoFrame::from_buffer_readable(buffer, from).unwrap();
    let empty = gst::Buffer::with_size(to.size()).unwrap();
    let mut target = VideoFrame::from_buffer_writable(empty, to).unwrap();
    VideoConverter::new(from, to, None).unwrap().frame(&source, &mut target);
    target.into_buffer()
}

#[test]
fn the_drawing_is_the_same_in_every_raw_format() {
    common::init();
    let rgb = VideoInfo::from_caps(&video_caps("RGB", 320, 240, (25, 1))).unwrap();
    let grey = || gst::Buffer::from_mut_slice(vec![0x60u8; rgb.size()]);
    let draw = |info: &VideoInfo, buffer: gst::Buffer| {
        let mut harness = gst_check::Harness::new_parse("audienceoverlay");
        harness.set_src_caps(info.to_caps().unwrap());
        assert!(harness.push_upstream_event(running().to_event()));
        harness.push_and_pull(buffer).unwrap()
    };
    let expected = draw(&rgb, grey());
    let expected = expected.map_readable().unwrap();
    let cannot = [VideoFormat::Rgb8p, VideoFormat::Rgb10a2Le, VideoFormat::Bgr10a2Le];
    let mut formats = 0;
    for format in VideoFormat::iter_raw().filter(|format| !cannot.contains(format)) {
        let caps = video_caps(format.to_str(), 320, 240, (25, 1));
        let info = VideoInfo::from_caps(&caps).unwrap();
        let drawn = draw(&info, converted(grey(), &rgb, &info));
        let back = converted(drawn, &info, &rgb);
        let back = back.map_readable().unwrap();
        let total: u64 = expected.iter().zip(back.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = total as f64 / expected.len() as f64;
        // Five bits for a colour are wrong by 4 on average; an undrawn strip would be wrong by more than 10.
        assert!(mean < 4.0, "{format}: wrong by {mean} a pixel");
        formats += 1;
    }
    assert!(formats > 90, "{formats}");
    let bare: u64 = expected.iter().map(|byte| u64::from(byte.abs_diff(0x60))).sum();
    assert!(bare as f64 / expected.len() as f64 > 10.0, "the test would see an undrawn strip");
}

#[test]
fn other_formats_pass_untouched_with_one_warning() {
    common::init();
    let pipeline =
        gst::parse::launch("appsrc name=in format=time ! audienceoverlay ! appsink name=out sync=false")
            .unwrap()
            .downcast::<gst::Pipeline>()
            .unwrap();
    let source = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for (width, format) in [(64, "RGB10A2_LE"), (48, "BGR10A2_LE"), (32, "RGB10A2_LE")] {
        let caps = video_caps(format, width, 48, (25, 1));
        let info = VideoInfo::from_caps(&caps).unwrap();
        source.set_caps(Some(&caps));
        let mut buffer = gst::Buffer::from_mut_slice(vec![0x60; info.size()]);
        let inner = buffer.get_mut().unwrap();
        facialads_meta::consent::attach(&stamp(Purposes::all()), inner);
        face(1, 0, 0, 20, 20).attach(inner, info.width(), info.height());
        source.push_buffer(buffer).unwrap();
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(20)).expect("the frame passes");
        assert!(sample.buffer().unwrap().map_readable().unwrap().iter().all(|byte| *byte == 0x60));
    }
    let bus = pipeline.bus().unwrap();
    let warnings: Vec<_> = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning])).collect();
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn gaps_pass_and_timestamps_stay() {
    let mut bench = Bench::new("I420", 64, 48);
    assert!(bench.harness.push_event(gst::event::Gap::new(gst::ClockTime::ZERO, gst::ClockTime::SECOND)));
    let mut buffer = bench.blank();
    let inner = buffer.get_mut().unwrap();
    inner.set_pts(gst::ClockTime::from_mseconds(40));
    inner.set_duration(gst::ClockTime::from_mseconds(40));
    facialads_meta::consent::attach(&stamp(Purposes::all()), inner);
    let out = bench.harness.push_and_pull(buffer).unwrap();
    assert_eq!(out.pts(), Some(gst::ClockTime::from_mseconds(40)));
    assert_eq!(out.duration(), Some(gst::ClockTime::from_mseconds(40)));
    assert!(facialads_meta::consent::read(&out).is_some(), "metas stay");
}

#[test]
fn a_frame_that_somebody_else_holds_is_not_drawn_on() {
    let mut bench = Bench::new("I420", 320, 240);
    let mut buffer = bench.blank();
    facialads_meta::consent::attach(&stamp(Purposes::all()), buffer.get_mut().unwrap());
    let held = buffer.clone();
    let out = bench.harness.push_and_pull(buffer).unwrap();
    assert!(!bench.untouched(&out));
    assert!(bench.untouched(&held));
}

/// Writes pictures to look at into `$AUDIENCEOVERLAY_PICTURES`, where that is set.
#[test]
fn pictures_to_look_at() {
    let Some(folder) = std::env::var_os("AUDIENCEOVERLAY_PICTURES").map(std::path::PathBuf::from) else {
        return;
    };
    for (width, height) in [(320, 240), (640, 360), (1920, 1080), (720, 1280)] {
        let mut bench = Bench::new("RGB", width, height);
        assert_eq!(bench.info.format(), VideoFormat::Rgb);
        assert!(bench.harness.push_upstream_event(running().to_event()));
        let (w, h) = (width as u32, height as u32);
        let minor =
            Face { age: None, gender: None, emotion: None, ..face(31, w * 5 / 8, h * 2 / 5, w / 7, h / 5) };
        let faces = [
            face(12, w / 8, h * 2 / 5, w / 6, h / 4),
            face(1_804_289_383, w * 3 / 8, h * 2 / 5, w / 6, h / 4),
            minor,
            face(7, w * 7 / 8, h * 2 / 5, w / 4, h / 4),
        ];
        let audience = Audience { epoch: 3, faces: 4, targeting: Targeting::PossibleMinor };
        let out = bench.draw_with(Some(&stamp(Purposes::all())), &faces, Some(&audience));
        let frame = VideoFrameRef::from_buffer_ref_readable(&out, &bench.info).unwrap();
        let stride = frame.plane_stride()[0] as usize;
        let pixels: Vec<u8> = frame
            .plane_data(0)
            .unwrap()
            .chunks(stride)
            .take(h as usize)
            .flat_map(|row| row[..3 * w as usize].to_vec())
            .collect();
        let picture = image::RgbImage::from_raw(w, h, pixels).unwrap();
        picture.save(folder.join(format!("{width}x{height}.png"))).unwrap();
    }
}
