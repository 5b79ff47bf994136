//! Whether frames wait for their own result.

use gst::{glib, prelude::*};

/// When inference runs beside the stream instead of in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFacialAdsAsync")]
pub enum Async {
    #[default]
    #[enum_value(name = "Beside the stream when the source is live, else in step with it", nick = "auto")]
    Auto,
    #[enum_value(name = "Beside the stream: frames never wait and carry the newest result", nick = "true")]
    True,
    #[enum_value(name = "In step: each frame waits for its own result, repeatable", nick = "false")]
    False,
}

impl Async {
    /// Decides for a stream that arrives on `sink`. Asks upstream, so this belongs to the streaming thread.
    pub fn resolve(self, sink: Option<&gst::Pad>) -> bool {
        match self {
            Self::True => true,
            Self::False => false,
            Self::Auto => {
                let mut query = gst::query::Latency::new();
                sink.is_some_and(|sink| sink.peer_query(&mut query)) && query.result().0
            }
        }
    }
}
