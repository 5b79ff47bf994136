//! Reading what networks put out.
