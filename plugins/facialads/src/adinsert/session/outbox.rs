//! What follows from a step of the state machine: queued under the lock, carried out after it, in order.

use super::{Playing, Session, State, lock};
use crate::adinsert::{
    creative::Creative,
    messages::{self, AdState, Label},
    records, stats,
};
use facialads_ledger::Event;
use facialads_meta::event::Running;
use facialads_splice::{Action, BreakId, Quartile, SlotId, Time};
use gst::prelude::*;
use std::sync::Arc;

/// A decision to be taken.
#[derive(Clone, Copy, Debug)]
pub(in crate::adinsert) struct Job {
    pub slot: SlotId,
    pub number: BreakId,
    pub position: u32,
    /// Running times of the output.
    pub at: Time,
    pub starts: Time,
    pub room: Option<Time>,
    /// Its turn among the decisions.
    pub ticket: u64,
}

pub(super) enum Out {
    Message(gst::Structure),
    Running(Running),
    Record(Event),
    Decide(Job),
    House,
    OpenTally { slot: SlotId, from: Time, label: Label },
    CloseTally { slot: SlotId, until: Time },
    Drop(Arc<dyn Creative>),
}

impl Session {
    /// Translates what the machine asks for. The state is locked.
    pub(super) fn queue_actions(&self, state: &mut State) {
        for action in state.machine.take_actions() {
            match action {
                Action::Decide { slot, number, position, at, starts, room } => {
                    let ticket = state.tickets;
                    state.tickets += 1;
                    let job = Job { slot, number, position, at, starts, room, ticket };
                    state.outbox.push_back(Out::Decide(job));
                }
                Action::HouseTaken { slot, number, position } => {
                    if let Some(mut house) = state.house.take() {
                        house.label.number = number;
                        house.label.position = position;
                        house.label.decision = facialads_ledger::new_id();
                        let (at, subject) = (state.picture, state.running.subject.clone());
                        let record = records::house(self.settings.screen(), &house.label, at, subject);
                        Self::queue_record(state, record);
                        state.playing.insert(slot, Playing::new(house));
                    }
                    state.outbox.push_back(Out::House);
                }
                Action::Reached { slot, quartile } => self.reached(state, slot, quartile),
                Action::Ended { slot, shown, planned, reason } => {
                    self.ended(state, slot, shown, planned, reason.map(|r| r.to_string()));
                }
                Action::Skipped { number, position, reason } => {
                    stats::Counters::add(&self.stats.skipped, 1);
                    let label = Label { number, position, ..Label::default() };
                    self.queue_skip(state, &label, &reason.to_string());
                }
                Action::Discard { slot } => {
                    if let Some(playing) = state.playing.remove(&slot) {
                        if !playing.recorded {
                            Self::unmark_used(state, &playing.prepared);
                        }
                        state.outbox.push_back(Out::Drop(playing.prepared.creative));
                    }
                }
            }
        }
    }

    pub(in crate::adinsert) fn queue_skip(&self, state: &mut State, label: &Label, reason: &str) {
        let structure = messages::ad(AdState::Skipped, label, state.picture, 0, None, Some(reason));
        state.outbox.push_back(Out::Message(structure));
        let screen = self.settings.screen();
        state.outbox.push_back(Out::Record(records::skipped(screen, label, state.picture, reason)));
    }
    pub(in crate::adinsert) fn queue_record(state: &mut State, event: Event) {
        state.outbox.push_back(Out::Record(event));
    }
    pub(in crate::adinsert) fn queue_message(state: &mut State, structure: gst::Structure) {
        state.outbox.push_back(Out::Message(structure));
    }

    fn reached(&self, state: &mut State, slot: SlotId, quartile: Quartile) {
        let Some(playing) = state.playing.get_mut(&slot) else { return };
        playing.quartile = Some(quartile);
        let (label, start, end) = (playing.prepared.label.clone(), playing.start.unwrap_or(0), playing.end);
        let frames = playing.frames;
        let at = if quartile == Quartile::Start { start } else { end };
        let structure = messages::ad(AdState::Reached(quartile), &label, at, frames, None, None);
        if quartile == Quartile::Start {
            playing.begun_at = Some(jiff::Timestamp::now());
            stats::Counters::add(&self.stats.splices, 1);
            state.log.entry(label.number).or_default().previous_advertiser = Some(label.advertiser.clone());
            state.outbox.push_back(Out::Message(structure));
            state.outbox.push_back(Out::OpenTally { slot, from: start, label: label.clone() });
            let running = Running {
                campaign: Some(label.campaign),
                creative: Some(label.creative),
                basis: label.basis,
                why: label.why,
                subject: state.running.subject.clone(),
                since: Some(crate::adinsert::timeline::clock_time(start)),
            };
            set_running(state, running);
        } else {
            if quartile == Quartile::Complete {
                stats::Counters::add(&self.stats.completed, 1);
            }
            state.outbox.push_back(Out::Message(structure));
        }
    }

    fn ended(&self, state: &mut State, slot: SlotId, shown: u64, planned: u64, reason: Option<String>) {
        let Some(playing) = state.playing.get_mut(&slot) else { return };
        playing.recorded = true;
        let (label, end) = (playing.prepared.label.clone(), playing.end);
        let structure = messages::ad(AdState::Ended, &label, end, shown, Some(planned), reason.as_deref());
        let record = records::impression(self.settings.screen(), playing, reason);
        state.outbox.push_back(Out::Message(structure));
        state.outbox.push_back(Out::Record(record));
        state.outbox.push_back(Out::CloseTally { slot, until: end });
        let mine = state.running.creative.as_deref() == Some(label.creative.as_str());
        if mine {
            let running = Running {
                campaign: None,
                creative: None,
                since: Some(crate::adinsert::timeline::clock_time(end)),
                ..state.running.clone()
            };
            set_running(state, running);
        }
    }

    /// Tells upstream what was decided for running time `at`.
    pub(in crate::adinsert) fn queue_decided(
        state: &mut State,
        label: &Label,
        subject: Vec<String>,
        at: Time,
    ) {
        let running = Running {
            basis: label.basis.clone(),
            why: label.why.clone(),
            subject,
            since: Some(crate::adinsert::timeline::clock_time(at)),
            ..state.running.clone()
        };
        set_running(state, running);
    }

    /// Carries out what was queued. Whoever comes while another thread is at it leaves it to that one, so that the
    /// order stays; a handler that calls back into the element from a message does too.
    pub(super) fn carry_out(self: &Arc<Self>) {
        let mut mine = false;
        loop {
            let next = {
                let mut state = lock(&self.state);
                if state.carrying_out && !mine {
                    return;
                }
                let next = state.outbox.pop_front();
                mine = next.is_some();
                state.carrying_out = mine;
                next
            };
            match next {
                Some(next) => self.carry_out_one(next),
                None => return,
            }
        }
    }

    fn carry_out_one(self: &Arc<Self>, out: Out) {
        match out {
            Out::Message(structure) => {
                if let Some(element) = self.element() {
                    let message = gst::message::Element::builder(structure).src(&element).build();
                    let _ = element.post_message(message);
                }
            }
            Out::Running(running) => {
                let pad = self.element().and_then(|e| e.static_pad("sink_audience"));
                if let Some(pad) = pad {
                    // Nobody upstream has to care.
                    let _ = pad.push_event(running.to_event());
                }
            }
            Out::Record(event) => self.record(event),
            Out::Decide(job) => self.decide_beside(job),
            Out::House => self.prepare_house(),
            Out::OpenTally { slot, from, label } => lock(&self.audience).open_tally(slot, from, &label),
            Out::CloseTally { slot, until } => {
                let tallied = lock(&self.audience).close_tally(slot, until, self.live());
                self.record_audience(tallied);
            }
            Out::Drop(creative) => drop_beside(creative),
        }
    }
}

fn set_running(state: &mut State, running: Running) {
    if state.running != running {
        state.running = running.clone();
        state.outbox.push_back(Out::Running(running));
    }
}

/// Taking a decoder down may take long: never on a streaming thread.
fn drop_beside(creative: Arc<dyn Creative>) {
    creative.cancel();
    // Without a thread it is taken down here and now; that is still better than never.
    let _ = std::thread::Builder::new().name("ad-drop".into()).spawn(move || drop(creative));
}
