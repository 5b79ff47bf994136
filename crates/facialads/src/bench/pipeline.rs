//! Elements in a pipeline between a source that has all frames at hand and a sink that throws them away.

use super::frames::Frames;
use anyhow::{Context, Result, bail};
use facialads_consent::{NewGrant, Notice, Purpose, Purposes, Stamp, Store, wall_clock};
use gst::prelude::*;
use std::time::{Duration, Instant};

pub const FACES: &str = "faceanalyze async=false inference-interval=1 reclassify-interval=1 fallback=false";
pub const FACES_EVERY_THIRD: &str = "faceanalyze async=false inference-interval=3 fallback=false";
pub const SUBJECT: &str = "subjectclassify async=false interval=0 fallback=false";
pub const ADINSERT: &str = "adinsert";

/// # Errors
/// The plugin is not on GStreamer's path.
pub fn need_plugin() -> Result<()> {
    if gst::ElementFactory::find("faceanalyze").is_none() {
        bail!(
            "GStreamer does not find the Facial Ads plugin; set GST_PLUGIN_PATH to the folder with libgstfacialads.so \
             (target/release after `cargo build --release`)"
        );
    }
    Ok(())
}

/// Whether GStreamer has the element that a row begins with.
pub fn has_element(row: &str) -> bool {
    let name = row.split([' ', ',']).next().unwrap_or_default();
    gst::ElementFactory::find(name).is_some()
}

/// Time for all frames to pass `element`, from the first push to the end of the stream.
pub fn time(frames: &Frames, element: &str, stamp: Option<&Stamp>) -> Result<Duration> {
    run(frames, element, stamp).map(|(took, _)| took)
}

/// The same for an element that looks at every frame; `count` names the figure of its `stats` that proves it did.
pub fn analyse(frames: &Frames, element: &str, stamp: Option<&Stamp>, count: &str) -> Result<Duration> {
    let (took, measured) = run(frames, element, stamp)?;
    let looked: u64 = measured.property::<gst::Structure>("stats").get(count)?;
    if looked != u64::from(frames.count()) {
        bail!("{element} looked at {looked} of {} frames: this would measure nothing", frames.count());
    }
    Ok(took)
}

fn run(frames: &Frames, element: &str, stamp: Option<&Stamp>) -> Result<(Duration, gst::Element)> {
    let (name, properties) = element.split_once(' ').unwrap_or((element, ""));
    // adinsert's pads come in pairs and have names of their own.
    let (sink, source) = if name == "adinsert" { ("sink_video", "src_video") } else { ("sink", "src") };
    let line = format!(
        "appsrc name=in format=time block=true max-buffers=8 max-bytes=0 ! measured.{sink} \
         {name} name=measured {properties} measured.{source} ! fakesink sync=false name=out"
    );
    let pipeline = gst::parse::launch(&line)?;
    let bin = pipeline.downcast_ref::<gst::Pipeline>().context("not a pipeline")?;
    let source = bin.by_name("in").context("no source")?;
    let source = source.downcast::<gst_app::AppSrc>().map_err(|_| anyhow::anyhow!("no appsrc"))?;
    source.set_caps(Some(&frames.caps));
    let buffers: Vec<gst::Buffer> = frames.buffers.iter().map(|b| stamped(b, stamp)).collect();
    bin.set_state(gst::State::Playing)?;
    let begun = Instant::now();
    let ended = feed(bin, &source, buffers);
    let took = begun.elapsed();
    let measured = bin.by_name("measured").context("no element")?;
    bin.set_state(gst::State::Null)?;
    ended.map(|()| (took, measured))
}

/// A buffer that shares the frame's memory, with consent where there is any.
fn stamped(buffer: &gst::Buffer, stamp: Option<&Stamp>) -> gst::Buffer {
    let mut copy = buffer.copy();
    if let Some(stamp) = stamp {
        facialads_meta::consent::attach(stamp, copy.make_mut());
    }
    copy
}

fn feed(bin: &gst::Pipeline, source: &gst_app::AppSrc, buffers: Vec<gst::Buffer>) -> Result<()> {
    for buffer in buffers {
        if source.push_buffer(buffer).is_err() {
            break;
        }
    }
    let _ = source.end_of_stream();
    wait_for_end(bin)
}

/// Until the stream has ended.
///
/// # Errors
/// An element's error, or ten minutes without an end.
pub fn wait_for_end(bin: &gst::Pipeline) -> Result<()> {
    let bus = bin.bus().context("no bus")?;
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus
        .timed_pop_filtered(gst::ClockTime::from_seconds(600), &wanted)
        .context("the stream did not end within ten minutes")?;
    match message.view() {
        gst::MessageView::Error(error) => bail!("{}", error.error()),
        _ => Ok(()),
    }
}

/// A store in which a viewer of the screen "bench" has agreed to everything but emotion; gone when dropped.
pub fn consent_store() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir().context("no room for a consent store")?;
    let store = Store::open(&folder.path().join("consent.db"))?;
    let grant = NewGrant {
        screen: "bench".into(),
        purposes: Purposes::all().without(Purpose::Emotion),
        adult: true,
        duration: Duration::from_secs(3600),
        notice: Notice { version: "bench".into(), language: "en".into() },
        method: "operator".into(),
    };
    store.grant(&grant, wall_clock())?;
    Ok(folder)
}
