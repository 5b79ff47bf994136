//! When a CUDA graph may be captured.
//!
//! ONNX Runtime captures in the driver's global mode. Meanwhile no thread of the process may do what could concern the whole device
//! (allocate or free memory, load code), unless it has said that it is no part of the graph, as every thread does that enters a
//! context by [`Gpu::current`](super::Gpu::current). ONNX Runtime's other threads have not: their call fails, and so does the capture. And an event
//! that is recorded in the stream becomes a part of the graph, and so does whatever waits for it. So a graph is captured while no
//! other network is loaded or run without one, and memory that is given back meanwhile is wiped afterwards.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

/// Of the whole process, as the driver's mode is. Nobody waits to write, so readers wait for a capture at most: milliseconds.
static CAPTURE: RwLock<()> = RwLock::new(());

/// While it lives no graph is captured. Waits for a capture that is going on: not for streaming threads.
#[must_use = "it lasts until it is dropped"]
pub(crate) fn keep_out() -> RwLockReadGuard<'static, ()> {
    CAPTURE.read().unwrap_or_else(PoisonError::into_inner)
}

/// The same without waiting: `None` during a capture.
pub(crate) fn try_keep_out() -> Option<RwLockReadGuard<'static, ()>> {
    there(CAPTURE.try_read())
}

/// While it lives a graph may be captured. `None` while somebody keeps captures out: later.
pub(crate) fn begin() -> Option<RwLockWriteGuard<'static, ()>> {
    there(CAPTURE.try_write())
}

fn there<T>(guard: Result<T, TryLockError<T>>) -> Option<T> {
    match guard {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
