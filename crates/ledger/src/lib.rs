//! Events, their store, and the reports made from them.
//!
//! - [`Ledger`]: one writer per store and process. [`Ledger::record`] never waits; a thread of its own writes. A full
//!   disk, a locked or a corrupt store stops recording, counted and reported, and never the caller.
//! - [`Event`]: what is recorded. Nothing in it describes a person; counts of people by band go into hourly buckets.
//! - [`History`]: what was played on a screen, from memory, for frequency caps.
//! - [`Records`] and [`report`]: reading it back.

mod buckets;
mod chain;
mod event;
mod history;
mod ledger;
mod records;
pub mod report;
mod store;
mod writer;

pub use chain::{ChainState, verify_chain};
pub use event::{
    AgeBand, Audience, ConsentChange, ConsentKind, Decision, Event, EventKind, Gate, Impression, Skipped,
    new_id,
};
pub use history::History;
pub use ledger::{Ledger, Notice, Observer, Settings, Stats};
pub use records::{Filter, PeopleCell, Records};
pub use store::{StoreError, erase_links, linked_records};
