//! Frame to tensor.
