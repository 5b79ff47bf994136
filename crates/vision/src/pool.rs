//! Memory that goes from the streaming thread to the worker and back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// As many are kept as can be under way at once: one being made, one waiting, one being looked at.
const KEPT: usize = 3;

/// Used memory. Held for moments only, never while anything is computed.
pub(crate) struct Pool<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Vec::with_capacity(KEPT))))
    }
}

impl<T: Default> Pool<T> {
    fn kept(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was given back last, or new.
    pub(crate) fn take(&self) -> T {
        let used = self.kept().pop();
        used.unwrap_or_default()
    }

    pub(crate) fn give_back(&self, used: T) {
        let mut kept = self.kept();
        if kept.len() < KEPT {
            kept.push(used);
        }
    }
}
