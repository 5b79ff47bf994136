//! Events, their store, and the reports made from them.
