//! The pads, and what runs on their streaming threads.

mod audience;
mod audio;
mod cuda;
mod events;
mod queries;
mod video;

pub(super) use audience::AudienceLane;
pub(super) use audio::AudioLane;
pub(super) use video::VideoLane;

use super::imp::{AdInsert, CAT};
use gst::{prelude::*, subclass::prelude::*};
use std::sync::{Arc, LazyLock};

pub(super) const AUDIENCE: &str = "sink_audience";
const AUDIO_SINK: &str = "sink_audio_%u";
const AUDIO_SRC: &str = "src_audio_%u";

pub(super) fn templates() -> &'static [gst::PadTemplate] {
    use gst::{PadDirection::*, PadPresence::*};
    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
        let mut video = gst_video::VideoCapsBuilder::new().build();
        video.merge(facialads_gstcuda::video_caps(facialads_gstcuda::FORMATS));
        let audio = gst_audio::AudioCapsBuilder::new_interleaved().build();
        // The audience's pictures are not looked at here, only what was written on them.
        let any = gst::Caps::new_any();
        let all = [
            ("sink_video", Sink, Always, &video),
            ("src_video", Src, Always, &video),
            (AUDIO_SINK, Sink, Request, &audio),
            (AUDIO_SRC, Src, Sometimes, &audio),
            (AUDIENCE, Sink, Request, &any),
        ];
        let built = all.map(|(name, direction, presence, caps)| {
            gst::PadTemplate::new(name, direction, presence, caps)
                .map_err(|error| gst::error!(CAT, "template {name}: {error}"))
        });
        built.into_iter().flatten().collect()
    });
    &TEMPLATES
}

/// The pad that belongs to this one: `src_video` to `sink_video`, `sink_audio_3` to `src_audio_3`; none to
/// `sink_audience`. Without this, events and queries of one stream would cross to the others.
fn partner(element: &super::AdInsert, pad: &gst::Pad) -> Option<gst::Pad> {
    let name = pad.name();
    if name == AUDIENCE {
        return None;
    }
    let other = match name.split_once('_')? {
        ("sink", rest) => format!("src_{rest}"),
        ("src", rest) => format!("sink_{rest}"),
        _ => return None,
    };
    element.static_pad(&other)
}

fn internal_links(pad: &gst::Pad, parent: Option<&gst::Object>) -> gst::Iterator<gst::Pad> {
    let element = parent.and_then(|p| p.downcast_ref::<super::AdInsert>());
    let partner = element.and_then(|element| partner(element, pad));
    gst::Iterator::from_vec(partner.into_iter().collect())
}

/// A pair of pads, with what both sides have in common.
fn pair(
    templates: (&gst::PadTemplate, &gst::PadTemplate),
    names: (&str, &str),
    chain: impl Fn(&AdInsert, &gst::Pad, gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError>
    + Send
    + Sync
    + 'static,
) -> (gst::Pad, gst::Pad) {
    let sink = gst::Pad::builder_from_template(templates.0)
        .name(names.0)
        .chain_function(move |pad, parent, buffer| {
            AdInsert::catch_panic_pad_function(
                parent,
                || Err(gst::FlowError::Error),
                |element| chain(element, pad, buffer),
            )
        })
        .event_function(|pad, parent, event| {
            AdInsert::catch_panic_pad_function(parent, || false, |element| element.sink_event(pad, event))
        })
        .iterate_internal_links_function(internal_links)
        .flags(gst::PadFlags::PROXY_CAPS | gst::PadFlags::PROXY_ALLOCATION)
        .build();
    let src = gst::Pad::builder_from_template(templates.1)
        .name(names.1)
        .query_function(|pad, parent, query| {
            AdInsert::catch_panic_pad_function(parent, || false, |element| element.src_query(pad, query))
        })
        .iterate_internal_links_function(internal_links)
        .build();
    (sink, src)
}

impl AdInsert {
    pub(super) fn request_audio(&self, name: Option<&str>) -> Option<gst::Pad> {
        let index = self.free_index(name)?;
        let element = self.obj();
        let (sink_template, src_template) =
            (element.pad_template(AUDIO_SINK)?, element.pad_template(AUDIO_SRC)?);
        let names = (format!("sink_audio_{index}"), format!("src_audio_{index}"));
        let (sink, src) =
            pair((&sink_template, &src_template), (&names.0, &names.1), |element, pad, buffer| {
                element.chain_audio(pad, buffer)
            });
        let lane = Arc::new(AudioLane::new(sink.clone(), src.clone()));
        let added = [&src, &sink].into_iter().all(|pad| {
            let active = element.current_state() > gst::State::Ready;
            (!active || pad.set_active(true).is_ok()) && element.add_pad(pad).is_ok()
        });
        if !added {
            gst::error!(CAT, imp = self, "cannot add pads {names:?}");
            return None;
        }
        if let Some(session) = self.session().filter(|s| !s.stopped()) {
            lane.begin(session.add_audio());
        }
        let mut lanes = super::session::lock(&self.audio);
        lanes.push(lane);
        lanes.sort_by_key(|lane| lane.index());
        Some(sink)
    }

    /// The number asked for, or the lowest that is free.
    fn free_index(&self, name: Option<&str>) -> Option<u32> {
        let lanes = super::session::lock(&self.audio);
        let taken = |index| lanes.iter().any(|lane| lane.index() == index);
        match name.and_then(|name| name.strip_prefix("sink_audio_")) {
            Some(number) => number.parse().ok().filter(|index| !taken(*index)),
            None => (0..).find(|index| !taken(*index)),
        }
    }

    pub(super) fn request_audience(&self) -> Option<gst::Pad> {
        let template = self.obj().pad_template(AUDIENCE)?;
        let pad = self.audience.request(&template)?;
        let active = self.obj().current_state() > gst::State::Ready;
        if active {
            pad.set_active(true).ok()?;
        }
        self.obj().add_pad(&pad).ok()?;
        Some(pad)
    }

    pub(super) fn release(&self, pad: &gst::Pad) {
        if pad.name() == AUDIENCE {
            self.audience.release();
            if let Some(session) = self.session() {
                super::session::lock(&session.audience).set_linked(false);
                session.wake();
            }
        } else {
            let mut lanes = super::session::lock(&self.audio);
            let Some(at) = lanes.iter().position(|lane| lane.sink == *pad) else { return };
            let lane = lanes.remove(at);
            drop(lanes);
            if let Some((session, id)) = self.session().zip(lane.id()) {
                session.remove_audio(id);
            }
            let _ = lane.src.set_active(false);
            let _ = self.obj().remove_pad(&lane.src);
        }
        let _ = pad.set_active(false);
        let _ = self.obj().remove_pad(pad);
    }

    fn lane(&self, pad: &gst::Pad) -> Option<Arc<AudioLane>> {
        super::session::lock(&self.audio).iter().find(|l| l.sink == *pad || l.src == *pad).cloned()
    }
}

/// So long does a frame of an ad hold up a live programme at most.
const LIVE_WAIT: gst::ClockTime = gst::ClockTime::from_mseconds(10);
/// A programme from a file waits for a frame or for sound so long.
const FILE_WAIT: gst::ClockTime = gst::ClockTime::from_seconds(2);
/// And so long once its creative has been late: a broken one must not stretch a break endlessly.
const FILE_WAIT_AGAIN: gst::ClockTime = gst::ClockTime::from_mseconds(100);
