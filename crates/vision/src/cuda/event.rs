//! Points in a stream's work, to wait for and to measure with.

use super::{
    context::{Gpu, Inner},
    driver::Driver,
    error::code,
};
use crate::Result;
use cudarc::driver::sys::{CUevent, CUevent_flags, CUstream};
use std::{
    fmt,
    ptr::null_mut,
    sync::{Mutex, PoisonError},
};

/// A point in a stream's work, from [`super::Stream::record`].
pub struct Event {
    gpu: Gpu,
    handle: Handle,
}

/// Somebody has to give it back to [`Events`].
pub(super) type Handle = usize;

impl Event {
    pub(super) fn record(gpu: &Gpu, stream: CUstream) -> Result<Self> {
        let handle = gpu.0.record(stream)?;
        Ok(Self { gpu: gpu.clone(), handle })
    }

    pub(super) fn handle(&self) -> CUevent {
        as_event(self.handle)
    }

    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Waits until the GPU has got there. The thread sleeps; it does not spin.
    ///
    /// # Errors
    /// Work before this point failed.
    pub fn wait(&self) -> Result<()> {
        let _current = self.gpu.current()?;
        // SAFETY: a recorded event of this context.
        let waited = unsafe { (self.gpu.0.driver.event_synchronize)(self.handle()) };
        self.gpu.0.check(waited, "waiting for the GPU")
    }

    /// Whether the GPU has got there.
    ///
    /// # Errors
    /// Work before this point failed.
    pub fn is_done(&self) -> Result<bool> {
        let _current = self.gpu.current()?;
        self.gpu.0.is_done(self.handle)
    }

    /// The time from `earlier` to here as the GPU measured it, with half a microsecond's resolution. Both must be done.
    ///
    /// # Errors
    /// One is not done, or they are of different contexts.
    pub fn milliseconds_since(&self, earlier: &Self) -> Result<f32> {
        let _current = self.gpu.current()?;
        let mut milliseconds = 0.0;
        // SAFETY: two recorded events, and a place for the answer. The driver refuses those of different contexts.
        let asked =
            unsafe { (self.gpu.0.driver.event_elapsed)(&mut milliseconds, earlier.handle(), self.handle()) };
        self.gpu.0.check(asked, "measuring time on the GPU")?;
        Ok(milliseconds)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.gpu.0.events.give_back(self.handle);
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({:#x})", self.handle)
    }
}

fn as_event(handle: Handle) -> CUevent {
    std::ptr::with_exposed_provenance_mut(handle)
}

/// Events that are not in use, so that recording one makes none once a program runs steadily.
#[derive(Default)]
pub(super) struct Events(Mutex<Vec<Handle>>);

impl Events {
    pub fn give_back(&self, handle: Handle) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
    }

    /// The context must be current.
    pub fn destroy(&self, driver: &Driver) {
        for handle in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // SAFETY: made by `Inner::record`, and in nobody's hands.
            unsafe { (driver.event_destroy)(as_event(handle)) };
        }
    }
}

impl Inner {
    /// Records an event in `stream`, a stream of this context. Enters the context by itself.
    pub(super) fn record(&self, stream: CUstream) -> Result<Handle> {
        let _current = self.current()?;
        let idle = self.events.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let handle = match idle {
            Some(handle) => handle,
            None => self.new_event()?,
        };
        // SAFETY: an event of this context that nobody else has, and a live stream of it.
        let recorded = unsafe { (self.driver.event_record)(as_event(handle), stream) };
        if recorded != code::SUCCESS {
            self.events.give_back(handle);
        }
        self.check(recorded, "marking a point in the GPU's work")?;
        Ok(handle)
    }

    fn new_event(&self) -> Result<Handle> {
        let mut event = null_mut();
        // Threads sleep: a spinning one takes a core from the decoder for as long as a network runs.
        let flags = CUevent_flags::CU_EVENT_BLOCKING_SYNC as u32;
        // SAFETY: a place for the answer, in the current context.
        let made = unsafe { (self.driver.event_create)(&mut event, flags) };
        self.check(made, "making an event")?;
        Ok(event.expose_provenance())
    }

    /// Makes what comes later in `stream` wait for an event. The context must be current.
    pub(super) fn wait_in(&self, stream: CUstream, event: CUevent) -> Result<()> {
        // SAFETY: a live stream and a recorded event; they may be of different contexts.
        let waits = unsafe { (self.driver.stream_wait)(stream, event, 0) };
        self.check(waits, "letting one stream wait for another")
    }

    pub(super) fn wait_for_handle(&self, stream: CUstream, handle: Handle) -> Result<()> {
        self.wait_in(stream, as_event(handle))
    }

    /// Whether an event is done. The context must be current.
    pub(super) fn is_done(&self, handle: Handle) -> Result<bool> {
        // SAFETY: a recorded event of this context.
        match unsafe { (self.driver.event_query)(as_event(handle)) } {
            code::NOT_READY => Ok(false),
            code => self.check(code, "asking how far the GPU is").map(|()| true),
        }
    }
}
