//! Whether the programme may wait.

use super::{imp::AdInsert, session::Session, settings::Live};
use gst::{prelude::*, subclass::prelude::*};
use std::sync::Arc;

/// Asks every input whether it is live; one is enough. For streaming threads and our own, not for event handlers.
pub(super) fn ask(element: &AdInsert, session: &Arc<Session>) {
    let live = match session.settings.live {
        Live::Yes => true,
        Live::No => false,
        Live::Auto => element.obj().sink_pads().iter().any(|pad| {
            let mut query = gst::query::Latency::new();
            pad.peer_query(&mut query) && query.result().0
        }),
    };
    session.set_live(live);
}
