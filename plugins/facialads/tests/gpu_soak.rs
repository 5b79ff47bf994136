//! Hours of looking and splicing on a GPU in little: frames in CUDA memory, people who come and go, an advertisement every five
//! seconds, and neither the card's memory nor the host's grows.
//!
//! 1,000 frames here, on stand-ins for NVIDIA's driver and for ONNX Runtime's CUDA provider. `FACIALADS_SOAK_GPU=1` takes the
//! machine's own instead, `FACIALADS_SOAK_FRAMES` says how many frames; `make soak` runs 100,000 where there is a card. Figures go to
//! `FACIALADS_SOAK_JSON`.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod looking;

use common::numbered::{Spec, make_creative};
use facialads_consent::Stamp;
use facialads_testkit::gpu;
use facialads_vision::cuda::{Gpu, traffic};
use gst::prelude::*;
use gstfacialads::adinsert::creative::finish_teardowns;
use looking::{Seen, init, onnx_runtime, stamp};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

const WIDTH: u32 = 480;
const HEIGHT: u32 = 270;
/// Frames of one scene; the fourth is an empty room.
const SCENE: usize = 50;
/// Seconds from break to break, and of each advertisement.
const EVERY: usize = 5;
const AD: u32 = 2;
const FPS: usize = 25;
/// As much as the host's memory may grow after the first fifth: allocators still settle then.
const HOST_GROWTH: u64 = 32 << 20;
/// And the device's: forty frames, for one advertisement may be opened while another is let go.
const DEVICE_GROWTH: u64 = 8 << 20;

/// Parts of photographs that move, and an empty room, as packed RGB.
fn scenes() -> Option<Vec<gst::Buffer>> {
    let mut frames = Vec::new();
    for number in [1, 4, 6] {
        let photograph = facialads_testkit::media(&format!("sample{number}.jpg"))?;
        let picture =
            image::open(photograph).unwrap().resize(640, 640, image::imageops::Triangle).into_rgb8();
        let (across, down) = (picture.width() - WIDTH, picture.height() - HEIGHT);
        for frame in 0..SCENE {
            let shift = |most: u32| u32::try_from(frame).unwrap() * most / u32::try_from(SCENE).unwrap();
            let view = image::imageops::crop_imm(&picture, shift(across), down - shift(down), WIDTH, HEIGHT);
            frames.push(gst::Buffer::from_slice(view.to_image().into_raw()));
        }
    }
    let room = gst::Buffer::from_slice(vec![90; (WIDTH * HEIGHT * 3) as usize]);
    frames.extend(std::iter::repeat_n(room, SCENE));
    Some(frames)
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn used(gpu: &Gpu) -> u64 {
    let (free, total) = gpu.free_memory().unwrap();
    total - free
}

/// Bytes on the device and on the host, the most within each twentieth of the frames, and seconds since the beginning.
type Mark = (u64, u64, f64);

#[derive(Default)]
struct Figures {
    frames: usize,
    faces: usize,
    marks: Vec<Mark>,
}

fn pipeline(wanted: usize, creative: &Path) -> gst::Pipeline {
    let seconds = wanted / FPS;
    let breaks: Vec<_> =
        (EVERY..seconds.saturating_sub(EVERY)).step_by(EVERY).map(|s| s.to_string()).collect();
    let line = format!(
        "appsrc name=in format=time block=true max-buffers=4 max-bytes=0 ! videoconvert ! video/x-raw,format=NV12 \
         ! cudaupload ! video/x-raw(memory:CUDAMemory) ! faceanalyze name=faces device=cuda async=false fallback=false \
         ! adinsert name=ads breaks={} ads={} ! fakesink name=out sync=false signal-handoffs=true",
        breaks.join(","),
        // One for each break: an advertisement is listed as often as it is to play.
        vec![creative.to_str().unwrap(); breaks.len()].join(",")
    );
    gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap()
}

#[test]
fn frames_on_the_gpu_are_analysed_and_spliced_and_no_memory_grows() {
    let real = std::env::var_os("FACIALADS_SOAK_GPU").is_some();
    // The driver's stand-in first, then GStreamer's elements on it, then what stands in for ONNX Runtime.
    let stand_in = if real {
        None
    } else {
        let Some(elements) = gpu::gstreamer() else { return };
        drop(elements);
        let Some(stand_in) = gpu::onnx_runtime() else { return };
        Some(stand_in)
    };
    init();
    if !onnx_runtime() || facialads_testkit::model("age-gender").is_none() {
        return;
    }
    let Some(pictures) = scenes() else { return };
    let wanted: usize =
        std::env::var("FACIALADS_SOAK_FRAMES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let folder = tempfile::tempdir().unwrap();
    let creative = make_creative(&folder.path().join("ad.mkv"), &Spec::exact_mkv(AD));
    let device = Gpu::primary(0).unwrap();
    let pipeline = pipeline(wanted, &creative);
    let by_name = |name: &str| pipeline.by_name(name).unwrap();
    let everybody = Stamp { max_faces: 10, expires: u64::MAX, ..stamp() };
    by_name("faces").static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            facialads_meta::consent::attach(&everybody, buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    let figures = Arc::new(Mutex::new(Figures::default()));
    let (kept, begun, gpu) = (figures.clone(), Instant::now(), device.clone());
    by_name("out").connect("handoff", false, move |values| {
        let buffer = values[1].get::<gst::Buffer>().unwrap();
        assert!(facialads_gstcuda::is_cuda_buffer(&buffer), "a frame left the GPU");
        let mut figures = kept.lock().unwrap();
        figures.faces += Seen::of(&buffer).faces.len();
        let part = figures.frames * 20 / wanted;
        figures.frames += 1;
        if figures.marks.len() <= part {
            figures.marks.push((0, resident(), 0.0));
        }
        let mark = figures.marks.last_mut().unwrap();
        *mark = (mark.0.max(used(&gpu)), mark.1, begun.elapsed().as_secs_f64());
        None
    });
    let source = by_name("in").downcast::<gst_app::AppSrc>().unwrap();
    let caps = format!("video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},framerate={FPS}/1");
    source.set_caps(Some(&caps.parse::<gst::Caps>().unwrap()));
    let moved = traffic();
    pipeline.set_state(gst::State::Playing).unwrap();
    // Not by this thread: a pipeline that stopped for an error would hold it for ever.
    std::thread::spawn(move || {
        for frame in 0..wanted {
            let mut buffer = pictures[frame % pictures.len()].copy();
            let fields = buffer.make_mut();
            fields.set_pts(gst::ClockTime::from_mseconds(40 * u64::try_from(frame).unwrap()));
            fields.set_duration(gst::ClockTime::from_mseconds(40));
            if source.push_buffer(buffer).is_err() {
                return;
            }
        }
        let _ = source.end_of_stream();
    });
    let wanted_messages = [gst::MessageType::Eos, gst::MessageType::Error];
    let message =
        pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(7200), &wanted_messages);
    let (faces, ads): (gst::Structure, gst::Structure) =
        (by_name("faces").property("stats"), by_name("ads").property("stats"));
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(finish_teardowns(Duration::from_secs(20)));
    if let gst::MessageView::Error(error) = message.unwrap().view() {
        panic!("{}", error.error());
    }

    let figures = figures.lock().unwrap();
    assert_eq!(figures.frames, wanted);
    assert_eq!(faces.get::<u64>("errors"), Ok(0), "{faces}");
    assert!(figures.faces > wanted / 2, "people on most frames, found {}", figures.faces);
    let breaks = (EVERY..(wanted / FPS).saturating_sub(EVERY)).step_by(EVERY).count();
    assert_eq!(ads.get::<u64>("completed"), Ok(breaks as u64), "{ads}");
    let moved = (
        traffic().pixels_to_host - moved.pixels_to_host,
        traffic().pixels_to_device - moved.pixels_to_device,
    );
    assert_eq!(moved, (0, 0), "bytes of pixels that we moved to the host and to the device");
    let most = |marks: &[Mark], of: fn(&Mark) -> u64| marks.iter().map(of).max().unwrap();
    let (early, late) = figures.marks[2..].split_at(figures.marks.len() / 3);
    let (device_early, device_late) = (most(early, |m| m.0), most(late, |m| m.0));
    let (host_early, host_late) = (most(early, |m| m.1), most(late, |m| m.1));
    let mb = |bytes: u64| bytes >> 20;
    println!(
        "{wanted} frames, {breaks} breaks; device {} MB early, {} MB late; host {} MB early, {} MB late",
        mb(device_early),
        mb(device_late),
        mb(host_early),
        mb(host_late)
    );
    write(&figures, wanted, breaks);
    assert!(
        device_late <= device_early + DEVICE_GROWTH,
        "{device_early} to {device_late} bytes on the device"
    );
    assert!(host_late <= host_early + HOST_GROWTH, "{host_early} to {host_late} bytes on the host");
    drop(stand_in);
}

/// What the memory was, and how long a frame took, in each twentieth of the frames.
fn write(figures: &Figures, wanted: usize, breaks: usize) {
    let Some(file) = std::env::var_os("FACIALADS_SOAK_JSON").map(PathBuf::from) else { return };
    let ends = figures.marks.iter().map(|mark| mark.2);
    let begins = std::iter::once(0.0).chain(ends.clone());
    let part = (wanted / 20).max(1) as f64;
    let milliseconds: Vec<f64> = ends.zip(begins).map(|(end, begin)| (end - begin) * 1e3 / part).collect();
    let megabytes = |of: fn(&Mark) -> u64| -> Vec<f64> {
        figures.marks.iter().map(|mark| of(mark) as f64 / f64::from(1 << 20)).collect()
    };
    let json = serde_json::json!({
        "frames": wanted, "breaks": breaks, "milliseconds_a_frame": milliseconds,
        "device_megabytes": megabytes(|mark| mark.0), "resident_megabytes": megabytes(|mark| mark.1),
    });
    std::fs::write(file, format!("{json:#}\n")).unwrap();
}
