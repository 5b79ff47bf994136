//! The sound, sample by sample.

use super::{FILE_WAIT, LIVE_WAIT};
use crate::adinsert::{
    imp::AdInsert,
    session::{OnAir, Session, lock},
    timeline::{Timeline, clock_time},
};
use facialads_splice::{AudioStep, PadId, SlotId, Time, sample_time, samples};
use gst::{ClockTime, prelude::*};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Timestamps that differ less than this from where the sample before ended are taken to continue it: a clip's are
/// rounded, a sound card's jitter.
const TOLERANCE: Time = 20_000_000;

pub(in crate::adinsert) struct AudioLane {
    pub sink: gst::Pad,
    pub src: gst::Pad,
    pub flushing: AtomicBool,
    pub stream: Mutex<AudioStream>,
}

#[derive(Default)]
pub(in crate::adinsert) struct AudioStream {
    id: Option<PadId>,
    pub timeline: Timeline,
    pub fresh: bool,
    pub caps: Option<gst::Caps>,
    pub info: Option<gst_audio::AudioInfo>,
    /// Sample of running time at which the next buffer should begin.
    pub next: Option<u64>,
    /// The slot whose creative was late with its sound: it is not waited for as long again.
    late: Option<SlotId>,
}

impl AudioLane {
    pub fn new(sink: gst::Pad, src: gst::Pad) -> Self {
        Self { sink, src, flushing: AtomicBool::new(false), stream: Mutex::default() }
    }
    /// A new session counts pads anew.
    pub fn begin(&self, id: PadId) {
        *lock(&self.stream) = AudioStream { id: Some(id), ..AudioStream::default() };
        self.flushing.store(false, Ordering::SeqCst);
    }
    pub fn id(&self) -> Option<PadId> {
        lock(&self.stream).id
    }
    /// Number in the pads' names.
    pub fn index(&self) -> u32 {
        self.sink.name().rsplit('_').next().and_then(|n| n.parse().ok()).unwrap_or(u32::MAX)
    }
}

/// A buffer of the programme's sound, with its place in time.
struct Piece {
    buffer: gst::Buffer,
    info: gst_audio::AudioInfo,
    caps: Option<gst::Caps>,
    id: PadId,
    /// Its first sample, in running time.
    start: u64,
    count: u64,
}

/// Where to put a creative's samples.
struct Fill {
    slot: SlotId,
    position: u64,
    on_air: Option<OnAir>,
}

impl AdInsert {
    pub(super) fn chain_audio(
        &self,
        pad: &gst::Pad,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let Some(lane) = self.lane(pad) else { return Err(gst::FlowError::Error) };
        let Some(session) = self.session() else { return lane.src.push(buffer) };
        let (fresh, timeline) = {
            let mut stream = lock(&lane.stream);
            (std::mem::take(&mut stream.fresh), stream.timeline.clone())
        };
        if fresh {
            self.settle(&session, &timeline, false);
            self.refuse_live_insertion(&session)?;
        }
        match piece(&lane, buffer) {
            Err(buffer) => lane.src.push(buffer),
            Ok(piece) if session.insert_mode() => self.insert_sound(&session, &lane, piece),
            Ok(piece) => self.replace_sound(&session, &lane, piece),
        }
    }

    fn replace_sound(
        &self,
        session: &Arc<Session>,
        lane: &AudioLane,
        mut piece: Piece,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let frame_size = piece.info.bpf() as usize;
        let rate = piece.info.rate();
        let (mut done, mut busy) = (0, Duration::ZERO);
        while done < piece.count {
            let begun = Instant::now();
            let (step, on_air, seen) =
                session.ask_audio(piece.id, piece.start + done, piece.count - done, rate);
            match step {
                AudioStep::Wait => {
                    if !session.wait(seen, &lane.flushing) {
                        return Err(gst::FlowError::Flushing);
                    }
                    continue;
                }
                AudioStep::Programme { samples, .. } => done += samples,
                AudioStep::Ad { slot, position, samples, .. } => {
                    // The caps have changed and the creative's samples do not fit: the programme's sound stays.
                    if !stale(on_air.as_ref(), &piece) {
                        let range = done as usize * frame_size..(done + samples) as usize * frame_size;
                        let fill = Fill { slot, position, on_air };
                        self.fill_in_place((session, lane), &mut piece, range, &fill)?;
                    }
                    done += samples;
                }
            }
            busy += begun.elapsed();
        }
        session.stats.chain_took(busy);
        lane.src.push(piece.buffer)
    }

    fn fill_in_place(
        &self,
        (session, lane): (&Session, &AudioLane),
        piece: &mut Piece,
        range: std::ops::Range<usize>,
        fill: &Fill,
    ) -> Result<(), gst::FlowError> {
        let (info, id) = (piece.info.clone(), piece.id);
        let index = fitting(fill.on_air.as_ref(), piece);
        let buffer = piece.buffer.make_mut();
        buffer.unset_flags(gst::BufferFlags::GAP);
        let mut map = buffer.map_writable().map_err(|_| gst::FlowError::Error)?;
        let out = map.get_mut(range).ok_or(gst::FlowError::Error)?;
        write_samples(session, lane, &info, (id, index), fill, out);
        Ok(())
    }

    fn insert_sound(
        &self,
        session: &Arc<Session>,
        lane: &AudioLane,
        piece: Piece,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let rate = piece.info.rate();
        let mut done = 0;
        let mut pushed = gst::FlowSuccess::Ok;
        while done < piece.count {
            let begun = Instant::now();
            let (step, on_air, seen) =
                session.ask_audio(piece.id, piece.start + done, piece.count - done, rate);
            match step {
                AudioStep::Wait => {
                    if !session.wait(seen, &lane.flushing) {
                        return Err(gst::FlowError::Flushing);
                    }
                }
                AudioStep::Programme { samples, shift } => {
                    let part = part(&piece, done, samples, shift).ok_or(gst::FlowError::Error)?;
                    session.stats.chain_took(begun.elapsed());
                    pushed = lane.src.push(part)?;
                    done += samples;
                }
                AudioStep::Ad { slot, position, in_break, samples, shift, .. } => {
                    let mut out = vec![0; samples as usize * piece.info.bpf() as usize];
                    let index = fitting(on_air.as_ref(), &piece);
                    let fill = Fill { slot, position, on_air };
                    write_samples(session, lane, &piece.info, (piece.id, index), &fill, &mut out);
                    let mut ad = gst::Buffer::from_mut_slice(out);
                    if let (Some(inner), Some(pts)) = (ad.get_mut(), piece.buffer.pts()) {
                        let base =
                            pts.saturating_add(clock_time(sample_time(done, rate).saturating_add(shift)));
                        let from = clock_time(sample_time(in_break, rate));
                        let to = clock_time(sample_time(in_break + samples, rate));
                        inner.set_pts(base.saturating_add(from));
                        inner.set_duration(to - from);
                    }
                    session.stats.chain_took(begun.elapsed());
                    pushed = lane.src.push(ad)?;
                }
            }
        }
        Ok(pushed)
    }

    /// Nothing in the programme's sound for a while. Where a break lies there, the ad's sound has to be there all the
    /// same: the gap becomes a buffer of silence, and goes the way of all buffers.
    pub(super) fn audio_gap(&self, lane: &AudioLane, from: ClockTime, duration: Option<ClockTime>) -> bool {
        const MOST: ClockTime = ClockTime::from_seconds(10);
        let Some((session, duration)) = self.session().zip(duration.filter(|d| *d <= MOST)) else {
            return false;
        };
        let (running, info) = {
            let stream = lock(&lane.stream);
            (stream.timeline.running(Some(from)), stream.info.clone())
        };
        let (Some(running), Some(info)) = (running, info) else { return false };
        if !session.look(|s| s.machine.touches(running, running.saturating_add(duration.nseconds()))) {
            return false;
        }
        let count = samples(duration.nseconds(), info.rate());
        let mut silence = vec![0; count as usize * info.bpf() as usize];
        info.format_info().fill_silence(&mut silence);
        let mut buffer = gst::Buffer::from_mut_slice(silence);
        if let Some(inner) = buffer.get_mut() {
            inner.set_pts(from);
            inner.set_duration(duration);
            inner.set_flags(gst::BufferFlags::GAP);
        }
        // What goes wrong downstream shows at the next buffer.
        let _ = self.chain_audio(&lane.sink, buffer);
        true
    }
}

/// `Err`: a buffer that has no place in time, to be passed on as it is.
fn piece(lane: &AudioLane, buffer: gst::Buffer) -> Result<Piece, gst::Buffer> {
    let mut stream = lock(&lane.stream);
    let known = (stream.id, stream.info.clone(), stream.timeline.running(buffer.pts()));
    let (Some(id), Some(info), Some(running)) = known else {
        stream.next = None;
        return Err(buffer);
    };
    let rate = info.rate();
    let count = (buffer.size() / (info.bpf() as usize).max(1)) as u64;
    let stamped = samples(running, rate);
    let jump = buffer.flags().contains(gst::BufferFlags::DISCONT);
    let start = match stream.next {
        Some(next) if !jump && next.abs_diff(stamped) <= samples(TOLERANCE, rate) => next,
        _ => stamped,
    };
    stream.next = Some(start + count);
    let caps = stream.caps.clone();
    Ok(Piece { buffer, info, caps, id, start, count })
}

/// Number of the creative's sound that was made for this pad and its present caps.
fn fitting(on_air: Option<&OnAir>, piece: &Piece) -> Option<usize> {
    let on_air = on_air?;
    let index = on_air.pads.iter().position(|id| *id == piece.id)?;
    (on_air.format.audio.get(index) == piece.caps.as_ref()).then_some(index)
}

/// A creative whose sound was made for caps that this pad no longer has.
fn stale(on_air: Option<&OnAir>, piece: &Piece) -> bool {
    on_air.is_some_and(|on_air| on_air.pads.contains(&piece.id) && fitting(Some(on_air), piece).is_none())
}

/// Fills `out` with a creative's samples; silence where it has none.
fn write_samples(
    session: &Session,
    lane: &AudioLane,
    info: &gst_audio::AudioInfo,
    (id, index): (PadId, Option<usize>),
    fill: &Fill,
    out: &mut [u8],
) {
    info.format_info().fill_silence(out);
    let late = lock(&lane.stream).late == Some(fill.slot);
    // Once late, its sound may have ended without a word: the picture must not wait long for each buffer of it.
    let wait = if session.live() || late { LIVE_WAIT } else { FILE_WAIT };
    let begun = Instant::now();
    let real = match (&fill.on_air, index) {
        (Some(on_air), Some(index)) if on_air.creative.has_audio() => {
            on_air.creative.samples(index, fill.position, out, wait)
        }
        _ => 0,
    };
    let count = out.len() / (info.bpf() as usize).max(1);
    // Silence that is the creative's own (before its first sample, after its last) comes at once and is not late.
    let timed_out = real < count && begun.elapsed() >= Duration::from(wait);
    lock(&lane.stream).late = timed_out.then_some(fill.slot);
    session.samples_left(fill.slot, id, count as u64, real as u64);
}

/// Samples `from..from + count` of a buffer, `shift` later.
fn part(piece: &Piece, from: u64, count: u64, shift: Time) -> Option<gst::Buffer> {
    let rate = piece.info.rate();
    let mut part = if count == piece.count {
        piece.buffer.clone()
    } else {
        let size = piece.info.bpf() as usize;
        let range = from as usize * size..(from + count) as usize * size;
        piece.buffer.copy_region(gst::BufferCopyFlags::all(), range).ok()?
    };
    let pts = piece.buffer.pts()?;
    let begin = pts.saturating_add(clock_time(sample_time(from, rate).saturating_add(shift)));
    let whole = count == piece.count;
    let end = pts.saturating_add(clock_time(sample_time(from + count, rate).saturating_add(shift)));
    let inner = part.make_mut();
    inner.set_pts(begin);
    inner.set_dts(None);
    if !whole {
        inner.set_duration(end - begin);
        inner.set_offset(gst::ffi::GST_BUFFER_OFFSET_NONE);
        inner.set_offset_end(gst::ffi::GST_BUFFER_OFFSET_NONE);
        if from > 0 {
            inner.unset_flags(gst::BufferFlags::DISCONT);
        }
    }
    Some(part)
}
