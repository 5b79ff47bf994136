//! What the streaming threads ask and report.

use super::{OnAir, Session, State, lock};
use crate::adinsert::stats;
use facialads_campaign::SubjectView;
use facialads_splice::{AudioStep, PadId, SlotId, Time, VideoStep};
use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

impl Session {
    /// As [`Self::change`], for a question of a streaming thread. One that has to wait changed nothing: else two
    /// waiting threads would wake each other for ever.
    fn step<R>(
        self: &Arc<Self>,
        ask: impl FnOnce(&mut State) -> R,
        waits: impl FnOnce(&R) -> bool,
    ) -> (R, u64) {
        let (answer, seen, waits) = {
            let mut state = lock(&self.state);
            let answer = ask(&mut state);
            self.queue_actions(&mut state);
            let waits = waits(&answer);
            let seen = state.changes;
            state.changes += u64::from(!waits);
            (answer, seen, waits)
        };
        if !waits {
            self.changed.notify_all();
        }
        self.carry_out();
        (answer, seen)
    }

    /// A frame of the programme's picture at `running` time, with what it is about.
    pub fn ask_video(
        self: &Arc<Self>,
        running: Time,
        subject: Option<SubjectView>,
    ) -> (VideoStep, Option<OnAir>, u64) {
        let ask = |s: &mut State| {
            let step = s.machine.video(running);
            // The house ad goes to its slot before anybody asks for its frames.
            self.queue_actions(s);
            let shift = match step {
                VideoStep::Programme { shift } | VideoStep::Ad { shift, .. } => shift,
                VideoStep::Wait => 0,
            };
            s.picture = s.picture.max(running.saturating_add(shift));
            if let Some(subject) = subject {
                s.remember_subject(running.saturating_add(shift), subject);
            }
            let on_air = match step {
                VideoStep::Ad { slot, .. } => s.on_air(slot),
                _ => None,
            };
            (step, on_air)
        };
        let ((step, on_air), seen) = self.step(ask, |(step, _)| *step == VideoStep::Wait);
        (step, on_air, seen)
    }

    /// Samples of the programme; see [`Machine::audio`].
    pub fn ask_audio(
        self: &Arc<Self>,
        pad: PadId,
        start: u64,
        count: u64,
        rate: u32,
    ) -> (AudioStep, Option<OnAir>, u64) {
        let ask = |s: &mut State| {
            let step = s.machine.audio(pad, start, count, rate);
            self.queue_actions(s);
            let on_air = match step {
                AudioStep::Ad { slot, .. } => s.on_air(slot),
                _ => None,
            };
            (step, on_air)
        };
        let ((step, on_air), seen) = self.step(ask, |(step, _)| *step == AudioStep::Wait);
        (step, on_air, seen)
    }

    /// Waits until something has changed since `seen`. `false`: stopped, or this pad is being flushed.
    pub fn wait(&self, seen: u64, flushing: &AtomicBool) -> bool {
        let begun = Instant::now();
        let mut state = lock(&self.state);
        while state.changes == seen && !state.stopped && !flushing.load(Ordering::SeqCst) {
            // A limit, so that a flush that began between two looks is seen.
            let (guard, timeout) = self
                .changed
                .wait_timeout(state, Duration::from_millis(100))
                .unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if timeout.timed_out() {
                break;
            }
        }
        let going_on = !state.stopped && !flushing.load(Ordering::SeqCst);
        drop(state);
        stats::Counters::add_time(&self.stats.waited, begun.elapsed());
        going_on
    }
    /// Wakes who waits, to look at what is not in the state: a pad's flushing.
    pub fn wake(&self) {
        self.changed.notify_all();
        self.audience_moved.notify_all();
    }

    /// A frame of a creative was pushed. `end`: running time of the output at its end.
    pub fn frame_left(self: &Arc<Self>, slot: SlotId, frame: u64, held: bool, (at, end): (Time, Time)) {
        stats::Counters::add(&self.stats.ad_frames, 1);
        stats::Counters::add(&self.stats.held_frames, u64::from(held));
        self.change(|s| {
            if let Some(playing) = s.playing.get_mut(&slot) {
                playing.start.get_or_insert(at);
                playing.end = end;
                playing.frames += 1;
                playing.held += u64::from(held);
            }
            s.machine.frame_left(slot, frame, held);
        });
    }
    /// The programme's frame was pushed where a creative's could not be.
    pub fn frame_lost(self: &Arc<Self>, slot: SlotId, frame: u64) {
        self.change(|s| s.machine.frame_lost(slot, frame));
    }
    /// Of `count` samples, `real` were the creative's.
    pub fn samples_left(&self, slot: SlotId, pad: PadId, count: u64, real: u64) {
        stats::Counters::add(&self.stats.ad_samples, real);
        stats::Counters::add(&self.stats.silence_samples, count.saturating_sub(real));
        let mut state = lock(&self.state);
        let first = state.audio.first().is_some_and(|a| a.id == pad);
        if let Some(playing) = state.playing.get_mut(&slot).filter(|_| first) {
            playing.samples += real;
        }
    }
    /// Whether the picture changes between programme and ad, or from ad to ad, with this frame.
    pub fn is_splice(&self, showing: Option<SlotId>) -> bool {
        let before = lock(&self.state).showing.replace(showing);
        before.is_some_and(|before| before != showing)
    }
}
