//! Consent: who allowed what, on which screen, until when, and the proof of it that code must hold
//! before it looks at a person.
//!
//! The rule of this crate is that it fails closed: whatever is missing, unreadable, expired or unclear is "no".
//!
//! - [`Purpose`], [`Purposes`]: what a viewer can agree to.
//! - [`Stamp`]: what the gate lets travel with each buffer.
//! - [`permit`]: the only way to a [`Permit`], which every inference and every decision on people requires.
//! - [`Store`]: the grants, in SQLite; [`Watcher`]: learns of changes within milliseconds.
//! - [`stamp_for`]: from grants to the stamp, the strictest reading of them all.

mod gate;
mod permit;
mod purpose;
mod stamp;
mod store;
mod watcher;

pub use gate::{GateRules, UnlawfulRules, next_epoch, published_stamp, stamp_for};
pub use permit::{Demographics, Emotion, Measurement, Permit, Personalisation, PurposeKind, Refusal, permit};
pub use purpose::{Purpose, Purposes, UnknownPurpose};
pub use stamp::{Basis, Policy, Site, Stamp, Zone};
pub use store::{
    DEFAULT_MINUTES, Grant, GrantError, InvalidGrant, MAX_MINUTES, MAX_SCREEN, NewGrant, Notice, ReceiptId,
    Standing, Store, StoreError, check_screen, default_path,
};
pub use watcher::{Clock, GateState, Reading, Reason, SystemClock, Watch, Watcher};

/// Wall clock in nanoseconds since the Unix epoch: the unit of every expiry in this crate.
pub type WallClock = u64;

/// The wall clock now. A clock before 1970 reads as the end of time, so that everything has expired.
pub fn wall_clock() -> WallClock {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_nanos()).ok())
        .unwrap_or(u64::MAX)
}
