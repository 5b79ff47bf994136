//! The private pipeline of a creative: built, linked as streams turn up, its messages kept from the application.

use super::{
    CAT, Shared, failure,
    source::Source,
    timeline::{Kind, Streams},
};
use crate::adinsert::creative::Format;
use gst::{ClockTime, prelude::*};
use std::sync::{Arc, Mutex, PoisonError};

/// Compressed data that may wait for one stream while the other is read: with it a slow picture decoder does not starve
/// the sound, and a creative of usual length is in memory whole before it is on air.
const CODED_BYTES: u32 = 32 << 20;
const CODED_TIME: ClockTime = ClockTime::from_seconds(30);

/// Builds and starts the pipeline; whatever goes wrong becomes the creative's failure. Blocks.
pub fn start(shared: &Arc<Shared>, source: &Source, format: &Format) {
    if let Err(problem) = try_start(shared, source, format) {
        shared.fail(&problem);
    }
}

fn try_start(shared: &Arc<Shared>, source: &Source, format: &Format) -> Result<(), String> {
    let uri = source.check()?;
    let pipeline = gst::Pipeline::new();
    let decoder = make("uridecodebin").map_err(|problem| format!("{}: {problem}", source.display))?;
    decoder.set_property("uri", uri);
    // What the programme has no place for (subtitles too) is neither decoded nor waited for.
    decoder.set_property("caps", raw_caps(shared.timeline.wanted()));
    decoder.set_property("expose-all-streams", false);
    watch_messages(&pipeline, shared);
    let theirs = shared.clone();
    pipeline.connect_deep_element_added(move |_, bin, element| read_ahead(bin, element, &theirs));
    pipeline.add(&decoder).map_err(|error| format!("{}: {error}", source.display))?;
    link_streams(&decoder, &pipeline, shared, format);
    {
        let mut slot = shared.pipeline.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.is_cancelled() {
            return Ok(());
        }
        *slot = Some(pipeline.clone());
    }
    let started = pipeline.set_state(gst::State::Playing);
    if shared.is_cancelled() {
        super::teardown::stop(&pipeline);
        return Ok(());
    }
    // An element that refuses says why on the bus first; this is for one that does not.
    started.map(drop).map_err(|error| format!("{}: cannot be opened: {error}", source.display))
}

fn raw_caps(wanted: Streams) -> gst::Caps {
    let mut caps = gst::Caps::new_empty();
    let wanted = [(wanted.video, "video/x-raw"), (wanted.audio, "audio/x-raw")];
    for (_, media) in wanted.into_iter().filter(|(wanted, _)| *wanted) {
        caps.merge(gst::Caps::builder(media).any_features().build());
    }
    caps
}

fn is(element: &gst::Element, factory: &str) -> bool {
    element.factory().is_some_and(|f| f.name() == factory)
}

fn make(name: &str) -> Result<gst::Element, String> {
    gst::ElementFactory::make(name).build().map_err(|_| {
        format!("GStreamer's element {name} is missing; install gstreamer1.0-plugins-base and -good")
    })
}

/// The branch's messages end here: an ad's error is never the programme's.
fn watch_messages(pipeline: &gst::Pipeline, shared: &Arc<Shared>) {
    let Some(bus) = pipeline.bus() else { return };
    let shared = shared.clone();
    bus.set_sync_handler(move |_, message| {
        on_message(&shared, message);
        gst::BusSyncReply::Drop
    });
}

fn on_message(shared: &Shared, message: &gst::Message) {
    use gst::MessageView;
    match message.view() {
        MessageView::Error(error) => {
            let debug = error.debug();
            gst::debug!(CAT, "{}: {} {debug:?}", shared.source, error.error());
            shared.fail(&failure::describe(&shared.source, &error.error(), debug.as_deref()));
        }
        MessageView::Element(_) => {
            if let Some(missing) = message.structure().filter(|s| s.name() == "missing-plugin")
                && needs(shared, missing)
            {
                shared.fail(&failure::missing_plugin(&shared.source, missing));
            }
        }
        _ => {}
    }
}

/// Whether what is missing is for a stream that the programme has a place for.
fn needs(shared: &Shared, missing: &gst::StructureRef) -> bool {
    let caps = missing.get::<gst::Caps>("detail").ok();
    let media = caps.as_ref().and_then(|caps| caps.structure(0)).map(|s| s.name().to_string());
    let wanted = shared.timeline.wanted();
    match media.as_deref().and_then(|media| media.split('/').next()) {
        Some("audio") => wanted.audio,
        Some("video" | "image") => wanted.video,
        // A container or a protocol: nothing goes without it. Subtitles and data: everything does.
        Some("text" | "subpicture" | "closedcaption" | "meta") => false,
        _ => true,
    }
}

fn kind_of(pad: &gst::Pad) -> Option<Kind> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let media = caps.structure(0).map(|s| s.name().to_string())?;
    match media.split('/').next() {
        Some("video") => Some(Kind::Video),
        Some("audio") => Some(Kind::Audio),
        _ => None,
    }
}

/// Makes room for compressed data, and learns from it how long each stream is before it has been decoded.
fn read_ahead(bin: &gst::Bin, element: &gst::Element, shared: &Arc<Shared>) {
    if is(element, "decodebin") {
        element.set_property("max-size-buffers", u32::MAX);
        element.set_property("max-size-bytes", CODED_BYTES);
        element.set_property("max-size-time", CODED_TIME.nseconds());
    }
    if !is(element, "multiqueue") || !is(bin.upcast_ref(), "decodebin") {
        return;
    }
    let shared = shared.clone();
    element.connect_pad_added(move |_, pad| {
        if pad.direction() == gst::PadDirection::Sink {
            measure(pad, &shared);
        }
    });
}

fn measure(pad: &gst::Pad, shared: &Arc<Shared>) {
    let shared = shared.clone();
    let segment = Mutex::new(gst::FormattedSegment::<ClockTime>::new());
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(kinds, move |pad, info| {
        let Some(stream) = pad.stream_id() else { return gst::PadProbeReturn::Ok };
        let mut segment = segment.lock().unwrap_or_else(PoisonError::into_inner);
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                if let Some((start, end)) = extent(buffer, &segment) {
                    shared.timeline.saw_coded(&stream, start, end);
                }
            }
            Some(gst::PadProbeData::Event(event)) => match event.view() {
                gst::EventView::Segment(new) => {
                    if let Some(new) = new.segment().downcast_ref::<ClockTime>() {
                        *segment = new.clone();
                    }
                }
                gst::EventView::Eos(_) => shared.timeline.coded_ended(&stream),
                _ => {}
            },
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// Running time of a buffer's start and end, as far as they lie in the segment.
fn extent(
    buffer: &gst::BufferRef,
    segment: &gst::FormattedSegment<ClockTime>,
) -> Option<(ClockTime, ClockTime)> {
    let start = buffer.pts()?;
    let end = start + buffer.duration().unwrap_or_default();
    let (start, end) = segment.clip(start, end)?;
    Some((segment.to_running_time(start)?, segment.to_running_time(end)?))
}

/// Stream ids of the first picture and the first sound.
#[derive(Default)]
struct Linked {
    video: Option<String>,
    audio: Option<String>,
}

/// Links the first picture and the first sound to their branches as they turn up, and everything else to nowhere.
fn link_streams(decoder: &gst::Element, pipeline: &gst::Pipeline, shared: &Arc<Shared>, format: &Format) {
    let linked = Arc::new(Mutex::new(Linked::default()));
    let (all, theirs) = (linked.clone(), shared.clone());
    decoder.connect_no_more_pads(move |_| {
        let linked = all.lock().unwrap_or_else(PoisonError::into_inner);
        theirs.timeline.select(linked.video.clone(), linked.audio.clone());
        theirs.wake();
    });
    let pipeline = pipeline.downgrade();
    let (shared, format) = (shared.clone(), format.clone());
    decoder.connect_pad_added(move |_, pad| {
        let Some(pipeline) = pipeline.upgrade() else { return };
        let branch = claim(pad, &linked, shared.timeline.wanted());
        let result = match branch {
            Some(Kind::Video) => video_branch(&pipeline, &shared, &format),
            Some(Kind::Audio) => audio_branch(&pipeline, &shared, &format),
            None => discard_branch(&pipeline),
        };
        let linked = result.and_then(|head| {
            let sink = head.static_pad("sink").ok_or("a branch without an input")?;
            pad.link(&sink).map(drop).map_err(|error| format!("its stream cannot be linked: {error}"))
        });
        if let Err(problem) = linked {
            shared.fail(&format!("{}: {problem}", shared.source));
        }
    });
}

/// Which branch a stream goes to; a second one of its kind goes to none.
fn claim(pad: &gst::Pad, linked: &Mutex<Linked>, wanted: Streams) -> Option<Kind> {
    let kind = kind_of(pad)?;
    let mut linked = linked.lock().unwrap_or_else(PoisonError::into_inner);
    let (slot, wanted) = match kind {
        Kind::Video => (&mut linked.video, wanted.video),
        Kind::Audio => (&mut linked.audio, wanted.audio),
    };
    if !wanted || slot.is_some() {
        return None;
    }
    *slot = Some(pad.stream_id().map(String::from).unwrap_or_default());
    Some(kind)
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

fn discard_branch(pipeline: &gst::Pipeline) -> Result<gst::Element, String> {
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

fn video_branch(
    pipeline: &gst::Pipeline,
    shared: &Arc<Shared>,
    format: &Format,
) -> Result<gst::Element, String> {
    let (Some(caps), Some(video)) = (&format.video, &shared.video) else {
        return discard_branch(pipeline);
    };
    let head = queue(3, ClockTime::ZERO)?;
    let convert = make("videoconvertscale")?;
    convert.set_property("add-borders", true);
    let rate = make("videorate")?;
    rate.set_property("skip-to-first", true);
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
    let sink = app_sink(&picture_caps(caps), callbacks);
    ask_for_frames(&sink, video);
    add_chain(pipeline, &[head.clone(), convert, rate, sink])?;
    Ok(head)
}

/// A decoder with a pool of fixed size must know how many frames are kept here.
fn ask_for_frames(sink: &gst::Element, video: &super::video::Queue) {
    let Some(pad) = sink.static_pad("sink") else { return };
    let size = u32::try_from(video.info().size()).unwrap_or(0);
    let least = u32::try_from(video.capacity()).unwrap_or(u32::MAX).saturating_add(2);
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
    let picture = super::video::plain(buffer, video.info(), sample.caps()).ok_or(gst::FlowError::Error)?;
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

fn audio_branch(
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
        shared.timeline.saw(Kind::Audio, start, start + length);
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
