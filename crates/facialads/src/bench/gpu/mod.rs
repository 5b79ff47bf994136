//! What a GPU is measured by: whether it gives the CPU's results, and what it costs.

pub mod check;
mod compare;
mod frames;
pub mod measure;
