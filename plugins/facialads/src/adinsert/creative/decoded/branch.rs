//! The private pipeline of a creative: built, linked as streams turn up, its messages kept from the application.

use super::{
    CAT, Shared,
    autoplug::choose_decoders,
    chains::{audio_branch, discard_branch, make, video_branch},
    coded::read_ahead,
    failure,
    route::Delivers,
    source::Source,
    timeline::{Kind, Streams},
};
use crate::adinsert::creative::Format;
use gst::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

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
    if let Some(context) = &shared.context {
        // The bin gives it to every element that is put into it, decoders deep inside included: one context for both.
        pipeline.set_context(&context.to_gst());
    }
    choose_decoders(&decoder, shared);
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
            let reason = if shared.upload_failed() || is_from_gpu(message) {
                failure::not_on_gpu(&shared.source, error.error().message())
            } else {
                failure::describe(&shared.source, &error.error(), debug.as_deref())
            };
            shared.fail(&reason);
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

/// Whether one of the elements that move or convert frames on the GPU says it: cudaupload, cudaconvertscale, …
fn is_from_gpu(message: &gst::Message) -> bool {
    let element = message.src().and_then(|source| source.downcast_ref::<gst::Element>());
    element.and_then(|element| element.factory()).is_some_and(|factory| factory.name().starts_with("cuda"))
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

/// What a stream is, or may become: a decoder that can deliver to several kinds of memory has not decided yet.
fn caps_of(pad: &gst::Pad) -> gst::Caps {
    pad.current_caps().unwrap_or_else(|| pad.query_caps(None))
}

fn delivers(pad: &gst::Pad) -> Delivers {
    Delivers::of(&caps_of(pad))
}

fn kind_of(pad: &gst::Pad) -> Option<Kind> {
    let caps = caps_of(pad);
    let media = caps.structure(0).map(|s| s.name().to_string())?;
    match media.split('/').next() {
        Some("video") => Some(Kind::Video),
        Some("audio") => Some(Kind::Audio),
        _ => None,
    }
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
            Some(Kind::Video) => video_branch(&pipeline, &shared, &format, delivers(pad)),
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
