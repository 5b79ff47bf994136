//! The gate's last word, readable from the streaming thread while the watcher's event arrives on another.

use std::sync::atomic::{AtomicU64, Ordering};

/// The oldest epoch of consent under which anything may still be known. Only ever rises between start and stop:
/// an event that arrives late must not bring anything back.
#[derive(Debug, Default)]
pub struct Floor(AtomicU64);

impl Floor {
    /// Takes in a gate event; returns the oldest epoch that it leaves valid.
    pub fn apply(&self, gate: &facialads_meta::event::Gate) -> u64 {
        let oldest = if gate.open { gate.epoch } else { gate.epoch.saturating_add(1) };
        self.raise(oldest);
        oldest
    }

    /// A newer epoch was seen: nothing older than it counts any more.
    pub fn raise(&self, oldest: u64) {
        self.0.fetch_max(oldest, Ordering::SeqCst);
    }

    /// Whether what was learned under `epoch` may still be used.
    pub fn allows(&self, epoch: u64) -> bool {
        epoch >= self.0.load(Ordering::SeqCst)
    }

    /// A new run: the gate upstream may have begun anew too.
    pub fn reset(&self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use facialads_meta::event::Gate;

    fn gate(epoch: u64, open: bool) -> Gate {
        Gate { epoch, open, screen: "s".into(), reason: String::new() }
    }

    #[test]
    fn an_opening_ends_older_epochs_and_a_closing_its_own_too() {
        let floor = Floor::default();
        assert!(floor.allows(1));
        assert_eq!(floor.apply(&gate(2, true)), 2);
        assert!(!floor.allows(1));
        assert!(floor.allows(2));
        assert_eq!(floor.apply(&gate(2, false)), 3);
        assert!(!floor.allows(2));
        assert!(floor.allows(3));
    }

    #[test]
    fn a_late_event_of_an_older_epoch_lifts_nothing() {
        let floor = Floor::default();
        floor.apply(&gate(7, false));
        floor.apply(&gate(3, true));
        assert!(!floor.allows(7));
        assert!(!floor.allows(3));
    }

    #[test]
    fn the_end_of_numbers_is_the_end_of_permission() {
        let floor = Floor::default();
        floor.apply(&gate(u64::MAX, false));
        assert!(!floor.allows(u64::MAX - 1));
    }
}
