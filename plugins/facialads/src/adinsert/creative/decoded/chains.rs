//! What turns a decoded stream into the programme's format and puts it into a queue.

use super::{
    Shared,
    coded::extent,
    failure,
    route::{self, Delivers, Memory, Step},
    timeline::Kind,
    video::NotOnGpu,
};
use crate::adinsert::creative::Format;
use gst::{ClockTime, prelude::*};
use std::sync::Arc;

pub fn make(name: &str) -> Result<gst::Element, String> {
    gst::ElementFactory::make(name).build().map_err(|_| {
        format!("GStreamer's element {name} is missing; install gstreamer1.0-plugins-base and -good")
    })
}

/// Adds a chain to a running pipeline, its end first so that data always finds a running element.
fn add_chain(pipeline: &gst::Pipeline, chain: &[gst::Element]) -> Result<(), String> {
    pipeline.add_many(chain).map_err(|error| error.to_string())?;
    gst::Element::link_many(chain).map_err(|error| error.to_string())?;
    for element in chain.iter().rev() {
        element.sync_state_with_parent().map_err(|error| error.to_string())?;
    }
    Ok(())
}

pub fn discard_branch(pipeline: &gst::Pipeline) -> Result<gst::Element, String> {
    let sink = make("fakesink")?;
    sink.set_property("sync", false);
    sink.set_property("async", false);
    add_chain(pipeline, std::slice::from_ref(&sink))?;
    Ok(sink)
}

fn queue(buffers: u32, time: ClockTime) -> Result<gst::Element, String> {
    let queue = make("queue")?;
    queue.set_property("max-size-buffers", buffers);
    queue.set_property("max-size-bytes", 0u32);
    queue.set_property("max-size-time", time.nseconds());
    Ok(queue)
}

fn app_sink(caps: &gst::Caps, callbacks: gst_app::AppSinkCallbacks) -> gst::Element {
    gst_app::AppSink::builder()
        .caps(caps)
        .sync(false)
        .async_(false)
        .max_buffers(1)
        .enable_last_sample(false)
        .callbacks(callbacks)
        .build()
        .upcast()
}

/// The programme's caps without what a decoded file cannot promise and what changes no byte of a frame.
fn picture_caps(caps: &gst::Caps) -> gst::Caps {
    let mut caps = caps.copy();
    for structure in caps.make_mut().iter_mut() {
        structure.remove_fields(["multiview-mode", "multiview-flags", "views"]);
        // A progressive picture in an interleaved stream is laid out alike.
        if matches!(structure.get::<&str>("interlace-mode"), Ok("interleaved" | "mixed")) {
            structure.remove_fields(["interlace-mode", "field-order"]);
        }
        if structure.get::<gst::Fraction>("framerate").is_ok_and(|rate| rate.numer() == 0) {
            structure.remove_fields(["framerate", "max-framerate"]);
        }
        if !structure.has_field("pixel-aspect-ratio") {
            structure.set("pixel-aspect-ratio", gst::Fraction::new(1, 1));
        }
    }
    caps
}

pub fn video_branch(
    pipeline: &gst::Pipeline,
    shared: &Arc<Shared>,
    format: &Format,
    decoder: Delivers,
) -> Result<gst::Element, String> {
    let (Some(caps), Some(video)) = (&format.video, &shared.video) else {
        return discard_branch(pipeline);
    };
    let caps = picture_caps(caps);
    let steps = route::plan(video.memory(), decoder, &route::is_installed)?;
    let on_gpu = steps.iter().any(|step| matches!(step, Step::ConvertOnGpu(_)));
    let elements = steps.iter().map(|step| build(*step, &caps, on_gpu));
    let mut chain = elements.collect::<Result<Vec<_>, _>>()?;
    let upload = steps.iter().position(|step| *step == Step::Upload);
    if let Some(upload) = upload.and_then(|n| chain.get(n)) {
        shared.uploads_with(upload);
    }
    let from_pool = steps.iter().rposition(|step| matches!(step, Step::ConvertOnGpu(_) | Step::Upload));
    if let Some(pad) = from_pool.and_then(|n| chain.get(n)?.static_pad("src")) {
        lend_what_passes(&pad, shared);
    }
    let (samples, eos) = (shared.clone(), shared.clone());
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| take_picture(sink, &samples))
        .eos(move |_| {
            eos.timeline.ended(Kind::Video);
            if let Some(video) = &eos.video {
                video.end();
            }
            eos.wake();
        })
        .build();
    let sink = app_sink(&caps, callbacks);
    // An uploader's pool grows as it is needed; only a decoder's may be of fixed size.
    if upload.is_none() {
        ask_for_frames(&sink, video);
    }
    chain.push(sink);
    add_chain(pipeline, &chain)?;
    chain.into_iter().next().ok_or_else(|| "a branch without an input".to_owned())
}

/// `caps`: the programme's. `on_gpu`: whether the decoder's pictures lie in the GPU's memory.
fn build(step: Step, caps: &gst::Caps, on_gpu: bool) -> Result<gst::Element, String> {
    let with_borders = |name| {
        let convert = make(name)?;
        // cudaconvert converts colours only.
        if convert.has_property("add-borders") {
            convert.set_property("add-borders", true);
        }
        Ok(convert)
    };
    match step {
        Step::Queue => queue(if on_gpu { 1 } else { 3 }, ClockTime::ZERO),
        Step::Convert => with_borders("videoconvertscale"),
        Step::ConvertOnGpu(name) => with_borders(name),
        Step::Rate => {
            let rate = make("videorate")?;
            rate.set_property("skip-to-first", true);
            Ok(rate)
        }
        Step::HostCaps => {
            let filter = make("capsfilter")?;
            filter.set_property("caps", route::on_host(caps));
            Ok(filter)
        }
        Step::Upload => make("cudaupload"),
        Step::Download => make("cudadownload"),
    }
}

/// Before videorate, which hands on copies that share the memory of what it got.
fn lend_what_passes(pad: &gst::Pad, shared: &Arc<Shared>) {
    let shared = shared.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let (Some(buffer), Some(video)) = (info.buffer(), &shared.video) {
            video.lend(buffer.clone());
        }
        gst::PadProbeReturn::Ok
    });
}

/// So many frames may be on their way from `src_video` to a screen or through an encoder. NVIDIA's decoders hand out their own
/// surfaces, of which there is a fixed number.
const IN_FLIGHT: u32 = 4;

/// A decoder with a pool of fixed size must know how many frames are kept here.
fn ask_for_frames(sink: &gst::Element, video: &super::video::Queue) {
    let Some(pad) = sink.static_pad("sink") else { return };
    let size = u32::try_from(video.info().size()).unwrap_or(0);
    // The frame on air and the one that is being handed over; on the GPU also those that encoders downstream are still at.
    let beside = if video.memory() == Memory::Cuda { 2 + IN_FLIGHT } else { 2 };
    let least = u32::try_from(video.capacity()).unwrap_or(u32::MAX).saturating_add(beside);
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Query(query)) = &mut info.data
            && let gst::QueryViewMut::Allocation(allocation) = query.view_mut()
        {
            allocation.add_allocation_pool(gst::BufferPool::NONE, size, least, 0);
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
}

fn take_picture(sink: &gst_app::AppSink, shared: &Shared) -> Result<gst::FlowSuccess, gst::FlowError> {
    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
    let (Some(buffer), Some(segment), Some(video)) = (sample.buffer(), sample.segment(), &shared.video)
    else {
        return Ok(gst::FlowSuccess::Ok);
    };
    let segment = segment.downcast_ref::<ClockTime>().ok_or(gst::FlowError::Error)?;
    let Some((start, end)) = extent(buffer, segment) else { return Ok(gst::FlowSuccess::Ok) };
    let picture = match &shared.context {
        None => super::video::plain(buffer, video.info(), sample.caps()),
        Some(context) => super::video::on_gpu(&sample, video.info(), context)
            .map_err(|problem| {
                shared.fail(&match problem {
                    NotOnGpu::Elsewhere => failure::elsewhere(&shared.source),
                    NotOnGpu::Refused(why) => failure::not_on_gpu(&shared.source, &why),
                });
            })
            .ok(),
    };
    let picture = picture.ok_or(gst::FlowError::Error)?;
    learn_duration(sink, shared);
    let first = !video.has_content();
    shared.timeline.saw(Kind::Video, start, end);
    video.push(start, end, picture)?;
    if first {
        // The sound's place is known from here on.
        shared.audio.wake();
    }
    Ok(gst::FlowSuccess::Ok)
}

pub fn audio_branch(
    pipeline: &gst::Pipeline,
    shared: &Arc<Shared>,
    format: &Format,
) -> Result<gst::Element, String> {
    let mut heads = Vec::with_capacity(format.audio.len());
    for (pad, caps) in format.audio.iter().enumerate() {
        let head = queue(0, ClockTime::SECOND)?;
        let (samples, eos) = (shared.clone(), shared.clone());
        let callbacks = gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| take_sound(sink, &samples, pad))
            .eos(move |_| {
                eos.audio.end(pad);
                if eos.audio.all_ended() {
                    eos.timeline.ended(Kind::Audio);
                }
                eos.wake();
            })
            .build();
        let sink = app_sink(caps, callbacks);
        add_chain(pipeline, &[head.clone(), make("audioconvert")?, make("audioresample")?, sink])?;
        heads.push(head);
    }
    match heads.as_slice() {
        [] => discard_branch(pipeline),
        [head] => Ok(head.clone()),
        _ => {
            let tee = make("tee")?;
            add_chain(pipeline, std::slice::from_ref(&tee))?;
            for head in &heads {
                tee.link(head).map_err(|error| error.to_string())?;
            }
            Ok(tee)
        }
    }
}

fn take_sound(
    sink: &gst_app::AppSink,
    shared: &Shared,
    pad: usize,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
    let (Some(buffer), Some(segment), Some(info)) =
        (sample.buffer_owned(), sample.segment(), shared.audio.info(pad))
    else {
        return Ok(gst::FlowSuccess::Ok);
    };
    let Some(buffer) = gst_audio::audio_buffer_clip(buffer, segment, info.rate(), info.bpf()) else {
        return Ok(gst::FlowSuccess::Ok);
    };
    let segment = segment.downcast_ref::<ClockTime>().ok_or(gst::FlowError::Error)?;
    let Some(start) = segment.to_running_time(buffer.pts()) else { return Ok(gst::FlowSuccess::Ok) };
    learn_duration(sink, shared);
    if pad == 0 {
        let count = (buffer.size() / info.bpf() as usize) as u64;
        let length = count.mul_div_round(ClockTime::SECOND.nseconds(), u64::from(info.rate()));
        let length = ClockTime::from_nseconds(length.unwrap_or_default());
        shared.timeline.saw(Kind::Audio, start, start.saturating_add(length));
    }
    let data = buffer.into_mapped_buffer_readable().map_err(|_| gst::FlowError::Error)?;
    shared.audio.push(pad, start, data)?;
    Ok(gst::FlowSuccess::Ok)
}

/// What the container says, asked from the branch's own thread and only until it is known.
fn learn_duration(sink: &gst_app::AppSink, shared: &Shared) {
    if shared.timeline.needs_container()
        && let Some(duration) = sink.static_pad("sink").and_then(|pad| pad.peer_query_duration::<ClockTime>())
    {
        shared.timeline.set_container(duration);
    }
}
