//! GStreamer's own CUDA elements on the stand-in driver: what goes up comes down again, byte for byte.

#![allow(clippy::unwrap_used)]

use facialads_testkit::gpu;
use gst::prelude::*;
use gst_video::{VideoFrameExt, VideoFrameRef, VideoInfo};

/// The formats that both Debian 12's and Debian 13's GStreamer know in CUDA memory.
const FORMATS: [&str; 12] =
    ["NV12", "NV21", "I420", "YV12", "P010_10LE", "P016_LE", "Y444", "BGRA", "RGBA", "BGRx", "RGB", "BGR"];

/// The samples of every frame of `pipeline`, without the padding of rows, which nobody promises anything about.
fn frames(pipeline: &str) -> Vec<Vec<u8>> {
    let pipeline = gst::parse::launch(&format!("{pipeline} ! appsink name=sink sync=false")).unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut frames = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let info = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        frames.push(samples(sample.buffer().unwrap(), &info));
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    assert!(error.is_none(), "{error:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    frames
}

fn samples(buffer: &gst::BufferRef, info: &VideoInfo) -> Vec<u8> {
    let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info).unwrap();
    let mut samples = Vec::new();
    for plane in 0..frame.n_planes() {
        let stride = usize::try_from(frame.plane_stride()[plane as usize]).unwrap();
        // The first component of the plane says how long its rows are.
        let format = frame.format_info();
        let component = format.plane().iter().position(|at| *at == plane).unwrap();
        let (width, height) = (frame.comp_width(component as u32), frame.comp_height(component as u32));
        let row = width as usize * usize::try_from(frame.comp_pstride(component as u32)).unwrap();
        let data = frame.plane_data(plane).unwrap();
        for y in 0..height as usize {
            samples.extend_from_slice(&data[y * stride..y * stride + row]);
        }
    }
    samples
}

#[test]
fn what_goes_up_comes_down_in_every_format_and_at_odd_sizes() {
    let Some(gpu) = gpu::gstreamer() else { return };
    for format in FORMATS {
        for (width, height) in [(320, 240), (321, 239)] {
            let source = format!(
                "videotestsrc num-buffers=3 pattern=ball ! video/x-raw,format={format},width={width},height={height}"
            );
            gpu.reset();
            // Work on streams at once for some, as late as may be for others: the result is the same.
            gpu.run_late(width == 321);
            let wanted = frames(&source);
            assert_eq!((gpu.bytes_to_device(), gpu.bytes_to_host()), (0, 0));
            let got = frames(&format!(
                "{source} ! cudaupload ! video/x-raw(memory:CUDAMemory) ! cudadownload ! video/x-raw"
            ));
            assert!(wanted.len() == 3 && wanted == got, "{format} {width}x{height}");
            let bytes: usize = wanted.iter().map(Vec::len).sum();
            assert!(
                gpu.bytes_to_device() >= bytes as u64 && gpu.bytes_to_host() >= bytes as u64,
                "{}",
                gpu.counters()
            );
        }
    }
}

#[test]
fn pipelines_leave_nothing_behind() {
    let Some(gpu) = gpu::gstreamer() else { return };
    let run = || {
        frames(
            "videotestsrc num-buffers=30 ! video/x-raw,format=NV12 ! cudaupload ! cudadownload ! video/x-raw",
        )
        .len()
    };
    assert_eq!(run(), 30);
    let before = (gpu.count("live allocations"), gpu.count("live streams"), gpu.count("live contexts"));
    assert_eq!(run(), 30);
    assert_eq!(
        before,
        (gpu.count("live allocations"), gpu.count("live streams"), gpu.count("live contexts"))
    );
}

#[test]
fn a_full_gpu_is_an_error_on_the_bus() {
    let Some(gpu) = gpu::gstreamer() else { return };
    gpu.fail("cuMemAlloc", gpu::OUT_OF_MEMORY, 0, None);
    let pipeline =
        gst::parse::launch("videotestsrc num-buffers=3 ! video/x-raw,format=NV12 ! cudaupload ! video/x-raw(memory:CUDAMemory) ! fakesink")
            .unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let message = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(20),
        &[gst::MessageType::Error, gst::MessageType::Eos],
    );
    assert_eq!(message.unwrap().type_(), gst::MessageType::Error);
    pipeline.set_state(gst::State::Null).unwrap();
}
