//! Converted sound, waiting to be asked for by sample index, for each audio pad of the programme.
//!
//! All pads are fed from one decoder, so one that is not read must never stop the others: a full pad makes the decoder
//! wait only while the others have enough, and at [`HARD_LIMIT`] it forgets its oldest sound.

use super::{Options, timeline::Timeline};
use gst::{ClockTime, buffer, prelude::*};
use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Timestamps that deviate less than this from the sample count are rounding (Matroska rounds to milliseconds), not a
/// gap: the alignment threshold of GStreamer's audio sinks.
const ALIGNMENT: ClockTime = ClockTime::from_mseconds(40);
/// Most sound that a pad keeps while another pad of the same creative needs more.
const HARD_LIMIT: ClockTime = ClockTime::from_seconds(60);
/// How often somebody who waits for the first frame looks whether it is there.
const GLANCE: Duration = Duration::from_millis(5);

struct Chunk {
    /// Sample indices, counted from running time 0.
    range: Range<u64>,
    /// Bytes before the first sample of `range`.
    skip: usize,
    data: buffer::MappedBuffer<buffer::Readable>,
}

#[derive(Default)]
struct Pad {
    chunks: VecDeque<Chunk>,
    queued: u64,
    /// Index after the last sample that came.
    next: Option<u64>,
    /// Somebody waits for the samples before this index: the queue is not full until it has them.
    asked: u64,
    ended: bool,
}

impl Pad {
    fn forget_before(&mut self, index: u64) {
        while self.chunks.front().is_some_and(|chunk| chunk.range.end <= index) {
            self.forget_oldest();
        }
    }
    fn forget_oldest(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.queued -= chunk.range.end - chunk.range.start;
        }
    }
}

#[derive(Default)]
struct State {
    pads: Vec<Pad>,
    stopped: bool,
    failed: bool,
}

pub struct Queues {
    infos: Vec<gst_audio::AudioInfo>,
    ahead: ClockTime,
    state: Mutex<State>,
    changed: Condvar,
}

impl Queues {
    /// Queues for the programme's pads, and what is wrong with their caps if anything is.
    pub fn new(caps: &[gst::Caps], options: &Options) -> (Self, Option<String>) {
        let mut problem = None;
        let mut infos = Vec::with_capacity(caps.len());
        for caps in caps {
            match gst_audio::AudioInfo::from_caps(caps) {
                Ok(info) if info.bpf() > 0 && info.rate() > 0 && info.width() > 0 => infos.push(info),
                _ => problem = Some(format!("the programme's sound format cannot be used: {caps}")),
            }
        }
        let pads = infos.iter().map(|_| Pad::default()).collect();
        let state = Mutex::new(State { pads, ..State::default() });
        (Self { infos, ahead: options.sound_ahead, state, changed: Condvar::new() }, problem)
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub fn wanted(&self) -> bool {
        !self.infos.is_empty()
    }
    pub fn info(&self, pad: usize) -> Option<&gst_audio::AudioInfo> {
        self.infos.get(pad)
    }
    /// Every pad has its first samples, or will have none.
    pub fn has_started(&self) -> bool {
        self.state().pads.iter().all(|pad| pad.next.is_some() || pad.ended)
    }
    pub fn has_content(&self) -> bool {
        self.state().pads.iter().any(|pad| pad.next.is_some())
    }
    pub fn all_ended(&self) -> bool {
        self.state().pads.iter().all(|pad| pad.ended)
    }
    pub fn wake(&self) {
        let _state = self.state();
        self.changed.notify_all();
    }
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }
    /// What is queued is all there will be.
    pub fn fail(&self) {
        self.state().failed = true;
        self.changed.notify_all();
    }
    pub fn end(&self, pad: usize) {
        if let Some(pad) = self.state().pads.get_mut(pad) {
            pad.ended = true;
        }
        self.changed.notify_all();
    }

    /// Takes converted sound that starts at running time `start`; waits while there is enough.
    pub fn push(
        &self,
        pad: usize,
        start: ClockTime,
        data: buffer::MappedBuffer<buffer::Readable>,
    ) -> Result<(), gst::FlowError> {
        let info = self.infos.get(pad).ok_or(gst::FlowError::Error)?;
        let mut state = self.state();
        while !state.stopped && self.is_full(&state, pad) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped {
            return Err(gst::FlowError::Flushing);
        }
        let queue = state.pads.get_mut(pad).ok_or(gst::FlowError::Error)?;
        let bytes_per_sample = info.bpf() as usize;
        let count = (data.len() / bytes_per_sample) as u64;
        let stamped = samples_in(start, info);
        let (from, skip) = match queue.next {
            Some(next) if next.abs_diff(stamped) <= samples_in(ALIGNMENT, info) => (next, 0),
            Some(next) if stamped < next => (next, next - stamped),
            _ => (stamped, 0),
        };
        if skip >= count {
            return Ok(());
        }
        let range = from..from + count - skip;
        queue.next = Some(range.end);
        queue.queued += range.end - range.start;
        queue.chunks.push_back(Chunk { range, skip: skip as usize * bytes_per_sample, data });
        while queue.queued > samples_in(HARD_LIMIT.max(self.ahead), info) {
            queue.forget_oldest();
        }
        self.changed.notify_all();
        Ok(())
    }

    fn is_full(&self, state: &State, pad: usize) -> bool {
        let enough = |pad: usize, part: u64| match (state.pads.get(pad), self.infos.get(pad)) {
            (Some(queue), Some(info)) => {
                let answered = queue.next.is_some_and(|next| next >= queue.asked);
                queue.ended || answered && queue.queued >= samples_in(self.ahead / part, info)
            }
            _ => true,
        };
        enough(pad, 1) && (0..state.pads.len()).all(|other| enough(other, 4))
    }

    /// See [`crate::adinsert::creative::Creative::samples`].
    pub fn samples(
        &self,
        pad: usize,
        position: u64,
        out: &mut [u8],
        deadline: Instant,
        timeline: &Timeline,
    ) -> usize {
        let Some(info) = self.infos.get(pad) else {
            out.fill(0);
            return 0;
        };
        let bytes_per_sample = info.bpf() as usize;
        let count = out.len() / bytes_per_sample;
        let (out, rest) = out.split_at_mut(count * bytes_per_sample);
        info.format_info().fill_silence(out);
        rest.fill(0);
        let mut state = self.state();
        loop {
            let origin = timeline.origin();
            let wanted = origin.map(|origin| {
                let from = samples_in(origin, info).saturating_add(position);
                from..from.saturating_add(count as u64)
            });
            let Some(queue) = state.pads.get_mut(pad) else { return 0 };
            if let Some(wanted) = &wanted {
                let had = queue.queued;
                queue.forget_before(wanted.start);
                if queue.queued < had || queue.asked < wanted.end {
                    queue.asked = wanted.end;
                    self.changed.notify_all();
                }
            }
            let complete = wanted.as_ref().is_some_and(|w| queue.next.is_some_and(|next| next >= w.end));
            let over = queue.ended || state.stopped || state.failed;
            let absent = timeline.streams().is_some_and(|s| !s.audio);
            let left = deadline.saturating_duration_since(Instant::now());
            if complete || over || absent || left.is_zero() {
                let Some(wanted) = wanted else { return 0 };
                let copied =
                    state.pads.get_mut(pad).map_or(0, |queue| copy(queue, &wanted, out, bytes_per_sample));
                self.changed.notify_all();
                return copied;
            }
            let nap = if origin.is_some() { left } else { left.min(GLANCE) };
            state = self.changed.wait_timeout(state, nap).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Copies what the queue has of `wanted` to its place in `out`, and forgets it.
fn copy(queue: &mut Pad, wanted: &Range<u64>, out: &mut [u8], bytes_per_sample: usize) -> usize {
    let mut copied = 0;
    for chunk in &queue.chunks {
        let (from, to) = (chunk.range.start.max(wanted.start), chunk.range.end.min(wanted.end));
        if from >= to {
            continue;
        }
        let length = (to - from) as usize * bytes_per_sample;
        let source = chunk.skip + (from - chunk.range.start) as usize * bytes_per_sample;
        let target = (from - wanted.start) as usize * bytes_per_sample;
        if let (Some(target), Some(source)) =
            (out.get_mut(target..target + length), chunk.data.get(source..source + length))
        {
            target.copy_from_slice(source);
            copied += (to - from) as usize;
        }
    }
    queue.forget_before(wanted.end);
    copied
}

/// Index of the sample at `time`, rounded.
pub fn samples_in(time: ClockTime, info: &gst_audio::AudioInfo) -> u64 {
    time.nseconds().mul_div_round(u64::from(info.rate()), ClockTime::SECOND.nseconds()).unwrap_or(u64::MAX)
}
