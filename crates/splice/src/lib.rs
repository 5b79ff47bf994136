//! The break as a pure state machine: time and events in, actions out.
