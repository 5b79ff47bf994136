//! `adinsert`: splices advertisements into a programme, frame-exactly, and never harms the programme.
//!
//! ```text
//! sink_video    ─► src_video        always
//! sink_audio_%u ─► src_audio_%u     on request of the sink
//! sink_audience                     on request; consumed
//! ```
//!
//! ```sh
//! gst-launch-1.0 uridecodebin uri=file:///tmp/programme.mp4 name=programme \
//!   adinsert name=ads breaks=10,40+15 ads=/tmp/one.mp4,/tmp/two.mp4 \
//!   programme. ! queue ! videoconvert ! ads.sink_video ads.src_video ! queue ! autovideosink \
//!   programme. ! queue ! audioconvert ! ads.sink_audio_0 ads.src_audio_0 ! queue ! autoaudiosink
//! ```
//!
//! | file | what |
//! |---|---|
//! | `imp` | registration, properties, signals, states |
//! | `settings` | what the user sets |
//! | `session` | what lives between start and stop: the state machine, what plays, what is to be told |
//! | `pads` | the streaming threads: picture, sound, audience, events and queries |
//! | `audience` | what was seen of the viewers, and for how long it is kept |
//! | `decision`, `prepare` | choosing and opening creatives, on threads of their own |
//! | `messages`, `records` | what is told on the bus and to the ledger |
//! | `creative` | where an advertisement's frames and samples come from, and in whose memory |
//!
//! # Locks
//! In the order in which they may be held together: a pad's own stream state, then [`session::Session`]'s state.
//! The audience window is locked alone. Nothing is locked while a buffer or an event is pushed, a message is posted, or
//! a creative is asked for a frame; what follows from a step of the state machine is queued under the lock and carried
//! out after it, in order ([`session::Session::carry_out`]).

mod audience;
pub mod creative;
mod decision;
mod imp;
mod live;
mod messages;
mod pads;
mod prepare;
mod records;
mod session;
mod settings;
mod source;
mod stats;
mod timeline;

pub use settings::{InsertMode, Live};
pub use source::CreativeSource;

use gst::{glib, prelude::*, subclass::prelude::*};
use std::sync::Arc;

glib::wrapper! {
    pub struct AdInsert(ObjectSubclass<imp::AdInsert>) @extends gst::Element, gst::Object;
}

impl AdInsert {
    /// Where creatives come from, instead of being decoded from files and addresses. Takes effect at the next start.
    pub fn set_creative_source(&self, source: Arc<dyn CreativeSource>) {
        self.imp().set_source(source);
    }
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    // Documented in gst-inspect's element page only if the types are known to be public.
    InsertMode::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    Live::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "adinsert", gst::Rank::NONE, AdInsert::static_type())
}
