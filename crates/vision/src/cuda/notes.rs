//! Things that are worth knowing but are no errors.

use std::sync::{Mutex, PoisonError};

static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Says something once.
pub(super) fn note(text: String) {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    if !notes.contains(&text) && notes.len() < 100 {
        notes.push(text);
    }
}

/// What came up that is no error, each once: a kernel cache that cannot be written, an NVRTC that is newer than the driver. For
/// debug logs and `facialads doctor`.
pub fn notes() -> Vec<String> {
    NOTES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
