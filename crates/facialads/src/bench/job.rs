//! The whole job on a coded clip: decode, find, follow and describe the faces, as a player does it.

use anyhow::{Context, Result, bail};
use facialads_consent::Stamp;
use gst::prelude::*;
use std::{path::Path, time::Instant};

/// What came of one run over a clip.
pub struct Outcome {
    /// Frames a second, decoding included.
    pub fps: f64,
    /// Mean number of faces on a frame.
    pub faces: f64,
    /// Bytes of pictures that the element moved between host and GPU for a frame.
    pub pixels_across: f64,
}

/// Plays up to `frames` frames of `clip` as fast as it goes through `faceanalyze` with these properties, everything allowed by `stamp`.
///
/// # Errors
/// The clip cannot be decoded, the element fails, or it has looked at no frame.
pub fn run(clip: &Path, frames: u32, properties: &str, stamp: &Stamp) -> Result<Outcome> {
    let path = clip.canonicalize().with_context(|| format!("cannot read {}", clip.display()))?;
    let line = format!(
        "uridecodebin name=in ! identity eos-after={frames} ! queue name=decoded max-size-buffers=8 max-size-bytes=0 max-size-time=0 \
         ! faceanalyze name=measured async=false fallback=false {properties} ! fakesink sync=false"
    );
    let pipeline = gst::parse::launch(&line)?;
    let bin = pipeline.downcast_ref::<gst::Pipeline>().context("not a pipeline")?;
    let uri = gst::glib::filename_to_uri(path, None)?;
    bin.by_name("in").context("no decoder")?.set_property("uri", uri.as_str());
    let measured = bin.by_name("measured").context("no element")?;
    let pad = measured.static_pad("sink").context("no pad")?;
    let stamp = stamp.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            facialads_meta::consent::attach(&stamp, buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    // Networks are loaded and the first frame is decoded before the clock starts, as for the others.
    bin.set_state(gst::State::Paused)?;
    let (result, ..) = bin.state(gst::ClockTime::from_seconds(120));
    result.with_context(|| format!("{} does not start", clip.display()))?;
    let begun = Instant::now();
    bin.set_state(gst::State::Playing)?;
    let ended = super::pipeline::wait_for_end(bin);
    let took = begun.elapsed();
    let stats = measured.property::<gst::Structure>("stats");
    bin.set_state(gst::State::Null)?;
    ended?;
    let of = |name: &str| stats.get::<u64>(name).unwrap_or(0);
    let (frames, faces) = (of("frames"), of("faces"));
    if frames == 0 || of("analysed") == 0 {
        bail!("faceanalyze looked at no frame of {}: this would measure nothing", clip.display());
    }
    let pixels = of("pixel-bytes-to-gpu") + of("pixel-bytes-from-gpu");
    Ok(Outcome {
        fps: frames as f64 / took.as_secs_f64().max(1e-9),
        faces: faces as f64 / frames as f64,
        pixels_across: pixels as f64 / frames as f64,
    })
}
