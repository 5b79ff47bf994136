//! audienceoverlay draws on frames in CUDA memory what it draws on frames in system memory, on the stand-in driver.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::numbered::video_caps;
use facialads_consent::{Basis, Policy, Purposes, Site, Stamp, Zone, wall_clock};
use facialads_meta::{
    Age, Audience, Emotion, Face, Gender, Label, Targeting,
    event::{Gate, Running},
};
use facialads_testkit::gpu::{self, StandIn};
use facialads_vision::cuda::traffic;
use gst::prelude::*;
use gst_video::{VideoConverter, VideoFrame, VideoFrameRef, VideoInfo, prelude::*};

fn stand_in() -> Option<StandIn> {
    if gpu::nvrtc().is_none() {
        facialads_testkit::skip("there is no NVRTC");
        return None;
    }
    let driver = gpu::gstreamer()?;
    common::init();
    Some(driver)
}

fn stamp() -> Stamp {
    Stamp {
        purposes: Purposes::all(),
        epoch: 3,
        max_faces: 5,
        adult: true,
        zone: Zone::FULL,
        basis: Basis::ViewerConsent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "lobby".into(),
        expires: wall_clock() + 840_500_000_000,
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

/// A pipeline with frames in one kind of memory at audienceoverlay, and metas put on them there.
struct Bench {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst_app::AppSink,
    info: VideoInfo,
    frames: u64,
}

impl Bench {
    fn new(format: &str, width: i32, height: i32, cuda: bool) -> Self {
        let (up, down) = if cuda {
            ("cudaupload ! video/x-raw(memory:CUDAMemory) !", "cudadownload ! video/x-raw !")
        } else {
            ("", "")
        };
        let line = format!(
            "appsrc name=in format=time ! {up} audienceoverlay name=overlay ! {down} appsink name=out sync=false"
        );
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let source = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
        let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        let caps = video_caps(format, width, height, (25, 1));
        source.set_caps(Some(&caps));
        let info = VideoInfo::from_caps(&caps).unwrap();
        let overlay = pipeline.by_name("overlay").unwrap();
        let (w, h) = (info.width(), info.height());
        overlay.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let caps = pad.current_caps().unwrap();
            let in_cuda = caps.features(0).is_some_and(|features| features.contains("memory:CUDAMemory"));
            assert_eq!(in_cuda, cuda);
            let buffer = info.buffer_mut().unwrap().make_mut();
            facialads_meta::consent::attach(&stamp(), buffer);
            Audience { epoch: 3, faces: 2, targeting: Targeting::Allowed }.attach(buffer);
            face(12, w / 8, h * 2 / 5, w / 6, h / 4).attach(buffer, w, h);
            face(7, w * 7 / 8, h * 2 / 5, w / 4, h / 4).attach(buffer, w, h);
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        overlay.static_pad("src").unwrap().send_event(running().to_event());
        Self { pipeline, source, sink, info, frames: 0 }
    }

    fn draw(&mut self, bytes: &[u8]) -> gst::Buffer {
        let mut buffer = gst::Buffer::from_slice(bytes.to_vec());
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(40 * self.frames));
        self.frames += 1;
        self.source.push_buffer(buffer).unwrap();
        let sample = self.sink.try_pull_sample(gst::ClockTime::from_seconds(60));
        let sample = sample.unwrap_or_else(|| panic!("{:?}", self.pipeline.bus().unwrap().pop()));
        let info = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        // Into the layout that the other path has.
        converted(sample.buffer_owned().unwrap(), &info, &self.info)
    }

    fn warnings(&self) -> Vec<String> {
        let bus = self.pipeline.bus().unwrap();
        let text = |message: gst::Message| match message.view() {
            gst::MessageView::Warning(warning) => warning.error().to_string(),
            _ => String::new(),
        };
        std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning])).map(text).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The same picture in another format or layout.
fn converted(buffer: gst::Buffer, from: &VideoInfo, to: &VideoInfo) -> gst::Buffer {
    let source = VideoFrame::from_buffer_readable(buffer, from).unwrap();
    let empty = gst::Buffer::with_size(to.size()).unwrap();
    let mut target = VideoFrame::from_buffer_writable(empty, to).unwrap();
    VideoConverter::new(from, to, None).unwrap().frame(&source, &mut target);
    target.into_buffer()
}

fn rgb(buffer: gst::Buffer, info: &VideoInfo) -> Vec<u8> {
    let rgb = VideoInfo::builder(gst_video::VideoFormat::Rgb, info.width(), info.height())
        .fps(info.fps())
        .build()
        .unwrap();
    let buffer = converted(buffer, info, &rgb);
    let frame = VideoFrameRef::from_buffer_ref_readable(&buffer, &rgb).unwrap();
    let (stride, row) = (frame.plane_stride()[0] as usize, 3 * info.width() as usize);
    let rows = frame.plane_data(0).unwrap().chunks(stride).take(info.height() as usize);
    rows.flat_map(|line| line[..row].to_vec()).collect()
}

const FORMATS: [&str; 10] =
    ["NV12", "NV21", "I420", "P010_10LE", "Y444", "RGBA", "BGRx", "RGB", "BGR", "YV12"];

#[test]
fn the_drawing_is_that_of_frames_in_system_memory() {
    let Some(_driver) = stand_in() else { return };
    let folder = std::env::var_os("AUDIENCEOVERLAY_PICTURES").map(std::path::PathBuf::from);
    for format in FORMATS {
        for (width, height) in [(640, 360), (321, 241)] {
            let draw = |cuda: bool| {
                let mut bench = Bench::new(format, width, height, cuda);
                let mut bytes = vec![0x60; bench.info.size()];
                if ["RGBA", "BGRx"].contains(&format) {
                    // Opaque: alpha stays as it is in CUDA memory, and GStreamer takes the fourth byte of BGRx for one.
                    bytes.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
                }
                let out = bench.draw(&bytes);
                assert_eq!(bench.warnings(), [""; 0]);
                rgb(out, &bench.info)
            };
            let (host, device) = (draw(false), draw(true));
            for (name, pixels) in [("host", &host), ("cuda", &device)] {
                if let Some(folder) = &folder {
                    let picture = image::RgbImage::from_raw(width as u32, height as u32, pixels.clone());
                    picture
                        .unwrap()
                        .save(folder.join(format!("overlay-{format}-{width}-{name}.png")))
                        .unwrap();
                }
            }
            let off = |at: &[u8], other: &[u8]| -> f64 {
                let total: u64 = at.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
                total as f64 / at.len() as f64
            };
            let first = [host[host.len() / 2], host[host.len() / 2 + 1], host[host.len() / 2 + 2]];
            let blank = first.repeat(host.len() / 3);
            // GStreamer's blending takes one pixel's chroma, where ours takes the mean of those that share it, and makes a
            // translucent black a little darker.
            let (wrong, drawn) = (off(&host, &device), off(&host, &blank));
            assert!(wrong < 2.5 && drawn > 8.0, "{format} {width}x{height}: off by {wrong} of {drawn}");
        }
    }
}

#[test]
fn only_text_that_changed_is_uploaded_and_no_pixel_crosses() {
    let Some(driver) = stand_in() else { return };
    let mut bench = Bench::new("NV12", 640, 360, true);
    let bytes = vec![0x60; bench.info.size()];
    bench.draw(&bytes);
    let (before, copied) = (traffic(), driver.bytes_to_device());
    let frames = 10;
    // The time left changes within them at most once or twice.
    (0..frames).for_each(|_| drop(bench.draw(&bytes)));
    let moved = traffic().since(&before);
    assert_eq!((moved.pixels_to_device, moved.pixels_to_host, moved.other_to_host), (0, 0, 0));
    let strip = 640 * 60 * 4;
    assert!(moved.other_to_device <= 2 * strip, "{}", moved.other_to_device);
    let uploads = driver.bytes_to_device() - copied - moved.other_to_device;
    assert!(uploads <= frames * bytes.len() as u64 * 3 / 2, "cudaupload's own");
    assert_eq!(bench.warnings(), [""; 0]);
}

#[test]
fn frames_that_somebody_else_holds_stay_as_they_are() {
    let Some(_driver) = stand_in() else { return };
    let line = "videotestsrc num-buffers=3 pattern=white ! video/x-raw,format=NV12,width=320,height=240 ! cudaupload ! video/x-raw(memory:CUDAMemory) ! tee name=t \
                t. ! queue ! audienceoverlay name=overlay ! cudadownload ! video/x-raw ! appsink name=drawn sync=false \
                t. ! queue ! cudadownload ! video/x-raw ! appsink name=plain sync=false";
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let overlay = pipeline.by_name("overlay").unwrap();
    overlay.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, |_, info| {
        facialads_meta::consent::attach(&stamp(), info.buffer_mut().unwrap().make_mut());
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let pull = |name: &str| {
        let sink = pipeline.by_name(name).unwrap().downcast::<gst_app::AppSink>().unwrap();
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(60)).expect("a frame");
        let info = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        rgb(sample.buffer_owned().unwrap(), &info)
    };
    for _ in 0..3 {
        let (drawn, plain) = (pull("drawn"), pull("plain"));
        assert!(plain.iter().all(|byte| *byte > 250), "the other branch sees white");
        assert!(drawn.iter().any(|byte| *byte < 120), "this one the strip");
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn without_a_way_to_draw_frames_pass_unharmed_with_one_warning() {
    let Some(driver) = stand_in() else { return };
    let mut bench = Bench::new("NV12", 320, 240, true);
    driver.fail("cuLaunchKernel", gpu::OUT_OF_MEMORY, 0, None);
    let bytes = vec![0x60; bench.info.size()];
    for _ in 0..3 {
        let out = bench.draw(&bytes);
        assert!(out.map_readable().unwrap().iter().all(|byte| *byte == 0x60));
    }
    let warnings = bench.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("cudadownload"), "{warnings:?}");
    driver.reset();
    let out = bench.draw(&bytes);
    assert!(out.map_readable().unwrap().iter().any(|byte| *byte != 0x60), "it draws again");
}

#[test]
fn labels_leave_the_device_with_consent() {
    let Some(_driver) = stand_in() else { return };
    let mut bench = Bench::new("NV12", 320, 240, true);
    let bytes = vec![0x60; bench.info.size()];
    bench.draw(&bytes);
    let gate = Gate { epoch: 3, open: false, screen: "lobby".into(), reason: "withdrawn".into() };
    let before = traffic();
    bench.pipeline.by_name("overlay").unwrap().static_pad("sink").unwrap().send_event(gate.to_event());
    let closed = bench.draw(&bytes);
    assert!(traffic().since(&before).other_to_device > 0, "the strips were uploaded anew");
    // Nobody is drawn: the middle of the frame is as it came.
    let frame = VideoFrameRef::from_buffer_ref_readable(&closed, &bench.info).unwrap();
    let stride = frame.plane_stride()[0] as usize;
    let middle = frame.plane_data(0).unwrap().chunks(stride).skip(95).take(60);
    assert!(middle.flat_map(|row| &row[..320]).all(|byte| *byte == 0x60));
}
