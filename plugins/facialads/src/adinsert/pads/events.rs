//! Events of the programme.

use super::{AdInsert, AudioLane};
use crate::adinsert::{
    imp::CAT,
    session::{Session, lock},
    timeline::clock_time,
};
use facialads_splice::{FrameRate, Machine, Time};
use gst::{EventView, prelude::*, subclass::prelude::*};
use std::sync::{Arc, atomic::Ordering};

impl AdInsert {
    pub(super) fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        let lane = if *pad == self.video.sink { None } else { self.lane(pad) };
        if *pad != self.video.sink && lane.is_none() {
            // It is being released: none of the picture's business.
            return false;
        }
        let src = lane.as_ref().map_or_else(|| self.video.src.clone(), |lane| lane.src.clone());
        let Some(session) = self.session() else { return src.push_event(event) };
        let pass = match &lane {
            None => self.video_event(&session, &event),
            Some(lane) => self.audio_event(&session, lane, &event),
        };
        if !pass {
            return true;
        }
        if !session.insert_mode() {
            return src.push_event(event);
        }
        let id = lane.as_ref().map_or(Some(Machine::VIDEO), |lane| lane.id());
        let shift = id.map_or(0, |id| session.look(|s| s.machine.shift(id)));
        src.push_event(moved(open_ended(event), shift))
    }

    fn video_event(&self, session: &Arc<Session>, event: &gst::Event) -> bool {
        match event.view() {
            EventView::Caps(caps) => {
                let caps = caps.caps_owned();
                let rate = gst_video::VideoInfo::from_caps(&caps)
                    .ok()
                    .and_then(|info| FrameRate::new(info.fps().numer(), info.fps().denom()));
                let context = self.context_of_neighbours(&caps);
                {
                    let mut stream = lock(&self.video.stream);
                    stream.caps = Some(caps.clone());
                    stream.context = context.clone();
                    stream.rate = rate;
                }
                session.set_video_caps(caps, context, rate);
            }
            EventView::Segment(segment) => {
                let timeline = {
                    let mut stream = lock(&self.video.stream);
                    stream.timeline.set(segment.segment());
                    stream.fresh = true;
                    stream.timeline.clone()
                };
                session.place_cues(&timeline, true);
                self.warn_of_foreign_segment(segment.segment());
            }
            EventView::FlushStart(_) => {
                self.video.flushing.store(true, Ordering::SeqCst);
                session.flush(event.seqnum());
                session.wake();
            }
            EventView::FlushStop(_) => {
                let mut stream = lock(&self.video.stream);
                stream.timeline.clear();
                self.video.flushing.store(false, Ordering::SeqCst);
            }
            EventView::Eos(_) => {
                self.video.forget_last();
                session.video_ended();
            }
            _ => {}
        }
        true
    }

    /// Whether the event goes on.
    fn audio_event(&self, session: &Arc<Session>, lane: &AudioLane, event: &gst::Event) -> bool {
        match event.view() {
            EventView::Caps(caps) => {
                let caps = caps.caps_owned();
                let info = gst_audio::AudioInfo::from_caps(&caps).ok();
                {
                    let mut stream = lock(&lane.stream);
                    stream.info = info;
                    stream.caps = Some(caps.clone());
                    stream.next = None;
                }
                if let Some(id) = lane.id() {
                    session.set_audio_caps(id, caps);
                }
            }
            EventView::Segment(segment) => {
                let timeline = {
                    let mut stream = lock(&lane.stream);
                    stream.timeline.set(segment.segment());
                    stream.fresh = true;
                    stream.next = None;
                    stream.timeline.clone()
                };
                session.place_cues(&timeline, false);
            }
            EventView::Gap(gap) => {
                let (from, duration) = gap.get();
                return !self.audio_gap(lane, from, duration);
            }
            EventView::FlushStart(_) => {
                lane.flushing.store(true, Ordering::SeqCst);
                session.flush(event.seqnum());
                session.wake();
            }
            EventView::FlushStop(_) => {
                let mut stream = lock(&lane.stream);
                stream.timeline.clear();
                stream.next = None;
                lane.flushing.store(false, Ordering::SeqCst);
            }
            EventView::Eos(_) => {
                if let Some(id) = lane.id().filter(|id| *id != Machine::VIDEO) {
                    session.change(|s| s.machine.end_of_stream(id));
                }
            }
            _ => {}
        }
        true
    }

    fn warn_of_foreign_segment(&self, segment: &gst::Segment) {
        let timed = segment.downcast_ref::<gst::ClockTime>();
        if timed.is_none_or(|s| s.rate() != 1.0) {
            gst::info!(
                CAT,
                imp = self,
                "not played forward at normal speed, or not in time: no breaks meanwhile"
            );
        }
    }
}

/// A segment without its end: what is inserted moves the programme past it, and elements behind us (converters, encoders,
/// sinks) throw away what lies beyond the end of a segment.
fn open_ended(event: gst::Event) -> gst::Event {
    let EventView::Segment(segment) = event.view() else { return event };
    let Some(timed) = segment.segment().downcast_ref::<gst::ClockTime>() else { return event };
    let mut timed = timed.clone();
    timed.set_stop(gst::ClockTime::NONE);
    timed.set_duration(gst::ClockTime::NONE);
    gst::event::Segment::builder(&timed)
        .seqnum(event.seqnum())
        .running_time_offset(event.running_time_offset())
        .build()
}

/// A gap of the programme, later by what was inserted before it.
fn moved(event: gst::Event, shift: Time) -> gst::Event {
    let EventView::Gap(gap) = event.view() else { return event };
    let (from, duration) = gap.get();
    gst::event::Gap::builder(from.saturating_add(clock_time(shift)))
        .duration(duration)
        .seqnum(event.seqnum())
        .build()
}
