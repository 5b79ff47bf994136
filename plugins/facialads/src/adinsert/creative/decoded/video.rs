//! Converted frames, waiting to be asked for by time.

use super::{Options, Shared, route::Memory, timeline::Timeline};
use crate::adinsert::creative::Frame;
use facialads_gstcuda::{Context, DeviceFrame};
use gst::{ClockTime, prelude::*};
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

struct Waiting {
    /// From the creative's first frame on.
    start: ClockTime,
    end: ClockTime,
    picture: gst::Buffer,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    current: Option<Waiting>,
    /// Buffers of a GPU pool, see [`Queue::lend`].
    lent: Vec<gst::Buffer>,
    /// Running time of the first frame.
    first: Option<ClockTime>,
    ended: bool,
    stopped: bool,
}

pub struct Queue {
    info: gst_video::VideoInfo,
    memory: Memory,
    /// Half a frame of the programme; zero where it has no frame rate.
    half: ClockTime,
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    pub fn new(caps: &gst::Caps, options: &Options) -> Result<Self, String> {
        let info = gst_video::VideoInfo::from_caps(caps)
            .map_err(|_| format!("the programme's picture format cannot be used: {caps}"))?;
        let memory = Memory::of(caps)
            .ok_or_else(|| format!("the programme's pictures are in memory that cannot be used: {caps}"))?;
        let (n, d) = (info.fps().numer(), info.fps().denom());
        let half = match (u64::try_from(n), u64::try_from(d)) {
            (Ok(n), Ok(d)) if n > 0 => ClockTime::SECOND.nseconds().mul_div_floor(d, n.saturating_mul(2)),
            _ => None,
        };
        Ok(Self {
            info,
            memory,
            half: half.map_or(ClockTime::ZERO, ClockTime::from_nseconds),
            capacity: options.frames_ahead(memory).max(1),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The first frame is there, or there will be none.
    pub fn has_started(&self) -> bool {
        let state = self.state();
        state.first.is_some() || state.ended
    }
    pub fn has_content(&self) -> bool {
        self.state().first.is_some()
    }
    pub fn capacity(&self) -> usize {
        self.capacity
    }
    pub fn info(&self) -> &gst_video::VideoInfo {
        &self.info
    }
    pub fn memory(&self) -> Memory {
        self.memory
    }
    pub fn wake(&self) {
        let _state = self.state();
        self.changed.notify_all();
    }
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Takes a converted frame; waits while the queue is full.
    pub fn push(&self, start: ClockTime, end: ClockTime, picture: gst::Buffer) -> Result<(), gst::FlowError> {
        let mut state = self.state();
        while state.waiting.len() >= self.capacity && !state.stopped {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped {
            return Err(gst::FlowError::Flushing);
        }
        let first = *state.first.get_or_insert(start);
        let (start, end) = (start.saturating_sub(first), end.saturating_sub(first));
        state.waiting.push_back(Waiting { start, end, picture });
        self.changed.notify_all();
        Ok(())
    }
    /// Holds a buffer of a GPU pool until nobody else uses it or its memory. A pool of GStreamer 1.22 throws away what comes back while
    /// somebody holds its memory, and would have to allocate anew for every frame, for which CUDA stops the whole GPU. What is of
    /// no pool, as a decoder's own surfaces, is not held: they go back when they are let go.
    pub fn lend(&self, buffer: gst::Buffer) {
        // SAFETY: a live buffer; read only.
        if !unsafe { (*buffer.as_ptr()).pool.is_null() } {
            self.state().lent.push(buffer);
        }
    }
    pub fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// See [`crate::adinsert::creative::Creative::frame`].
    pub fn frame(&self, time: ClockTime, deadline: Instant, shared: &Shared) -> Frame {
        let mut state = self.state();
        loop {
            let had = state.waiting.len();
            let choice = self.choose(&mut state, time, &shared.timeline);
            if state.waiting.len() < had {
                self.changed.notify_all();
            }
            if let Some(frame) = choice {
                return frame;
            }
            // Nobody has looked yet, and there may be no video at all.
            let absent = state.first.is_none() && shared.timeline.streams().is_some_and(|s| !s.video);
            if absent || state.ended {
                return Frame::End;
            }
            if let Some(reason) = shared.timeline.failure() {
                return Frame::Failed(reason);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.stopped {
                return match &state.current {
                    Some(current) => Frame::Held(current.picture.clone()),
                    None => Frame::Failed(format!("{}: no picture has been decoded yet", shared.source)),
                };
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The frame for `time` if what is here decides it.
    fn choose(&self, state: &mut State, time: ClockTime, timeline: &Timeline) -> Option<Frame> {
        let limit = time.saturating_add(self.half);
        while state.waiting.front().is_some_and(|next| next.start < limit || next.start <= time) {
            // Frames that are overtaken are dropped: that is how a stall corrects itself.
            state.current = state.waiting.pop_front();
        }
        state.lent.retain(|pooled| !(pooled.is_writable() && pooled.is_all_memory_writable()));
        let current = state.current.as_ref()?;
        let decided = !state.waiting.is_empty() || current.start.saturating_add(self.half) >= time;
        if decided {
            return Some(Frame::Picture(current.picture.clone()));
        }
        if !state.ended {
            return None;
        }
        // Past its end the last picture stays only as long as the sound goes on.
        let end = timeline.duration().map_or(current.end, |all| all.max(current.end));
        Some(if end < limit { Frame::End } else { Frame::Picture(current.picture.clone()) })
    }
}

/// The picture alone, in memory shared with `buffer`: no metas, flags or timestamps, planes where the caps say they are.
/// Copies only where a decoder laid the planes out otherwise.
pub fn plain(
    buffer: &gst::BufferRef,
    info: &gst_video::VideoInfo,
    caps: Option<&gst::CapsRef>,
) -> Option<gst::Buffer> {
    let mut picture = gst::Buffer::new();
    let elsewhere = buffer
        .meta::<gst_video::VideoMeta>()
        .is_some_and(|meta| meta.stride() != info.stride() || meta.offset() != info.offset());
    if elsewhere {
        let theirs = gst_video::VideoInfo::from_caps(caps?).ok()?;
        let source = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &theirs).ok()?;
        let mut target = gst::Buffer::with_size(info.size()).ok()?;
        let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(target.get_mut()?, info).ok()?;
        source.copy(&mut frame).ok()?;
        drop(frame);
        return Some(target);
    }
    buffer.copy_into(picture.get_mut()?, gst::BufferCopyFlags::MEMORY, ..).ok()?;
    Some(picture)
}

/// Why a picture on the GPU cannot be handed over.
pub enum NotOnGpu {
    /// It is in another context than the programme's, or in none.
    Elsewhere,
    /// The GPU did not take it; GStreamer's words.
    Refused(String),
}

/// The same for a picture on the GPU: its memory is shared, and where its planes lie is kept with it, because the device pads
/// rows. It is mapped on the device once: what somebody wrote to the host's side of the memory is brought there now, not when it
/// is first used on air.
pub fn on_gpu(
    sample: &gst::Sample,
    info: &gst_video::VideoInfo,
    programme: &Context,
) -> Result<gst::Buffer, NotOnGpu> {
    let buffer = sample.buffer().ok_or(NotOnGpu::Elsewhere)?;
    let frame = DeviceFrame::map_read(buffer, info).map_err(|error| match error {
        facialads_gstcuda::Error::Memory { .. } => NotOnGpu::Elsewhere,
        error => NotOnGpu::Refused(error.to_string()),
    })?;
    if frame.context() != programme {
        return Err(NotOnGpu::Elsewhere);
    }
    drop(frame);
    bare(buffer).ok_or_else(|| NotOnGpu::Refused("its memory cannot be shared".into()))
}

fn bare(buffer: &gst::BufferRef) -> Option<gst::Buffer> {
    let mut bare = gst::Buffer::new();
    let inner = bare.get_mut()?;
    buffer.copy_into(inner, gst::BufferCopyFlags::MEMORY, ..).ok()?;
    if let Some(meta) = buffer.meta::<gst_video::VideoMeta>() {
        let (flags, format) = (gst_video::VideoFrameFlags::empty(), meta.format());
        let size = (meta.width(), meta.height());
        gst_video::VideoMeta::add_full(inner, flags, format, size.0, size.1, meta.offset(), meta.stride())
            .ok()?;
    }
    Some(bare)
}
