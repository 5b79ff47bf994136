//! Prints where the planes of frames lie on the device, and in whose context:
//!
//! ```text
//! cargo run -p facialads-gstcuda --example addresses -- \
//!   'videotestsrc num-buffers=3 ! cudaupload ! video/x-raw(memory:CUDAMemory),format=NV12'
//! ```

use facialads_gstcuda::DeviceFrame;
use gst::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    gst::init()?;
    let line = std::env::args().nth(1).ok_or("usage: addresses 'PIPELINE that ends in CUDA memory'")?;
    let bin = gst::parse::bin_from_description(&format!("{line} ! fakesink name=end sync=false"), false)?;
    let pipeline = gst::Pipeline::new();
    pipeline.add(&bin)?;
    let pad = bin.by_name("end").and_then(|end| end.static_pad("sink")).ok_or("no sink")?;
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, probe| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &probe.data
            && let Err(problem) = show(pad, buffer)
        {
            eprintln!("{problem}");
        }
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().ok_or("no bus")?;
    let end = bus.timed_pop_filtered(None, &[gst::MessageType::Eos, gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null)?;
    match end.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().to_string().into()),
        _ => Ok(()),
    }
}

fn show(pad: &gst::Pad, buffer: &gst::BufferRef) -> Result<(), Box<dyn std::error::Error>> {
    let caps = pad.current_caps().ok_or("no caps yet")?;
    let info = gst_video::VideoInfo::from_caps(&caps)?;
    let frame = DeviceFrame::map_read(buffer, &info)?;
    println!("{frame:?} on device {}, stream {:?}", frame.context().device(), frame.stream());
    for plane in frame.planes() {
        println!("  {:#x}, {} bytes a row, {} bytes in all", plane.address, plane.stride, plane.bytes);
    }
    Ok(())
}
