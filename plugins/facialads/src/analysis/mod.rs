//! What the two analysing elements share: when to wait for inference, the thread that does it, and how problems are
//! told to the operator.

pub mod batch;
pub mod clockwork;
pub mod in_use;
pub mod live;
pub mod notices;
pub mod precision;
pub mod report;
pub mod worker;

pub use clockwork::Clockwork;
pub use in_use::InUse;
pub use live::Async;
pub use precision::Precision;
pub use worker::Worker;
