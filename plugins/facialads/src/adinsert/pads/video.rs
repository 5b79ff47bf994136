//! The picture.

use super::{FILE_WAIT, FILE_WAIT_AGAIN, LIVE_WAIT, pair};
use crate::adinsert::{
    creative::Frame,
    imp::{AdInsert, CAT},
    session::{OnAir, Session, lock},
    timeline::{Timeline, clock_time},
};
use facialads_campaign::{SubjectClass, SubjectView};
use facialads_gstcuda::Context;
use facialads_splice::{FrameRate, SlotId, Time, VideoStep};
use gst::{ClockTime, prelude::*, subclass::prelude::*};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub(in crate::adinsert) struct VideoLane {
    pub sink: gst::Pad,
    pub src: gst::Pad,
    pub flushing: AtomicBool,
    pub stream: Mutex<VideoStream>,
}

#[derive(Default)]
pub(in crate::adinsert) struct VideoStream {
    pub timeline: Timeline,
    /// A new segment has come: liveness and cues are to be looked at anew.
    pub fresh: bool,
    pub caps: Option<gst::Caps>,
    /// Where the caps name CUDA memory, the context that the programme's frames are in.
    pub context: Option<Context>,
    pub rate: Option<FrameRate>,
    /// The ad's last frame, for when its picture ends before its sound.
    last: Option<(SlotId, gst::Buffer)>,
    /// The slot whose creative was late.
    late: Option<SlotId>,
}

/// A frame of the programme with its place in time.
struct Held {
    buffer: gst::Buffer,
    running: Time,
}

/// What is to be put out for a frame of a creative.
struct AdFrame {
    slot: SlotId,
    frame: u64,
    held: bool,
    /// The creative was made for caps that have changed: the programme's frame stands in.
    lost: bool,
    buffer: gst::Buffer,
    /// Running time of the output.
    at: Time,
    end: Time,
}

impl VideoLane {
    pub fn new(class: &<AdInsert as ObjectSubclass>::Class) -> Self {
        let template = |name: &str| {
            // The templates are ours: built above, or the class could not have been registered.
            class.pad_template(name).unwrap_or_else(|| unreachable!("template {name}"))
        };
        let (sink, src) = pair(
            (&template("sink_video"), &template("src_video")),
            ("sink_video", "src_video"),
            |element, _, buffer| element.chain_video(buffer),
        );
        Self { sink, src, flushing: AtomicBool::new(false), stream: Mutex::default() }
    }

    /// The break is over: an advertisement's last frame, which may lie in a GPU's memory, is not needed any more.
    pub fn forget_last(&self) {
        let last = lock(&self.stream).last.take();
        // Not under the lock: freeing calls out.
        drop(last);
    }

    pub fn reset(&self) {
        *lock(&self.stream) = VideoStream::default();
        self.flushing.store(false, Ordering::SeqCst);
    }
}

impl AdInsert {
    fn chain_video(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let Some(session) = self.session() else { return self.video.src.push(buffer) };
        let (running, timeline, fresh) = {
            let mut stream = lock(&self.video.stream);
            let fresh = std::mem::take(&mut stream.fresh);
            (stream.timeline.running(buffer.pts()), stream.timeline.clone(), fresh)
        };
        self.follow_context(&session, &buffer);
        if fresh {
            self.settle(&session, &timeline, true);
            self.refuse_live_insertion(&session)?;
        }
        // Fast forward, no timestamp, outside of the segment: none of our business.
        let Some(running) = running else { return self.video.src.push(buffer) };
        let mut subject = facialads_meta::Subject::read(&buffer).map(view);
        let held = Held { buffer, running };
        let mut busy = Duration::ZERO;
        loop {
            let begun = Instant::now();
            let (step, on_air, seen) = session.ask_video(running, subject.take());
            match step {
                VideoStep::Wait => {
                    if !session.wait(seen, &self.video.flushing) {
                        return Err(gst::FlowError::Flushing);
                    }
                }
                VideoStep::Programme { shift } => {
                    self.video.forget_last();
                    let Held { mut buffer, .. } = held;
                    if shift > 0 {
                        let later = buffer.pts().map(|pts| pts.saturating_add(clock_time(shift)));
                        let buffer = buffer.make_mut();
                        buffer.set_pts(later);
                        buffer.set_dts(None);
                    }
                    busy += begun.elapsed();
                    session.stats.chain_took(busy);
                    self.key_frame(&session, None, running.saturating_add(shift));
                    return self.video.src.push(buffer);
                }
                VideoStep::Ad { slot, frame, in_break, shift, .. } => {
                    let ad = self.ad_frame(&session, &held, on_air, slot, (frame, in_break, shift));
                    busy += begun.elapsed();
                    session.stats.chain_took(busy);
                    busy = Duration::ZERO;
                    let pushed = self.push_ad(&session, ad)?;
                    if !session.insert_mode() {
                        return Ok(pushed);
                    }
                }
            }
        }
    }

    fn push_ad(&self, session: &Arc<Session>, ad: AdFrame) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.key_frame(session, Some(ad.slot), ad.at);
        let pushed = self.video.src.push(ad.buffer)?;
        // Counted only now that it has left.
        if ad.lost {
            session.frame_lost(ad.slot, ad.frame);
            return Ok(pushed);
        }
        session.frame_left(ad.slot, ad.frame, ad.held, (ad.at, ad.end));
        Ok(pushed)
    }

    fn ad_frame(
        &self,
        session: &Arc<Session>,
        programme: &Held,
        on_air: Option<OnAir>,
        slot: SlotId,
        (frame, in_break, shift): (u64, u64, Time),
    ) -> AdFrame {
        let (rate, caps, context, late) = {
            let stream = lock(&self.video.stream);
            (stream.rate, stream.caps.clone(), stream.context.clone(), stream.late == Some(slot))
        };
        let time = |frames| rate.map_or(0, |rate| rate.time(frames));
        let wait = match (session.live(), late) {
            (true, _) => LIVE_WAIT,
            (false, false) => FILE_WAIT,
            (false, true) => FILE_WAIT_AGAIN,
        };
        // Frames made for caps, or for a GPU, that have changed since cannot be shown.
        let lost = on_air
            .as_ref()
            .is_some_and(|on_air| on_air.format.video != caps || on_air.format.context != context);
        let fits = on_air.filter(|_| !lost);
        let (picture, held) = match fits {
            Some(on_air) => self.picture(session, &on_air, slot, clock_time(time(frame)), wait),
            None => (None, false),
        };
        // Sound alone, or nothing at all: the programme's own picture, with what is written on it.
        let own = picture.is_none();
        let mut buffer = picture.unwrap_or_else(|| programme.buffer.clone()).copy();
        let original = &programme.buffer;
        let (at, end) = if session.insert_mode() {
            let base = programme.running.saturating_add(shift);
            (base.saturating_add(time(in_break)), base.saturating_add(time(in_break + 1)))
        } else {
            let duration = original.duration().map_or_else(|| time(1), ClockTime::nseconds);
            (programme.running, programme.running.saturating_add(duration))
        };
        let inner = buffer.make_mut();
        if !own || session.insert_mode() {
            facialads_meta::strip(inner);
        }
        inner.set_dts(None);
        if session.insert_mode() {
            let later = clock_time(shift.saturating_add(time(in_break)));
            inner.set_pts(original.pts().map(|pts| pts.saturating_add(later)));
            inner.set_duration(clock_time(end - at));
            inner.set_offset(gst::ffi::GST_BUFFER_OFFSET_NONE);
            inner.set_offset_end(gst::ffi::GST_BUFFER_OFFSET_NONE);
        } else {
            inner.set_pts(original.pts());
            inner.set_duration(original.duration());
            inner.set_offset(original.offset());
            inner.set_offset_end(original.offset_end());
        }
        let jump = original.flags().contains(gst::BufferFlags::DISCONT) && in_break == 0;
        if jump || (!session.insert_mode() && original.flags().contains(gst::BufferFlags::DISCONT)) {
            inner.set_flags(gst::BufferFlags::DISCONT);
        } else {
            inner.unset_flags(gst::BufferFlags::DISCONT);
        }
        AdFrame { slot, frame, held, lost, buffer, at, end }
    }

    /// The creative's picture at a time of its own; `None` where it has none. And whether it stands still.
    fn picture(
        &self,
        session: &Arc<Session>,
        on_air: &OnAir,
        slot: SlotId,
        time: ClockTime,
        wait: ClockTime,
    ) -> (Option<gst::Buffer>, bool) {
        let answer = on_air.creative.frame(time, wait);
        let mut stream = lock(&self.video.stream);
        let last = stream.last.take_if(|(of, _)| *of != slot);
        drop(last);
        let before = stream.last.as_ref().map(|(_, buffer)| buffer.clone());
        match answer {
            Frame::Picture(buffer) => {
                stream.last = Some((slot, buffer.clone()));
                (Some(buffer), false)
            }
            Frame::Held(buffer) => {
                stream.late = Some(slot);
                stream.last = Some((slot, buffer.clone()));
                (Some(buffer), true)
            }
            Frame::End => (before, on_air.creative.has_video()),
            Frame::Failed(reason) => {
                drop(stream);
                gst::warning!(CAT, imp = self, "on air: {reason}");
                session.change(|s| s.machine.failed_on_air(slot, reason));
                (before, true)
            }
        }
    }

    /// At both splice points the encoder is asked for a key frame: players can then cut there too.
    fn key_frame(&self, session: &Session, showing: Option<SlotId>, at: Time) {
        if session.is_splice(showing) {
            let event = gst_video::DownstreamForceKeyUnitEvent::builder()
                .running_time(clock_time(at))
                .all_headers(true)
                .build();
            let _ = self.video.src.push_event(event);
        }
    }

    /// A live programme cannot be pushed back.
    pub(super) fn refuse_live_insertion(&self, session: &Session) -> Result<(), gst::FlowError> {
        if session.insert_mode() && session.live() {
            gst::element_imp_error!(
                self,
                gst::StreamError::Failed,
                ("mode=insert pushes the programme back, which a live programme cannot be: use mode=replace")
            );
            return Err(gst::FlowError::Error);
        }
        Ok(())
    }
}

fn view(subject: facialads_meta::Subject) -> SubjectView {
    SubjectView {
        classes: subject
            .classes
            .into_iter()
            .map(|c| SubjectClass { id: c.id, name: c.name, confidence: c.confidence })
            .collect(),
        safety: subject.safety,
    }
}
