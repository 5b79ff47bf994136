//! Device memory, kept for the next who needs it, and wiped in between.
//!
//! A buffer may be dropped while kernels that use it are still running, on any stream, and neither the dropping thread nor
//! anybody else should wait for them. So a stream of our own, the cleaner, waits for all streams that may have used it, wipes it
//! and records an event; the memory is handed out again when that event is done. What the cleaner has waited for already it need
//! not wait for again: it costs as much as there is work, however many streams there are. At a steady load no memory is allocated.

use super::{
    capture,
    context::Inner,
    error::{GpuFailure, code, gpu_error},
    event::Handle,
};
use crate::Result;
use cudarc::driver::sys::{CUstream, CUstream_flags, CUstreamCaptureStatus};
use std::{
    ptr::null_mut,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

/// CUDA aligns allocations to this many bytes.
pub(super) const ALIGNMENT: usize = 256;

/// One context's device memory that nobody uses, and the streams that may use some.
#[derive(Default)]
pub(super) struct Memory(Mutex<State>);

#[derive(Default)]
struct State {
    /// Wiped, or being wiped.
    idle: Vec<Idle>,
    /// Given back while a stream was being captured into a graph, which must not be touched: wiped later.
    unwiped: Vec<Block>,
    /// Streams that may still use memory that is given back.
    streams: Vec<Stream>,
    /// Of streams that are gone, for others.
    spare: Vec<Arc<Work>>,
    cleaner: Option<usize>,
}

/// A piece of device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub address: u64,
    /// A size of [`rounded`].
    pub bytes: usize,
}

struct Idle {
    block: Block,
    /// Done when it is wiped.
    wiped: Handle,
}

struct Stream {
    handle: usize,
    work: Arc<Work>,
}

/// Whether there is work in a stream that the cleaner has not waited for.
#[derive(Default)]
pub(super) struct Work(AtomicU8);

impl Work {
    const NONE: u8 = 0;
    const SOME: u8 = 1;
    /// Others put work in, too, and do not tell.
    const ANY: u8 = 2;

    /// To be called when something has been put in, before any memory that it uses can be given back. Not earlier: the cleaner might wait
    /// for what came before it alone.
    pub fn put(&self) {
        self.0.fetch_max(Self::SOME, Ordering::AcqRel);
    }

    /// Somebody else has the stream's handle.
    pub fn lend(&self) {
        self.0.store(Self::ANY, Ordering::Release);
    }

    /// Whether the cleaner has to wait, for all that is in the stream by now.
    fn take(&self) -> bool {
        let taken = self.0.compare_exchange(Self::SOME, Self::NONE, Ordering::AcqRel, Ordering::Acquire);
        taken != Err(Self::NONE)
    }
}

fn as_stream(address: usize) -> CUstream {
    std::ptr::with_exposed_provenance_mut(address)
}

/// What is allocated for `bytes`: at most a quarter more, so that buffers of nearly equal sizes can take each other's memory.
fn rounded(bytes: usize) -> Option<usize> {
    let step = (bytes.checked_next_power_of_two()? / 8).max(ALIGNMENT);
    bytes.max(1).checked_next_multiple_of(step)
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a stream among those that may use memory of this context. The same stream may be counted several times. What is put
    /// in has to be told to what is returned.
    pub fn add_stream(&self, stream: CUstream) -> Arc<Work> {
        let mut state = self.lock();
        let work = state.spare.pop().unwrap_or_default();
        state.streams.push(Stream { handle: stream.expose_provenance(), work: Arc::clone(&work) });
        work
    }

    /// The handle of the stream with this work is about to become useless.
    pub fn remove_stream(&self, gpu: &Inner, work: &Arc<Work>) {
        let mut state = self.lock();
        let Some(index) = state.streams.iter().position(|one| Arc::ptr_eq(&one.work, work)) else { return };
        let Stream { handle, work } = state.streams.swap_remove(index);
        let is_followed = work.take() && !gpu.is_lost();
        work.0.store(Work::NONE, Ordering::Release);
        state.spare.push(work);
        if !is_followed {
            return;
        }
        // The default stream is the current context's. What fails here is a dead context, which has no memory to protect.
        let Ok(_current) = gpu.current() else { return };
        if !is_capturing(gpu, as_stream(handle)) {
            let _ = state.follow(gpu, as_stream(handle));
        }
    }

    pub fn allocate(&self, gpu: &Inner, bytes: usize) -> Result<Block> {
        let Some(bytes) = rounded(bytes).filter(|bytes| isize::try_from(*bytes).is_ok()) else {
            return Err(too_much(bytes));
        };
        let mut state = self.lock();
        let _current = gpu.current()?;
        state.wipe_what_waits(gpu);
        let mut ready = None;
        for (index, idle) in state.idle.iter().enumerate() {
            if idle.block.bytes == bytes && gpu.is_done(idle.wiped)? {
                ready = Some(index);
                break;
            }
        }
        if let Some(index) = ready {
            let idle = state.idle.swap_remove(index);
            gpu.events.give_back(idle.wiped);
            return Ok(idle.block);
        }
        let mut allocated = allocate(gpu, bytes);
        if matches!(&allocated, Err(e) if e.gpu_failure() == Some(GpuFailure::OutOfMemory)) {
            state.free_idle(gpu);
            allocated = allocate(gpu, bytes);
        }
        allocated.map(|address| Block { address, bytes })
    }

    /// Wipes a block once all that is enqueued now is done, and keeps it.
    pub fn give_back(&self, gpu: &Inner, block: Block) {
        if gpu.is_lost() {
            return;
        }
        let mut state = self.lock();
        // A context that cannot be entered is gone, and its memory with it.
        let Ok(_current) = gpu.current() else { return };
        state.unwiped.push(block);
        state.wipe_what_waits(gpu);
    }

    /// Frees what nobody uses.
    pub fn trim(&self, gpu: &Inner) {
        let mut state = self.lock();
        let Ok(_current) = gpu.current() else { return };
        state.wipe_what_waits(gpu);
        state.free_idle(gpu);
    }

    /// At the end: the context is current, and no buffer or stream is left.
    pub fn free_all(&self, gpu: &Inner) {
        let _no_capture = capture::keep_out();
        let mut state = self.lock();
        state.wipe_what_waits(gpu);
        state.free_idle(gpu);
        if let Some(cleaner) = state.cleaner.take() {
            // SAFETY: made by `State::cleaner`, and idle.
            unsafe { (gpu.driver.stream_destroy)(as_stream(cleaner)) };
        }
    }

    /// Bytes that are kept for the next.
    pub fn idle_bytes(&self) -> usize {
        self.lock().idle.iter().map(|idle| idle.block.bytes).sum()
    }
}

impl State {
    fn cleaner(&mut self, gpu: &Inner) -> Result<CUstream> {
        if let Some(cleaner) = self.cleaner {
            return Ok(as_stream(cleaner));
        }
        let stream = new_stream(gpu, false)?;
        self.cleaner = Some(stream.expose_provenance());
        Ok(stream)
    }

    /// Makes the cleaner wait for all that is in a stream now.
    fn follow(&mut self, gpu: &Inner, stream: CUstream) -> Result<()> {
        let _current = gpu.current()?;
        let cleaner = self.cleaner(gpu)?;
        let event = gpu.record(stream)?;
        let waits = gpu.wait_for_handle(cleaner, event);
        // The cleaner waits for what was recorded up to now, whatever the event is used for next.
        gpu.events.give_back(event);
        waits
    }

    fn wipe_what_waits(&mut self, gpu: &Inner) {
        if self.unwiped.is_empty() {
            return;
        }
        let Some(_no_capture) = capture::try_keep_out() else { return };
        for index in 0..self.streams.len() {
            let Stream { handle, work } = &self.streams[index];
            if !work.take() {
                continue;
            }
            let (stream, work) = (as_stream(*handle), Arc::clone(work));
            if is_capturing(gpu, stream) || self.follow(gpu, stream).is_err() {
                work.put();
                return;
            }
        }
        while let Some(block) = self.unwiped.pop() {
            match self.wipe(gpu, block) {
                Ok(wiped) => self.idle.push(Idle { block, wiped }),
                // Never handed out unwiped, and never freed unwiped: a wipe fails in a dead context only.
                Err(_) => return,
            }
        }
    }

    fn wipe(&mut self, gpu: &Inner, block: Block) -> Result<Handle> {
        let cleaner = self.cleaner(gpu)?;
        // SAFETY: memory of this context that nobody will use any more, and `bytes` of it.
        let wiped = unsafe { (gpu.driver.memory_set)(block.address, 0, block.bytes, cleaner) };
        gpu.check(wiped, "wiping memory")?;
        gpu.record(cleaner)
    }

    /// Frees what is idle, waiting until it is wiped.
    fn free_idle(&mut self, gpu: &Inner) {
        if let Some(cleaner) = self.cleaner {
            // SAFETY: a stream of this context. What fails is a dead context, in which freeing does no harm.
            unsafe { (gpu.driver.stream_synchronize)(as_stream(cleaner)) };
        }
        for Idle { block, wiped } in self.idle.drain(..) {
            // SAFETY: allocated in here, and nobody has it.
            unsafe { (gpu.driver.memory_free)(block.address) };
            gpu.events.give_back(wiped);
        }
    }
}

fn allocate(gpu: &Inner, bytes: usize) -> Result<u64> {
    let mut address = 0;
    // SAFETY: a place for the answer, in the current context.
    let allocated = unsafe { (gpu.driver.memory_allocate)(&mut address, bytes) };
    if allocated == code::SUCCESS {
        return Ok(address);
    }
    gpu.check(allocated, &format!("allocating {} MB", bytes.div_ceil(1 << 20))).map(|()| address)
}

fn too_much(bytes: usize) -> crate::Error {
    gpu_error(
        GpuFailure::OutOfMemory,
        format!("{bytes} bytes of GPU memory were asked for"),
        "use a smaller picture or batch-size",
    )
}

/// A stream that does not wait for the default stream. The context must be current.
pub(super) fn new_stream(gpu: &Inner, urgent: bool) -> Result<CUstream> {
    let doing = "making a stream";
    let (mut least, mut greatest) = (0, 0);
    // SAFETY: places for the answers, in the current context.
    let asked = unsafe { (gpu.driver.stream_priorities)(&mut least, &mut greatest) };
    gpu.check(asked, doing)?;
    let mut stream = null_mut();
    let flags = CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
    let priority = if urgent { greatest } else { least };
    // SAFETY: a place for the answer, in the current context; the priority is one of the device's own.
    let made = unsafe { (gpu.driver.stream_create)(&mut stream, flags, priority) };
    gpu.check(made, doing)?;
    Ok(stream)
}

/// Whether a stream's work is being captured into a graph: an event recorded in it now would become part of the graph. The context
/// must be current.
fn is_capturing(gpu: &Inner, stream: CUstream) -> bool {
    let Some(ask) = gpu.driver.stream_capturing else { return false };
    let mut status = CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE as u32;
    // SAFETY: a live stream, and a place for the answer: the enum is an unsigned int in C.
    let asked = unsafe { ask(stream, (&raw mut status).cast()) };
    asked != code::SUCCESS || status != CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_waited_for_once_and_that_of_others_always() {
        let work = Work::default();
        assert!(!work.take());
        work.put();
        work.put();
        assert!(work.take() && !work.take());
        work.lend();
        work.put();
        assert!(work.take() && work.take());
    }

    #[test]
    fn sizes_are_rounded_by_at_most_a_quarter() {
        assert_eq!(rounded(0), Some(256));
        assert_eq!(rounded(257), Some(512));
        assert_eq!(rounded(640 * 640 * 12), Some(5 << 20));
        for bytes in [1000, 4096, 65_537, 1_228_800, 3_110_400, 49_766_400] {
            let given = rounded(bytes).unwrap();
            assert!(given >= bytes && given <= bytes + (bytes / 4).max(256), "{bytes} -> {given}");
            assert_eq!(given % 256, 0);
            assert_eq!(rounded(given), Some(given), "a size that was rounded stays");
        }
        assert_eq!(rounded(usize::MAX), None);
    }
}
