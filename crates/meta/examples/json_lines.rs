//! Prints what is on the buffers of a pipeline, one JSON object a line in the layout of DL Streamer's `gvametaconvert`:
//! for a message broker, a file, `jq`.
//!
//! ```text
//! GST_PLUGIN_PATH=target/release cargo run -p facialads-meta --example json_lines -- \
//!     'v4l2src ! videoconvert ! consentgate screen=lobby ! faceanalyze' | mosquitto_pub -t faces -l
//! ```
//!
//! What it prints is about people: it may go only where those who agreed were told that it goes.

use gst::prelude::*;
use std::{
    error::Error,
    io::{ErrorKind, Write},
};

fn main() -> Result<(), Box<dyn Error>> {
    let line = std::env::args().nth(1).ok_or("usage: json_lines 'PIPELINE', without a sink")?;
    gst::init()?;
    facialads_meta::init();
    let line = format!("{line} ! appsink name=json sync=false");
    let pipeline = gst::parse::launch(&line)?.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline")?;
    let sink = pipeline.by_name("json").and_downcast::<gst_app::AppSink>().ok_or("the appsink is missing")?;
    pipeline.set_state(gst::State::Playing)?;
    let printed = print(&sink, &mut std::io::stdout().lock());
    let failed = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    pipeline.set_state(gst::State::Null)?;
    if let Some(gst::MessageView::Error(error)) = failed.as_ref().map(|message| message.view()) {
        return Err(error.error().to_string().into());
    }
    match printed {
        // Whoever read along has had enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Until the stream ends.
fn print(sink: &gst_app::AppSink, out: &mut impl Write) -> std::io::Result<()> {
    while let Ok(sample) = sink.pull_sample() {
        let info = sample.caps().and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok());
        let (Some(buffer), Some(info)) = (sample.buffer(), info) else { continue };
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
        let time = segment.and_then(|segment| segment.to_stream_time(buffer.pts()));
        if let Some(json) = facialads_meta::json::of_buffer(buffer, info.width(), info.height(), time) {
            writeln!(out, "{json}")?;
        }
    }
    Ok(())
}
