//! The camera's input: what was written on its buffers is read, the buffers go no further.

use super::{AUDIENCE, AdInsert, internal_links};
use crate::adinsert::{
    session::{Session, lock},
    stats,
    timeline::Timeline,
};
use facialads_meta::{Audience, Face, event::Gate};
use facialads_splice::SECOND;
use gst::{ClockTime, subclass::prelude::*};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

#[derive(Default)]
pub(in crate::adinsert) struct AudienceLane {
    pad: Mutex<Option<gst::Pad>>,
    pub timeline: Mutex<Timeline>,
    asked: AtomicBool,
}

impl AudienceLane {
    pub fn pad(&self) -> Option<gst::Pad> {
        lock(&self.pad).clone()
    }
    /// There is one camera at most.
    pub fn request(&self, template: &gst::PadTemplate) -> Option<gst::Pad> {
        let mut slot = lock(&self.pad);
        if slot.is_some() {
            return None;
        }
        let pad = gst::Pad::builder_from_template(template)
            .name(AUDIENCE)
            .chain_function(|_, parent, buffer| {
                AdInsert::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |element| Ok(element.observe(&buffer)),
                )
            })
            .event_function(|pad, parent, event| {
                AdInsert::catch_panic_pad_function(
                    parent,
                    || false,
                    |element| element.audience_event(pad, &event),
                )
            })
            .iterate_internal_links_function(internal_links)
            .build();
        *slot = Some(pad.clone());
        Some(pad)
    }
    pub fn release(&self) {
        *lock(&self.pad) = None;
    }
    pub fn reset(&self) {
        lock(&self.timeline).clear();
        self.asked.store(false, Ordering::SeqCst);
    }
}

impl AdInsert {
    fn observe(&self, buffer: &gst::Buffer) -> gst::FlowSuccess {
        let Some(session) = self.session() else { return gst::FlowSuccess::Ok };
        if !self.audience.asked.swap(true, Ordering::SeqCst) {
            crate::adinsert::live::ask(self, &session);
        }
        let Some(at) = lock(&self.audience.timeline).running(buffer.pts()) else {
            return gst::FlowSuccess::Ok;
        };
        let duration = buffer.duration().map_or(SECOND / 25, ClockTime::nseconds);
        let (verdict, stamp) = (Audience::read(buffer), facialads_meta::consent::read(buffer));
        let faces = if stamp.is_some() { Face::read(buffer) } else { Vec::new() };
        let settings = &session.settings;
        let kept = settings.window.saturating_add(settings.min_lead).saturating_add(SECOND);
        let oldest = session.look(|s| s.picture).saturating_sub(kept);
        let tallied = {
            let mut window = lock(&session.audience);
            window.set_linked(true);
            let tallied = window.observe((at, duration), verdict, stamp, &faces);
            window.drop_before(oldest);
            session.stats.observations.store(window.len() as u64, Ordering::Relaxed);
            tallied
        };
        session.audience_moved.notify_all();
        session.record_audience(tallied);
        gst::FlowSuccess::Ok
    }

    /// Everything ends here; only what was written on the buffers matters.
    fn audience_event(&self, pad: &gst::Pad, event: &gst::Event) -> bool {
        let Some(session) = self.session() else { return true };
        if let Some(gate) = Gate::parse(event) {
            self.gate(&session, &gate);
            return true;
        }
        match event.view() {
            gst::EventView::Segment(segment) => lock(&self.audience.timeline).set(segment.segment()),
            gst::EventView::Gap(gap) => {
                let (from, duration) = gap.get();
                let running = lock(&self.audience.timeline).running(Some(from));
                if let Some(running) = running {
                    let until = running.saturating_add(duration.map_or(0, ClockTime::nseconds));
                    let tallied = lock(&session.audience).gap(until);
                    session.record_audience(tallied);
                }
            }
            gst::EventView::Eos(_) => {
                let tallied = lock(&session.audience).end();
                session.record_audience(tallied);
            }
            gst::EventView::FlushStop(_) => {
                lock(&self.audience.timeline).clear();
                lock(&session.audience).flush();
            }
            // A camera that is linked late counts from then on.
            gst::EventView::StreamStart(_) => lock(&session.audience).set_linked(true),
            gst::EventView::Caps(_) => {
                gst::trace!(crate::adinsert::imp::CAT, obj = pad, "audience caps");
            }
            _ => {}
        }
        session.audience_moved.notify_all();
        true
    }

    fn gate(&self, session: &Arc<Session>, gate: &Gate) {
        let forgot = lock(&session.audience).gate(gate);
        if forgot {
            stats::Counters::add(&session.stats.forgotten, 1);
            session.forget_profiles();
            let screen = session.settings.screen().to_owned();
            session.record(facialads_ledger::Event::Forget { screen });
        }
        session.audience_moved.notify_all();
    }
}
